#include "training/watch.h"
#include "core/error.h"
#include "models/finite.h"
#include "models/weights.h"

#include <cmath>
#include <cstdio>

namespace minception {
namespace {

DType master_of(const Network& network) { return network.plan(Mode::inference).master_dtype(); }

}  // namespace

NetworkWatch::NetworkWatch(Network& network) : network_(network) {
  for (const Parameter& parameter : network.parameters().all()) {
    if (!parameter.trained()) continue;
    groups_.push_back({.begin = parameter.begin, .count = parameter.shape.elements()});
    names_.push_back(parameter.name);
  }
  norm_memory_ = network.backend().allocate(groups_.size() * 2 * size_of(master_of(network)));
}

NetworkWatch::Norms NetworkWatch::norms(const void* flat) {
  Backend& backend = network_.backend();
  const DType dtype = master_of(network_);
  const auto count = static_cast<std::int64_t>(groups_.size());
  // Operation operands are Tensors, which are never const.
  const Tensor x(Shape{network_.parameters().flat_parameters()}, dtype, const_cast<void*>(flat), backend.device());
  const GroupNorms operation{
      .groups = groups_, .x = x, .y = Tensor({count, 2}, dtype, norm_memory_.data(), backend.device())};
  const std::size_t workspace = backend.plan(operation).workspace;
  if (workspace_memory_.bytes() < workspace) workspace_memory_ = backend.allocate(workspace);
  backend.run(operation, {workspace_memory_.data(), workspace_memory_.bytes()});
  FileTensor result{dtype, {count, 2}, std::vector<std::byte>(norm_memory_.bytes())};
  backend.synchronize();
  backend.copy_to_host(result.bytes.data(), norm_memory_.data(), result.bytes.size());
  const std::vector<double> values = to_doubles(result);

  Norms norms;
  double squares = 0.0;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const double square = values[2 * i] * values[2 * i];
    const std::string layer = names_[i].substr(0, names_[i].find('.'));
    if (norms.layers.empty() || norms.layers.back().first != layer) norms.layers.emplace_back(layer, 0.0);
    norms.layers.back().second += square;
    squares += square;
    if (norms.not_finite.empty() && values[2 * i + 1] != 0.0) norms.not_finite = names_[i];
  }
  for (auto& [layer, norm] : norms.layers) norm = std::sqrt(norm);
  norms.all = std::sqrt(squares);
  return norms;
}

NetworkWatch::Norms NetworkWatch::gradient_norms() { return norms(network_.flat_gradients().data()); }
NetworkWatch::Norms NetworkWatch::parameter_norms() { return norms(network_.flat_parameters().data()); }

void NetworkWatch::remember() {
  if (remembered_.empty()) {
    for (const std::span<std::byte> live : {network_.flat_parameters(), network_.flat_statistics(),
                                            network_.flat_optimizer_state(), network_.flat_averages()}) {
      if (!live.empty()) remembered_.emplace_back(live, network_.backend().allocate(live.size()));
    }
  }
  copy_remembered(false);
}

void NetworkWatch::go_back() {
  copy_remembered(true);
  network_.flat_parameters();  // marks the parameters as changed
}

void NetworkWatch::copy_remembered(bool back) {
  Backend& backend = network_.backend();
  const DType dtype = master_of(network_);
  for (const auto& [live, kept] : remembered_) {
    const Shape shape = {static_cast<std::int64_t>(live.size() / size_of(dtype))};
    const Tensor here(shape, dtype, live.data(), backend.device());
    const Tensor there(shape, dtype, kept.data(), backend.device());
    backend.run(back ? Cast{.x = there, .y = here} : Cast{.x = here, .y = there});
  }
}

std::string NetworkWatch::find_not_finite(std::int64_t batch, const TrainStepOptions& options) {
  std::string found;
  const auto look = [&](const Step& step, const Operation& operation) {
    found = not_finite_output(network_.backend(), step, operation);
    if (!found.empty()) found = concat(name_of(step.phase), " of ", found);
    return found.empty();
  };
  for (const Phase phase : {Phase::input, Phase::forward, Phase::loss, Phase::backward}) {
    if (!network_.run_watched(phase, batch, look, options)) break;
  }
  return found;
}

std::optional<std::string> LossWatch::add(double loss, std::int64_t steps) {
  const double chance = std::log(static_cast<double>(classes_));
  const auto [at_chance, diverged] = state_;
  char number[32], reached[32];
  std::snprintf(number, sizeof number, "%.3f", chance);
  std::snprintf(reached, sizeof reached, "%.4g", loss);
  if (loss > 2.0 * chance + 1.0) {
    if (diverged >= divergence_) return std::nullopt;
    state_.diverged += steps;
    if (state_.diverged < divergence_) return std::nullopt;
    return concat(
        "the loss is ", reached, ", far above the ln(", classes_, ") = ", number,
        " of chance level: the training diverges; try a lower learning rate, a warm-up, or clipped gradients");
  }
  if (diverged < divergence_) state_.diverged = 0;
  if (!(loss >= 0.99 * chance)) {
    state_.at_chance = 0;
    return std::nullopt;
  }
  state_.at_chance += steps;
  if (at_chance >= patience_ || state_.at_chance < patience_) return std::nullopt;
  const bool googlenet = model_.starts_with("googlenet");
  return concat("for ", state_.at_chance, " steps the loss has been ln(", classes_, ") = ", number,
                " or more: this is chance level. ",
                googlenet ? "A GoogLeNet without BatchNorm often starts like this; if it stays" : "If it stays",
                ", try another seed, another learning rate, or another initialization, such as kaiming-normal",
                googlenet ? ", or the model googlenet_bn" : "");
}

}  // namespace minception
