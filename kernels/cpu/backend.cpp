/// The cpu backend apart from its operations.

#include "kernels/cpu/backend.h"
#include "core/error.h"
#include "core/host_memory.h"
#include "kernels/cpu/parallel.h"

#include <omp.h>

#include <algorithm>

#include <cstring>

namespace minception {
namespace {

int resolve(int threads) {
  require(threads >= 0, "the cpu backend cannot run on ", threads, " threads; use 1 or more, or 0 for all");
  // A primitive built for more threads than OpenMP starts deadlocks.
  const int most = std::min(omp_get_thread_limit(), 4 * omp_get_num_procs());
  require(threads <= most, "the cpu backend cannot run on ", threads, " threads; the limit is ", most);
  return threads > 0 ? threads : std::min(omp_get_max_threads(), most);
}

}  // namespace

CpuBackend::CpuBackend(int threads) : threads_(resolve(threads)), onednn_(threads_) {}

std::string CpuBackend::description() const {
  const std::string_view level = MINCEPTION_CPU_LEVEL;
  return concat(onednn_.description(), level == "native" ? "" : concat(", ", level, " kernels"), ", ", threads_,
                threads_ == 1 ? " thread" : " threads");
}

Buffer CpuBackend::allocate(std::size_t bytes) { return allocate_host(bytes); }
std::size_t CpuBackend::available_memory() const { return available_host_memory(); }
void CpuBackend::copy_to_device(void* device, const void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
}
void CpuBackend::copy_to_host(void* host, const void* device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
}
void CpuBackend::fill_zero(void* device, std::size_t bytes) {
  if (bytes > 0) std::memset(device, 0, bytes);
}

Requirements CpuBackend::requirements(const Operation& operation) {
  const bool moves_values = std::holds_alternative<Fill>(operation) || std::holds_alternative<Cast>(operation);
  for_each_operand(operation, [&](std::string_view, const Tensor& tensor, Access) {
    require(tensor.dtype != DType::f64,
            "the cpu backend computes in f32 and bf16, not in f64; use the reference backend for f64");
    require(tensor.dtype != DType::bf16 || moves_values || cpu::OneDnn::multiplies_bf16(),
            "bf16 on the cpu needs AVX-512, and this processor has no AVX-512 (oneDNN finds ",
            cpu::OneDnn::instruction_set(), "); use ", Setting{"compute", "f32"});
  });
  return std::visit([this](const auto& op) { return needs(op); }, operation);
}

void CpuBackend::custom(const Custom& op, Workspace workspace) {
  op.require_workspace(workspace);
  const auto parallel = [this](std::int64_t count, const auto& f) {
    cpu::parallel(threads_, count, count, [&](std::int64_t begin, std::int64_t end, int) { f(begin, end); });
  };
  op.operation->run(op, {.workspace = workspace, .parallel = parallel});
}

}  // namespace minception

#ifdef MINCEPTION_CPU_FACTORY
extern "C" minception::Backend* MINCEPTION_CPU_FACTORY(int threads) { return new minception::CpuBackend(threads); }
#endif
