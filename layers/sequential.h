#pragma once
#include "layers/layer.h"

#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// A layer in a list of layers, with or without a name: `Conv2d(32, 3)` or `{"conv1", Conv2d(32, 3)}`.
struct NamedLayer {
  template <std::derived_from<Layer> L>
  NamedLayer(L its_layer) : layer(std::make_unique<L>(std::move(its_layer))) {}
  template <std::derived_from<Layer> L>
  NamedLayer(std::string its_name, L its_layer)
      : name(std::move(its_name)), layer(std::make_unique<L>(std::move(its_layer))) {}

  std::string name;
  /// Mutable, because the elements of a braced list are const and the container takes the layer out of them.
  mutable std::unique_ptr<Layer> layer;
};

/// Appends a name, or the position if it is empty. Throws Error, naming both layers, if it is taken: parameters and random
/// streams follow from names.
void add_name(std::vector<std::string>& names, std::string name, const char* container);

/// Runs layers one after the other. A ReLU after a Conv2d or BatchNorm2d becomes part of it (Layer::fuse_relu), and
/// inference folds a BatchNorm2d into a bias-free Conv2d before it.
///   forward    x[0] = x,  x[i+1] = f_i(x[i]),  y = x[last]
///   backward   in reverse order; the gradient of x[i] is masked by (x[i] > 0) if f_(i-1) ends in a ReLU
class Sequential final : public Layer {
 public:
  Sequential() = default;
  /// Layers without a name are named by their position: "0", "1", ... as in PyTorch.
  Sequential(std::initializer_list<NamedLayer> layers) {
    for (const NamedLayer& layer : layers) add(layer.name, std::move(layer.layer));
  }

  /// Appends a layer: add(ReLU()), named by its position, or add({"act1", ReLU()}).
  Sequential& add(NamedLayer layer) { return add(std::move(layer.name), std::move(layer.layer)); }
  /// Appends a layer; its full name is "<name of this>.<name>". Throws Error if the name is taken.
  template <class L>
  Sequential& add(std::string name, std::unique_ptr<L> layer) {
    require(layer != nullptr, "the layer '", name, "' of a Sequential is null");
    add_name(names_, std::move(name), "a Sequential");
    layers_.push_back(std::move(layer));
    return *this;
  }
  template <std::derived_from<Layer> L>
  Sequential& add(std::string name, L layer) {
    return add(std::move(name), std::make_unique<L>(std::move(layer)));
  }
  /// Constructs the layer from its arguments: add<Conv2d>("conv1", Conv2d::Options{...}).
  template <class L, class... Args>
  Sequential& add(std::string name, Args&&... args) {
    return add(std::move(name), std::make_unique<L>(std::forward<Args>(args)...));
  }
  /// Constructs the layer from braced options: add<Conv2d>("conv1", {.in_channels = 3, ...}).
  template <class L>
  Sequential& add(std::string name, const typename L::Options& options) {
    return add(std::move(name), std::make_unique<L>(options));
  }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override { return !layers_.empty() && ends_in_relu(layers_.size() - 1); }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  // For networks, which also use the outputs in between.

  /// Keeps the output of a layer as it is: no ReLU after it becomes part of it. Call it before `infer`.
  void keep_output(std::size_t index);
  /// Whether the layer is a ReLU that is part of the one before it: it has no step of its own.
  bool is_fused(std::size_t index) const { return index < fused_.size() && fused_[index]; }
  /// Whether the output of the layer has passed a ReLU whose mask the producer of its gradient applies.
  bool ends_in_relu(std::size_t index) const { return layers_[is_fused(index) ? index - 1 : index]->ends_in_relu(); }
  /// Plans layer `index` and those that become part of it, and sets `index` to the last of them.
  Tensor forward_layer(Plan& plan, std::size_t& index, const Tensor& x, const Tensor& destination = {});

  std::size_t size() const { return layers_.size(); }
  const std::string& name_of(std::size_t index) const { return names_[checked(index)]; }
  Layer& operator[](std::size_t index) const { return *layers_[checked(index)]; }

 private:
  std::size_t checked(std::size_t index) const {
    require(index < layers_.size(), "layer ", index, " of a Sequential of ", layers_.size(), " does not exist");
    return index;
  }

  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<bool> kept_;      // see keep_output
  std::vector<bool> fused_;     // see is_fused
  std::vector<Tensor> inputs_;  // of layers that are not fused
};

}  // namespace minception
