/// Channels of the input, computed shapes, padding and resizing, which are followed as symbolic values.

#include "exchange/graph_importer.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>

namespace minception::exchange {

// ---- channels ----------------------------------------------------------------------------------------------------------

void GraphImporter::concat_values(const NodeReader& node) {
  node.only({"axis"});
  const std::int64_t axis = node.integer("axis", 1);
  const int count = node.proto().input_size();
  node.require(count >= 1, "has no input");
  const OnnxValue first = value(node, 0);
  bool of_shapes = false, of_input = true;
  for (int i = 0; i < count; ++i) {
    const OnnxValue& part = value(node, i);
    of_shapes = of_shapes || part.kind == Kind::integers;
    of_input = of_input && part.kind == Kind::input;
  }
  if (of_shapes) {
    node.require(axis == 0, "joins shapes along axis ", axis);
    OnnxValue result{.kind = Kind::integers};
    for (int i = 0; i < count; ++i) {
      const Integers part = integers(node, i);
      result.integers.insert(result.integers.end(), part.begin(), part.end());
      node.require(result.integers.size() <= 64, "joins more than 64 numbers");
    }
    return set(node, std::move(result));
  }
  if (of_input && count > 1) {
    OnnxValue result = first;
    node.require(axis == 1 || axis == -3, "joins parts of the input along axis ", axis);
    for (int i = 1; i < count; ++i) {
      const OnnxValue& part = value(node, i);
      node.require(part.channel_axis && first.channel_axis && part.resized == first.resized,
                   "joins unequal parts of the input");
      result.channels.insert(result.channels.end(), part.channels.begin(), part.channels.end());
      node.require(result.channels.size() <= static_cast<std::size_t>(image_[0]),
                   "joins more channels than the input has");
    }
    return set(node, std::move(result));
  }
  if (count == 1) return set(node, first);
  std::vector<int> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(layer(node, i));
  Shape shape = shape_of(inputs[0]);
  node.require(axis == 1 || axis == 1 - shape.rank(), "only channels, axis 1, can be joined");
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Shape other = shape_of(inputs[i]);
    node.require(other.rank() == shape.rank() && other.extent_or_1(2) == shape.extent_or_1(2) &&
                     other.extent_or_1(3) == shape.extent_or_1(3),
                 "joins ", shape, " and ", other);
    shape[1] += other[1];
  }
  node.require(fits_memory(shape), "its output ", shape, " is larger than any memory");
  layers_.push_back(
      {.where = node.where(), .path = path(node), .inputs = std::move(inputs), .join = Join::concat, .shape = shape});
  set(node, {.kind = Kind::layer, .layer = static_cast<int>(layers_.size()) - 1});
}

/// One channel of the input, or one number of a shape.
void GraphImporter::gather(const NodeReader& node) {
  node.only({"axis"});
  OnnxValue x = value(node, 0);
  const std::int64_t axis = node.integer("axis", 0);
  const onnx::TensorProto* tensor = constant(node, 1);
  node.require(tensor != nullptr, "its indices are not constant");
  const Integers indices = integers_of(*tensor);
  node.require(indices.size() == 1, "selects ", indices.size(), " entries; one is supported");
  std::int64_t index = indices[0];
  if (x.kind == Kind::integers) {
    const auto size = static_cast<std::int64_t>(x.integers.size());
    index += index < 0 ? size : 0;
    node.require(axis == 0 && index >= 0 && index < size, "selects number ", index, " of ", size);
    x.integers = {x.integers[static_cast<std::size_t>(index)]};
    return set(node, std::move(x));
  }
  const auto size = static_cast<std::int64_t>(x.channels.size());
  index += index < 0 ? size : 0;
  node.require(x.kind == Kind::input && x.channel_axis && axis == 1 && index >= 0 && index < size,
               "is supported only for a channel of the input, or for shapes");
  x.channels = {x.channels[static_cast<std::size_t>(index)]};
  x.channel_axis = tensor->dims_size() > 0;
  set(node, std::move(x));
}

/// Some of the channels of the input, or some numbers of a shape.
void GraphImporter::slice(const NodeReader& node) {
  node.only({"axes", "starts", "ends"});
  OnnxValue x = value(node, 0);
  const bool by_inputs = node.has_input(1);
  const Integers starts = by_inputs ? integers(node, 1) : node.integers("starts");
  const Integers ends = by_inputs ? integers(node, 2) : node.integers("ends");
  Integers along = axes(node, 3);
  if (along.empty()) along = {0};
  node.require(starts.size() == 1 && ends.size() == 1 && along.size() == 1, "more than one axis is not supported");
  node.require(!node.has_input(4) || integers(node, 4) == Integers{1}, "steps other than 1 are not supported");
  const bool of_shape = x.kind == Kind::integers;
  node.require(of_shape ? along[0] == 0 : x.kind == Kind::input && x.channel_axis && along[0] == 1,
               "is supported only for channels of the input, or for shapes");
  const auto size = static_cast<std::int64_t>(of_shape ? x.integers.size() : x.channels.size());
  const auto position = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? std::max(at, -size) + size : at, 0, size);
  };
  const std::int64_t begin = position(starts[0]), end = std::max(position(ends[0]), begin);
  if (of_shape) {
    x.integers = Integers(x.integers.begin() + begin, x.integers.begin() + end);
  } else {
    x.channels = std::vector<InputChannel>(x.channels.begin() + begin, x.channels.begin() + end);
  }
  set(node, std::move(x));
}

