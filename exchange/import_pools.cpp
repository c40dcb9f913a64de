/// Nodes that become pools, and the windows of pools and convolutions.

#include "exchange/graph_importer.h"
#include "layers/avg_pool2d.h"
#include "layers/max_pool2d.h"

#include <algorithm>

namespace minception::exchange {
namespace {

constexpr std::int64_t kLargestWindow = 1'000'000;

}  // namespace

/// Kernel, strides and pads of a convolution or pool on images; auto_pad becomes pads.
GraphImporter::Windows GraphImporter::windows(const NodeReader& node, const Shape& x, Extent2d kernel) const {
  node.require(x.rank() == 4, "its input ", x, " is no image");
  const auto pair = [&](const char* name, Extent2d otherwise) {
    const Integers values = node.integers(name);
    if (values.empty()) return otherwise;
    node.require(values.size() == 2, "the attribute ", name, " has ", values.size(), " values instead of two");
    const bool fits = std::min(values[0], values[1]) >= 1 && std::max(values[0], values[1]) <= kLargestWindow;
    node.require(fits, "the attribute ", name, " has the values ", values[0], " and ", values[1]);
    return Extent2d(values[0], values[1]);
  };
  node.require(pair("dilations", 1) == Extent2d(1), "dilations other than 1 are not supported");
  Windows result;
  result.kernel = pair("kernel_shape", kernel);
  node.require(kernel == Extent2d(0) || result.kernel == kernel, "its kernel_shape does not match its weights");
  node.require(result.kernel != Extent2d(0), "has no kernel_shape");
  result.stride = pair("strides", 1);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const Integers pads = node.integers("pads");
  if (automatic == "NOTSET" || automatic.empty()) {
    node.require(pads.empty() || pads.size() == 4, "the attribute pads has ", pads.size(), " values instead of four");
    for (std::size_t i = 0; i < pads.size(); ++i) {
      node.require(pads[i] >= 0 && pads[i] <= kLargestWindow, "the attribute pads has the value ", pads[i]);
      result.pads[i] = pads[i];
    }
    return result;
  }
  const bool upper = automatic == "SAME_UPPER";
  node.require(upper || automatic == "SAME_LOWER" || automatic == "VALID", "auto_pad ", printable_name(automatic),
               " is not supported");
  if (automatic == "VALID") return result;
  const std::int64_t in[2] = {x[2], x[3]}, size[2] = {result.kernel.h, result.kernel.w},
                     stride[2] = {result.stride.h, result.stride.w};
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t out = (in[axis] + stride[axis] - 1) / stride[axis];
    const std::int64_t total = std::max<std::int64_t>((out - 1) * stride[axis] + size[axis] - in[axis], 0);
    result.pads[axis] = upper ? total / 2 : total - total / 2;
    result.pads[axis + 2] = total - result.pads[axis];
  }
  return result;
}

