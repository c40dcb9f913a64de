#pragma once
/// Layers in Python: immutable descriptions, from which each model makes layers of its own.

#include "layers/layer.h"

#include <nanobind/nanobind.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace minception::python {

class Description {
 public:
  virtual ~Description() = default;
  virtual std::unique_ptr<Layer> build() const = 0;
  /// The Python expression that makes it; the lines after the first are indented by `indent`.
  virtual std::string representation(std::size_t indent = 0) const = 0;
};

using DescriptionPointer = std::shared_ptr<const Description>;
/// Layers with their names; "" for the position.
using NamedDescriptions = std::vector<std::pair<std::string, DescriptionPointer>>;

}  // namespace minception::python
