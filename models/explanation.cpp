#include "models/explanation.h"
#include "core/error.h"
#include "models/weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

namespace minception {
namespace {

/// The tensor in the order (N, C, H, W).
std::vector<float> read(Backend& backend, const Tensor& tensor) {
  FileTensor memory{tensor.dtype, tensor.shape, std::vector<std::byte>(tensor.bytes())};
  backend.synchronize();
  backend.copy_to_host(memory.bytes.data(), tensor.data, memory.bytes.size());
  const std::vector<double> values = to_doubles(memory);
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(tensor.elements()));
  const std::int64_t pixels = tensor.h() * tensor.w();
  for (std::int64_t n = 0; n < tensor.n(); ++n) {
    for (std::int64_t c = 0; c < tensor.c(); ++c) {
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        const std::int64_t index = (n * pixels + pixel) * tensor.pixel_stride + c;
        result.push_back(static_cast<float>(values[static_cast<std::size_t>(index)]));
      }
    }
  }
  return result;
}

/// The operand of this name; undefined if there is none.
Tensor operand(const Operation& operation, std::string_view name) {
  Tensor found;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access) {
    if (role == name) found = tensor;
  });
  return found;
}

/// True if the operation averages each channel of x over all pixels, more than one, each with the same weight.
bool averages_all(const Operation& operation) {
  const Tensor x = operand(operation, "x");
  if (x.h() * x.w() == 1) return false;
  if (std::holds_alternative<GlobalAvgPoolForward>(operation)) return true;
  if (const auto* pool = std::get_if<AdaptiveAvgPool2dForward>(&operation)) return pool->y.h() * pool->y.w() == 1;
  const auto* pool = std::get_if<AvgPool2dForward>(&operation);
  return pool != nullptr && pool->y.h() * pool->y.w() == 1 && pool->attributes.padding == Extent2d(0) &&
         pool->attributes.kernel.h == x.h() && pool->attributes.kernel.w == x.w();
}

bool belongs_to(const std::string& step, const std::string& layer) {
  return step == layer || step.starts_with(layer + ".");
}

/// Names of the layers and blocks of the body, for a message.
std::string names_of(std::span<const Step> steps) {
  std::string list, before;
  for (const Step& step : steps) {
    const std::string name = step.layer.substr(0, step.layer.find('.'));
    if (step.phase == Phase::forward && name != before) list += (list.empty() ? "" : ", ") + name;
    before = name;
  }
  return list;
}

std::vector<float> sample_of(const std::vector<float>& values, std::int64_t sample, std::int64_t samples) {
  const auto size = static_cast<std::ptrdiff_t>(values.size()) / samples;
  return {values.begin() + sample * size, values.begin() + (sample + 1) * size};
}

}  // namespace

FirstFilters first_filters(const Network& network) {
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (!std::holds_alternative<Conv2dForward>(step.operation)) continue;
    const auto state = network.averaged_state();
    const auto found = state.find(step.layer + ".weight");
    return found == state.end() ? FirstFilters{} : FirstFilters{step.layer, found->second};
  }
  return {};
}

std::vector<std::string> last_layers_by_size(const Network& network) {
  struct Output {
    std::string layer;
    std::int64_t height, width;
  };
  std::vector<Output> outputs;
  std::map<std::string, std::set<std::pair<std::int64_t, std::int64_t>>> sizes;  // in each layer or block of the body
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (step.phase != Phase::forward) continue;
    for_each_operand(step.operation, [&](std::string_view role, const Tensor& tensor, Access) {
      if (role != "y" || tensor.h() * tensor.w() <= 1) return;
      outputs.push_back({step.layer, tensor.h(), tensor.w()});
      sizes[step.layer.substr(0, step.layer.find('.'))].insert({tensor.h(), tensor.w()});
    });
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool last = i + 1 == outputs.size() || outputs[i + 1].height != outputs[i].height ||
                      outputs[i + 1].width != outputs[i].width;
    const std::string block = outputs[i].layer.substr(0, outputs[i].layer.find('.'));
    if (last) names.push_back(sizes.at(block).size() == 1 ? block : outputs[i].layer);
  }
  return names;
}

Explainer::Explainer(Network& network, const std::string& layer) : network_(network) {
  find_last_layers();
  if (!layer.empty()) find_layer(layer);
}

