#pragma once
/// Who carries the operations out. What each computes is written in operations.h.

#include <minception/core/buffer.h>
#include <minception/kernels/operations.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception {

/// What an operation needs besides its operands.
struct Requirements {
  std::size_t workspace = 0;  ///< bytes of scratch memory during `run`; contents do not matter before or after
  std::size_t packed = 0;     ///< bytes of the optional operand `packed`
};

/// Scratch memory for one `run`, aligned to 64 bytes.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// Operations that were recorded once and are repeated as a whole: a CUDA graph.
class Recording {
 public:
  virtual ~Recording() = default;
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  /// Does the work, with the memory and the attributes that it was recorded with.
  virtual void replay() = 0;
  /// Replays it so many times; says how many seconds that took by the device's own clock, and returns when all is done.
  virtual double replay_timed(int times) = 0;
};

/// How long a kernel of a GPU ran.
struct KernelTime {
  std::string kernel;  ///< "relu_forward<float, 4>"
  double seconds = 0.0;
};

/// How long an operation took on its device.
struct OperationTime {
  double seconds = 0.0;
  std::vector<KernelTime> kernels = {};  ///< in the order in which they were started; none where there are no kernels
};

/// Carries out operations on one device. It owns its streams and caches; several may live in one process.
/// Each operation is planned, then run any number of times. `run` allocates no tensor memory; the cpu backend creates
/// oneDNN primitives at the first plan or run of a shape and keeps them.
class Backend {
 public:
  virtual ~Backend() = default;
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  /// "reference", "cpu", "cuda", "vendor"
  virtual std::string_view name() const = 0;
  /// For a log: the library, its version, the instruction set or GPU.
  virtual std::string description() const = 0;
  virtual Device device() const = 0;

  /// Zero-filled memory on the device, aligned to 64 bytes or more. Throws Error when there is not enough.
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// Bytes that allocate could still hand out; 0 where unknown.
  virtual std::size_t available_memory() const = 0;
  virtual void copy_to_device(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;
  virtual void fill_zero(void* device, std::size_t bytes) = 0;
  /// Like copy_to_device, but returns before the copy is done, in its turn among the operations: for the few bytes that
  /// change from step to step. `host` may be changed at once.
  virtual void upload(void* device, const void* host, std::size_t bytes) { copy_to_device(device, host, bytes); }
  /// Returns when all work has been done.
  virtual void synchronize() = 0;

  /// Validates the operation (its tensors may be descriptions) and says what it needs. Depends on shapes, pixel
  /// strides, dtypes, attributes and on which optional operands are there; never on values.
  Requirements plan(const Operation& operation);
  /// Validates the operation and carries it out. `workspace` holds at least what `plan` said.
  void run(const Operation& operation, Workspace workspace = {});
  /// Records the operations that `work` runs, without doing them. nullptr, and `work` is not called, where the backend
  /// cannot. `work` neither allocates nor copies; every operation in it has been run before, by itself.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) {
    (void)work;
    return nullptr;
  }

  /// Carries the operations out in turn, for a profile: says how long each took, by the host's clock or, on a GPU, by
  /// events around each kernel. Returns when all are done.
  virtual std::vector<OperationTime> run_timed(std::span<const Operation> operations,
                                               std::span<const Workspace> workspaces);
  /// Opens a range on the timeline of a profiler that watches this process (NVTX), until end_range closes it; ranges are
  /// nested. Nothing where there is no such timeline. `name` is read at once.
  virtual void begin_range(const char* name) { (void)name; }
  virtual void end_range() {}

