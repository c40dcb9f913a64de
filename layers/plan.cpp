#include "layers/plan.h"
#include "core/error.h"

#include <algorithm>

namespace minception {

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::input:
      return "input";
    case Phase::forward:
      return "forward";
    case Phase::loss:
      return "loss";
    case Phase::backward:
      return "backward";
    case Phase::update:
      return "update";
  }
  return "unknown";
}

Plan::Plan(Backend& backend, const ParameterTable& parameters, Mode mode, DType compute, std::int64_t max_batch)
    : backend_(backend), parameters_(parameters), mode_(mode), compute_(compute), max_batch_(max_batch) {
  require(max_batch >= 1, "a batch of ", max_batch, " samples: at least 1 is needed");
}

Tensor Plan::view_of(int storage, const Shape& shape, DType dtype) const {
  require(fits_memory(shape), "a tensor of shape ", shape, " is larger than any memory");
  Tensor tensor(shape, dtype, nullptr, backend_.device());
  tensor.storage = storage;
  return tensor;
}

Tensor Plan::activation(std::string what, const Shape& shape, DType dtype) {
  Tensor tensor = view_of(static_cast<int>(storages_.size()), shape, dtype);
  storages_.push_back({.what = std::move(what), .bytes = tensor.bytes(), .batched = true});
  return tensor;
}

Tensor Plan::saved(std::string what, const Shape& shape, DType dtype) {
  Tensor tensor = view_of(static_cast<int>(storages_.size()), shape, dtype);
  storages_.push_back({.what = std::move(what), .bytes = tensor.bytes()});
  return tensor;
}

Tensor Plan::external(Region region, std::size_t offset, const Shape& shape, DType dtype, bool batched) {
  Tensor tensor = view_of(static_cast<int>(storages_.size()), shape, dtype);
  storages_.push_back(
      {.what = {}, .bytes = tensor.bytes(), .batched = batched, .in_arena = false, .region = region, .offset = offset});
  return tensor;
}

Tensor Plan::parameter(ParameterId id, const Shape& shape) {
  return external(Region::parameters, static_cast<std::size_t>(parameters_[id].begin) * size_of(master_dtype()), shape,
                  master_dtype());
}

Tensor Plan::gradient(ParameterId id, const Shape& shape) {
  return external(Region::gradients, static_cast<std::size_t>(parameters_[id].begin) * size_of(master_dtype()), shape,
                  master_dtype());
}

Tensor Plan::statistic(ParameterId id) {
  return external(Region::statistics, static_cast<std::size_t>(parameters_[id].begin) * size_of(master_dtype()),
                  parameters_[id].shape, master_dtype());
}

Tensor Plan::prepacked(const Shape& shape) {
  const Tensor tensor = external(Region::prepacked, prepacked_bytes_, shape, master_dtype());
  prepacked_bytes_ += (tensor.bytes() + 63) / 64 * 64;
  return tensor;
}

void Plan::touch(int storage, int step) {
  Storage& block = storages_[static_cast<std::size_t>(storage)];
  block.first_step = block.first_step < 0 ? step : std::min(block.first_step, step);
  block.last_step = std::max(block.last_step, step);
}

/// Gradients of parameters accumulate, and parameters are changed by the optimizer only.
void Plan::check_lists(const Custom& op) const {
  const auto check = [&](const std::vector<CustomOperand>& operands, bool reads, bool gradients) {
    for (const auto& [role, tensor] : operands) {
      if (tensor.storage < 0) continue;
      const Storage& storage = storages_[static_cast<std::size_t>(tensor.storage)];
      const bool is_gradient = !storage.in_arena && storage.region == Region::gradients;
      require(!is_gradient || gradients, op.operation->name(), ": ", role,
              " is the gradient of a parameter: list it in `gradients`");
      require(is_gradient || !gradients, op.operation->name(), ": ", role,
              " is in `gradients` but is not the gradient of a parameter (Plan::gradient)");
      require(reads || storage.in_arena || storage.region != Region::parameters, op.operation->name(), ": ", role,
              " is a parameter: list it in `inputs`");
    }
  };
  check(op.inputs, true, false);
  check(op.outputs, false, false);
  check(op.updated, false, false);
  check(op.gradients, false, true);
}

void Plan::add(const std::string& layer, Operation operation) {
  const int step = static_cast<int>(steps_.size());
  Requirements needs;
  try {
    if (const auto* custom = std::get_if<Custom>(&operation); custom != nullptr && custom->operation != nullptr) {
      check_lists(*custom);
    }
    needs = backend_.plan(operation);
    // Weights change at every training step, so only inference keeps a prepacked copy.
    if (needs.prepacked > 0 && mode_ == Mode::inference) {
      std::visit(
          [&](auto& op) {
            if constexpr (requires { op.prepacked; }) {
              op.prepacked = external(Region::prepacked, prepacked_bytes_,
                                      Shape{static_cast<std::int64_t>(needs.prepacked)}, DType::u8);
            }
          },
          operation);
      prepacked_bytes_ += (needs.prepacked + 63) / 64 * 64;
      needs = backend_.plan(operation);
    }
  } catch (const Error& error) {
    fail(layer, ": ", error.what());
  }
  for_each_operand(operation, [&](std::string_view, const Tensor& tensor, Access) {
    if (tensor.storage >= 0) touch(tensor.storage, step);
  });
  Step entry{.phase = phase_, .layer = layer, .operation = std::move(operation)};
  if (needs.workspace > 0) {
    entry.workspace = static_cast<int>(storages_.size());
    storages_.push_back({.what = layer + ": workspace", .bytes = needs.workspace, .scratch = true});
    touch(entry.workspace, step);
  }
  steps_.push_back(std::move(entry));
}

