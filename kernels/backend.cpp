#include "kernels/backend.h"
#include "core/error.h"

#include <chrono>

namespace minception {

Requirements Backend::plan(const Operation& operation) {
  validate(operation);
  return requirements(operation);
}

void Backend::run(const Operation& operation, Workspace workspace) {
  struct Dispatch {
    Backend& backend;
    Workspace workspace;
#define MINCEPTION_DISPATCH(Struct, name) \
  void operator()(const Struct& op) { backend.name(op, workspace); }
    MINCEPTION_OPERATIONS(MINCEPTION_DISPATCH)
#undef MINCEPTION_DISPATCH
  };
  validate(operation);
  if (device().kind == DeviceKind::cpu) validate_values(operation);
  const auto* fold = std::get_if<FoldBatchNorm>(&operation);
  if (fold != nullptr && !fold->refresh_prepacked) return;
  std::visit(Dispatch{*this, workspace}, operation);
}

std::vector<OperationTime> Backend::run_timed(std::span<const Operation> operations,
                                              std::span<const Workspace> workspaces) {
  using Clock = std::chrono::steady_clock;
  require(operations.size() == workspaces.size(), operations.size(), " operations with ", workspaces.size(),
          " workspaces");
  std::vector<OperationTime> times(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto start = Clock::now();
    run(operations[i], workspaces[i]);
    times[i].seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return times;
}

std::unique_ptr<Backend> make_backend(std::string_view name) {
  if (name == "auto") {
    if (why_no_cuda().empty() && !cuda_is_emulated()) return make_cuda_backend();
    try {
      return make_cpu_backend();
    } catch (const Error&) {  // built without oneDNN
      return make_reference_backend();
    }
  }
  if (name == "cpu") return make_cpu_backend();
  if (name == "cuda") return make_cuda_backend();
  if (name == "reference") return make_reference_backend();
  fail("unknown device '", name, "': use cpu, cuda, reference or auto");
}

}  // namespace minception
