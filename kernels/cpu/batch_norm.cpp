/// Batch normalisation. Statistics take one pass over x: blocks of 64 pixels are summed in f32 relative to their first
/// pixel, which avoids cancellation with a large mean, and merged in f64 by the pairwise update of Chan, Golub &
/// LeVeque 1983, "Algorithms for computing the sample variance". Blocks and threads are merged in a fixed order.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/view.h"

#include <cmath>

namespace minception {
namespace {

using namespace cpu;

/// Merges the statistics of two sets: count, mean and sum of squared deviations. Updates `mean` and `squares` in place.
inline void merge(double count, double& mean, double& squares, double count_b, double mean_b, double squares_b) {
  const double delta = mean_b - mean;
  const double share = count_b / (count + count_b);
  mean += delta * share;
  squares += squares_b + delta * delta * count * share;
}

/// Mean and sum of squared deviations per channel.
class Statistics {
 public:
  Statistics(int threads, std::int64_t channels, Scratch& scratch)
      : threads_(threads),
        width_(channels),
        sums_(scratch.take<float>(threads * channels)),
        square_sums_(scratch.take<float>(threads * channels)),
        counts_(scratch.take<double>(threads)),
        means_(scratch.take<double>(threads * channels)),
        squares_(scratch.take<double>(threads * channels)) {}

  double mean(std::int64_t c) const { return means_[c]; }
  double squares(std::int64_t c) const { return squares_[c]; }

  template <class T>
  void compute(const View<const T>& x) const {
    std::fill_n(counts_, threads_, 0.0);
    parallel(threads_, x.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int thread) {
      double* mean = means_ + thread * width_;
      double* squares = squares_ + thread * width_;
      std::fill_n(mean, width_, 0.0);
      std::fill_n(squares, width_, 0.0);
      for (; begin < end; begin += kBlockRows) add_block(x, begin, std::min(begin + kBlockRows, end), thread);
    });
    for (int thread = 1; thread < threads_; ++thread) {
      if (counts_[thread] == 0.0) continue;
      for (std::int64_t c = 0; c < width_; ++c) {
        merge(counts_[0], means_[c], squares_[c], counts_[thread], means_[thread * width_ + c],
              squares_[thread * width_ + c]);
      }
      counts_[0] += counts_[thread];
    }
  }

 private:
  template <class T>
  void add_block(const View<const T>& x, std::int64_t begin, std::int64_t end, int thread) const {
    float* sums = sums_ + thread * width_;
    float* square_sums = square_sums_ + thread * width_;
    double* means = means_ + thread * width_;
    double* squares = squares_ + thread * width_;
    const T* origin = x.pixel(begin);
    std::fill_n(sums, width_, 0.0f);
    std::fill_n(square_sums, width_, 0.0f);
    std::int64_t row = begin;
    // Two rows at a time halve the loads and stores of the sums.
    for (; row + 2 <= end; row += 2) {
      const T* a = x.pixel(row);
      const T* b = x.pixel(row + 1);
#pragma omp simd
      for (std::int64_t c = 0; c < width_; ++c) {
        const float from_a = a[c] - origin[c];
        const float from_b = b[c] - origin[c];
        sums[c] += from_a + from_b;
        square_sums[c] += from_a * from_a + from_b * from_b;
      }
    }
    if (row < end) {
      const T* a = x.pixel(row);
#pragma omp simd
      for (std::int64_t c = 0; c < width_; ++c) {
        const float from_a = a[c] - origin[c];
        sums[c] += from_a;
        square_sums[c] += from_a * from_a;
      }
    }
    const double count = counts_[thread];
    const auto rows = static_cast<double>(end - begin);
    const double share = 1.0 / rows;
#pragma omp simd
    for (std::int64_t c = 0; c < width_; ++c) {
      const double sum = sums[c];
      merge(count, means[c], squares[c], rows, origin[c] + sum * share, square_sums[c] - sum * sum * share);
    }
    counts_[thread] = count + rows;
  }

