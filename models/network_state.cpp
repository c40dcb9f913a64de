/// Import and export of network state: parameters, statistics, optimizer state, averages.

#include "core/error.h"
#include "models/network.h"
#include "models/state_dict.h"
#include "models/weights.h"

namespace minception {
namespace {

std::size_t flat_bytes(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

}  // namespace

void Network::initialize(Initialization initialization, std::uint64_t seed) {
  std::map<std::string, FileTensor> values;
  for (const Parameter& parameter : parameters_.all()) {
    values[parameter.name] =
        to_file_tensor(initial_values(parameter, initialization, seed), parameter.shape, inference_->master_dtype());
  }
  load_state(values);
}

std::map<std::string, FileTensor> Network::export_values(const std::byte* flat, const std::byte* statistics) const {
  const DType dtype = inference_->master_dtype();
  std::map<std::string, FileTensor> values;
  for (const Parameter& parameter : parameters_.all()) {
    const std::byte* source = parameter.trained() ? flat : statistics;
    if (source == nullptr) continue;
    std::vector<std::byte> memory(flat_bytes(parameter.shape.elements(), dtype));
    backend_.copy_to_host(memory.data(), source + flat_bytes(parameter.begin, dtype), memory.size());
    values[parameter.name] = {dtype, parameter.shape, channels_last_to_file(memory, parameter.shape, dtype)};
  }
  return values;
}

std::map<std::string, FileTensor> Network::state() const {
  return export_values(static_cast<const std::byte*>(parameter_memory_.data()),
                       static_cast<const std::byte*>(statistic_memory_.data()));
}

std::map<std::string, FileTensor> Network::gradients() const {
  return export_values(static_cast<const std::byte*>(gradient_memory_.data()), nullptr);
}

std::vector<std::string> Network::optimizer_buffers() const {
  if (is_adam(options_.optimizer)) return {"exp_avg.", "exp_avg_sq."};
  if (momentum_of(options_.optimizer) > 0.0) return {""};
  return {};
}

std::map<std::string, FileTensor> Network::optimizer_state() const {
  std::map<std::string, FileTensor> state;
  const auto* buffer = static_cast<const std::byte*>(optimizer_memory_.data());
  if (optimizer_memory_.bytes() == 0) return state;
  for (const std::string& prefix : optimizer_buffers()) {
    for (auto& [name, tensor] : export_values(buffer, nullptr)) state[prefix + name] = std::move(tensor);
    buffer += memory_.gradients;
  }
  return state;
}

void Network::load_state(const std::map<std::string, FileTensor>& state) {
  check_values(state, true);
  import_values(state, static_cast<std::byte*>(parameter_memory_.data()),
                static_cast<std::byte*>(statistic_memory_.data()));
  if (average_memory_.bytes() > 0) load_averages(state);
  prepacked_for_batch_ = 0;
}

void Network::load_optimizer_state(const std::map<std::string, FileTensor>& state) {
  const std::vector<std::string> prefixes = optimizer_buffers();
  require(!prefixes.empty() || state.empty(), "this network was made for an optimizer without state");
  std::vector<std::map<std::string, FileTensor>> parts(prefixes.size());
  for (const auto& [name, tensor] : state) {
    std::size_t part = 0;
    while (part < prefixes.size() && !name.starts_with(prefixes[part])) ++part;
    require(part < prefixes.size(), "the tensor ", name, " does not belong to the state of this network's optimizer");
    parts[part][name.substr(prefixes[part].size())] = tensor;
  }
  for (const auto& part : parts) check_values(part, false);
  auto* buffer = static_cast<std::byte*>(optimizer_memory_.data());
  for (const auto& part : parts) {
    import_values(part, buffer, nullptr);
    buffer += memory_.gradients;
  }
}

std::byte* Network::average_statistics() const {
  return static_cast<std::byte*>(average_memory_.data()) +
         flat_bytes(parameters_.flat_parameters(), inference_->master_dtype());
}

std::map<std::string, FileTensor> Network::averaged_state() const {
  if (average_memory_.bytes() == 0) return state();
  return export_values(static_cast<const std::byte*>(average_memory_.data()), average_statistics());
}

void Network::load_averages(const std::map<std::string, FileTensor>& state) {
  require(average_memory_.bytes() > 0, "this network was made without averages of its weights");
  check_values(state, true);
  import_values(state, static_cast<std::byte*>(average_memory_.data()), average_statistics());
  prepacked_for_batch_ = 0;
}

/// All checks run before any copy, so an invalid file changes nothing.
void Network::check_values(const std::map<std::string, FileTensor>& values, bool with_statistics) const {
  require(!options_.plan_only, "this network was only planned: it has no memory");
  const DType dtype = inference_->master_dtype();
  const std::string& model = model_.config.name;
  const auto wanted = [&](const Parameter& parameter) { return parameter.trained() || with_statistics; };
  std::vector<std::string> unknown, missing, other_shape, other_type;
  for (const auto& [name, tensor] : values) {
    if (name.ends_with(".num_batches_tracked")) continue;  // PyTorch's batch counter; unused here
    const Parameter* parameter = parameters_.find(name);
    if (parameter == nullptr || !wanted(*parameter)) {
      unknown.push_back(name);
    } else if (tensor.shape != parameter->shape) {
      other_shape.push_back(
          concat("the tensor ", name, " is ", tensor.shape, " but ", model, " expects ", parameter->shape));
    } else if (tensor.dtype != dtype) {
      other_type.push_back(concat("the tensor ", name, " is ", minception::name_of(tensor.dtype), ", ",
                                  minception::name_of(dtype), " is expected"));
    }
  }
  for (const Parameter& parameter : parameters_.all()) {
    if (wanted(parameter) && !values.contains(parameter.name)) missing.push_back(parameter.name);
  }
  std::string what;
  const auto add = [&](const std::string& sentence) { what += (what.empty() ? "" : "; ") + sentence; };
  if (!unknown.empty())
    add(concat(list_tensors(unknown), unknown.size() == 1 ? " belongs" : " belong", " to no layer of ", model));
  if (!missing.empty())
    add(concat(list_tensors(missing), " of ", model, missing.size() == 1 ? " is" : " are", " missing"));
  for (const auto* of_kind : {&other_shape, &other_type}) {
    if (of_kind->empty()) continue;
    add(of_kind->front());
    if (of_kind->size() > 1) what += concat(", and ", of_kind->size() - 1, " more have the same problem");
  }
  require(what.empty(), what);
}

void Network::import_values(const std::map<std::string, FileTensor>& values, std::byte* flat, std::byte* statistics) {
  const DType dtype = inference_->master_dtype();
  for (const Parameter& parameter : parameters_.all()) {
    if (!parameter.trained() && statistics == nullptr) continue;
    const FileTensor& tensor = values.at(parameter.name);
    const std::vector<std::byte> memory = file_to_channels_last(tensor.bytes, tensor.shape, dtype);
    std::byte* buffer = parameter.trained() ? flat : statistics;
    backend_.copy_to_device(buffer + flat_bytes(parameter.begin, dtype), memory.data(), memory.size());
  }
}

std::span<std::byte> Network::flat_parameters() {
  prepacked_for_batch_ = 0;  // the caller may write to it
  return {static_cast<std::byte*>(parameter_memory_.data()), parameter_memory_.bytes()};
}

std::span<const std::byte> Network::flat_gradients() const {
  return {static_cast<const std::byte*>(gradient_memory_.data()), gradient_memory_.bytes()};
}

std::span<std::byte> Network::flat_statistics() {
  return {static_cast<std::byte*>(statistic_memory_.data()), statistic_memory_.bytes()};
}

std::span<std::byte> Network::flat_optimizer_state() {
  return {static_cast<std::byte*>(optimizer_memory_.data()), optimizer_memory_.bytes()};
}

std::span<std::byte> Network::flat_averages() {
  prepacked_for_batch_ = 0;
  return {static_cast<std::byte*>(average_memory_.data()), average_memory_.bytes()};
}

}  // namespace minception
