#include "models/graph.h"
#include "core/error.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/inception.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/relu.h"
#include "layers/residual.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <mutex>
#include <tuple>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

// Limits for files, whose numbers and names may be anything.
constexpr int kDeepest = 32;  // nested containers
constexpr std::int64_t kLargestSetting = 1'000'000;

struct Registry {
  std::mutex mutex;
  std::vector<LayerType> types;
};

Registry& registry() {
  static Registry all;
  return all;
}

/// Names in files are printed: they must not contain control characters.
bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

void add(const LayerType& type) {
  require(is_name(type.name), "register_layer: the name '", is_name("x" + type.name) ? type.name : "?",
          "' of a layer type must have 1 to 100 characters, none of them a control character");
  const bool container = type.name == "Sequential" || type.name == "Residual" || type.name == "Concat";
  const std::lock_guard lock(registry().mutex);
  for (const LayerType& known : registry().types) {
    if (known.name == type.name && known.make == type.make) return;
    require(known.make != type.make, "register_layer: the type '", known.name, "' cannot also be named '", type.name,
            "': files use one name for a type");
    require(known.name != type.name, "a layer type '", type.name, "' is already registered");
  }
  require(!container, "a layer type '", type.name, "' is already registered");
  registry().types.push_back(type);
}

/// Built-in types are registered on first use: a static library would drop an object file that only registers.
void register_built_in() {
  static const bool done = [] {
    add(layer_type<Conv2d>("Conv2d"));
    add(layer_type<BasicConv2d>("BasicConv2d"));
    add(layer_type<BatchNorm2d>("BatchNorm2d"));
    add(layer_type<Linear>("Linear"));
    add(layer_type<Inception>("Inception"));
    add(layer_type<MaxPool2d>("MaxPool2d"));
    add(layer_type<AvgPool2d>("AvgPool2d"));
    add(layer_type<AdaptiveAvgPool2d>("AdaptiveAvgPool2d"));
    add(layer_type<GlobalAvgPool>("GlobalAvgPool"));
    add(layer_type<LocalResponseNorm>("LocalResponseNorm"));
    add(layer_type<Dropout>("Dropout"));
    add(layer_type<Flatten>("Flatten"));
    add(layer_type<ReLU>("ReLU"));
    add(layer_type<GELU>("GELU"));
    return true;
  }();
  (void)done;
}

std::vector<LayerType> known_types() {
  register_built_in();
  const std::lock_guard lock(registry().mutex);
  return registry().types;
}

// ---- writing -----------------------------------------------------------------------------------------------------

/// Texts among settings are printed, too.
void check_text(const std::string& setting, const std::string& text) {
  require(text.empty() || is_name(text), "the setting '", setting,
          "' must have at most 100 characters, none of them a control character");
}

Json to_json(const Settings::Value& value) {
  if (const auto* extent = std::get_if<Extent2d>(&value)) return {extent->h, extent->w};
  return std::visit(
      [](const auto& plain) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(plain)>, Extent2d>)
          return {};
        else
          return plain;
      },
      value);
}

Json layers_of(const Sequential& sequential, const std::string& where);

Json to_json(const std::string& name, const Layer& layer, const std::string& where) {
  const std::string path = where.empty() ? name : where + "." + name;
  require(is_name(name), "the name of a layer in ", where.empty() ? "the network" : where,
          " must have 1 to 100 characters, none of them a control character");
  Json json = {{"name", name}};
  if (const auto* sequential = dynamic_cast<const Sequential*>(&layer)) {
    json["type"] = "Sequential";
    json["layers"] = layers_of(*sequential, path);
    return json;
  }
  if (const auto* residual = dynamic_cast<const Residual*>(&layer)) {
    json["type"] = "Residual";
    json["scale"] = residual->scale();
    json["relu"] = residual->relu();
    // A branch without a name has layers that are named as those of the block.
    const bool named = !residual->inner_name().empty();
    json["branch"] = to_json(named ? residual->inner_name() : name, residual->inner(), named ? path : where);
    if (!named) json["branch"].erase("name");
    if (const Layer* projection = residual->projection()) {
      json["projection"] = to_json(residual->projection_name(), *projection, path);
    }
    return json;
  }
  if (const auto* concat_layer = dynamic_cast<const Concat*>(&layer)) {
    json["type"] = "Concat";
    json["branches"] = Json::array();
    for (std::size_t j = 0; j < concat_layer->size(); ++j) {
      json["branches"].push_back(to_json(concat_layer->name_of(j), (*concat_layer)[j], path));
    }
    return json;
  }
  for (const LayerType& type : known_types()) {
    if (!type.is(layer)) continue;
    json["type"] = type.name;
    for (const auto& [setting, value] : type.settings(layer).values) {
      if (const auto* text = std::get_if<std::string>(&value)) check_text(setting, *text);
      json[setting] = to_json(value);
    }
    return json;
  }
  fail("the layer ", path,
       " has a type without a name, so files cannot describe it: call "
       "register_layer<TheLayer>(\"TheLayer\") at the start of the program");
}