void GraphImporter::pool(const NodeReader& node, bool max) {
  node.only(
      {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "storage_order", "strides"});
  OnnxValue value_in = value(node, 0);
  const bool padded = value_in.kind == Kind::padded;
  value_in.kind = padded ? Kind::layer : value_in.kind;
  const int input = layer_of(node, value_in);
  const Shape x = shape_of(input);
  const auto [kernel, stride, pads] = windows(node, x, 0);
  const bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  bool counts_padding = !max && node.integer("count_include_pad", 0) != 0;

  // A Pad before the pool: of zeros, which only an average pool counts, or of values below all others.
  std::int64_t zeros[4] = {0, 0, 0, 0};
  if (padded) {
    std::copy(value_in.padding.begin(), value_in.padding.end(), zeros);
    node.require(max ? value_in.padding_value < -1e30 : value_in.padding_value == 0.0, "reads padding with ",
                 value_in.padding_value, ", of ", value_in.where, ", which is not supported");
    node.require(pads[0] == 0 && pads[1] == 0, "pads twice, after ", value_in.where);
  }
  const Extent2d padding = {pads[0] + zeros[0], pads[1] + zeros[1]};
  node.require(2 * padding.h <= kernel.h && 2 * padding.w <= kernel.w, "its padding of ", padding.h, "x", padding.w,
               " is more than half of its window of ", kernel.h, "x", kernel.w, ", which is not supported");
  const std::int64_t in[2] = {x[2], x[3]}, size[2] = {kernel.h, kernel.w}, step[2] = {stride.h, stride.w},
                     before[2] = {padding.h, padding.w};
  std::int64_t out[2];
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t zeros_after = zeros[axis + 2], after = pads[axis + 2] + zeros_after;
    const std::int64_t free = in[axis] + before[axis] + after - size[axis];
    node.require(free >= 0, "its window of ", size[axis], " is larger than its padded input of ", free + size[axis]);
    out[axis] = free / step[axis] + 1;
    const bool starts_inside = out[axis] * step[axis] < in[axis] + before[axis] + zeros_after;
    if (ceil_mode && free % step[axis] != 0 && starts_inside) ++out[axis];
    // Average pools count padding up to the same distance on both sides, or none. Runtimes differ in whether they count
    // positions of ceil_mode beyond it.
    const std::int64_t end = (out[axis] - 1) * step[axis] + size[axis] - before[axis] - in[axis];  // of the last window
    const bool even = counts_padding ? end <= std::min(before[axis], after)
                                     : zeros[axis] == zeros_after || end <= std::min(zeros[axis], zeros_after);
    node.require(max || even,
                 "counts padding that is not the same on both sides, or windows beyond it, which is not supported");
  }
  counts_padding = counts_padding || (padded && !max);
  const auto extents = [&](bool ceil) {
    return pooled_extent(x[2], kernel.h, stride.h, padding.h, ceil) == out[0] &&
           pooled_extent(x[3], kernel.w, stride.w, padding.w, ceil) == out[1];
  };
  if (!extents(false) && !extents(true)) {
    const bool covers_all = size[0] - before[0] >= x[2] && size[1] - before[1] >= x[3] && out[0] * out[1] == 1;
    node.require(covers_all && !max && !counts_padding, "its padding at the end has no counterpart");
    return add(node, input, std::make_unique<AdaptiveAvgPool2d>(1));  // the mean over the whole image
  }
  const Pool2dAttributes attributes = {.kernel = kernel,
                                       .stride = stride,
                                       .padding = padding,
                                       .ceil_mode = !extents(false),
                                       .count_include_pad = counts_padding};
  if (max) {
    add(node, input, std::make_unique<MaxPool2d>(attributes));
  } else {
    add(node, input, std::make_unique<AvgPool2d>(attributes));
  }
}

void GraphImporter::global_pool(const NodeReader& node) {
  node.only({});
  const int input = layer(node, 0);
  node.require(shape_of(input).rank() == 4, "its input ", shape_of(input), " is no image");
  add(node, input, std::make_unique<AdaptiveAvgPool2d>(1));
}

void GraphImporter::reduce_mean(const NodeReader& node) {
  node.only({"axes", "keepdims", "noop_with_empty_axes"});
  const int input = layer(node, 0);
  Integers over = axes(node, 1);
  for (std::int64_t& axis : over) axis += axis < 0 ? 4 : 0;
  std::sort(over.begin(), over.end());
  node.require(over == Integers{2, 3} && shape_of(input).rank() == 4,
               "only the mean over height and width of an image is supported");
  if (node.integer("keepdims", 1) != 0) {
    add(node, input, std::make_unique<AdaptiveAvgPool2d>(1));
  } else {
    add(node, input, std::make_unique<GlobalAvgPool>());
  }
}

/// The two products that export_onnx writes for an AdaptiveAvgPool2d with windows of different sizes.
bool GraphImporter::adaptive_pool(const NodeReader& node) {
  const OnnxValue a = value(node, 0), b = value(node, 1);
  const bool columns = b.tensor != nullptr && a.kind == Kind::layer && shape_of(a.layer).rank() == 4;
  const bool rows = a.tensor != nullptr && b.kind == Kind::averaged;
  if (!columns && !rows) return false;
  const FileTensor matrix = floats_of(columns ? *b.tensor : *a.tensor);
  const int input = columns ? a.layer : b.layer;
  const std::int64_t in = shape_of(input)[columns ? 3 : 2];
  if (matrix.shape.rank() != 2 || matrix.shape.elements() == 0 || matrix.shape[columns ? 0 : 1] != in) return false;
  const std::int64_t out = matrix.shape[columns ? 1 : 0];
  if (matrix.bytes != averaging_matrix(in, out, columns).bytes) return false;
  if (columns) {
    set(node, {.kind = Kind::averaged, .integers = {out}, .layer = input});
  } else {
    add(node, input, std::make_unique<AdaptiveAvgPool2d>(Extent2d(out, b.integers[0])));
  }
  return true;
}

}  // namespace minception::exchange
