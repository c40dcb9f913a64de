#pragma once
/// Cases of conv2d: the convolutions of GoogLeNet on 32x32 images (batch 2), and edge cases.

#include "tests/cases/case.h"

namespace minception {
namespace cases {

struct ConvShape {
  const char* name;
  Shape x;
  std::int64_t out_channels;
  Extent2d kernel, stride, padding;
};

inline const std::vector<ConvShape>& conv_shapes() {
  static const std::vector<ConvShape> shapes = {
      {"stem 7x7 of one channel", {2, 1, 32, 32}, 64, {7, 7}, {2, 2}, {3, 3}},
      {"stem 7x7 of three channels", {2, 3, 32, 32}, 64, {7, 7}, {2, 2}, {3, 3}},
      {"conv2 1x1", {2, 64, 8, 8}, 64, {1, 1}, {1, 1}, {0, 0}},
      {"conv3 3x3", {2, 64, 8, 8}, 192, {3, 3}, {1, 1}, {1, 1}},
      {"inception3a 3x3", {2, 96, 4, 4}, 128, {3, 3}, {1, 1}, {1, 1}},
      {"inception3a 5x5", {2, 16, 4, 4}, 32, {5, 5}, {1, 1}, {2, 2}},
      {"inception4a 1x1", {2, 480, 2, 2}, 192, {1, 1}, {1, 1}, {0, 0}},
      {"inception4d 3x3 on 2x2", {2, 144, 2, 2}, 288, {3, 3}, {1, 1}, {1, 1}},
      {"inception4d 5x5 on 2x2", {2, 32, 2, 2}, 64, {5, 5}, {1, 1}, {2, 2}},
      {"inception5b 3x3 on one pixel", {2, 192, 1, 1}, 384, {3, 3}, {1, 1}, {1, 1}},
      {"inception5b 5x5 on one pixel", {2, 48, 1, 1}, 128, {5, 5}, {1, 1}, {2, 2}},
      {"inception5b pool projection", {2, 832, 1, 1}, 128, {1, 1}, {1, 1}, {0, 0}},
      {"auxiliary 1x1", {2, 512, 4, 4}, 128, {1, 1}, {1, 1}, {0, 0}},
      {"alexnet 11x11", {1, 3, 35, 35}, 16, {11, 11}, {4, 4}, {2, 2}},
      {"odd channels, odd batch", {3, 13, 7, 5}, 11, {3, 3}, {1, 1}, {1, 1}},
      {"one channel to one channel", {2, 1, 6, 6}, 1, {3, 3}, {1, 1}, {1, 1}},
      {"stem 7x7, odd image", {3, 1, 19, 23}, 20, {7, 7}, {2, 2}, {3, 3}},
      {"1x3", {2, 16, 6, 9}, 24, {1, 3}, {1, 1}, {0, 1}},
      {"3x1", {2, 16, 6, 9}, 24, {3, 1}, {1, 1}, {1, 0}},
      {"1x7 on a narrow image", {2, 8, 5, 4}, 8, {1, 7}, {1, 1}, {0, 3}},
      {"stride beyond the kernel", {2, 8, 9, 9}, 12, {2, 2}, {3, 3}, {0, 0}},
      {"1x1 stride 2", {2, 16, 8, 8}, 32, {1, 1}, {2, 2}, {0, 0}},
      {"unequal stride and padding", {2, 6, 9, 10}, 10, {3, 4}, {2, 1}, {1, 0}},
      {"3x3 stride 2, even image", {2, 16, 8, 8}, 24, {3, 3}, {2, 2}, {1, 1}},
      {"3x3 stride 2 leaves a row unread", {2, 16, 8, 8}, 24, {3, 3}, {2, 2}, {0, 0}},
      {"padding wider than needed", {2, 5, 4, 4}, 7, {3, 3}, {1, 1}, {2, 2}},
      {"kernel as large as the image", {2, 24, 5, 5}, 40, {5, 5}, {1, 1}, {0, 0}},
      {"batch 1", {1, 32, 8, 8}, 32, {3, 3}, {1, 1}, {1, 1}},
      {"3x3 on many pixels, no padding", {1, 32, 25, 27}, 32, {3, 3}, {1, 1}, {0, 0}},
      {"3x3 on many pixels, wide padding", {2, 16, 18, 15}, 48, {3, 3}, {1, 1}, {2, 2}},
      {"3x3 on many pixels of large images", {2, 16, 50, 46}, 16, {3, 3}, {1, 1}, {1, 1}},  // several Winograd blocks
      // Shapes for which oneDNN 2.6 is wrong (kernels/cpu/onednn_known_faults.h).
      {"oneDNN fault: gathers one channel", {1, 1, 6, 11}, 1, {1, 1}, {2, 1}, {0, 0}},
      {"oneDNN fault: gathers 7 channels", {3, 7, 28, 28}, 16, {1, 1}, {2, 2}, {0, 0}},
      {"oneDNN fault: gathers 8 channels", {3, 8, 28, 28}, 16, {1, 1}, {2, 2}, {0, 0}},
      {"oneDNN fault: 30 pixels of one channel", {1, 1, 1, 30}, 1, {1, 1}, {1, 1}, {0, 0}},
      {"oneDNN fault: 90 pixels to odd channels", {2, 6, 9, 10}, 7, {1, 1}, {1, 1}, {0, 0}},
      {"oneDNN fault: stride beyond a 1x1 with padding", {7, 43, 27, 7}, 60, {1, 1}, {3, 3}, {0, 1}},
      {"oneDNN fault: stride beyond a 3x3 on two columns", {3, 48, 22, 2}, 61, {3, 3}, {4, 4}, {1, 1}},
  };
  return shapes;
}

/// Shapes that are combined with every variant of operands.
inline std::vector<ConvShape> varied_conv_shapes() {
  return {
      {"3x3", {2, 24, 6, 6}, 32, {3, 3}, {1, 1}, {1, 1}},
      {"1x1", {3, 16, 5, 5}, 40, {1, 1}, {1, 1}, {0, 0}},
      {"3x3, odd channels", {2, 10, 5, 4}, 9, {3, 3}, {2, 2}, {1, 1}},
      {"5x5 on one pixel", {4, 16, 1, 1}, 24, {5, 5}, {1, 1}, {2, 2}},
      {"3x3 on many pixels", {2, 32, 17, 16}, 48, {3, 3}, {1, 1}, {1, 1}},  // Winograd tiles on the cpu backend
      {"oneDNN fault: one pixel, stride 1x2", {1, 1, 1, 1}, 1, {1, 1}, {1, 2}, {0, 0}},
  };
}

inline Shape conv_weights(const ConvShape& s) { return {s.out_channels, s.x[1], s.kernel.h, s.kernel.w}; }
inline Shape conv_output(const ConvShape& s) {
  return {s.x[0], s.out_channels, convolved_extent(s.x[2], s.kernel.h, s.stride.h, s.padding.h),
          convolved_extent(s.x[3], s.kernel.w, s.stride.w, s.padding.w)};
}

/// Number of filter positions along one axis that read at least one pixel of the image.
inline std::int64_t live_positions(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  std::int64_t live = 0;
  for (std::int64_t r = 0; r < kernel; ++r) {
    bool sees_pixel = false;
    for (std::int64_t p = 0; p < convolved_extent(in, kernel, stride, padding); ++p) {
      const std::int64_t row = p * stride + r - padding;
      sees_pixel = sees_pixel || (row >= 0 && row < in);
    }
    live += sees_pixel ? 1 : 0;
  }
  return live;
}
inline bool mostly_padding(const ConvShape& s) {
  return 2 * live_positions(s.x[2], s.kernel.h, s.stride.h, s.padding.h) *
             live_positions(s.x[3], s.kernel.w, s.stride.w, s.padding.w) <
         s.kernel.h * s.kernel.w;
}
inline bool mostly_unread_pixels(const ConvShape& s) { return 2 * s.kernel.h * s.kernel.w < s.stride.h * s.stride.w; }

inline Case conv_forward(const ConvShape& s, const std::string& variant, bool bias, bool relu, Layout x, Layout y) {
  Conv2dForward op;
  op.attributes = {s.stride, s.padding, relu};
  op.x = image(s.x, x, 8, 16);
  op.w = dense(conv_weights(s));
  if (bias) op.bias = dense(Shape{s.out_channels});
  op.y = image(conv_output(s), y, 16, 3);
  return {std::string(s.name) + variant, op, false, relu};
}

inline Case conv_backward_data(const ConvShape& s, const std::string& variant, Target target, Layout layout) {
  Conv2dBackwardData op;
  op.attributes = {s.stride, s.padding, false};
  op.dy = image(conv_output(s), layout, 16, 3);
  op.w = dense(conv_weights(s));
  op.target = grad_target(s.x, target, layout);
  return {std::string(s.name) + variant, op, mostly_unread_pixels(s) && !op.target.accumulate};
}

inline Case conv_backward_weights(const ConvShape& s, const std::string& variant, bool bias, bool accumulate,
                                  Layout layout) {
  Conv2dBackwardWeights op;
  op.attributes = {s.stride, s.padding, false};
  op.x = image(s.x, layout, 8, 16);
  op.dy = image(conv_output(s), layout, 16, 3);
  op.dw = dense(conv_weights(s));
  if (bias) op.dbias = dense(Shape{s.out_channels});
  op.accumulate = accumulate;
  return {std::string(s.name) + variant, op, mostly_padding(s) && !accumulate};
}

}  // namespace cases

inline std::vector<Case> conv2d_cases() {
  using namespace cases;
  constexpr Layout whole = Layout::dense;
  constexpr Layout sliced = Layout::sliced;
  std::vector<Case> table;
  for (const ConvShape& s : conv_shapes()) {
    table.push_back(conv_forward(s, "", false, false, whole, whole));
    table.push_back(conv_forward(s, ", bias and relu", true, true, whole, whole));
    table.push_back(conv_backward_data(s, "", Target::overwrite, whole));
    table.push_back(conv_backward_weights(s, "", false, false, whole));
    table.push_back(conv_backward_weights(s, ", bias", true, false, whole));
  }
  for (const ConvShape& s : varied_conv_shapes()) {
    table.push_back(conv_forward(s, ", bias", true, false, whole, whole));
    table.push_back(conv_forward(s, ", relu", false, true, whole, whole));
    table.push_back(conv_forward(s, ", from a slice", true, false, sliced, whole));
    table.push_back(conv_forward(s, ", into a slice", true, true, whole, sliced));
    table.push_back(conv_forward(s, ", from slice to slice", false, false, sliced, sliced));
    for (const TargetVariant& v : target_variants()) {
      table.push_back(conv_backward_data(s, ", " + v.name, v.target, v.layout));
    }
    table.push_back(conv_backward_weights(s, ", accumulate", false, true, whole));
    table.push_back(conv_backward_weights(s, ", bias, accumulate", true, true, whole));
    table.push_back(conv_backward_weights(s, ", bias, slices", true, false, sliced));
    table.push_back(conv_backward_weights(s, ", bias, slices, accumulate", true, true, sliced));
  }
  return table;
}

}  // namespace minception