Json layers_of(const Sequential& sequential, const std::string& where) {
  Json layers = Json::array();
  for (std::size_t i = 0; i < sequential.size(); ++i) {
    layers.push_back(to_json(sequential.name_of(i), sequential[i], where));
  }
  return layers;
}

// ---- reading -----------------------------------------------------------------------------------------------------

const Json& member(const Json& object, const char* key, const std::string& where) {
  require(object.is_object() && object.contains(key), where, ": lacks '", key, "'");
  return object.at(key);
}

std::string text(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_string(), where, ": '", key, "' must be a string");
  return value.get<std::string>();
}

double number(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_number(), where, ": '", key, "' must be a number");
  return value.get<double>();
}

std::size_t index(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_number_unsigned(), where, ": '", key, "' must be an integer, 0 or more");
  return value.get<std::size_t>();
}

const Json& list(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  require(value.is_array(), where, ": '", key, "' must be a list");
  return value;
}

std::string name_in(const Json& object, const std::string& where) {
  std::string name = text(object, "name", where);
  require(is_name(name), where, ": a 'name' must have 1 to 100 characters, none of them a control character");
  return name;
}

Settings::Value setting(const Json& json, const std::string& name) {
  const auto integer = [&](const Json& value) {
    const bool in_range = value.is_number_unsigned() ? value.get<std::uint64_t>() <= std::uint64_t{kLargestSetting}
                                                     : value.get<std::int64_t>() >= -kLargestSetting;
    require(in_range, "the setting '", name, "' is ", value.dump(), ": larger than ", kLargestSetting);
    return value.get<std::int64_t>();
  };
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return integer(json);
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) {
    const auto text = json.get<std::string>();
    check_text(name, text);
    return text;
  }
  const bool extent = json.is_array() && json.size() == 2 && json[0].is_number_integer() && json[1].is_number_integer();
  require(extent, "the setting '", name, "' must be a number, a string, true, false or [height, width]");
  return Extent2d(integer(json[0]), integer(json[1]));
}

class Reader {
 public:
  explicit Reader(std::uint64_t seed) : seed_(seed) {}

  std::unique_ptr<Sequential> layers(const Json& json, const std::string& where, int depth = 0) const {
    require(depth < kDeepest, where, ": more than ", kDeepest, " nested layers");
    auto sequential = std::make_unique<Sequential>();
    for (const Json& each : list(json, "layers", where)) {
      auto [name, layer] = read(each, where, depth);
      sequential->add(std::move(name), std::move(layer));
    }
    return sequential;
  }

 private:
  std::pair<std::string, std::unique_ptr<Layer>> read(const Json& json, const std::string& where, int depth) const {
    std::string name = name_in(json, where);
    std::unique_ptr<Layer> layer = read_layer(json, concat(where, ", layer ", name), depth);
    return {std::move(name), std::move(layer)};
  }

  std::unique_ptr<Layer> read_layer(const Json& json, const std::string& path, int depth) const {
    const std::string type = text(json, "type", path);
    if (type == "Sequential") return layers(json, path, depth + 1);
    if (type == "Residual") return residual(json, path, depth);
    if (type == "Concat") {
      require(depth < kDeepest, path, ": more than ", kDeepest, " nested layers");
      auto branches = std::make_unique<Concat>();
      for (const Json& each : list(json, "branches", path)) {
        auto [branch_name, branch] = read(each, path, depth + 1);
        branches->add(std::move(branch_name), std::move(branch));
      }
      return branches;
    }
    return make(json, type, path);
  }

  std::unique_ptr<Layer> residual(const Json& json, const std::string& path, int depth) const {
    require(depth < kDeepest, path, ": more than ", kDeepest, " nested layers");
    const Json& branch = member(json, "branch", path);
    std::string inner_name;
    std::unique_ptr<Layer> inner;
    if (branch.is_object() && !branch.contains("name")) {
      inner = read_layer(branch, concat(path, ", branch"), depth + 1);
    } else {
      std::tie(inner_name, inner) = read(branch, path, depth + 1);
    }
    const Json& relu = member(json, "relu", path);
    require(relu.is_boolean(), path, ": 'relu' must be true or false");
    auto block = std::make_unique<Residual>(std::move(inner_name), std::move(inner), number(json, "scale", path),
                                            relu.get<bool>());
    if (json.contains("projection")) {
      auto [projection_name, projection] = read(json.at("projection"), path, depth + 1);
      block->project(std::move(projection_name), std::move(projection));
    }
    return block;
  }

  std::unique_ptr<Layer> make(const Json& json, const std::string& type_name, const std::string& path) const {
    for (const LayerType& type : known_types()) {
      if (type.name != type_name) continue;
      try {
        Settings settings;
        for (const auto& [key, value] : json.items()) {
          if (key != "name" && key != "type") settings.values.emplace_back(key, setting(value, key));
        }
        // The seed is the training's, not the layer's.
        if (type_name == "Dropout") return std::make_unique<Dropout>(options_from<Dropout::Options>(settings).p, seed_);
        return type.make(settings);
      } catch (const Error& error) {
        fail(path, ": ", error.what());
      }
    }
    fail(path, ": unknown type '", is_name(type_name) ? type_name : "?",
         "'; use a program that registers it (register_layer), such as the one that trained the network");
  }

