#pragma once
/// Planning: layers write down, in order, which operations run on which tensors. The list is the single source for
/// memory lifetimes, execution, the summary and the profile.

#include <minception/core/memory_plan.h>
#include <minception/kernels/backend.h>
#include <minception/layers/parameters.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

enum class Mode : std::uint8_t { training, inference };

enum class Phase : std::uint8_t { input, forward, loss, backward, update };
std::string_view name_of(Phase phase);

/// One operation of a plan. Its tensors describe the largest batch.
struct Step {
  Phase phase = Phase::forward;
  std::string layer;  ///< the full name of the layer that asked for it
  Operation operation;
  int workspace = -1;  ///< storage, -1 where none is needed
};

/// Memory that lives outside of the arena, by what it holds.
enum class Region : std::uint8_t {
  parameters,      ///< flat, master dtype
  gradients,       ///< flat, master dtype
  statistics,      ///< flat, master dtype: running means and variances
  optimizer,       ///< flat, master dtype: momentum, or one after the other the two moments of Adam
  averages,        ///< flat, master dtype: moving averages of parameters and, behind them, statistics
  packed,          ///< weights in the backend's own layout, inference only
  control,         ///< learning rate, position, totals: what changes from step to step
  dataset_images,  ///< resident samples
  dataset_labels,
  dataset_indices,  ///< which samples are in the batch
  count,
};

/// One contiguous block of memory that tensors are views of: in the arena, or at an offset of a region.
struct Storage {
  std::string what;  ///< for people: "inception3a.branch1.conv: output"
  std::size_t bytes = 0;
  bool batched = false;  ///< views of it have the batch as their first extent
  bool in_arena = true;
  Region region = Region::count;  ///< where not in the arena
  std::size_t offset = 0;         ///< in the arena or region
  bool scratch = false;           ///< a step's workspace
  int first_step = -1;            ///< lifetime within the plan; -1 until it is used
  int last_step = -1;
};

/// How a plan is run.
struct BindOptions {
  std::int64_t batch = 1;      ///< samples, at most the plan's largest batch
  bool accumulate = false;     ///< parameter gradients are added to instead of overwritten
  bool update = true;          ///< false: the steps of the update, which come last, are left out
  bool refresh_packed = true;  ///< packed weights are made again; needed after weights or batch size changed
  double divisor = 0.0;        ///< of the loss; 0 stands for the batch size

  auto operator<=>(const BindOptions&) const = default;
};

/// The steps of a plan with memory, all of them or all before the update: ready to run.
struct BoundSteps {
  std::vector<Operation> operations;
  std::vector<Workspace> workspaces;
  Buffer extra_workspace;  ///< for steps that need more with a smaller batch than with the largest
  std::int64_t runs = 0;   ///< whole runs of all steps so far
  std::unique_ptr<Recording> recording = nullptr;  ///< of all steps, once they were recorded
};

struct MemorySummary {
  std::size_t arena = 0;          ///< what is allocated for activations, their gradients and workspace
  std::size_t live = 0;           ///< the largest sum alive at one step: the bound for any placement
  std::size_t without_reuse = 0;  ///< the sum of all tensors and workspaces
  std::size_t activations = 0;    ///< the sum of all activations and saved tensors
  std::size_t gradients = 0;      ///< the sum of the gradients of activations
  std::size_t largest_workspace = 0;
};

class Plan {
 public:
  /// `compute` is the dtype of activations: f32, f64 (reference) or bf16; parameters are f32 then.
  Plan(Backend& backend, const ParameterTable& parameters, Mode mode, DType compute, std::int64_t max_batch);

  Backend& backend() const { return backend_; }
  Mode mode() const { return mode_; }
  DType compute_dtype() const { return compute_; }
  DType master_dtype() const { return compute_ == DType::bf16 ? DType::f32 : compute_; }
  std::int64_t max_batch() const { return max_batch_; }

  // ---- while planning: layers ask for tensors and write steps ------------------------------------------------------

  void begin_phase(Phase phase) { phase_ = phase; }
  /// A tensor of the arena whose first extent is the batch.
  Tensor activation(std::string what, const Shape& shape, DType dtype);
  Tensor activation(std::string what, const Shape& shape) { return activation(std::move(what), shape, compute_); }
  /// A tensor of the arena that does not depend on the batch size: what forward saves for backward.
  Tensor saved(std::string what, const Shape& shape, DType dtype);
  /// A tensor in a region, `offset` bytes from its start. `batched`: its first extent is the batch.
  Tensor external(Region region, std::size_t offset, const Shape& shape, DType dtype, bool batched = false);
  /// Parameter `id` and what follows it in its block, seen as `shape`.
  Tensor parameter(ParameterId id, const Shape& shape);
  Tensor parameter(ParameterId id) { return parameter(id, parameters_[id].shape); }
  Tensor gradient(ParameterId id, const Shape& shape);
  Tensor gradient(ParameterId id) { return gradient(id, parameters_[id].shape); }
  Tensor statistic(ParameterId id);
  /// False for a parameter that is frozen: nobody needs its gradient.
  bool trains(ParameterId id) const { return parameters_[id].updates; }
  /// Inference: a tensor in master dtype that is kept between runs, and made again when `refresh_packed` asks for it.
  Tensor packed(const Shape& shape);

  /// Appends a step. Throws Error, naming the layer, if the operation is not valid.
  void add(const std::string& layer, Operation operation);

  /// Keeps the tensor's memory from the first to the last step: what the caller writes before a run or reads after it.
  void keep(const Tensor& tensor);

  // ---- after planning -----------------------------------------------------------------------------------------------

  /// Gives every storage its place. Without `reuse` nothing shares memory, and all of it can be looked at after a run.
  void place(bool reuse = true);
  const MemorySummary& memory() const { return memory_; }
  std::size_t packed_bytes() const { return packed_bytes_; }
  std::span<const Step> steps() const { return steps_; }
  std::span<const Storage> storages() const { return storages_; }

  /// Throws Error, naming the layer and its input, where a batch of this size gives a BatchNorm that trains a single value
  /// per channel, which has no variance.
  void check_batch_norms(std::int64_t batch) const;

  /// Where the arena and the regions are. Forgets what was bound before.
  void set_memory(void* arena, const std::map<Region, void*>& regions);
  /// Replaces the operands of load_batch by this data set (with data) in all steps.
  void set_dataset(const Tensor& images, const Tensor& labels);

  /// The steps for these options, made at the first call with them. Throws Error like check_batch_norms.
  BoundSteps& bind(const BindOptions& options);
  /// The tensor with its memory, for a batch of `batch` samples.
  Tensor bind(const Tensor& tensor, std::int64_t batch) const;

 private:
  Tensor view_of(int storage, const Shape& shape, DType dtype) const;
  void touch(int storage, int step);

  Backend& backend_;
  const ParameterTable& parameters_;
  Mode mode_;
  DType compute_;
  std::int64_t max_batch_;
  Phase phase_ = Phase::forward;
  std::vector<Step> steps_;
  std::vector<Storage> storages_;
  std::vector<int> kept_;
  MemorySummary memory_;
  std::size_t packed_bytes_ = 0;
  void* arena_ = nullptr;
  std::map<Region, void*> regions_;
  std::map<BindOptions, BoundSteps> bound_;
  Tensor dataset_images_;
  Tensor dataset_labels_;
};

}  // namespace minception
