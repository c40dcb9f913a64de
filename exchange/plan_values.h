#pragma once
/// Which ONNX value holds a tensor of a plan. Layers write the parts of a concatenation into channels of one tensor; reading
/// that tensor adds a Concat node.

#include "core/tensor.h"
#include "exchange/graph_writer.h"
#include "layers/plan.h"

#include <map>
#include <string>
#include <vector>

namespace minception::exchange {

class PlanValues {
 public:
  PlanValues(const Plan& plan, GraphWriter& graph) : plan_(plan), graph_(graph) {}

  /// Records that `tensor` now has the value `name`.
  void write(const Tensor& tensor, const std::string& name);
  /// The value of `tensor`. Throws Error, naming the layer that reads it, if it was not written as a whole.
  std::string read(const Tensor& tensor, const std::string& layer);

 private:
  /// Channels [begin, end) of a storage.
  struct Slice {
    std::int64_t begin = 0, end = 0;
    Shape pixels;  ///< the shape without channels
    std::string value;
  };
  static Slice slice_of(const Tensor& tensor, const std::string& value);

  const Plan& plan_;
  GraphWriter& graph_;
  std::map<int, std::vector<Slice>> written_;  // by storage, ordered by channel
};

}  // namespace minception::exchange