  int threads_;
  std::int64_t width_;
  float* sums_;
  float* square_sums_;
  double* counts_;
  double* means_;
  double* squares_;
};

/// y = (x - centre) * factor + offset, then ReLU if `relu`.
template <class T>
void normalise(int threads, const View<const T>& x, const View<T>& y, const float* centre, const float* factor,
               const float* offset, bool relu) {
  parallel(threads, x.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
    for (; begin < end; ++begin) {
      const T* in = x.pixel(begin);
      T* out = y.pixel(begin);
      if (relu) {
#pragma omp simd
        for (std::int64_t c = 0; c < x.c; ++c) {
          const float value = (in[c] - centre[c]) * factor[c] + offset[c];
          round_into(out[c], value < 0.0f ? 0.0f : value);
        }
      } else {
#pragma omp simd
        for (std::int64_t c = 0; c < x.c; ++c) round_into(out[c], (in[c] - centre[c]) * factor[c] + offset[c]);
      }
    }
  });
}

/// Per-channel coefficients of a pass over the pixels.
struct Coefficients {
  float* factor;
  float* offset;
  Coefficients(std::int64_t channels, Scratch& scratch)
      : factor(scratch.take<float>(channels)), offset(scratch.take<float>(channels)) {}
};

}  // namespace

void CpuBackend::batch_norm_forward_training(const BatchNormForwardTraining& op, Workspace workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    Scratch scratch(workspace);
    const Statistics statistics(threads_, x.c, scratch);
    const Coefficients coefficients(x.c, scratch);
    statistics.compute(x);
    const auto m = static_cast<double>(x.pixels());
    const double momentum = op.attributes.momentum;
    const float* gamma = values(op.gamma);
    const float* beta = values(op.beta);
    float* running_mean = values(op.running_mean);
    float* running_var = values(op.running_var);
    float* means = values(op.mean);
    float* rstds = values(op.rstd);
    for (std::int64_t c = 0; c < x.c; ++c) {
      const double mean = statistics.mean(c);
      const double rstd = 1.0 / std::sqrt(statistics.squares(c) / m + op.attributes.epsilon);
      means[c] = static_cast<float>(mean);
      rstds[c] = static_cast<float>(rstd);
      running_mean[c] = static_cast<float>((1.0 - momentum) * running_mean[c] + momentum * mean);
      if (x.pixels() > 1) {
        running_var[c] =
            static_cast<float>((1.0 - momentum) * running_var[c] + momentum * statistics.squares(c) / (m - 1.0));
      }
      const double factor = rstd * gamma[c];
      coefficients.factor[c] = static_cast<float>(factor);
      // normalise() subtracts the mean rounded to f32; the offset corrects the rounding error.
      coefficients.offset[c] = static_cast<float>(beta[c] - (mean - means[c]) * factor);
    }
    normalise(threads_, x, view<T>(op.y), means, coefficients.factor, coefficients.offset, op.attributes.relu);
  });
}

Requirements CpuBackend::needs(const BatchNormForwardTraining& op) {
  Scratch scratch;
  const Statistics statistics(threads_, op.x.c(), scratch);
  const Coefficients coefficients(op.x.c(), scratch);
  return {scratch.taken(), 0};
}

void CpuBackend::batch_norm_forward_inference(const BatchNormForwardInference& op, Workspace workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    Scratch scratch(workspace);
    const Coefficients coefficients(x.c, scratch);
    const float* gamma = values(op.gamma);
    const float* running_var = values(op.running_var);
    for (std::int64_t c = 0; c < x.c; ++c) {
      coefficients.factor[c] =
          static_cast<float>(gamma[c] / std::sqrt(static_cast<double>(running_var[c]) + op.attributes.epsilon));
    }
    normalise(threads_, x, view<T>(op.y), values(op.running_mean), coefficients.factor, values(op.beta),
              op.attributes.relu);
  });
}

Requirements CpuBackend::needs(const BatchNormForwardInference& op) {
  Scratch scratch;
  const Coefficients coefficients(op.x.c(), scratch);
  return {scratch.taken(), 0};
}

