#include "tests/kernels/swish.h"

#include <algorithm>

namespace minception {
namespace {

void check_channels(const Tensor& vector, const char* role, const Tensor& x) {
  require(vector.shape == Shape{x.c()}, role, " must be ", Shape{x.c()}, ", not ", vector.shape);
}

}  // namespace

void SwishForward::validate(const Custom& op) const {
  op.require_alike("x", "y");
  check_channels(op["w"], "w", op["x"]);
}

void SwishForward::run(const Custom& op, const RunContext& context) const {
  for_floating(op["x"], [&]<class T>() {
    const Elements<const T> x(op["x"]);
    const Elements<const Compute<T>> w(op["w"]);
    const Elements<T> y(op["y"]);
    const std::int64_t channels = w.size();
    context.parallel(x.size(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = T(SwishValue<Compute<T>>(x[i], w[i % channels]).y);
    });
  });
}

void SwishBackward::validate(const Custom& op) const {
  op.require_alike("x", "dy");
  op.require_alike("dy", "dx");
  check_channels(op["w"], "w", op["x"]);
  check_channels(op["dw"], "dw", op["x"]);
}

void SwishBackward::run(const Custom& op, const RunContext& context) const {
  for_floating(op["x"], [&]<class T>() {
    const Elements<const T> x(op["x"]), dy(op["dy"]);
    const Elements<const Compute<T>> w(op["w"]);
    const Elements<Compute<T>> dw(op["dw"]);
    const GradElements<T> dx(op.target);
    const std::int64_t channels = w.size();
    auto* sums = static_cast<double*>(context.workspace.data);
    std::fill_n(sums, channels, 0.0);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const SwishValue<Compute<T>> value(x[i], w[i % channels]);
      const Compute<T> gradient = dy[i];
      sums[i % channels] += static_cast<double>(gradient * value.dw);
      dx.put(i, gradient * value.dx);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      dw[c] = static_cast<Compute<T>>(sums[c] + (op.accumulate ? static_cast<double>(dw[c]) : 0.0));
    }
  });
}

}  // namespace minception
