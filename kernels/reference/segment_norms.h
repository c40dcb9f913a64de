#pragma once
/// y[k] = {sqrt of the sum of x^2, number of elements that are NaN or infinite} over segment k.

#include <minception/kernels/operations.h>

#include <cmath>

namespace minception::reference {

template <class T>
void segment_norms(const SegmentNorms& op) {
  const T* const x = op.x.as<const T>();
  T* y = op.y.as<T>();
  for (const ParameterSegment& segment : op.segments) {
    double sum = 0.0;
    double not_finite = 0.0;
    for (std::int64_t i = segment.begin; i < segment.begin + segment.count; ++i) {
      const auto value = static_cast<double>(x[i]);
      sum += value * value;
      if (!std::isfinite(value)) not_finite += 1.0;
    }
    y[0] = static_cast<T>(std::sqrt(sum));
    y[1] = static_cast<T>(not_finite);
    y += 2;
  }
}

}  // namespace minception::reference