  std::uint64_t seed_;
};

std::vector<double> numbers(const Json& object, const char* key, const std::string& where) {
  std::vector<double> values;
  if (!object.contains(key)) return values;
  for (const Json& value : list(object, key, where)) {
    require(value.is_number(), where, ": '", key, "' must hold numbers");
    values.push_back(value.get<double>());
  }
  return values;
}

/// Sets the outputs of the last layer that has any, and given channels of layers after it; false if there is none.
bool set_outputs(Json& layers, std::int64_t before, std::int64_t classes, const std::string& where) {
  for (std::size_t i = layers.size(); i-- > 0;) {
    Json& layer = layers[i];
    if (layer.contains("layers")) {
      if (set_outputs(layer["layers"], before, classes, where)) return true;
      continue;
    }
    if (layer.contains("channels") && layer["channels"] == before) layer["channels"] = classes;
    for (const char* key : {"out_features", "out_channels"}) {
      if (!layer.contains(key)) continue;
      require(layer[key] == before, where, ": its last layer, ", layer.value("name", ""), ", has ", layer[key].dump(),
              " outputs, not one for each of ", before, " classes");
      layer[key] = classes;
      return true;
    }
  }
  return false;
}

Json parse(const std::string& graph) {
  Json json = Json::parse(graph, nullptr, false);
  require(json.is_object(), "the description of the network is not a JSON object");
  return json;
}

}  // namespace

void register_layer(const LayerType& type) {
  register_built_in();
  add(type);
}

std::string type_name(const Layer& layer) {
  if (dynamic_cast<const Sequential*>(&layer) != nullptr) return "Sequential";
  if (dynamic_cast<const Residual*>(&layer) != nullptr) return "Residual";
  if (dynamic_cast<const Concat*>(&layer) != nullptr) return "Concat";
  for (const LayerType& type : known_types()) {
    if (type.is(layer)) return type.name;
  }
  return "";
}

std::string to_graph(const Model& model) {
  require(model.body != nullptr, model.config.name, " has no body: add layers that end in logits");
  Json json = {{"layers", layers_of(*model.body, "")}};
  if (!model.stages.empty()) {
    json["stages"] = Json::array();
    for (const Stage& stage : model.stages) {
      json["stages"].push_back({{"name", stage.name}, {"begin", stage.begin}, {"end", stage.end}});
    }
  }
  for (const Head& head : model.auxiliary) {
    require(head.layers != nullptr, "the head ", head.name, " has no layers: add layers that end in logits");
    json["auxiliary"].push_back({{"name", head.name},
                                 {"after", head.after},
                                 {"loss_weight", head.loss_weight},
                                 {"layers", layers_of(*head.layers, head.name)}});
  }
  if (!model.input_scale.empty()) {
    json["input_scale"] = model.input_scale;
    json["input_shift"] = model.input_shift;
  }
  return json.dump();
}

Model model_from_graph(const ModelConfig& config) {
  const std::string& where = config.name;
  const Json json = parse(config.graph);
  const Reader reader(config.seed);
  Model model;
  model.config = config;
  model.body = reader.layers(json, where);
  if (json.contains("stages")) {
    for (const Json& stage : list(json, "stages", where)) {
      model.stages.push_back({name_in(stage, where), index(stage, "begin", where), index(stage, "end", where)});
    }
  }
  if (json.contains("auxiliary")) {
    for (const Json& head : list(json, "auxiliary", where)) {
      const std::string name = name_in(head, where);
      model.auxiliary.push_back({name, index(head, "after", where), reader.layers(head, concat(where, ", ", name)),
                                 number(head, "loss_weight", where)});
    }
  }
  if (!config.transform_input) return model;
  model.input_scale = numbers(json, "input_scale", where);
  model.input_shift = numbers(json, "input_shift", where);
  return model;
}

std::string with_classes(const std::string& graph, std::int64_t before, std::int64_t classes) {
  Json json = parse(graph);
  require(json.contains("layers") && set_outputs(json["layers"], before, classes, "the network"),
          "the network has no layer whose outputs are the classes");
  if (json.contains("auxiliary")) {
    for (Json& head : json["auxiliary"]) {
      require(head.contains("layers") && set_outputs(head["layers"], before, classes, head.value("name", "a head")),
              head.value("name", "a head"), " has no layer whose outputs are the classes");
    }
  }
  return json.dump();
}

Model clone(const Model& model) {
  ModelConfig config = model.config;
  config.graph = to_graph(model);
  Model copy = model_from_graph(config);
  copy.warnings = model.warnings;
  return copy;
}

Model::Model(std::string name, Sequential layers, const Shape& input, std::int64_t classes)
    : config{.name = std::move(name), .input = input, .classes = classes},
      body(std::make_unique<Sequential>(std::move(layers))) {
  stages.push_back({"all", 0, body->size()});
}

}  // namespace minception
