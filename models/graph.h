#pragma once
/// Models as JSON text: the layers with their settings, in order. Weights files hold it, so that a file alone is enough
/// to rebuild a network that the library does not know.
///
///   {"layers": [{"name": "0", "type": "Conv2d", "out_channels": 32, "kernel": [3, 3], ...},
///               {"name": "1", "type": "Residual", "scale": 1.0, "relu": true,
///                "branch": {"name": "residual", "type": "Sequential", "layers": [...]},
///                "projection": {"name": "projection", "type": "Sequential", "layers": [...]}}, ...],
///    "stages": [{"name": "stage1", "begin": 0, "end": 2}],
///    "auxiliary": [{"name": "aux1", "after": 5, "loss_weight": 0.3, "layers": [...]}],
///    "input_scale": [...], "input_shift": [...]}
///
/// A Residual without "projection" adds its input; the layers of a "branch" without "name" are named as those of the
/// block.
/// Sizes that follow from the input are stored only if they were given: without them, the same text serves other image
/// sizes; with them, another input is an error.

#include "layers/settings.h"
#include "models/model.h"

#include <memory>
#include <string>
#include <typeinfo>

namespace minception {

/// The model as such a text. Throws Error, naming the layer, if the type of a layer was not registered.
std::string to_graph(const Model& model);

/// The model of `config.graph`, with the name, input and seed of `config`. Throws Error for invalid text.
Model model_from_graph(const ModelConfig& config);

/// The graph with last layers that have `classes` outputs instead of `before`. Throws Error, naming the layer, if one
/// has another number of outputs.
std::string with_classes(const std::string& graph, std::int64_t before, std::int64_t classes);

/// An independent copy of the model, made through its graph. Throws Error like to_graph.
Model clone(const Model& model);

/// Makes a type of layers known. Throws Error if the name is taken by another type, if the type has another name, and
/// for a name that is empty, longer than 100 characters or contains control characters. Thread-safe.
void register_layer(const LayerType& type);

/// The name of the layer's type in files; "" if it has none.
std::string type_name(const Layer& layer);

/// How files describe a layer of type L: it has a constructor from its Options and a function options(), and the Options
/// list their members (Settings); or, without settings, a default constructor.
template <class L>
LayerType layer_type(const std::string& name) {
  LayerType type = {.name = name, .is = [](const Layer& layer) { return typeid(layer) == typeid(L); }};
  if constexpr (requires(typename L::Options options) {
                  L::Options::each_setting(options, [](const char*, auto&, auto...) {});
                }) {
    type.settings = [](const Layer& layer) {
      return settings_of<typename L::Options>(dynamic_cast<const L&>(layer).options());
    };
    type.make = [](const Settings& settings) -> std::unique_ptr<Layer> {
      return std::make_unique<L>(options_from<typename L::Options>(settings));
    };
  } else {
    type.settings = [](const Layer&) { return Settings(); };
    type.make = [](const Settings& settings) -> std::unique_ptr<Layer> {
      require(settings.values.empty(), "this layer has no settings");
      return std::make_unique<L>();
    };
  }
  return type;
}

/// Registers the layers of type L under `name`, which files then use:
///
///   const bool registered = register_layer<LeakyReLU>("LeakyReLU");
template <class L>
bool register_layer(const std::string& name) {
  register_layer(layer_type<L>(name));
  return true;
}

}  // namespace minception
