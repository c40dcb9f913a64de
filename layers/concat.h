#pragma once
#include "layers/sequential.h"

#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Runs branches on one input and concatenates their outputs along the channels. Every branch writes directly into its
/// channels of the output, so no copy is needed.
///   forward    y = [f_0(x), f_1(x), ...]
///   backward   dx = sum over j of the input gradient of f_j, given its channels of dy
class Concat final : public Layer {
 public:
  Concat() = default;
  /// Branches without a name are named by their position: "0", "1", ...
  Concat(std::initializer_list<NamedLayer> branches) {
    for (const NamedLayer& branch : branches) add(branch.name, std::move(branch.layer));
  }

  Concat& add(NamedLayer branch) { return add(std::move(branch.name), std::move(branch.layer)); }
  /// Appends a branch; its full name is "<name of this>.<name>". Throws Error if the name is taken.
  template <class L, class... Args>
  Concat& add(std::string name, Args&&... args) {
    return add(std::move(name), std::make_unique<L>(std::forward<Args>(args)...));
  }
  Concat& add(std::string name, std::unique_ptr<Layer> branch) {
    require(branch != nullptr, "the branch '", name, "' of a Concat is null");
    add_name(names_, std::move(name), "a Concat");
    branches_.push_back(std::move(branch));
    return *this;
  }

  void infer(const std::string& name, const Shape& input) override;
  void register_parameters(ParameterTable& table, const std::string& name) override;
  Shape output_shape(const Shape& input) const override;
  bool ends_in_relu() const override;
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override;
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override;

  std::size_t size() const { return branches_.size(); }
  const std::string& name_of(std::size_t index) const { return names_.at(index); }
  const Layer& operator[](std::size_t index) const { return *branches_.at(index); }

 private:
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Layer>> branches_;
  std::vector<Tensor> outputs_;
};

}  // namespace minception
