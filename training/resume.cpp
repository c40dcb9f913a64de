#include "training/resume.h"
#include "core/error.h"
#include "training/run_folder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

/// "96x96" for "96".
void expand_size(Json& options, const char* name) {
  if (!options.contains(name) || !options[name].is_string()) return;
  const std::string text = options[name];
  if (!text.empty() && text.find('x') == std::string::npos) options[name] = concat(text, "x", text);
}

/// The options of a run of `train`, written as `fit` writes them.
Json as_of_fit(Json options) {
  if (options.value("folder-size", "-").empty()) options["folder-size"] = options.value("image-size", "");
  expand_size(options, "image-size");
  expand_size(options, "folder-size");
  if (options.value("schedule", "") == "paper") {
    options.update({{"schedule", "step"}, {"step-size", 8.0}, {"gamma", 0.96}});
  }
  return options;
}

/// Field of FitOptions, or of the options of the data set, that a run records under this name.
std::string field_of(const std::string& recorded) {
  constexpr std::pair<const char*, const char*> kOthers[] = {{"ema", "ema_decay"},
                                                             {"std", "deviation"},
                                                             {"crop-padding", "padding"},
                                                             {"folder-size", "ImageFolderOptions::size"},
                                                             {"limit-train", "Selection::train"},
                                                             {"limit-test", "Selection::test"}};
  for (const auto& [name, field] : kOthers) {
    if (recorded == name) return field;
  }
  std::string field = recorded;
  std::replace(field.begin(), field.end(), '-', '_');
  return field;
}

using Graph = nlohmann::json;  // compares objects without the order of their members

std::string text_of(const Graph& layer) { return layer.value("type", "a head"); }

/// The first difference between two layers or lists of layers in a graph, or "".
std::string first_difference(const Graph& was, const Graph& now, const std::string& path) {
  if (was == now) return "";
  const auto path_of = [&](const Graph& child) {
    const std::string name = child.value("name", std::string());  // "": its layers are named as those of the block
    return path + (path.empty() || name.empty() ? "" : ".") + name;
  };
  if (text_of(was) != text_of(now)) return concat(path, ": ", text_of(now), " (was ", text_of(was), ")");
  for (const char* list : {"layers", "branches", "auxiliary"}) {
    const Graph before = was.value(list, Graph::array()), after = now.value(list, Graph::array());
    for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
      if (i >= before.size()) return concat(path_of(after[i]), ": ", text_of(after[i]), " (was absent)");
      if (i >= after.size()) return concat(path_of(before[i]), ": absent (was ", text_of(before[i]), ")");
      const std::string found = first_difference(before[i], after[i], path_of(after[i]));
      if (!found.empty()) return found;
    }
  }
  for (const char* part : {"branch", "projection"}) {  // of a Residual
    const bool before = was.contains(part), after = now.contains(part);
    if (before && after && was[part] != now[part]) return first_difference(was[part], now[part], path_of(now[part]));
    if (after && !before) return concat(path_of(now[part]), ": ", text_of(now[part]), " (was absent)");
    if (before && !after) return concat(path_of(was[part]), ": absent (was ", text_of(was[part]), ")");
  }
  for (const auto& [setting, value] : now.items()) {
    const Graph before = was.value(setting, Graph());
    if (before == value) continue;
    return concat(path, path.empty() ? "" : ": ", setting, " ", value.dump(), " (was ", before.dump(), ")");
  }
  for (const auto& [setting, value] : was.items()) {
    if (!now.contains(setting))
      return concat(path, path.empty() ? "" : ": ", setting, " absent (was ", value.dump(), ")");
  }
  return "";
}

}  // namespace

std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run,
                                            const std::function<void(const std::string&)>& warn) {
  const std::vector<std::filesystem::path> checkpoints = checkpoints_of(run);
  for (const std::filesystem::path& path : checkpoints) {
    try {
      return read_checkpoint(path);
    } catch (const Error& error) {
      warn(concat(error.what(), "; using the checkpoint before it"));
    }
  }
  require(checkpoints.empty(), run.string(), ": none of its ", checkpoints.size(),
          " checkpoints can be used; start a new run with another ", Field{"out"});
  return std::nullopt;
}

void check_same_options(const FitOptions& o, const Checkpoint* checkpoint, const std::string& recorded) {
  const Json now = Json::parse(recorded);
  Json saved;
  if (checkpoint != nullptr) {
    saved = Json::parse(checkpoint->options, nullptr, false);
  } else {
    saved = Json::parse(read_text(o.out / "config.json"), nullptr, false).value("options", Json());
  }
  require(saved.is_object(), o.out.string(),
          ": its record of the options is not valid JSON; the run cannot be resumed");
  const Json was = as_of_fit(saved);
  const bool any_length = o.schedule.kind == ScheduleKind::constant || o.schedule.kind == ScheduleKind::step;
  std::string differences;
  for (const auto& [name, value] : now.items()) {
    if (!was.contains(name) || was[name] == value || (name == "epochs" && any_length)) continue;
    if (name == "data_checksum") {
      differences += concat(differences.empty() ? "" : ", ", "the images or labels");
      continue;
    }
    differences +=
        concat(differences.empty() ? "" : ", ", Setting{field_of(name), value.dump()}, " (was ", was[name].dump(), ")");
  }
  require(differences.empty(), o.out.string(), ": the run was started with other options: ", differences,
          "; use the same ones, or start a new run from its weights with ", Field{"init"});
}

void check_same_network(const std::filesystem::path& run, const Checkpoint& checkpoint, const std::string& graph) {
  if (checkpoint.graph.empty()) return;  // before version 0.2.0
  Graph was = Graph::parse(checkpoint.graph, nullptr, false);
  require(was.is_object(), run.string(),
          ": the network in its checkpoint is not valid JSON; the run cannot be resumed");
  const Graph now = Graph::parse(graph);
  for (const char* other : {"name", "input", "classes", "transform_input"}) was.erase(other);  // (weights_metadata)
  const std::string difference = first_difference(was, now, "");
  require(difference.empty(), run.string(),
          ": the run was started with another network; first difference: ", difference,
          "; use the same one, or start a new run with another ", Field{"out"});
}

}  // namespace minception
