/// Finds the image sizes that a model accepts. Does not depend on kernels or strides: builds the model for every size
/// and plans its training; a rejection is the layer's own error.

#include "core/error.h"
#include "kernels/backend.h"
#include "models/network.h"
#include "models/registry.h"
#include "studies/study.h"
#include "tools/program.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace minception;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::vector<std::string> models;
  std::int64_t largest = 256;
  std::vector<std::int64_t> traced = {32};
  bool json = false, overwrite = false;
  std::string out;
};

/// Result of planning a model for square images of one size.
struct Answer {
  std::string error;                  ///< "" if the size is accepted
  std::vector<std::string> warnings;  ///< warnings of the model for this size
  std::vector<std::int64_t> extents;  ///< image height after each layer of the body while it is an image
  bool accepted() const { return error.empty(); }
};

/// The layer name at the start of a planning error.
std::string layer_of(const std::string& error) { return error.substr(0, error.find(": ")); }

Answer ask(ModelConfig config, std::int64_t size, Backend& backend) {
  Answer answer;
  config.input = {config.input[0], size, size};
  try {
    Model model = make_model(config);
    answer.warnings = model.warnings;
    Shape shape = {1, config.input[0], size, size};
    for (std::size_t i = 0; i < model.body->size() && shape.rank() == 4; ++i) {
      shape = (*model.body)[i].output_shape(shape);
      if (shape.rank() == 4) answer.extents.push_back(shape[2]);
    }
    const Network planned(std::move(model), backend, {.max_batch = 1, .plan_only = true});
  } catch (const Error& error) {
    answer.error = error.what();
  }
  return answer;
}

/// A range of sizes that the same layer rejects.
struct Refused {
  std::int64_t from = 1, to = 1;
  std::string error;  ///< error at size `to`
};

/// A layer that reduces the image size.
struct Halving {
  std::string name;
  std::size_t layer = 0;  ///< index in the body
};

struct Study {
  ModelConfig described;
  std::vector<Answer> answers;  ///< entry i: answer for size i + 1
  std::vector<Halving> halvings;
  std::vector<Refused> refused;
  std::int64_t smallest = 0;  ///< 0: no size is accepted

  const Answer& at(std::int64_t size) const { return answers[static_cast<std::size_t>(size - 1)]; }

  /// Image height at the input and after every layer that reduces it.
  std::vector<std::int64_t> trace(std::int64_t size) const {
    std::vector<std::int64_t> heights = {size};
    for (const Halving& halving : halvings) heights.push_back(at(size).extents[halving.layer]);
    return heights;
  }
  /// Whether every layer that reduces larger images still reduces this one.
  bool all_shrink(std::int64_t size) const {
    const std::vector<std::int64_t> heights = trace(size);
    return std::adjacent_find(heights.begin(), heights.end(), std::less_equal<>()) == heights.end();
  }
  std::int64_t largest() const { return static_cast<std::int64_t>(answers.size()); }
  /// The smallest size from which on `holds` is true up to the largest size; 0: none.
  template <class F>
  std::int64_t from_where(const F& holds) const {
    std::int64_t size = largest();
    while (size >= 1 && holds(size)) --size;
    return size == largest() ? 0 : size + 1;
  }
};

Study study(const std::string& name, std::int64_t largest, Backend& backend) {
  Study result;
  result.described = default_config(name);
  // Layers that reduce an image of the described size can run out of pixels at smaller sizes.
  const std::int64_t usual = result.described.input[1];
  const Answer described = ask(result.described, usual, backend);
  require(described.accepted(), name, " rejects the size in its own description: ", described.error);
  const Model model = make_model(result.described);
  std::int64_t before = usual;
  for (std::size_t i = 0; i < described.extents.size(); ++i) {
    if (described.extents[i] < before) result.halvings.push_back({model.body->name_of(i), i});
    before = described.extents[i];
  }
  for (std::int64_t size = 1; size <= largest; ++size) {
    result.answers.push_back(ask(result.described, size, backend));
    const Answer& answer = result.answers.back();
    if (answer.accepted()) {
      if (result.smallest == 0) result.smallest = size;
      continue;
    }
    std::vector<Refused>& refused = result.refused;
    if (refused.empty() || refused.back().to != size - 1 || layer_of(refused.back().error) != layer_of(answer.error)) {
      refused.push_back({.from = size});
    }
    refused.back().to = size;
    refused.back().error = answer.error;
  }
  return result;
}

std::string range(std::int64_t from, std::int64_t to) {
  return from == to ? std::to_string(from) : concat(from, " to ", to);
}

std::string joined(const std::vector<std::int64_t>& heights) {
  std::string text;
  for (const std::int64_t height : heights) text += concat(text.empty() ? "" : " > ", height);
  return text;
}

std::string or_none(std::int64_t size) { return size == 0 ? "none" : std::to_string(size); }

/// Accepted sizes as ranges: "1 to 256", "65 to 256".
std::string accepted_ranges(const Study& s) {
  std::string text;
  for (std::int64_t size = 1; size <= s.largest(); ++size) {
    if (!s.at(size).accepted()) continue;
    std::int64_t to = size;
    while (to < s.largest() && s.at(to + 1).accepted()) ++to;
    text += (text.empty() ? "" : ", ") + range(size, to);
    size = to;
  }
  return text.empty() ? "none" : text;
}

/// The smallest size from which on all sizes are accepted and every halving layer reduces the image.
std::int64_t fully_used_from(const Study& s) {
  return s.from_where([&](std::int64_t size) { return s.at(size).accepted() && s.all_shrink(size); });
}