void Plan::keep(const Tensor& tensor) { kept_.push_back(tensor.storage); }

void Plan::place(bool reuse, std::size_t gap) {
  const int last_step = static_cast<int>(steps_.size()) - 1;
  for (int storage : kept_) {
    touch(storage, 0);
    touch(storage, last_step);
  }
  std::vector<Lifetime> blocks;
  std::vector<Storage*> owners;
  memory_ = {};
  for (Storage& storage : storages_) {
    if (!storage.in_arena || storage.first_step < 0) continue;
    blocks.push_back({.bytes = storage.bytes + gap, .first = storage.first_step, .last = storage.last_step});
    owners.push_back(&storage);
    if (storage.scratch) {
      memory_.largest_workspace = std::max(memory_.largest_workspace, storage.bytes);
    } else if (steps_[static_cast<std::size_t>(storage.first_step)].phase <= Phase::forward) {
      memory_.activations += storage.bytes;
    } else {
      memory_.gradients += storage.bytes;
    }
  }
  const MemoryPlan plan = plan_memory(blocks, reuse);
  for (std::size_t block = 0; block < blocks.size(); ++block) owners[block]->offset = plan.offsets[block];
  memory_.arena = plan.arena_bytes;
  memory_.live = plan.live_bytes;
  memory_.without_reuse = plan.sum_bytes;
}

void Plan::set_memory(void* arena, const std::map<Region, void*>& regions) {
  arena_ = arena;
  regions_ = regions;
  bound_.clear();
}

void Plan::set_dataset(const Tensor& images, const Tensor& labels) {
  if (images.data == dataset_images_.data && images.shape == dataset_images_.shape &&
      labels.data == dataset_labels_.data) {
    return;  // keep the bound steps
  }
  dataset_images_ = images;
  dataset_labels_ = labels;
  bound_.clear();
}

Tensor Plan::bind(const Tensor& tensor, std::int64_t batch) const {
  if (tensor.storage < 0) return tensor;
  const Storage& storage = storages_[static_cast<std::size_t>(tensor.storage)];
  Tensor bound = tensor;
  void* base = arena_;
  if (!storage.in_arena) {
    const auto region = regions_.find(storage.region);
    base = region == regions_.end() ? nullptr : region->second;
  }
  if (base != nullptr) bound.data = static_cast<std::byte*>(base) + storage.offset + tensor.offset;
  return storage.batched ? bound.first(batch) : bound;
}

void Plan::check_batch_norms(std::int64_t batch) const {
  for (const Step& step : steps_) {
    const auto* norm = std::get_if<BatchNormForwardTraining>(&step.operation);
    if (norm == nullptr) continue;
    Shape shape = norm->x.shape;
    shape[0] = batch;
    require(batch * shape.extent_or_1(2) * shape.extent_or_1(3) > 1, step.layer,
            ": expected more than 1 value per channel when training, got an input of ", shape,
            "; use a larger batch or image");
  }
}

BoundSteps& Plan::bind(const BindOptions& options) {
  require(options.batch >= 1 && options.batch <= max_batch_, "a batch of ", options.batch,
          " samples: the network was planned for 1 to ", max_batch_);
  if (const auto found = bound_.find(options); found != bound_.end()) return found->second;
  check_batch_norms(options.batch);

  BoundSteps bound;
  std::size_t extra_bytes = 0;
  for (const Step& step : steps_) {
    if (step.phase == Phase::update && !options.update) break;
    Operation operation = step.operation;
    for_each_operand(operation,
                     [&](std::string_view, Tensor& tensor, Access) { tensor = bind(tensor, options.batch); });
    std::visit(
        [&](auto& op) {
          if constexpr (requires { op.divisor; }) {
            op.divisor = options.divisor > 0.0 ? options.divisor : static_cast<double>(options.batch);
          }
          if constexpr (requires { op.accumulate; }) op.accumulate = options.accumulate;
          if constexpr (requires { op.refresh_prepacked; }) op.refresh_prepacked = options.refresh_prepacked;
          if constexpr (requires { op.indices; }) {
            if (dataset_images_.defined()) {
              op.images = dataset_images_;
              op.labels = dataset_labels_;
            }
          }
        },
        operation);
    Workspace workspace;
    const Requirements needs = backend_.plan(operation);
    if (step.workspace >= 0) {
      const Storage& storage = storages_[static_cast<std::size_t>(step.workspace)];
      workspace = {static_cast<std::byte*>(arena_) + storage.offset, storage.bytes};
    }
    if (needs.workspace > workspace.bytes) {
      workspace = {nullptr, needs.workspace};
      extra_bytes = std::max(extra_bytes, needs.workspace);
    }
    bound.operations.push_back(std::move(operation));
    bound.workspaces.push_back(workspace);
  }
  if (extra_bytes > 0) {
    bound.extra_workspace = backend_.allocate(extra_bytes);
    for (Workspace& workspace : bound.workspaces) {
      if (workspace.data == nullptr && workspace.bytes > 0) workspace.data = bound.extra_workspace.data();
    }
  }
  return bound_.emplace(options, std::move(bound)).first->second;
}

}  // namespace minception
