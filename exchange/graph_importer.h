#pragma once
/// Turns the nodes of an ONNX graph into layers, one by one. Nodes that have no layer of their own are followed as symbolic
/// values: the normalisation of the input, computed shapes, padding, and the parts of GELU.

#include "exchange/layer_tree.h"
#include "exchange/onnx_reader.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace minception::exchange {

/// y[channel] = x[channel] * scale + shift
struct InputChannel {
  std::int64_t channel = 0;
  double scale = 1.0, shift = 0.0;
  bool operator==(const InputChannel&) const = default;
};

struct OnnxValue {
  enum class Kind : std::uint8_t {
    constant,
    integers,  ///< part of a shape
    input,     ///< the graph's input, perhaps normalised or resized
    layer,
    scaled,    ///< layer * factor
    erf,       ///< erf(layer / sqrt 2)
    cdf,       ///< (1 + erf(layer / sqrt 2)) * factor
    gelu,      ///< layer * (1 + erf(layer / sqrt 2)) * factor, until the factor is 1/2
    padded,    ///< layer with padding
    averaged,  ///< layer whose columns were averaged to `integers[0]`
  };
  Kind kind = Kind::layer;
  const onnx::TensorProto* tensor = nullptr;
  std::vector<std::int64_t> integers = {};
  std::vector<InputChannel> channels = {};
  bool channel_axis = true;  ///< input: false after one channel was taken out
  bool resized = false;      ///< input
  int layer = GraphLayer::kInput;
  double factor = 1.0;
  std::vector<std::int64_t> padding = {};  ///< top, left, bottom, right
  double padding_value = 0.0;
  std::string where = {};  ///< the node that made it
};

class GraphImporter {
 public:
  /// `size`: (H, W) for a file that leaves them free; rank 0: none. Throws Error for an input or output that is no image or
  /// no logits.
  GraphImporter(const onnx::ModelProto& model, const Shape& size);

  /// Adds the layers of all nodes that the output needs. Throws Error, naming a node, if it cannot.
  void run();

  bool pixels() const { return pixels_; }                ///< the input holds bytes
  const Shape& image() const { return image_; }          ///< (C, H, W) of the input
  const Shape& network_input() const { return input_; }  ///< the same after a resize
  const std::vector<InputChannel>& channels() const { return channels_; }
  std::vector<GraphLayer>& layers() { return layers_; }
  int output() const { return output_; }

 private:
  using Kind = OnnxValue::Kind;
  using Integers = std::vector<std::int64_t>;
  static constexpr std::int64_t kBatch = INT64_MIN;  ///< the batch in a computed shape

  void read_input(const Shape& size);
  void read_constants();
  std::vector<int> needed_nodes() const;
  using Handler = std::function<void(GraphImporter&, const NodeReader&)>;
  static const Handler& handler(const NodeReader& node);

  const OnnxValue& value(const NodeReader& node, int index) const;
  void set(const NodeReader& node, OnnxValue value);
  const onnx::TensorProto* constant(const NodeReader& node, int index) const;
  /// The constant of an input, in f32.
  FileTensor floats(const NodeReader& node, int index, const char* what) const;
  Integers integers(const NodeReader& node, int index) const;
  /// The axes of an attribute or input; empty if missing.
  Integers axes(const NodeReader& node, int input) const;
  /// The layer whose output an input is.
  int layer(const NodeReader& node, int index);
  int layer_of(const NodeReader& node, const OnnxValue& value);
  Shape shape_of(int layer) const;
  std::string path(const NodeReader& node, int weight = -1) const;
  void add(const NodeReader& node, int input, std::unique_ptr<Layer> layer,
           std::map<std::string, FileTensor> parameters = {}, int weight = -1);
  bool read_once(const std::string& name) const;

  // Layers.
  void conv(const NodeReader& node);
  void pool(const NodeReader& node, bool max);
  void global_pool(const NodeReader& node);
  void reduce_mean(const NodeReader& node);
  void batch_norm(const NodeReader& node);
  void gemm(const NodeReader& node);
  void mat_mul(const NodeReader& node);
  bool adaptive_pool(const NodeReader& node);
  void lrn(const NodeReader& node);
  void gelu(const NodeReader& node);
  void dropout(const NodeReader& node);
  void flatten(const NodeReader& node);
  void reshape(const NodeReader& node);
  void squeeze(const NodeReader& node);
  void concat_values(const NodeReader& node);
  void softmax(const NodeReader& node);
  /// Flatten after node `node`, whose input is a layer.
  void add_flatten(const NodeReader& node, int input);
  struct Windows {
    Extent2d kernel, stride;
    std::int64_t pads[4] = {0, 0, 0, 0};  // top, left, bottom, right
  };
  Windows windows(const NodeReader& node, const Shape& x, Extent2d kernel) const;

  // Constants.
  onnx::TensorProto& make_constant(const NodeReader& node, std::int64_t bytes);
  void set_constant(const NodeReader& node);
  void constant_of_shape(const NodeReader& node);
  void set_reshaped(const NodeReader& node, const onnx::TensorProto& tensor, const Integers& shape);
  void reshape_constant(const NodeReader& node, const onnx::TensorProto& tensor);
  void unsqueeze_constant(const NodeReader& node, const onnx::TensorProto& tensor, const Integers& added);

  // Symbolic values.
  void binary(const NodeReader& node);
  void sum(const NodeReader& node);
  void join_add(const NodeReader& node, const OnnxValue& a, const OnnxValue& b);
  void with_constant(const NodeReader& node, const OnnxValue& x, int constant_input);
  void affine(const NodeReader& node, OnnxValue x, const FileTensor& constant, bool constant_first);
  void scale(const NodeReader& node, const OnnxValue& x, double factor);
  bool add_bias(const NodeReader& node, const OnnxValue& x, int data_input, const FileTensor& bias);
  bool into_batch_norm(const NodeReader& node, const OnnxValue& x, int data_input, const FileTensor& values);
  void erf(const NodeReader& node);
  void pad(const NodeReader& node);
  void gather(const NodeReader& node);
  void unsqueeze(const NodeReader& node);
  void shape(const NodeReader& node);
  void cast(const NodeReader& node);
  void resize(const NodeReader& node);
  void slice(const NodeReader& node);

  const onnx::ModelProto& model_;
  const onnx::GraphProto& graph_;
  std::int64_t opset_ = 0;
  std::map<std::string, OnnxValue> values_;
  std::map<std::string, int> readers_;
  std::deque<onnx::TensorProto> made_constants_;
  std::int64_t made_bytes_ = 0;
  std::vector<GraphLayer> layers_;
  std::string input_name_, output_name_;
  bool pixels_ = false;
  std::int64_t batch_ = 0;  // of the file; 0: free
  Shape image_, input_;
  std::vector<InputChannel> channels_;
  bool input_used_ = false;
  int output_ = GraphLayer::kInput;
};

}  // namespace minception::exchange
