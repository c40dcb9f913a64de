#pragma once
/// Backend interface. The operations are specified in operations.h.

#include "core/buffer.h"
#include "kernels/operations.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception {

/// Memory that an operation needs in addition to its operands.
struct Requirements {
  std::size_t workspace = 0;  ///< bytes of scratch memory during `run`; contents are not preserved between runs
  std::size_t prepacked = 0;  ///< bytes of the optional operand `prepacked`
};

/// A captured sequence of operations, replayed as a whole: a CUDA graph.
class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  CapturedGraph() = default;
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;
  /// Runs the captured operations with the memory and attributes of the capture.
  virtual void replay() = 0;
  /// Replays the graph `times` times and waits. Returns the elapsed seconds, measured by the device.
  virtual double replay_timed(int times) = 0;
};

/// Run time of one GPU kernel.
struct KernelTime {
  std::string kernel;  ///< "relu_forward<float, 4>"
  double seconds = 0.0;
};

/// Run time of one operation.
struct OperationTime {
  double seconds = 0.0;
  std::vector<KernelTime> kernels = {};  ///< in launch order; empty on host backends
};

/// Declares the overrides of all operations in the class of a backend.
#define MINCEPTION_OVERRIDE_OPERATION(Struct, name) void name(const Struct&, Workspace) override;

/// Runs operations on one device. A backend owns its streams and caches; one process may use several.
/// An operation is planned once, then run any number of times. `run` allocates no tensor memory; the cpu backend
/// creates oneDNN primitives at the first plan or run of a shape and keeps them.
class Backend {
 public:
  virtual ~Backend() = default;
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  /// "reference", "cpu", "cuda", "vendor"
  virtual std::string_view name() const = 0;
  /// For logs: library, version, and instruction set or GPU.
  virtual std::string description() const = 0;
  virtual Device device() const = 0;

  /// Zero-filled memory on the device, aligned to 64 bytes or more. Throws Error if there is not enough.
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// Free memory in bytes; 0 if unknown.
  virtual std::size_t available_memory() const = 0;
  virtual void copy_to_device(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;
  virtual void fill_zero(void* device, std::size_t bytes) = 0;
  /// Like copy_to_device, but may return before the copy is done. The copy is ordered with the operations, and `host`
  /// may be changed as soon as the call returns. For data that changes in every step.
  virtual void upload(void* device, const void* host, std::size_t bytes) { copy_to_device(device, host, bytes); }
  /// Allocates what uploads of up to `bytes` need, so that none of them allocates.
  virtual void reserve_upload(std::size_t bytes) { static_cast<void>(bytes); }
  /// Waits for all submitted work.
  virtual void synchronize() = 0;

  /// Validates the operation and returns its memory requirements; tensors may lack data. The result depends on shapes,
  /// pixel strides, dtypes, attributes and which optional operands are defined, never on values.
  Requirements plan(const Operation& operation);
  /// Validates and runs the operation. `workspace` must have at least the size that `plan` returned.
  void run(const Operation& operation, Workspace workspace = {});
  /// Captures the operations that `work` runs, without executing them. Returns nullptr without calling `work` if the
  /// backend does not support capture. `work` must not allocate or copy, and each operation must have been run before.
  virtual std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) {
    (void)work;
    return nullptr;
  }

  /// Runs the operations in order and returns the time of each, for profiles: measured by the host clock or, on a GPU,
  /// by events around each operation and kernel. Waits for completion.
  virtual std::vector<OperationTime> run_timed(std::span<const Operation> operations,
                                               std::span<const Workspace> workspaces);
  /// Opens a profiler range (NVTX) that end_range closes; ranges nest. Does nothing without a profiler. `name` need not
  /// outlive the call.
  virtual void begin_range(const char* name) { (void)name; }
  virtual void end_range() {}

  /// One function per operation: conv2d_forward(const Conv2dForward&, Workspace), ... Called with valid operations.
#define MINCEPTION_PURE_VIRTUAL(Struct, name) virtual void name(const Struct&, Workspace) = 0;
  MINCEPTION_OPERATIONS(MINCEPTION_PURE_VIRTUAL)
#undef MINCEPTION_PURE_VIRTUAL

 protected:
  /// Memory requirements of a valid operation; none by default.
  virtual Requirements requirements(const Operation&) { return {}; }
};

/// A profiler range for the lifetime of this object.
class TimelineRange {
 public:
  TimelineRange(Backend& backend, const char* name) : backend_(backend) { backend.begin_range(name); }
  ~TimelineRange() { backend_.end_range(); }
  TimelineRange(const TimelineRange&) = delete;
  TimelineRange& operator=(const TimelineRange&) = delete;

 private:
  Backend& backend_;
};

/// Plain loops for float or double tensors: the reference that the other backends are tested against.
std::unique_ptr<Backend> make_reference_backend();

/// oneDNN and OpenMP. `threads` = 0: OpenMP's default. Throws Error in a build without oneDNN.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0);

/// Algorithm of convolutions and matrix products. `naive` is the simplest one and the test oracle for the others.
enum class Algorithm : std::uint8_t {
  automatic,  ///< the fastest one that supports the shape
  naive,      ///< one thread per element
  fma,        ///< tiles in shared memory, f32 arithmetic
  tensor_op,  ///< mma.sync on tiles: tf32 for f32 tensors, bf16 for bf16 tensors
};

struct CudaOptions {
  /// Allows tensor cores for f32 tensors. They round the factors to tf32 (10 bits of mantissa).
  bool tf32 = false;
  Algorithm algorithm = Algorithm::automatic;
  int device = 0;
  /// A GEMM takes a larger tile only if its grid then has this many blocks: by default two on each of the 132
  /// multiprocessors of an H100. Not queried from the device: results must not depend on the GPU. Tests set 1.
  int blocks_to_fill = 2 * 132;
};

/// This project's CUDA kernels, on a GPU or, in a build with MINCEPTION_CUDA=EMULATED, emulated on the CPU thread by
/// thread. Throws Error in a build without CUDA or if no GPU is available.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});
/// Why make_cuda_backend would fail; "" if it would succeed.
std::string why_no_cuda();
/// Whether the kernels of make_cuda_backend are emulated on the CPU, which is far too slow for training.
bool cuda_is_emulated();

/// Counters of an emulated kernel since the last reset_kernel_counts, by name ("launches", "mma", ...).
struct KernelCounts {
  std::string kernel;
  std::vector<std::pair<std::string, double>> counts;
};
/// In the order of first launch; empty if kernels are not emulated.
std::vector<KernelCounts> kernel_counts();
/// The counters as a formatted table with a legend; "" if kernels are not emulated.
std::string kernel_counts_table();
void reset_kernel_counts();

struct VendorOptions {
  /// As in CudaOptions. If false, f32 tensors are multiplied in f32.
  bool tf32 = false;
  /// Uses only algorithms that give the same bits in every run. If false, uses the fastest ones, for benchmarks.
  bool deterministic = true;
  int device = 0;
};

/// The cuda backend with convolution, matrix products, pooling, softmax and batch norm by cuDNN and cuBLAS: the
/// baseline for speed and results of the project's kernels. Throws Error in a build without cuDNN or if no GPU is
/// available.
std::unique_ptr<Backend> make_vendor_backend(const VendorOptions& options = {});
/// Why make_vendor_backend would fail; "" if it would succeed.
std::string why_no_vendor();

/// Backend by name: "cpu", "cuda", "reference", or "auto": cuda if there is a GPU, else cpu, or reference in a build
/// without oneDNN. Throws Error with the list of names for any other.
std::unique_ptr<Backend> make_backend(std::string_view name);

}  // namespace minception