void GraphImporter::unsqueeze(const NodeReader& node) {
  node.only({"axes"});
  OnnxValue x = value(node, 0);
  const Integers added = axes(node, 1);
  const auto type = x.tensor == nullptr ? onnx::TensorProto::UNDEFINED : x.tensor->data_type();
  if (type != onnx::TensorProto::UNDEFINED && type != onnx::TensorProto::INT64 && type != onnx::TensorProto::INT32) {
    return unsqueeze_constant(node, *x.tensor, added);
  }
  if (x.kind == Kind::integers || (x.kind == Kind::constant && added == Integers{0})) {
    node.require(added == Integers{0}, "only axis 0 of shapes is supported");
    x = {.kind = Kind::integers, .integers = integers(node, 0)};
    return set(node, std::move(x));
  }
  node.require(x.kind == Kind::input && !x.channel_axis && added == Integers{1},
               "is supported only for a channel of the input, or for shapes");
  x.channel_axis = true;
  set(node, std::move(x));
}

// ---- shapes and padding --------------------------------------------------------------------------------------------------

void GraphImporter::shape(const NodeReader& node) {
  node.only({});
  const Shape from = shape_of(layer(node, 0));
  OnnxValue result{.kind = Kind::integers, .integers = {kBatch}};
  for (int axis = 1; axis < from.rank(); ++axis) result.integers.push_back(from[axis]);
  set(node, std::move(result));
}

void GraphImporter::cast(const NodeReader& node) {
  node.only({"to", "saturate"});
  const OnnxValue& x = value(node, 0);
  const std::int64_t to = node.integer("to", 0);
  const bool to_integers = to == onnx::TensorProto::INT64 || to == onnx::TensorProto::INT32;
  const bool of_shape = x.kind == Kind::integers && to_integers;
  node.require(of_shape || (x.kind != Kind::integers && x.tensor == nullptr && to == onnx::TensorProto::FLOAT),
               "only conversion to f32, and of shapes to integers, is supported");
  set(node, x);
}

void GraphImporter::pad(const NodeReader& node) {
  node.only({"mode", "pads", "value"});
  node.require(node.text("mode", "constant") == "constant", "only constant padding is supported");
  node.require(!node.has_input(3), "axes are not supported");
  const int input = layer(node, 0);
  const Integers pads = node.has_input(1) ? integers(node, 1) : node.integers("pads");
  bool fits = shape_of(input).rank() == 4 && pads.size() == 8;
  for (std::size_t i = 0; fits && i < 8; ++i) fits = pads[i] >= 0 && pads[i] <= (i % 4 < 2 ? 0 : 1'000'000);
  node.require(fits, "only padding of height and width of images is supported");
  double filling = node.real("value", 0.0);
  if (node.has_input(2)) {
    const FileTensor given = floats(node, 2, "values");
    node.require(given.shape.elements() == 1, "its value is ", given.shape, " instead of one number");
    filling = static_cast<double>(first_of(given));
  }
  const Integers around = {pads[2], pads[3], pads[6], pads[7]};
  if (around == Integers(4, 0)) return set(node, {.kind = Kind::layer, .layer = input});
  set(node, {.kind = Kind::padded, .layer = input, .padding = around, .padding_value = filling});
}

/// Resize of u8 images to the size of the network's input.
void GraphImporter::resize(const NodeReader& node) {
  node.only({"mode", "coordinate_transformation_mode", "axes", "cubic_coeff_a", "exclude_outside",
             "extrapolation_value", "nearest_mode", "antialias", "keep_aspect_ratio_policy"});
  OnnxValue x = value(node, 0);
  node.require(x.kind == Kind::input && x.channel_axis && pixels_ && !x.resized && input_ == image_,
               "is supported once, for an input of bytes");
  const std::string mode = node.text("mode", "nearest"),
                    coordinates = node.text("coordinate_transformation_mode", "half_pixel");
  node.require(mode == "linear" && (coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") &&
                   node.integer("antialias", 0) == 0 && opset_ >= 11 &&
                   node.text("keep_aspect_ratio_policy", "stretch") == "stretch",
               "only bilinear resizing with half-pixel centres is supported");
  Integers over = node.integers("axes");
  if (over.empty()) over = {0, 1, 2, 3};
  Shape from = {1, image_[0], image_[1], image_[2]}, to = from;
  const bool by_size = node.has_input(3);
  Integers sizes;
  if (by_size) sizes = integers(node, 3);
  std::vector<double> scales;
  if (!by_size) scales = to_doubles(floats(node, 2, "scales"));
  node.require((by_size ? sizes.size() : scales.size()) == over.size(), "has sizes for another number of axes");
  for (std::size_t i = 0; i < over.size(); ++i) {
    const std::int64_t axis = over[i] < 0 ? over[i] + 4 : over[i];
    node.require(axis >= 0 && axis <= 3, "has an axis ", over[i]);
    const int at = static_cast<int>(axis);
    if (by_size) {
      to[at] = sizes[i] == kBatch && at == 0 ? 1 : sizes[i];
      if (at == 0 && batch_ > 0 && sizes[i] == batch_) to[at] = 1;
    } else {
      node.require(scales[i] > 0.0 && scales[i] < 1e6, "has a scale of ", scales[i]);
      to[at] = static_cast<std::int64_t>(std::floor(static_cast<float>(from[at]) * static_cast<float>(scales[i])));
    }
  }
  node.require(to[0] == 1 && to[1] == from[1] && to[2] >= 1 && to[3] >= 1 && to[2] <= 1'000'000 && to[3] <= 1'000'000 &&
                   fits_memory(to),
               "resizes ", from, " to ", to);
  input_ = {to[1], to[2], to[3]};
  x.resized = input_ != image_;
  set(node, std::move(x));
}

}  // namespace minception::exchange
