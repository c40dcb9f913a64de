#include "python/layers.h"
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
#include "models/graph.h"
#include "python/arguments.h"
#include "python/module.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

namespace minception::python {
namespace {

// ---- layers with settings ------------------------------------------------------------------------------------------

template <class L>
struct OptionsOf {
  struct type {};  // no settings
};
template <class L>
requires requires { typename L::Options; }
struct OptionsOf<L> {
  using type = typename L::Options;
};
template <class L>
using Options = typename OptionsOf<L>::type;

/// Sizes that follow from the input are no arguments.
constexpr auto kEachSetting = [](auto& options, auto&& f) {
  using O = std::remove_cvref_t<decltype(options)>;
  const auto plain = [&]<class T, class... Mark>(const char* name, T& member, Mark...) {
    if constexpr (sizeof...(Mark) == 0) f(name, member);
  };
  if constexpr (requires { O::each_setting(options, plain); }) O::each_setting(options, plain);
};

/// A pool's stride is that of its window unless given, as in PyTorch.
template <class O>
constexpr bool kIsPool = std::is_same_v<O, PoolSettings>;

/// The first `required` settings have no default.
template <class L>
class Described final : public Description {
 public:
  Described(const char* type, std::size_t required, const Arguments& arguments) : type_(type), required_(required) {
    kEachSetting(options_, [&, i = std::size_t{0}](const char* name, auto& member) mutable {
      if (i++ < required_) arguments.require_given(name);
      if constexpr (kIsPool<Options<L>> && std::is_same_v<decltype(member), Extent2d&>) {
        if (std::string(name) == "stride" && (!arguments.given(name) || arguments[name].is_none())) {
          member = options_.kernel;
          return;
        }
      }
      arguments.take(name, member);
    });
    build();  // reports invalid settings now
  }

  std::unique_ptr<Layer> build() const override {
    if constexpr (std::is_constructible_v<L, Options<L>>) {
      return std::make_unique<L>(options_);
    } else {
      return std::make_unique<L>();
    }
  }

  std::string representation(std::size_t) const override {
    Options<L> options = options_, defaults;
    if constexpr (kIsPool<Options<L>>) defaults.stride = options.kernel;
    std::vector<std::string> default_texts;
    kEachSetting(defaults, [&](const char*, auto& member) { default_texts.push_back(text(member)); });
    std::string arguments;
    kEachSetting(options, [&, i = std::size_t{0}](const char* name, auto& member) mutable {
      const bool required = i < required_;
      const std::string value = text(member);
      if (value == default_texts[i++] && !required) return;
      arguments += (arguments.empty() ? "" : ", ") + (required ? "" : std::string(name) + "=") + value;
    });
    return std::string(type_) + "(" + arguments + ")";
  }

  nb::dict settings() const {
    nb::dict settings;
    Options<L> options = options_;
    kEachSetting(options, [&](const char* name, auto& member) {
      settings[name] = Argument<std::remove_cvref_t<decltype(member)>>::to(member);
    });
    return settings;
  }

 private:
  template <class T>
  static std::string text(const T& member) {
    return repr_of(Argument<T>::to(member));
  }

  const char* type_;
  std::size_t required_;
  Options<L> options_;
};

/// Binds a layer from its settings. The first `positional` settings can be given by position; those of them without a
/// valid default, `required`, must be given.
template <class L>
void add_layer(nb::module_& module, const char* name, std::size_t positional, std::size_t required, const char* doc) {
  Options<L> defaults;
  std::vector<FormalParameter> parameters = parameters_of(defaults, kEachSetting);
  for (std::size_t i = 0; i < required; ++i) parameters[i].default_text.clear();
  if constexpr (kIsPool<Options<L>>) parameters[1] = {"stride", parameters[1].type + " | None", "None"};
  const std::vector<std::string> names = names_of(parameters);
  const std::string text = signature("__init__", "self", parameters, positional, "None");
  nb::class_<Described<L>, Description>(module, name, doc)
      .def(
          "__init__",
          [=](Described<L>* self, const nb::args& args, const nb::kwargs& kwargs) {
            new (self) Described<L>(name, required, Arguments(name, names, positional, args, kwargs));
          },
          nb::sig(text.c_str()))
      .def_prop_ro("settings", &Described<L>::settings, "The settings by name.");
}

// ---- containers ----------------------------------------------------------------------------------------------------

constexpr const char* kLayersAccepted = "a list of layers or of pairs (name, layer), or a dict of layers by name";

DescriptionPointer layer_from(nb::handle value, const std::string& what, const char* accepted) {
  DescriptionPointer layer;
  if (!nb::try_cast(value, layer) || layer == nullptr) raise_wrong_type(what, accepted, value);
  return layer;
}

NamedDescriptions layers_from(nb::handle value, const std::string& what) {
  NamedDescriptions layers;
  if (nb::isinstance<nb::dict>(value)) {
    for (const auto& [name, layer] : nb::borrow<nb::dict>(value)) {
      layers.emplace_back(Argument<std::string>::from(name, what + ": each name"),
                          layer_from(layer, what, kLayersAccepted));
    }
    return layers;
  }
  if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value))
    raise_wrong_type(what, kLayersAccepted, value);
  for (const nb::handle each : value) {
    if (nb::isinstance<nb::tuple>(each) && nb::len(each) == 2 && nb::isinstance<nb::str>(each[0])) {
      layers.emplace_back(nb::cast<std::string>(each[0]),
                          layer_from(each[1], what + ": each element", kLayersAccepted));
    } else {
      layers.emplace_back("", layer_from(each, what + ": each element", "a layer or a pair (name, layer)"));
    }
  }
  return layers;
}

