#pragma once
/// What a profile sees of kernels: a range on NVTX's timeline for each, and the time between two events around it.

#include <minception/kernels/backend.h>
#include <minception/kernels/cuda/cuda.h>

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
  /// Ends it, waits for what the stream was given before, and returns the seconds.
  double end();

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// Times operations and the kernels within them by events on one stream, without waiting in between. Takes in all
/// kernels that this thread launches while it lives; one at a time.
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
    std::size_t begin = 0, end = 0;  // events
    const std::string* kernel = nullptr;
  };
  struct Operation {
    Span whole;
    std::vector<Span> kernels;
  };
  /// Records an event, and returns its number.
  std::size_t mark();
  double seconds(const Span& span) const;

  cudaStream_t stream_;
  std::vector<cudaEvent_t> events_;
  std::vector<Operation> operations_;
};

/// Stands around the launch of a kernel, which `launched` says has been started. Costs calls that do nothing where nobody
/// watches.
class LaunchScope {
 public:
  explicit LaunchScope(const std::string& kernel);
  ~LaunchScope();
  void launched();
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;
};

/// Ranges of NVTX; nothing in an emulated build.
void begin_range(const char* name);
void end_range();

}  // namespace minception::cuda