Table summary(const std::vector<Study>& studies) {
  Table table({{"model"}, {"accepted", true}, {"all layers shrink from"}, {"layers that shrink the image", true}});
  for (const Study& s : studies) {
    std::string names;
    for (const Halving& halving : s.halvings) names += (names.empty() ? "" : ", ") + halving.name;
    table.add({s.described.name, accepted_ranges(s), or_none(fully_used_from(s)), names});
  }
  return table;
}

Table refusals(const std::vector<Study>& studies) {
  Table table({{"model"}, {"sizes", true}, {"error at the largest rejected size", true}});
  for (const Study& s : studies) {
    for (const Refused& refused : s.refused) {
      table.add({s.described.name, range(refused.from, refused.to), refused.error});
    }
  }
  return table;
}

/// Sizes whose heights are listed: the thresholds, the described size, and those of --trace.
std::vector<std::int64_t> traced_sizes(const Study& s, const Options& o) {
  std::vector<std::int64_t> sizes = o.traced;
  for (const std::int64_t size : {s.smallest, fully_used_from(s), s.described.input[1]}) sizes.push_back(size);
  std::erase_if(sizes, [&](std::int64_t size) { return size < 1 || size > s.largest() || !s.at(size).accepted(); });
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

Table traces(const std::vector<Study>& studies, const Options& o) {
  Table table({{"model"}, {"size"}, {"height after each layer that shrinks", true}});
  for (const Study& s : studies) {
    for (const std::int64_t size : traced_sizes(s, o)) {
      table.add({s.described.name, std::to_string(size), joined(s.trace(size))});
    }
  }
  return table;
}

std::string warnings_text(const std::vector<Study>& studies, const char* bullet) {
  std::string text;
  for (const Study& s : studies) {
    const std::int64_t silent = s.from_where([&](std::int64_t size) { return s.at(size).warnings.empty(); });
    if (silent == 1) continue;
    const std::int64_t last = silent == 0 ? s.largest() : silent - 1;
    text += concat(bullet, s.described.name, " up to ", last, ": ", s.at(last).warnings.front(), "\n");
  }
  return text;
}

std::string asked(const Options& o) {
  return concat(
      "Square images with sides of 1 to ", o.largest,
      " pixels, with the channels and classes of each model's description; every size was planned for training.");
}

std::string text_of(const std::vector<Study>& studies, const Options& o) {
  std::string text = asked(o) + "\n\n" + summary(studies).text() + "\n" + traces(studies, o).text();
  const bool any = std::any_of(studies.begin(), studies.end(), [](const Study& s) { return !s.refused.empty(); });
  if (any) text += "\n" + refusals(studies).text();
  const std::string warnings = warnings_text(studies, "");
  return warnings.empty() ? text : text + "\nwarnings\n" + warnings;
}

Json json_of(const std::vector<Study>& studies, const Options& o) {
  Json models = Json::array();
  for (const Study& s : studies) {
    Json refused = Json::array(), shrinking = Json::array(), heights = Json::array(), accepted = Json::array();
    for (const Refused& r : s.refused) {
      refused.push_back({{"from", r.from}, {"to", r.to}, {"layer", layer_of(r.error)}, {"error", r.error}});
    }
    for (const Halving& halving : s.halvings) shrinking.push_back(halving.name);
    for (const std::int64_t size : traced_sizes(s, o)) heights.push_back({{"size", size}, {"heights", s.trace(size)}});
    for (std::int64_t size = 1; size <= s.largest(); ++size) {
      if (s.at(size).accepted()) accepted.push_back(size);
    }
    const std::int64_t used = fully_used_from(s);
    models.push_back({{"model", s.described.name},
                      {"channels", s.described.input[0]},
                      {"described_size", s.described.input[1]},
                      {"smallest", s.smallest == 0 ? Json() : Json(s.smallest)},
                      {"all_shrink_from", used == 0 ? Json() : Json(used)},
                      {"shrinking_layers", std::move(shrinking)},
                      {"heights", std::move(heights)},
                      {"refused", std::move(refused)},
                      {"accepted", std::move(accepted)}});
  }
  return {{"what", "minimum_size"}, {"largest_asked", o.largest}, {"models", std::move(models)}};
}

void run(const Options& o) {
  const std::vector<std::string> names = o.models.empty() ? model_names() : o.models;
  for (const std::string& name : names) default_config(name);  // reports unknown names before the study starts
  std::optional<ResultFolder> folder;
  if (!o.out.empty()) folder.emplace(o.out, "minimum_size.json", o.overwrite);

  const auto backend = make_reference_backend();
  std::vector<Study> studies;
  for (const std::string& name : names) studies.push_back(study(name, o.largest, *backend));
  const std::string json = json_of(studies, o).dump(1) + "\n";
  deliver(folder ? &*folder : nullptr, json, o.json ? json : text_of(studies, o));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CommandLine command_line("Finds the image sizes that models accept, and the layer that rejects each other size.",
                           "minimum_size");
  command_line.add_option("--model", o.models, "comma-separated model names (default: all models)")
      .list()
      .default_text("");
  command_line.add_option("--largest", o.largest, "largest size to check, starting from 1").range(1, 2048);
  command_line
      .add_option("--trace", o.traced, "comma-separated sizes for which to show the image height after each layer")
      .list()
      .default_text("32");
  command_line.add_flag("--json", o.json, "print JSON instead of tables");
  command_line.add_option("--out", o.out, "folder for minimum_size.json").default_text("");
  command_line.add_flag("--overwrite", o.overwrite, "replace existing files");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { run(o); });
}