std::string representation_of(const NamedDescriptions& layers, std::size_t indent) {
  const std::string margin(indent + 4, ' ');
  std::string text = "[\n";
  for (const auto& [name, layer] : layers) {
    const std::string inner = layer->representation(indent + 4);
    text += margin + (name.empty() ? inner : "(" + repr_of(nb::cast(name)) + ", " + inner + ")") + ",\n";
  }
  return text + std::string(indent, ' ') + "]";
}

/// Sequential and Concat.
template <class Container>
class Contained final : public Description {
 public:
  Contained(const char* type, NamedDescriptions layers) : type_(type), layers_(std::move(layers)) {}

  std::unique_ptr<Layer> build() const override {
    auto container = std::make_unique<Container>();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto& [name, layer] = layers_[i];
      container->add(name.empty() ? std::to_string(i) : name, layer->build());
    }
    return container;
  }
  std::string representation(std::size_t indent) const override {
    return std::string(type_) + "(" + representation_of(layers_, indent) + ")";
  }
  std::size_t size() const { return layers_.size(); }
  nb::object at(std::int64_t index) const {
    const auto count = static_cast<std::int64_t>(layers_.size());
    if (index < 0) index += count;
    if (index < 0 || index >= count) throw nb::index_error("layer index out of range");
    return nb::cast(layers_[static_cast<std::size_t>(index)].second);
  }

 private:
  const char* type_;
  NamedDescriptions layers_;
};

template <class Container>
void add_container(nb::module_& module, const char* name, const char* argument, const char* doc) {
  const std::string text = std::string("def __init__(self, ") + argument +
                           ": collections.abc.Sequence[Layer | tuple[str, Layer]] | dict[str, Layer]) -> None";
  nb::class_<Contained<Container>, Description>(module, name, doc)
      .def(
          "__init__",
          [=](Contained<Container>* self, nb::handle layers) {
            new (self) Contained<Container>(name, layers_from(layers, std::string(name) + "(): " + argument));
          },
          nb::arg(argument).none(), nb::sig(text.c_str()))
      .def("__len__", &Contained<Container>::size)
      .def("__getitem__", &Contained<Container>::at, nb::sig("def __getitem__(self, index: int) -> Layer"));
}

class DescribedResidual final : public Description {
 public:
  DescribedResidual(nb::handle branch, double scale, bool relu, nb::handle projection)
      : branch_(part_from(branch, "branch", kBranch)), scale_(scale), relu_(relu) {
    if (projection.is_none()) return;
    projection_ = part_from(projection, "projection", kProjection);
    build();  // reports invalid names now
  }
  std::unique_ptr<Layer> build() const override {
    auto residual = std::make_unique<Residual>(branch_.name, branch_.layer->build(), scale_, relu_);
    if (projection_.layer != nullptr) residual->project(projection_.name, projection_.layer->build());
    return residual;
  }
  std::string representation(std::size_t indent) const override {
    std::string text = "Residual(" + text_of(branch_, kBranch, indent);
    if (scale_ != 1.0) text += ", scale=" + repr_of(nb::float_(scale_));
    if (relu_) text += ", relu=True";
    if (projection_.layer != nullptr) text += ", projection=" + text_of(projection_, kProjection, indent);
    return text + ")";
  }

 private:
  static constexpr const char *kBranch = "residual", *kProjection = "projection";

  struct Part {
    std::string name;
    DescriptionPointer layer;  // nullptr: none
  };

