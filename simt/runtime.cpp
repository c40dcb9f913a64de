#include "simt/runtime.h"
#include "core/error.h"
#include "simt/memory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

using Clock = std::chrono::steady_clock;
using Work = std::vector<std::function<void()>>;

namespace {

/// Work of all streams of one capture, in call order.
struct Capture {
  CUstream_st* origin = nullptr;
  Work work;
  std::set<CUstream_st*> streams;  ///< streams that joined through an event
  /// Streams whose last work is not joined to another stream by an event, with the size of `work` after it.
  std::map<CUstream_st*, std::size_t> unjoined;
  bool ended = false;
};

}  // namespace

struct CUstream_st {
  std::shared_ptr<Capture> capture;
};
struct CUevent_st {
  Clock::time_point time;
  bool recorded = false;
  std::shared_ptr<Capture> capture;  ///< set if recorded on a capturing stream
  CUstream_st* stream = nullptr;
  std::size_t work = 0;  ///< size of the work of the capture at that time
};
struct CUgraph_st {
  Work work;
};
struct CUgraphExec_st {
  Work work;
};

namespace {

thread_local cudaError_t last_error = cudaSuccess;

cudaError_t answer(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

/// The default stream is never captured.
CUstream_st default_stream;
CUstream_st& of(cudaStream_t stream) { return stream == nullptr ? default_stream : *stream; }

std::atomic<std::uint64_t> allocations = 0, synchronizations = 0, graph_launches = 0;

struct DynamicSharedLimits {
  std::mutex mutex;
  std::map<const void*, std::size_t> of_kernel;
};
DynamicSharedLimits& dynamic_shared_limits() {
  static DynamicSharedLimits limits;
  return limits;
}

}  // namespace

minception::simt::RuntimeCalls minception::simt::runtime_calls() {
  return {allocations, synchronizations, graph_launches};
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureUnjoined:
      return "cudaErrorStreamCaptureUnjoined";
  }
  return "unknown error";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureInvalidated:
      return "the capture was invalidated by an earlier error";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureUnjoined:
      return "a captured stream was not joined to the stream that the capture began on";
  }
  return "unknown error";
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

// ---- device ---------------------------------------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return answer(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return answer(cudaErrorInvalidDevice);
  *properties = {};
  std::strncpy(properties->name, "emulated on the CPU", sizeof(properties->name) - 1);
  properties->totalGlobalMem = minception::simt::device_memory_total();
  properties->major = 8;  // compute capability of the model
  properties->minor = 0;
  properties->multiProcessorCount = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  ++synchronizations;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  *free_bytes = minception::simt::device_memory_free();
  *total_bytes = minception::simt::device_memory_total();
  return cudaSuccess;
}

// ---- memory ---------------------------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  ++allocations;
  *data = nullptr;
  if (bytes == 0) return cudaSuccess;
  *data = minception::simt::device_allocate(bytes);
  return answer(*data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* data) {
  ++allocations;
  if (data == nullptr) return cudaSuccess;
  return answer(minception::simt::device_free(data) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** data, std::size_t bytes) {
  ++allocations;
  *data = std::aligned_alloc(4096, std::max<std::size_t>(1, (bytes + 4095) / 4096) * 4096);
  return answer(*data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* data) {
  ++allocations;
  std::free(data);
  return cudaSuccess;
}

namespace {

/// Whether [data, data + bytes) is in one device allocation (`device`), or `data` is outside device memory.
bool in_place(const void* data, bool device, std::size_t bytes) {
  if (device) return minception::simt::device_memory_holds(data, bytes);
  return data < minception::simt::device_memory_begin() || data >= minception::simt::device_memory_end();
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (kind != cudaMemcpyDefault) {
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (!in_place(to, to_device, bytes) || !in_place(from, from_device, bytes)) return answer(cudaErrorInvalidValue);
  }
  minception::simt::submit(stream, [=] { std::memmove(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!in_place(data, true, bytes)) return answer(cudaErrorInvalidValue);
  minception::simt::submit(stream, [=] { std::memset(data, value, bytes); });
  return cudaSuccess;
}

// ---- kernels --------------------------------------------------------------------------------------------------------

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0) return answer(cudaErrorInvalidValue);
  const std::lock_guard lock(dynamic_shared_limits().mutex);
  dynamic_shared_limits().of_kernel[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

std::size_t minception::simt::dynamic_shared_limit(const void* kernel) {
  const std::lock_guard lock(dynamic_shared_limits().mutex);
  const auto found = dynamic_shared_limits().of_kernel.find(kernel);
  return found == dynamic_shared_limits().of_kernel.end() ? 0 : found->second;
}

// ---- streams and events ---------------------------------------------------------------------------------------------

namespace minception::simt {

void submit(cudaStream_t stream, std::function<void()> work) {
  if (const auto& capture = of(stream).capture) {
    capture->work.push_back(std::move(work));
    if (stream != capture->origin) capture->unjoined[stream] = capture->work.size();
  } else {
    work();
  }
}

}  // namespace minception::simt

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  ++synchronizations;
  return answer(of(stream).capture ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!event->capture) return cudaSuccess;  // its work was complete when it was recorded
  if (event->capture->ended) return answer(cudaErrorInvalidValue);
  if (stream == nullptr || (stream->capture && stream->capture != event->capture)) {
    return answer(cudaErrorStreamCaptureUnsupported);
  }
  Capture& capture = *event->capture;
  stream->capture = event->capture;
  capture.streams.insert(stream);
  if (event->stream == stream) return cudaSuccess;
  const auto joined = capture.unjoined.find(event->stream);
  if (joined != capture.unjoined.end() && joined->second <= event->work) capture.unjoined.erase(joined);
  if (stream != capture.origin) capture.unjoined[stream] = capture.work.size();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->capture = of(stream).capture;
  event->stream = &of(stream);
  if (event->capture) {
    event->work = event->capture->work.size();
    return cudaSuccess;
  }
  event->time = Clock::now();
  event->recorded = true;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return answer(event->capture ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (!begin->recorded || !end->recorded) return answer(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}

// ---- graphs ---------------------------------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream == nullptr || stream->capture) return answer(cudaErrorStreamCaptureUnsupported);
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (stream == nullptr || !stream->capture || stream->capture->origin != stream) {
    return answer(cudaErrorInvalidValue);
  }
  const std::shared_ptr<Capture> capture = std::exchange(stream->capture, nullptr);
  for (CUstream_st* member : capture->streams) member->capture = nullptr;
  capture->ended = true;
  if (!capture->unjoined.empty()) return answer(cudaErrorStreamCaptureUnjoined);
  *graph = new CUgraph_st{std::move(capture->work)};
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void*, std::size_t* count) {
  *count = graph->work.size();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  ++graph_launches;
  for (const auto& work : executable->work) minception::simt::submit(stream, work);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
