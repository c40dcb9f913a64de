#pragma once
/// Profiling of kernel launches: an NVTX range and two timing events around each.

#include "kernels/backend.h"
#include "simt/cuda.h"

#include <cstddef>
#include <string>
#include <vector>

namespace minception::cuda {

/// The time between two events on a stream.
class Timespan {
 public:
  explicit Timespan(cudaStream_t stream);
  ~Timespan();
  Timespan(const Timespan&) = delete;
  Timespan& operator=(const Timespan&) = delete;
  /// Records the second event, waits for it and returns the seconds in between.
  double end();

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// Times operations and their kernels by events on one stream, without waiting in between. It covers all kernels that
/// this thread launches during its lifetime; at most one exists per thread.
class EventTrace {
 public:
  explicit EventTrace(cudaStream_t stream);
  ~EventTrace();
  EventTrace(const EventTrace&) = delete;
  EventTrace& operator=(const EventTrace&) = delete;

  void operation_begins();
  void operation_ends();
  void kernel_begins(const std::string& name);
  void kernel_ends();

  /// Waits for the stream; one entry per operation.
  std::vector<OperationTime> times();

 private:
  struct Span {
    std::size_t begin = 0, end = 0;  // indices of events_
    const std::string* kernel = nullptr;
  };
  struct Operation {
    Span whole;
    std::vector<Span> kernels;
  };
  /// Records an event and returns its index.
  std::size_t mark();
  double seconds(const Span& span) const;

  cudaStream_t stream_;
  std::vector<cudaEvent_t> events_;
  std::vector<Operation> operations_;
};

/// Scope around the launch of a kernel; `launched` is called after a successful launch. Costs only empty calls without
/// a profiler and EventTrace.
class LaunchScope {
 public:
  explicit LaunchScope(const std::string& kernel);
  ~LaunchScope();
  void launched();
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;
};

/// NVTX ranges; no-ops in an emulated build.
void begin_range(const char* name);
void end_range();

}  // namespace minception::cuda