void CpuBackend::batch_norm_backward(const BatchNormBackward& op, Workspace workspace) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    const std::int64_t channels = x.c;
    Scratch scratch(workspace);
    const ColumnSums sums(threads_, 2 * channels, scratch);
    const Coefficients coefficients(channels, scratch);
    float* const share = scratch.take<float>(channels);
    const float* gamma = values(op.gamma);
    const float* mean = values(op.mean);
    const float* rstd = values(op.rstd);
    float* dgamma = values(op.dgamma);
    float* dbeta = values(op.dbeta);

    // sums of dy and of dy * (x - mean)
    const double* totals = sums.reduce(x.pixels(), [&](std::int64_t begin, std::int64_t end, float* block) {
      float* block_products = block + channels;
      std::int64_t row = begin;
      for (; row + 2 <= end; row += 2) {
        const T* x_a = x.pixel(row);
        const T* x_b = x.pixel(row + 1);
        const T* dy_a = dy.pixel(row);
        const T* dy_b = dy.pixel(row + 1);
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          block[c] += dy_a[c] + dy_b[c];
          block_products[c] += dy_a[c] * (x_a[c] - mean[c]) + dy_b[c] * (x_b[c] - mean[c]);
        }
      }
      if (row < end) {
        const T* x_a = x.pixel(row);
        const T* dy_a = dy.pixel(row);
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          block[c] += dy_a[c];
          block_products[c] += dy_a[c] * (x_a[c] - mean[c]);
        }
      }
    });

    // dx = factor * (dy - offset - (x - mean) * share)
    const auto m = static_cast<double>(x.pixels());
    for (std::int64_t c = 0; c < channels; ++c) {
      const double sum_dy = totals[c];
      const double sum_dy_xhat = totals[channels + c] * rstd[c];
      dgamma[c] = static_cast<float>(op.accumulate ? dgamma[c] + sum_dy_xhat : sum_dy_xhat);
      dbeta[c] = static_cast<float>(op.accumulate ? dbeta[c] + sum_dy : sum_dy);
      coefficients.factor[c] = gamma[c] * rstd[c];
      coefficients.offset[c] = static_cast<float>(sum_dy / m);
      share[c] = static_cast<float>(sum_dy_xhat * rstd[c] / m);
    }
    const float* factor = coefficients.factor;
    const float* offset = coefficients.offset;
    parallel(threads_, x.pixels(), x.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const T* in = x.pixel(begin);
        const T* gradient = dy.pixel(begin);
        store.put(Run{begin, 0, channels},
                  [=](std::int64_t c) { return factor[c] * (gradient[c] - offset[c] - (in[c] - mean[c]) * share[c]); });
      }
    });
  });
}

void CpuBackend::batch_norm_backward_inference(const BatchNormBackwardInference& op, Workspace workspace) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    Scratch scratch(workspace);
    float* const factor = scratch.take<float>(dy.c);
    const float* gamma = values(op.gamma);
    const float* variance = values(op.running_var);
    for (std::int64_t c = 0; c < dy.c; ++c) {
      factor[c] = static_cast<float>(gamma[c] / std::sqrt(static_cast<double>(variance[c]) + op.attributes.epsilon));
    }
    parallel(threads_, dy.pixels(), dy.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const T* gradient = dy.pixel(begin);
        store.put(Run{begin, 0, dy.c}, [=](std::int64_t c) { return factor[c] * gradient[c]; });
      }
    });
  });
}

Requirements CpuBackend::needs(const BatchNormBackwardInference& op) {
  Scratch scratch;
  scratch.take<float>(op.dy.c());
  return {scratch.taken(), 0};
}

Requirements CpuBackend::needs(const BatchNormBackward& op) {
  Scratch scratch;
  const ColumnSums sums(threads_, 2 * op.x.c(), scratch);
  const Coefficients coefficients(op.x.c(), scratch);
  scratch.take<float>(op.x.c());
  return {scratch.taken(), 0};
}

}  // namespace minception
