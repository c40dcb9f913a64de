#include "kernels/backend.h"
#include "core/error.h"

#include <chrono>

namespace minception {

namespace {

/// Throws Error if the class of the operation does not support the backend.
void check_support(const Custom& custom, std::string_view backend) {
  const CustomOperation& operation = *custom.operation;
  if (operation.supports(backend)) return;
  std::string supported;
  for (const char* name : {"reference", "cpu", "cuda", "vendor"}) {
    if (operation.supports(name)) supported += (supported.empty() ? "" : " and ") + std::string(name);
  }
  fail(operation.name(), ": not implemented for the ", backend, " backend; it is implemented for ",
       supported.empty() ? "none" : supported);
}

}  // namespace

Requirements Backend::plan(const Operation& operation) {
  validate(operation);
  const Custom* custom = std::get_if<Custom>(&operation);
  if (custom != nullptr) check_support(*custom, name());
  Requirements needs = requirements(operation);
  if (custom != nullptr) needs.workspace = custom->operation->workspace(*custom);
  return needs;
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
  if (const Custom* custom = std::get_if<Custom>(&operation)) check_support(*custom, name());
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
