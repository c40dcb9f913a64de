/// Softmax and cross-entropy, with the gradient of the logits in the same pass. Samples are computed in parallel; their
/// losses are then added in order, so the sum does not depend on the thread count.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <cmath>

namespace minception {
namespace {

using namespace cpu;

struct SampleResults {
  double* loss;
  double* correct;
  SampleResults(std::int64_t samples, Scratch& scratch)
      : loss(scratch.take<double>(samples)), correct(scratch.take<double>(samples)) {}
};

}  // namespace

void CpuBackend::softmax_cross_entropy(const SoftmaxCrossEntropy& op, Workspace workspace) {
  in_dtype_of(op.logits, [&]<class T>(T) {
    const View<const T> logits = const_view<T>(op.logits);
    const std::int32_t* labels = op.labels.as<const std::int32_t>();
    const View<T> dlogits = op.dlogits.defined() ? view<T>(op.dlogits) : View<T>{};
    const std::int64_t classes = logits.c;
    for (std::int64_t n = 0; n < logits.n; ++n) {
      require(labels[n] >= 0 && labels[n] < classes, "softmax_cross_entropy: label ", labels[n], " of sample ", n,
              " is not in [0, ", classes, ")");
    }
    Scratch scratch(workspace);
    const SampleResults results(logits.n, scratch);
    const double on_all = op.label_smoothing / static_cast<double>(classes);
    const double on_label = 1.0 - op.label_smoothing;
    const double factor = op.weight / op.divisor;
    parallel(threads_, logits.n, 8 * logits.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const T* row = logits.pixel(begin);
        std::int64_t first_largest = 0;
        for (std::int64_t k = 1; k < classes; ++k) {
          if (row[k] > row[first_largest]) first_largest = k;
        }
        const double largest = row[first_largest];
        double sum = 0.0;
        for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - largest);
        const double log_sum = largest + std::log(sum);

        const std::int64_t label = labels[begin];
        double loss = 0.0;
        for (std::int64_t k = 0; k < classes; ++k) {
          const double log_p = row[k] - log_sum;
          const double target = (k == label ? on_label : 0.0) + on_all;
          if (target > 0.0) loss -= target * log_p;  // 0 * log 0 counts as 0
          if (dlogits.data != nullptr) {
            dlogits.pixel(begin)[k] = T(static_cast<float>(factor * (std::exp(log_p) - target)));
          }
        }
        results.loss[begin] = loss;
        results.correct[begin] = first_largest == label ? 1.0 : 0.0;
      }
    });
    double loss = 0.0;
    double correct = 0.0;
    for (std::int64_t n = 0; n < logits.n; ++n) {
      loss += results.loss[n];
      correct += results.correct[n];
    }
    float* metrics = values(op.metrics);
    metrics[0] = static_cast<float>(metrics[0] + loss);
    metrics[1] = static_cast<float>(metrics[1] + correct);
  });
}

Requirements CpuBackend::needs(const SoftmaxCrossEntropy& op) {
  Scratch scratch;
  const SampleResults results(op.logits.n(), scratch);
  return {scratch.taken(), 0};
}

}  // namespace minception
