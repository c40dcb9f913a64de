/// Fill: one value for all elements.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>

namespace minception {

using namespace cpu;

void CpuBackend::fill(const Fill& op, Workspace) {
  in_dtype_of(op.y, [&]<class T>(T) {
    const View<T> y = view<T>(op.y);
    const auto value = static_cast<T>(static_cast<float>(op.value));
    for_each_run(
        threads_, [&](const Run& run) { std::fill_n(run.of(y), run.count, value); }, y);
  });
}

}  // namespace minception
