#include "core/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/trace.h"

#if defined(__CUDACC__)
#include <nvtx3/nvToolsExt.h>
#else
#include "simt/counters_table.h"
#endif

namespace minception {

namespace cuda {
namespace {

thread_local EventTrace* active_trace = nullptr;

}  // namespace

#if defined(__CUDACC__)
void begin_range(const char* name) { nvtxRangePushA(name); }
void end_range() { nvtxRangePop(); }
#else
void begin_range(const char*) {}
void end_range() {}
#endif

Timespan::Timespan(cudaStream_t stream) : stream_(stream) {
  check(cudaEventCreateWithFlags(&begin_, cudaEventDefault), "creating an event");
  const cudaError_t status = cudaEventCreateWithFlags(&end_, cudaEventDefault);
  if (status != cudaSuccess) cudaEventDestroy(begin_);
  check(status, "creating an event");
  check(cudaEventRecord(begin_, stream_), "recording an event");
}

Timespan::~Timespan() {
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
}

double Timespan::end() {
  check(cudaEventRecord(end_, stream_), "recording an event");
  check(cudaEventSynchronize(end_), "waiting for an event");
  float milliseconds = 0.0f;
  check(cudaEventElapsedTime(&milliseconds, begin_, end_), "reading the time of an event");
  return static_cast<double>(milliseconds) * 1e-3;
}

EventTrace::EventTrace(cudaStream_t stream) : stream_(stream) {
  require(active_trace == nullptr, "this thread's kernels are already being timed");
  active_trace = this;
}

EventTrace::~EventTrace() {
  active_trace = nullptr;
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
}

std::size_t EventTrace::mark() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDefault), "creating an event");
  events_.push_back(event);
  check(cudaEventRecord(event, stream_), "recording an event");
  return events_.size() - 1;
}

void EventTrace::operation_begins() {
  operations_.emplace_back();
  operations_.back().whole.begin = mark();
}

void EventTrace::operation_ends() { operations_.back().whole.end = mark(); }

void EventTrace::kernel_begins(const std::string& name) {
  operations_.back().kernels.push_back({.begin = mark(), .kernel = &name});
}

void EventTrace::kernel_ends() { operations_.back().kernels.back().end = mark(); }

double EventTrace::seconds(const Span& span) const {
  float milliseconds = 0.0f;
  check(cudaEventElapsedTime(&milliseconds, events_[span.begin], events_[span.end]), "reading the time of an event");
  return static_cast<double>(milliseconds) * 1e-3;
}

std::vector<OperationTime> EventTrace::times() {
  check(cudaStreamSynchronize(stream_), "waiting for the GPU");
  std::vector<OperationTime> times;
  for (const Operation& operation : operations_) {
    times.push_back({.seconds = seconds(operation.whole)});
    for (const Span& span : operation.kernels) times.back().kernels.push_back({*span.kernel, seconds(span)});
  }
  return times;
}

LaunchScope::LaunchScope(const std::string& kernel) {
  begin_range(kernel.c_str());
  if (active_trace != nullptr) active_trace->kernel_begins(kernel);
}

LaunchScope::~LaunchScope() { end_range(); }

void LaunchScope::launched() {
  if (active_trace != nullptr) active_trace->kernel_ends();
}

}  // namespace cuda

std::vector<OperationTime> CudaBackend::run_timed(std::span<const Operation> operations,
                                                  std::span<const Workspace> workspaces) {
  require(operations.size() == workspaces.size(), operations.size(), " operations with ", workspaces.size(),
          " workspaces");
  cuda::EventTrace trace(stream_);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    trace.operation_begins();
    run(operations[i], workspaces[i]);
    trace.operation_ends();
  }
  return trace.times();
}

void CudaBackend::begin_range(const char* name) { cuda::begin_range(name); }
void CudaBackend::end_range() { cuda::end_range(); }

#if defined(__CUDACC__)
std::vector<KernelCounts> kernel_counts() { return {}; }
std::string kernel_counts_table() { return {}; }
void reset_kernel_counts() {}
#else
std::vector<KernelCounts> kernel_counts() {
  std::vector<KernelCounts> all;
  for (const simt::KernelCounters& c : simt::counters()) all.push_back({c.kernel, simt::named_counts(c)});
  return all;
}
std::string kernel_counts_table() {
  return simt::counters_table(simt::counters(), simt::checker_built() ? "traffic" : "threads");
}
void reset_kernel_counts() { simt::reset_counters(); }
#endif

}  // namespace minception
