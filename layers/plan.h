#pragma once
/// Execution plan: the ordered list of operations and their tensors that the layers add. It is the single source for
/// memory lifetimes, execution, the summary and the profile.

#include "core/memory_plan.h"
#include "kernels/backend.h"
#include "layers/parameters.h"

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
  std::string layer;  ///< full name of the layer that added it
  Operation operation;
  int workspace = -1;  ///< index of its storage; -1: none needed
};

/// Memory outside the arena, by content.
enum class Region : std::uint8_t {
  parameters,      ///< flat, master dtype
  gradients,       ///< flat, master dtype
  statistics,      ///< flat, master dtype: running means and variances
  optimizer,       ///< flat, master dtype: momentum, or Adam's first moments followed by the second
  averages,        ///< flat, master dtype: moving averages of parameters, then of statistics
  prepacked,       ///< folded weights, and weights in the backend's own layout; inference only
  control,         ///< per-step values: learning rate, position, metrics
  dataset_images,  ///< resident samples
  dataset_labels,
  dataset_indices,  ///< indices of the batch's samples
  count,
};

/// A contiguous block of memory that tensors view: in the arena or in a region.
struct Storage {
  std::string what;  ///< description: "inception3a.branch1.conv: output"
  std::size_t bytes = 0;
  bool batched = false;  ///< the first extent of its views is the batch
  bool in_arena = true;
  Region region = Region::count;  ///< unless in the arena
  std::size_t offset = 0;         ///< bytes, in the arena or region
  bool scratch = false;           ///< a step's workspace
  int first_step = -1;            ///< lifetime in steps of the plan; -1: not used yet
  int last_step = -1;
};

/// Options of one run of a plan.
struct BindOptions {
  std::int64_t batch = 1;         ///< samples, at most Plan::max_batch
  bool accumulate = false;        ///< add to parameter gradients instead of overwriting them
  bool update = true;             ///< false: skip the update steps, which come last
  bool refresh_prepacked = true;  ///< recompute prepacked weights; needed after weights or batch size changed
  double divisor = 0.0;           ///< of the loss gradient; 0: the batch size

  auto operator<=>(const BindOptions&) const = default;
};

/// Steps of a plan bound to memory and ready to run: all of them, or all before the update.
struct BoundSteps {
  std::vector<Operation> operations;
  std::vector<Workspace> workspaces;
  Buffer extra_workspace;  ///< for steps that need more workspace with this batch than with the largest
  std::int64_t runs = 0;   ///< complete runs so far
  std::unique_ptr<CapturedGraph> graph = nullptr;  ///< all steps, once captured
};

struct MemorySummary {
  std::size_t arena = 0;          ///< bytes allocated for activations, their gradients and workspace
  std::size_t live = 0;           ///< largest sum alive at one step: lower bound of any placement
  std::size_t without_reuse = 0;  ///< sum of all tensors and workspaces
  std::size_t activations = 0;    ///< sum of all activations and saved tensors
  std::size_t gradients = 0;      ///< sum of the gradients of activations
  std::size_t largest_workspace = 0;
};

class Plan {
 public:
  /// `compute` is the dtype of activations: f32, f64 (reference) or bf16. Parameters are f32 with bf16, else the same.
  Plan(Backend& backend, const ParameterTable& parameters, Mode mode, DType compute, std::int64_t max_batch);

  Backend& backend() const { return backend_; }
  Mode mode() const { return mode_; }
  DType compute_dtype() const { return compute_; }
  DType master_dtype() const { return compute_ == DType::bf16 ? DType::f32 : compute_; }
  std::int64_t max_batch() const { return max_batch_; }

  // ---- while planning: layers create tensors and add steps ---------------------------------------------------------

  void begin_phase(Phase phase) { phase_ = phase; }
  /// An arena tensor whose first extent is the batch.
  Tensor activation(std::string what, const Shape& shape, DType dtype);
  Tensor activation(std::string what, const Shape& shape) { return activation(std::move(what), shape, compute_); }
  /// An arena tensor that does not depend on the batch size, saved by forward for backward.
  Tensor saved(std::string what, const Shape& shape, DType dtype);
  /// A tensor in a region, `offset` bytes from its start. `batched`: its first extent is the batch.
  Tensor external(Region region, std::size_t offset, const Shape& shape, DType dtype, bool batched = false);
  /// View of shape `shape` that starts at parameter `id`; it may extend over the following parameters of its block.
  Tensor parameter(ParameterId id, const Shape& shape);
  Tensor parameter(ParameterId id) { return parameter(id, parameters_[id].shape); }
  Tensor gradient(ParameterId id, const Shape& shape);
  Tensor gradient(ParameterId id) { return gradient(id, parameters_[id].shape); }
  Tensor statistic(ParameterId id);
  /// False for a frozen parameter, which needs no gradient.
  bool trains(ParameterId id) const { return parameters_[id].updates; }
  /// Inference: a tensor in master dtype that is kept between runs and recomputed if `refresh_prepacked` is set.
  Tensor prepacked(const Shape& shape);

  /// Appends a step. Throws Error, naming the layer, if the operation is not valid.
  void add(const std::string& layer, Operation operation);

  /// Reserves the tensor's memory from the first to the last step: for tensors that the caller writes before or reads
  /// after a run.
  void keep(const Tensor& tensor);

  // ---- after planning -----------------------------------------------------------------------------------------------

  /// Assigns an offset to every storage. Without `reuse` no memory is shared, so all tensors can be read after a run.
  /// `gap`: unused bytes after every storage, for checks.
  void place(bool reuse = true, std::size_t gap = 0);
  const MemorySummary& memory() const { return memory_; }
  std::size_t prepacked_bytes() const { return prepacked_bytes_; }
  std::span<const Step> steps() const { return steps_; }
  std::span<const Storage> storages() const { return storages_; }

  /// Throws Error, naming the layer and its input, if this batch size leaves a BatchNorm in training with one value per
  /// channel, which has no variance.
  void check_batch_norms(std::int64_t batch) const;

  /// Sets the addresses of the arena and the regions. Invalidates all BoundSteps.
  void set_memory(void* arena, const std::map<Region, void*>& regions);
  /// Makes all load_batch steps read from this data set. Invalidates all BoundSteps if the data set changed.
  void set_dataset(const Tensor& images, const Tensor& labels);

  /// The steps for these options, created on first use. Throws Error like check_batch_norms, and for a batch
  /// size outside [1, max_batch].
  BoundSteps& bind(const BindOptions& options);
  /// The tensor with its address, for a batch of `batch` samples.
  Tensor bind(const Tensor& tensor, std::int64_t batch) const;

 private:
  Tensor view_of(int storage, const Shape& shape, DType dtype) const;
  void check_lists(const Custom& op) const;
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
  std::size_t prepacked_bytes_ = 0;
  void* arena_ = nullptr;
  std::map<Region, void*> regions_;
  std::map<BindOptions, BoundSteps> bound_;
  Tensor dataset_images_;
  Tensor dataset_labels_;
};

}  // namespace minception
