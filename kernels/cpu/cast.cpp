/// Cast: a copy in another floating type, converted through f32.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

namespace minception {

using namespace cpu;

void CpuBackend::cast(const Cast& op, Workspace) {
  in_dtype_of(op.x, [&]<class From>(From) {
    in_dtype_of(op.y, [&]<class To>(To) {
      const View<const From> x = const_view<From>(op.x);
      const View<To> y = view<To>(op.y);
      for_each_run(
          threads_,
          [&](const Run& run) {
            const From* in = run.of(x);
            To* out = run.of(y);
#pragma omp simd
            for (std::int64_t i = 0; i < run.count; ++i) round_into(out[i], static_cast<float>(in[i]));
          },
          x, y);
    });
  });
}

}  // namespace minception