  /// A layer or a list of layers, or a pair of a name and those.
  static Part part_from(nb::handle value, const char* argument, const char* name) {
    const std::string what = std::string("Residual(): ") + argument;
    if (nb::isinstance<nb::tuple>(value) && nb::len(value) == 2 && nb::isinstance<nb::str>(value[0])) {
      Part part = part_from(nb::object(value[1]), argument, name);
      part.name = nb::cast<std::string>(value[0]);
      return part;
    }
    if (nb::isinstance<nb::list>(value)) {
      return {name, std::make_shared<Contained<Sequential>>("Sequential", layers_from(value, what))};
    }
    return {name, layer_from(value, what, "a layer or a list of layers")};
  }
  static std::string text_of(const Part& part, const char* name, std::size_t indent) {
    const std::string layer = part.layer->representation(indent);
    return part.name == name ? layer : "(" + repr_of(nb::cast(part.name)) + ", " + layer + ")";
  }

  Part branch_, projection_;
  double scale_;
  bool relu_;
};

}  // namespace

void add_layers(nb::module_& module) {
  nb::class_<Description>(
      module, "Layer",
      "A layer with its settings. It holds no parameters: a Model has those. It does not change, and\n"
      "can be used several times; each use has parameters of its own. Shapes are (N, C, H, W).")
      .def("__repr__", [](const Description& self) { return self.representation(); });

  // A line per layer: name, settings by position, settings without a default.
  add_layer<Conv2d>(module, "Conv2d", 2, 2,
                    "2-D convolution, (N, C, H, W) to (N, out_channels, P, Q); `relu` fuses a ReLU.");
  add_layer<BasicConv2d>(module, "BasicConv2d", 2, 2, "Convolution, BatchNorm if `batch_norm`, and ReLU.");
  add_layer<BatchNorm2d>(module, "BatchNorm2d", 0, 0, "Batch normalisation per channel; keeps the shape.");
  add_layer<Linear>(module, "Linear", 1, 1, "Fully connected layer, (N, C) or (N, C, 1, 1) to (N, out_features).");
  add_layer<Inception>(module, "Inception", 6, 6, "Inception block: branches 1x1, 3x3, 5x5 and pool, concatenated.");
  add_layer<MaxPool2d>(module, "MaxPool2d", 2, 1, "Max pooling; the stride is the kernel's size unless given.");
  add_layer<AvgPool2d>(module, "AvgPool2d", 2, 1, "Average pooling; the stride is the kernel's size unless given.");
  add_layer<AdaptiveAvgPool2d>(module, "AdaptiveAvgPool2d", 1, 1, "Average pooling to (N, C, *output).");
  add_layer<GlobalAvgPool>(module, "GlobalAvgPool", 0, 0, "Mean of every channel, (N, C, H, W) to (N, C).");
  add_layer<LocalResponseNorm>(module, "LocalResponseNorm", 1, 0, "Normalisation across channels; keeps the shape.");
  add_layer<Dropout>(module, "Dropout", 1, 0,
                     "Inverted dropout, in training only; a model replaces the seed by its own.");
  add_layer<Flatten>(module, "Flatten", 0, 0, "(N, C, H, W) to (N, C*H*W), in PyTorch's order.");
  add_layer<ReLU>(module, "ReLU", 0, 0, "max(0, x). After a convolution or batch norm it costs no pass of its own.");
  add_layer<GELU>(module, "GELU", 0, 0, "Gaussian error linear unit.");

  add_container<Sequential>(
      module, "Sequential", "layers",
      "Layers one after the other: Sequential([Conv2d(32, 3), ReLU()]). Layers without a name are named\n"
      "by their position, \"0\", \"1\", ..., as in PyTorch.");
  add_container<Concat>(module, "Concat", "branches",
                        "Branches that read the same input; their outputs are concatenated along the channels.");
  nb::class_<DescribedResidual, Description>(
      module, "Residual",
      "y = x + scale * branch(x), with a ReLU at the end if `relu`; with a projection, y = projection(x) + scale *\n"
      "branch(x). Each is a layer or a list of layers; `branch` keeps the shape or yields that of `projection`. Their\n"
      "parameters are named \"residual....\" and \"projection....\"; a pair (name, layers) names them otherwise, and "
      "the\n"
      "name \"\" of the branch leaves its part out: \"conv1.weight\".")
      .def(nb::init<nb::handle, double, bool, nb::handle>(), nb::arg("branch").none(), nb::arg("scale") = 1.0,
           nb::arg("relu") = false, nb::kw_only(), nb::arg("projection").none() = nb::none(),
           nb::sig(
               "def __init__(self, branch: Layer | list[Layer | tuple[str, Layer]] | tuple[str, Layer | list[Layer | "
               "tuple[str, Layer]]], scale: float = 1.0, relu: bool = False, *, projection: Layer | list[Layer | "
               "tuple[str, Layer]] | tuple[str, Layer | list[Layer | tuple[str, Layer]]] | None = None) -> None"));
}

}  // namespace minception::python