  // One function per operation. Inputs are validated when they get here.
  virtual void load_batch(const LoadBatch&, Workspace) = 0;
  virtual void conv2d_forward(const Conv2dForward&, Workspace) = 0;
  virtual void conv2d_backward_data(const Conv2dBackwardData&, Workspace) = 0;
  virtual void conv2d_backward_weights(const Conv2dBackwardWeights&, Workspace) = 0;
  virtual void conv2d_1x1_group_forward(const Conv2d1x1GroupForward&, Workspace) = 0;
  virtual void conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData&, Workspace) = 0;
  virtual void conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights&, Workspace) = 0;
  virtual void linear_forward(const LinearForward&, Workspace) = 0;
  virtual void linear_backward_data(const LinearBackwardData&, Workspace) = 0;
  virtual void linear_backward_weights(const LinearBackwardWeights&, Workspace) = 0;
  virtual void relu_forward(const ReluForward&, Workspace) = 0;
  virtual void relu_backward(const ReluBackward&, Workspace) = 0;
  virtual void max_pool2d_forward(const MaxPool2dForward&, Workspace) = 0;
  virtual void max_pool2d_backward(const MaxPool2dBackward&, Workspace) = 0;
  virtual void avg_pool2d_forward(const AvgPool2dForward&, Workspace) = 0;
  virtual void avg_pool2d_backward(const AvgPool2dBackward&, Workspace) = 0;
  virtual void adaptive_avg_pool2d_forward(const AdaptiveAvgPool2dForward&, Workspace) = 0;
  virtual void adaptive_avg_pool2d_backward(const AdaptiveAvgPool2dBackward&, Workspace) = 0;
  virtual void global_avg_pool_forward(const GlobalAvgPoolForward&, Workspace) = 0;
  virtual void global_avg_pool_backward(const GlobalAvgPoolBackward&, Workspace) = 0;
  virtual void concat_forward(const ConcatForward&, Workspace) = 0;
  virtual void split(const Split&, Workspace) = 0;
  virtual void flatten_forward(const FlattenForward&, Workspace) = 0;
  virtual void flatten_backward(const FlattenBackward&, Workspace) = 0;
  virtual void add_forward(const AddForward&, Workspace) = 0;
  virtual void add_backward(const AddBackward&, Workspace) = 0;
  virtual void fill(const Fill&, Workspace) = 0;
  virtual void cast(const Cast&, Workspace) = 0;
  virtual void batch_norm_forward_training(const BatchNormForwardTraining&, Workspace) = 0;
  virtual void batch_norm_forward_inference(const BatchNormForwardInference&, Workspace) = 0;
  virtual void batch_norm_backward(const BatchNormBackward&, Workspace) = 0;
  virtual void batch_norm_backward_inference(const BatchNormBackwardInference&, Workspace) = 0;
  virtual void fold_batch_norm(const FoldBatchNorm&, Workspace) = 0;
  virtual void local_response_norm_forward(const LocalResponseNormForward&, Workspace) = 0;
  virtual void local_response_norm_backward(const LocalResponseNormBackward&, Workspace) = 0;
  virtual void dropout_forward(const DropoutForward&, Workspace) = 0;
  virtual void dropout_backward(const DropoutBackward&, Workspace) = 0;
  virtual void softmax_cross_entropy(const SoftmaxCrossEntropy&, Workspace) = 0;
  virtual void sgd_step(const SgdStep&, Workspace) = 0;
  virtual void adam_step(const AdamStep&, Workspace) = 0;
  virtual void clip_factor(const ClipFactor&, Workspace) = 0;
  virtual void ema_update(const EmaUpdate&, Workspace) = 0;
  virtual void segment_norms(const SegmentNorms&, Workspace) = 0;

 protected:
  /// What a valid operation needs; nothing unless a backend says otherwise.
  virtual Requirements requirements(const Operation&) { return {}; }
};

/// A range of a profiler's timeline, as long as this object lives.
class TimelineRange {
 public:
  TimelineRange(Backend& backend, const char* name) : backend_(backend) { backend.begin_range(name); }
  ~TimelineRange() { backend_.end_range(); }
  TimelineRange(const TimelineRange&) = delete;
  TimelineRange& operator=(const TimelineRange&) = delete;

 private:
  Backend& backend_;
};

/// Plain loops in the dtype of the operands (float or double): the specification the others are tested against.
std::unique_ptr<Backend> make_reference_backend();

/// oneDNN and OpenMP. `threads` = 0: as many as OpenMP would use. Throws Error in a build without oneDNN.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0);

/// Which member of a ladder carries out convolutions and matrix products. `naive` is the one to read first and the one
/// the others are tested against.
enum class Rung : std::uint8_t {
  automatic,    ///< the fastest one that fits the shape
  naive,        ///< one thread per result
  tiled,        ///< tiles in shared memory, f32 arithmetic
  tensor_core,  ///< mma.sync on tiles: tf32 for f32 tensors, bf16 for bf16 tensors
};

struct CudaOptions {
  /// f32 tensors may be multiplied on tensor cores, which round the factors to tf32 (10 bits of mantissa).
  bool tf32 = false;
  Rung rung = Rung::automatic;
  int device = 0;
};

/// Our CUDA kernels, on a GPU or, in a build with MINCEPTION_CUDA=EMULATED, thread by thread on the CPU. Throws Error in a
/// build without them, or where no GPU answers.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});
/// "" if make_cuda_backend would succeed, else why not.
std::string why_no_cuda();
/// Whether the kernels of make_cuda_backend run on the CPU, which is no way to train fast.
bool cuda_is_emulated();

/// What an emulated kernel did since the last reset_kernel_counts, each count by its name ("launches", "mma", ...).
struct KernelCounts {
  std::string kernel;
  std::vector<std::pair<std::string, double>> counts;
};
/// In the order of first launch; empty where no kernel is emulated.
std::vector<KernelCounts> kernel_counts();
/// The same as a table for people, with what its numbers are; "" where no kernel is emulated.
std::string kernel_counts_table();
void reset_kernel_counts();

struct VendorOptions {
  /// As in CudaOptions. Without it f32 is multiplied in f32.
  bool tf32 = false;
  /// Only algorithms that give the same bits in every run. Without it the fastest ones, as a measurement wants them.
  bool deterministic = true;
  int device = 0;
};

/// The cuda backend with convolution, matrix products, pooling, softmax and batch norm by cuDNN and cuBLAS: the yardstick
/// of our kernels, and a second opinion on them. Throws Error in a build without cuDNN, or where no GPU answers.
std::unique_ptr<Backend> make_vendor_backend(const VendorOptions& options = {});
/// "" if make_vendor_backend would succeed, else why not.
std::string why_no_vendor();

/// By name: "cpu", "cuda" or "reference". Throws Error that lists the names for any other.
std::unique_ptr<Backend> make_backend(std::string_view name);

}  // namespace minception
