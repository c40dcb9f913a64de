#include "training/checkpoint.h"
#include "core/error.h"
#include "models/state_dict.h"
#include "models/weights_file.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

// nlohmann/json writes a double with enough digits to restore it exactly.
Json to_json(const LossMetrics& metrics) { return {{"loss", metrics.loss}, {"correct", metrics.correct}}; }

LossMetrics metrics_from(const Json& json) { return {.loss = json.at("loss"), .correct = json.at("correct")}; }

std::string to_json(const TrainerState& state) {
  Json on_device = Json::array();
  for (const LossMetrics& metrics : state.on_device) on_device.push_back(to_json(metrics));
  return Json{{"epoch", state.epoch},
              {"position", state.position},
              {"step", state.step},
              {"epoch_sums", to_json(state.epoch_sums)},
              {"seconds", state.seconds},
              {"line_position", state.line_position},
              {"on_device", on_device},
              {"plateau_steps", state.loss_watch.at_chance},
              {"diverged_steps", state.loss_watch.diverged}}
      .dump();
}

TrainerState state_from(const std::string& text) {
  const Json json = Json::parse(text);
  TrainerState state = {
      .epoch = json.at("epoch"),
      .position = json.at("position"),
      .step = json.at("step"),
      .epoch_sums = metrics_from(json.at("epoch_sums")),
      .seconds = json.at("seconds"),
      .line_position = json.at("line_position"),
      .on_device = {},
      .loss_watch = {.at_chance = json.at("plateau_steps"), .diverged = json.value("diverged_steps", std::int64_t{0})}};
  for (const Json& metrics : json.at("on_device")) state.on_device.push_back(metrics_from(metrics));
  return state;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Network& network, const TrainerState& state,
                      const std::string& options, const std::vector<std::string>& class_names) {
  Safetensors content{network.state(), weights_metadata(network, class_names)};
  for (auto& [name, tensor] : network.optimizer_state()) content.tensors[kOptimizerPrefix + name] = std::move(tensor);
  if (network.options().ema_decay > 0.0) {
    for (auto& [name, tensor] : network.averaged_state()) content.tensors[kAveragePrefix + name] = std::move(tensor);
  }
  content.metadata["training"] = to_json(state);
  content.metadata["options"] = options;
  write_safetensors(path, content);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  Safetensors content = read_safetensors(path);
  Checkpoint checkpoint;
  try {
    checkpoint.state = state_from(content.metadata.at("training"));
    checkpoint.options = content.metadata.at("options");
    const Json model = Json::parse(content.metadata.at("model"));
    if (model.contains("layers")) checkpoint.graph = model.dump();
  } catch (const std::exception&) {
    fail(path.string(), ": not a checkpoint: its metadata have no training state");
  }
  const std::string optimizer = kOptimizerPrefix, average = kAveragePrefix;
  for (auto& [name, tensor] : content.tensors) {
    if (name.starts_with(optimizer)) {
      checkpoint.optimizer[name.substr(optimizer.size())] = std::move(tensor);
    } else if (name.starts_with(average)) {
      checkpoint.averages[name.substr(average.size())] = std::move(tensor);
    } else {
      checkpoint.parameters[name] = std::move(tensor);
    }
  }
  try {
    check_numbers(checkpoint.parameters, Numbers::trained);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  return checkpoint;
}

void load_checkpoint(Network& network, const Checkpoint& checkpoint) {
  network.load_state(checkpoint.parameters);
  network.load_optimizer_state(checkpoint.optimizer);
  if (network.options().ema_decay > 0.0 || !checkpoint.averages.empty()) network.load_averages(checkpoint.averages);
}

}  // namespace minception