void Explainer::find_last_layers() {
  const std::span<const Step> steps = network_.plan(Mode::inference).steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].phase == Phase::forward) last_ = static_cast<int>(i);
  }
  const Step& last = steps[static_cast<std::size_t>(last_)];
  if (averages_all(last.operation)) pooling_ = last_;
  const auto* linear = std::get_if<LinearForward>(&last.operation);
  if (linear == nullptr) return;
  int source = linear->x.storage;
  for (int i = last_ - 1; i >= 0 && pooling_ < 0; --i) {
    const Operation& operation = steps[static_cast<std::size_t>(i)].operation;
    if (operand(operation, "y").storage != source) continue;
    if (averages_all(operation)) {
      pooling_ = i;
    } else if (std::holds_alternative<FlattenForward>(operation)) {
      source = operand(operation, "x").storage;
    } else {
      return;
    }
  }
  if (pooling_ >= 0) weights_ = to_doubles(network_.averaged_state().at(last.layer + ".weight"));
}

void Explainer::find_layer(const std::string& layer) {
  const std::span<const Step> steps = network_.plan(Mode::inference).steps().first(static_cast<std::size_t>(last_) + 1);
  const auto each = [&](std::size_t i, Access wanted, const auto& f) {
    for_each_operand(steps[i].operation, [&](std::string_view role, const Tensor& tensor, Access access) {
      if (access == wanted && tensor.storage >= 0) f(role, tensor);
    });
  };
  std::vector<int> written;  // storages
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].phase != Phase::forward || !belongs_to(steps[i].layer, layer)) continue;
    each(i, Access::write, [&](std::string_view role, const Tensor& tensor) {
      written.push_back(tensor.storage);
      layer_step_ = static_cast<int>(i);
      layer_operand_ = role;
    });
  }
  require(layer_step_ >= 0, "no layer '", layer, "' computes an output in ", network_.model().config.name, ": use ",
          names_of(steps));
  // The branches of a block write parts of one tensor: a step that reads it sees all of it.
  if (std::count(written.begin(), written.end(), written.back()) == 1) return;
  for (auto i = static_cast<std::size_t>(layer_step_) + 1; i < steps.size(); ++i) {
    bool found = false;
    each(i, Access::read, [&](std::string_view role, const Tensor& tensor) {
      if (found || tensor.storage != written.back()) return;
      found = true;
      layer_step_ = static_cast<int>(i);
      layer_operand_ = role;
    });
    if (found) return;
  }
}

std::vector<Explanation> Explainer::run(std::int64_t batch, bool class_maps) {
  const std::int64_t classes = network_.model().config.classes;
  std::vector<float> features, before_pooling, layer;
  Shape pooled, chosen;
  int step = -1;
  network_.infer_watched(batch, [&](const Step&, const Operation& operation) {
    ++step;
    Backend& backend = network_.backend();
    if (step == layer_step_) {
      const Tensor output = operand(operation, layer_operand_);
      chosen = {output.c(), output.h(), output.w()};
      layer = read(backend, output);
    }
    if (step == pooling_ && class_maps) {
      const Tensor x = operand(operation, "x");
      pooled = {x.c(), x.h(), x.w()};
      before_pooling = read(backend, x);
    }
    if (step != last_) return true;
    const bool linear = std::holds_alternative<LinearForward>(operation);
    features = read(backend, operand(operation, linear ? "x" : "y"));
    return false;  // the loss, which would add to the metrics, is not needed
  });

  std::vector<Explanation> explanations;
  for (std::int64_t n = 0; n < batch; ++n) {
    Explanation one{.features = sample_of(features, n, batch), .classes = {}};
    if (layer_step_ >= 0) one.layer = {chosen[0], chosen[1], chosen[2], sample_of(layer, n, batch)};
    if (has_class_maps() && class_maps) {
      one.classes = {pooled[0], pooled[1], pooled[2], sample_of(before_pooling, n, batch)};
      if (!weights_.empty()) {
        const Maps f = std::move(one.classes);
        one.classes = {classes, f.height, f.width,
                       std::vector<float>(static_cast<std::size_t>(classes * f.height * f.width))};
        const std::size_t size = f[0].size();
        for (std::size_t c = 0; c < static_cast<std::size_t>(classes); ++c) {
          for (std::size_t i = 0; i < size; ++i) {
            double sum = 0.0;
            for (std::size_t k = 0; k < static_cast<std::size_t>(f.count); ++k) {
              sum += weights_[c * static_cast<std::size_t>(f.count) + k] * static_cast<double>(f.values[k * size + i]);
            }
            one.classes.values[c * size + i] = static_cast<float>(sum);
          }
        }
      }
    }
    explanations.push_back(std::move(one));
  }
  return explanations;
}

}  // namespace minception
