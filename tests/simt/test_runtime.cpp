/// The emulated CUDA runtime: memory, copies, streams, events, capture and graphs.

#include "tests/simt/emulation.h"

#include "tests/catch.h"

#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace minception::cuda {
namespace {

/// A stream that is destroyed at the end of its scope.
class Stream {
 public:
  Stream() { cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  explicit Event(unsigned flags = cudaEventDisableTiming) { cudaEventCreateWithFlags(&event_, flags); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// An instantiated graph.
class Executable {
 public:
  explicit Executable(cudaGraph_t graph) {
    cudaGraphInstantiate(&executable_, graph);
    cudaGraphDestroy(graph);
  }
  ~Executable() { cudaGraphExecDestroy(executable_); }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;
  operator cudaGraphExec_t() const { return executable_; }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

__global__ void scale_and_add(float* values, const float* factor, float addend) {
  values[threadIdx.x] = values[threadIdx.x] * *factor + addend;
}
__global__ void append(int* list, int* count, int what) { list[(*count)++] = what; }

}  // namespace

// ---- memory ---------------------------------------------------------------------------------------------------------

TEST_CASE("device memory is aligned and separated by gaps and reused") {
  std::vector<char*> blocks;
  std::vector<std::size_t> sizes;
  for (std::size_t bytes = 1; bytes < 100'000; bytes = bytes * 3 + 1) {
    void* data = nullptr;
    REQUIRE(cudaMalloc(&data, bytes) == cudaSuccess);
    CHECK(reinterpret_cast<std::uintptr_t>(data) % 256 == 0);
    std::memset(data, static_cast<int>(blocks.size()), bytes);
    blocks.push_back(static_cast<char*>(data));
    sizes.push_back(bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(blocks[i][0] == static_cast<char>(i));
    CHECK(blocks[i][sizes[i] - 1] == static_cast<char>(i));
    for (std::size_t j = 0; j < blocks.size(); ++j) {
      if (blocks[i] < blocks[j]) CHECK(blocks[i] + sizes[i] + 256 <= blocks[j]);
    }
  }
  char* const middle = blocks[4];
  CHECK(cudaFree(middle) == cudaSuccess);
  void* again = nullptr;
  CHECK(cudaMalloc(&again, sizes[4]) == cudaSuccess);
  CHECK(again == middle);
  for (char* data : blocks) CHECK(cudaFree(data) == cudaSuccess);
}

TEST_CASE("cudaMalloc rejects too many bytes and cudaFree rejects invalid pointers") {
  std::size_t free_bytes = 0, total_bytes = 0, free_now = 0;
  CHECK(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
  CHECK(free_bytes <= total_bytes);
  cudaGetLastError();
  void* data = &free_bytes;
  CHECK(cudaMalloc(&data, free_bytes + 1) == cudaErrorMemoryAllocation);
  CHECK(data == nullptr);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(cudaMalloc(&data, ~std::size_t{0}) == cudaErrorMemoryAllocation);

  CHECK(cudaMalloc(&data, 0) == cudaSuccess);
  CHECK(data == nullptr);
  CHECK(cudaFree(nullptr) == cudaSuccess);

  // All memory in one allocation: untouched pages cost nothing.
  CHECK(cudaMalloc(&data, free_bytes) == cudaSuccess);
  cudaMemGetInfo(&free_now, &total_bytes);
  CHECK(free_now == 0);
  void* none = nullptr;
  CHECK(cudaMalloc(&none, 1) == cudaErrorMemoryAllocation);
  CHECK(cudaFree(data) == cudaSuccess);
  CHECK(cudaFree(data) == cudaErrorInvalidValue);
  cudaMemGetInfo(&free_now, &total_bytes);
  CHECK(free_now == free_bytes);

  CHECK(cudaMalloc(&data, 100) == cudaSuccess);
  CHECK(cudaFree(static_cast<char*>(data) + 1) == cudaErrorInvalidValue);
  CHECK(cudaFree(&free_bytes) == cudaErrorInvalidValue);
  CHECK(cudaFree(data) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("copies that do not match their kind are rejected") {
  Stream stream;
  DeviceArray<int> device(8), other(8);
  std::vector<int> host(8), back(8);
  std::iota(host.begin(), host.end(), 1);
  const std::size_t bytes = 8 * sizeof(int);
  const auto copy = [&](void* to, const void* from, std::size_t count, cudaMemcpyKind kind) {
    return cudaMemcpyAsync(to, from, count, kind, stream);
  };
  CHECK(copy(device.data(), host.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess);
  CHECK(copy(other.data(), device.data(), bytes, cudaMemcpyDeviceToDevice) == cudaSuccess);
  CHECK(copy(back.data(), other.data(), bytes, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK(back == host);
  CHECK(copy(other.data(), host.data() + 4, 4 * sizeof(int), cudaMemcpyDefault) == cudaSuccess);
  CHECK(other[0] == 5);
  CHECK(copy(back.data(), back.data() + 4, 4 * sizeof(int), cudaMemcpyHostToHost) == cudaSuccess);
  CHECK(back[0] == 5);

  CHECK(copy(host.data(), back.data(), bytes, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(copy(host.data(), back.data(), bytes, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(copy(device.data(), host.data(), bytes, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  CHECK(copy(device.data(), other.data(), bytes, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(copy(device.data(), host.data(), bytes, cudaMemcpyHostToHost) == cudaErrorInvalidValue);
  // One element too many.
  CHECK(copy(device.data() + 1, host.data(), bytes, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(copy(back.data(), device.data() + 1, bytes, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(device[0] == 1);
  CHECK(copy(nullptr, nullptr, 0, cudaMemcpyHostToDevice) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("memset fills device memory only") {
  Stream stream;
  DeviceArray<std::uint32_t> device(8, 7u);
  CHECK(cudaMemsetAsync(device.data() + 1, 0xab, 6 * 4, stream) == cudaSuccess);
  CHECK(device[0] == 7u);
  CHECK(device[1] == 0xababababu);
  CHECK(device[6] == 0xababababu);
  CHECK(device[7] == 7u);
  CHECK(cudaMemsetAsync(device.data(), 0, 9 * 4, stream) == cudaErrorInvalidValue);
  std::uint32_t host = 3;
  CHECK(cudaMemsetAsync(&host, 0, 4, stream) == cudaErrorInvalidValue);
  CHECK(host == 3);
  cudaGetLastError();
}

TEST_CASE("pinned host memory") {
  void* data = nullptr;
  CHECK(cudaMallocHost(&data, 10'000) == cudaSuccess);
  CHECK(reinterpret_cast<std::uintptr_t>(data) % 4096 == 0);
  std::memset(data, 1, 10'000);
  DeviceArray<char> device(10'000);
  CHECK(cudaMemcpyAsync(device.data(), data, 10'000, cudaMemcpyHostToDevice, nullptr) == cudaSuccess);
  CHECK(device[9'999] == 1);
  CHECK(cudaFreeHost(data) == cudaSuccess);
}

// ---- device, streams, events ----------------------------------------------------------------------------------------

TEST_CASE("the only device is named as emulated") {
  int count = 0;
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
  CHECK(count == 1);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
  CHECK_THAT(properties.name, Catch::Contains("emulated"));
  CHECK(properties.major == 8);
  CHECK(cudaGetDeviceProperties(&properties, 1) == cudaErrorInvalidDevice);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(std::string(cudaGetErrorName(cudaErrorInvalidDevice)) == "cudaErrorInvalidDevice");
  CHECK(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory");
  CHECK(std::string(cudaGetErrorName(static_cast<cudaError_t>(12345))) == "unknown error");
  cudaGetLastError();
}

TEST_CASE("events measure the time between them") {
  Stream stream;
  Event begin(cudaEventDefault), end(cudaEventDefault);
  DeviceArray<float> values(256, 1.0f), factor(1, 1.0f);
  float milliseconds = -1.0f;
  CHECK(cudaEventElapsedTime(&milliseconds, begin, end) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventRecord(begin, stream) == cudaSuccess);
  for (int i = 0; i < 100; ++i) launch<scale_and_add>(1, 256, 0, stream, values.data(), factor.data(), 1.0f);
  CHECK(cudaEventRecord(end, stream) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(stream, end) == cudaSuccess);
  CHECK(cudaEventSynchronize(end) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&milliseconds, begin, end) == cudaSuccess);
  CHECK(milliseconds > 0.0f);
  CHECK(values[255] == 101.0f);
  cudaGetLastError();
}

// ---- capture and graphs ---------------------------------------------------------------------------------------------

TEST_CASE("a captured launch runs at each graph launch with the captured arguments") {
  Stream stream;
  DeviceArray<float> values(64, 1.0f), factor(1, 2.0f), zeroed(4, 1.0f);
  std::vector<float> host(64, 0.0f);
  simt::reset_counters();
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaErrorStreamCaptureUnsupported);
  float addend = 3.0f;
  launch<scale_and_add>(1, 64, 0, stream, values.data(), factor.data(), addend);
  addend = 1000.0f;  // the capture has copied the arguments
  launch<scale_and_add>(1, 64, 0, stream, values.data(), factor.data(), 0.5f);
  CHECK(cudaMemsetAsync(zeroed.data(), 0, 16, stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(host.data(), values.data(), 256, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported);
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  CHECK(simt::counters().empty());
  CHECK(values[0] == 1.0f);
  CHECK(zeroed[0] == 1.0f);

  std::size_t nodes = 0;
  CHECK(cudaGraphGetNodes(graph, nullptr, &nodes) == cudaSuccess);
  CHECK(nodes == 4);
  const Executable executable(graph);
  CHECK(cudaGraphLaunch(executable, stream) == cudaSuccess);
  CHECK(host == std::vector<float>(64, (1.0f * 2.0f + 3.0f) * 2.0f + 0.5f));
  CHECK(zeroed[3] == 0.0f);
  factor[0] = -1.0f;
  values[7] = 5.0f;
  CHECK(cudaGraphLaunch(executable, stream) == cudaSuccess);
  CHECK(host[0] == -(-10.5f + 3.0f) + 0.5f);
  CHECK(host[7] == -(-5.0f + 3.0f) + 0.5f);
  CHECK(simt::counters().at(0).launches == 4);
  // The stream runs work immediately again.
  launch<scale_and_add>(1, 64, 0, stream, values.data(), factor.data(), 0.0f);
  CHECK(values[7] == -2.5f);
  cudaGetLastError();
}

namespace {

/// A stream that forks into two others and joins them. Logs the order of the work.
struct Fork {
  Stream origin, left, right;
  Event forked, left_done, right_done;
  DeviceArray<int> list{64};
  DeviceArray<int> count{1};

  void note(cudaStream_t stream, int what) { launch<append>(1, 1, 0, stream, list.data(), count.data(), what); }
  std::vector<int> noted() {
    const std::vector<int> result(list.begin(), list.begin() + count[0]);
    count[0] = 0;
    return result;
  }
};

}  // namespace

TEST_CASE("a capture follows events into other streams and back") {
  Fork fork;
  cudaStreamBeginCapture(fork.origin, cudaStreamCaptureModeGlobal);
  fork.note(fork.origin, 1);
  cudaEventRecord(fork.forked, fork.origin);
  CHECK(cudaStreamWaitEvent(fork.left, fork.forked) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(fork.right, fork.forked) == cudaSuccess);
  fork.note(fork.left, 2);
  fork.note(fork.right, 3);
  fork.note(fork.origin, 4);
  fork.note(fork.left, 5);
  cudaEventRecord(fork.left_done, fork.left);
  CHECK(cudaStreamWaitEvent(fork.right, fork.left_done) == cudaSuccess);
  fork.note(fork.right, 6);
  cudaEventRecord(fork.right_done, fork.right);
  CHECK(cudaStreamWaitEvent(fork.origin, fork.right_done) == cudaSuccess);
  fork.note(fork.origin, 7);
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaSuccess);
  REQUIRE(graph != nullptr);
  CHECK(fork.noted().empty());

  const Executable executable(graph);
  CHECK(cudaGraphLaunch(executable, fork.left) == cudaSuccess);
  CHECK(fork.noted() == std::vector<int>{1, 2, 3, 4, 5, 6, 7});
  // The other streams are no longer capturing.
  fork.note(fork.left, 8);
  fork.note(fork.right, 9);
  CHECK(fork.noted() == std::vector<int>{8, 9});
}

TEST_CASE("a graph launch can be captured into another graph") {
  Fork fork;
  cudaStreamBeginCapture(fork.origin, cudaStreamCaptureModeGlobal);
  fork.note(fork.origin, 1);
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(fork.origin, &graph);
  const Executable inner(graph);
  cudaStreamBeginCapture(fork.origin, cudaStreamCaptureModeGlobal);
  cudaGraphLaunch(inner, fork.origin);
  fork.note(fork.origin, 2);
  cudaGraphLaunch(inner, fork.origin);
  cudaStreamEndCapture(fork.origin, &graph);
  const Executable outer(graph);
  cudaGraphLaunch(outer, nullptr);
  CHECK(fork.noted() == std::vector<int>{1, 2, 1});
}

TEST_CASE("a capture whose streams are not joined is an error") {
  Fork fork;
  cudaGraph_t graph = nullptr;
  const auto begin = [&] {
    cudaStreamBeginCapture(fork.origin, cudaStreamCaptureModeGlobal);
    cudaEventRecord(fork.forked, fork.origin);
    cudaStreamWaitEvent(fork.left, fork.forked);
    fork.note(fork.left, 1);
  };
  begin();
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaErrorStreamCaptureUnjoined);
  CHECK(graph == nullptr);

  // The event is recorded before the last work of the stream, so that work is not joined.
  begin();
  cudaEventRecord(fork.left_done, fork.left);
  fork.note(fork.left, 2);
  cudaStreamWaitEvent(fork.origin, fork.left_done);
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaErrorStreamCaptureUnjoined);

  begin();
  cudaEventRecord(fork.left_done, fork.left);
  cudaStreamWaitEvent(fork.origin, fork.left_done);
  fork.note(fork.left, 3);
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaErrorStreamCaptureUnjoined);
  CHECK(fork.noted().empty());
  fork.note(fork.left, 4);
  CHECK(fork.noted() == std::vector<int>{4});
  cudaGetLastError();
}

TEST_CASE("calls that are invalid during a capture") {
  Fork fork;
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaErrorInvalidValue);
  cudaStreamBeginCapture(fork.origin, cudaStreamCaptureModeGlobal);
  cudaEventRecord(fork.forked, fork.origin);
  CHECK(cudaEventSynchronize(fork.forked) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamWaitEvent(nullptr, fork.forked) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamWaitEvent(fork.left, fork.forked) == cudaSuccess);
  CHECK(cudaStreamEndCapture(fork.left, &graph) == cudaErrorInvalidValue);
  cudaEventRecord(fork.left_done, fork.left);
  cudaStreamWaitEvent(fork.origin, fork.left_done);
  CHECK(cudaStreamEndCapture(fork.origin, &graph) == cudaSuccess);
  cudaGraphDestroy(graph);
  // A stream cannot wait for an event of an ended capture.
  CHECK(cudaStreamWaitEvent(fork.right, fork.left_done) == cudaErrorInvalidValue);
  fork.note(fork.right, 1);
  CHECK(fork.noted() == std::vector<int>{1});
  // Recorded again outside a capture, the event works.
  CHECK(cudaEventRecord(fork.left_done, fork.left) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(fork.right, fork.left_done) == cudaSuccess);
  cudaGetLastError();
}

}  // namespace minception::cuda
