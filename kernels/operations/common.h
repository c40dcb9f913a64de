#pragma once
/// Types that operations share.

#include "core/tensor.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace minception {

enum class Access : std::uint8_t { read, write, read_write };

/// Scratch memory for one `run`, aligned to 64 bytes.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// Destination of an input gradient:  dx = mask * ((accumulate ? dx : 0) + gradient),  mask = relu_output > 0 if
/// defined, else 1. Branches sum into one buffer, and the last one applies the ReLU mask of the layer below.
/// `relu_output` is the output of that ReLU, of dx's shape; NaN there masks to 0.
struct GradTarget {
  Tensor dx;
  bool accumulate = false;
  Tensor relu_output = {};

  /// The target of channels [begin, begin + count) of dx.
  GradTarget channels(std::int64_t begin, std::int64_t count) const {
    return {.dx = dx.channels(begin, count),
            .accumulate = accumulate,
            .relu_output = relu_output.defined() ? relu_output.channels(begin, count) : Tensor{}};
  }

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("dx", self.dx, self.accumulate ? Access::read_write : Access::write);
    f("relu_output", self.relu_output, Access::read);
  }
};

}  // namespace minception
