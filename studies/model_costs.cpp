/// Counts come from the plans of a network; times from running operations one by one and whole steps.

#include "studies/model_costs.h"
#include "core/error.h"
#include "core/random.h"
#include "models/registry.h"
#include "studies/measure.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <variant>

namespace minception {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Calls `once` repeatedly for about `seconds`, at least 3 and at most 1000 times.
void repeat(double seconds, const std::function<void()>& once) {
  const auto start = Clock::now();
  for (int times = 0; times < 3 || (times < 1000 && seconds_since(start) < seconds); ++times) once();
}

/// Seconds of each run of `work`, after two warm-up runs.
std::vector<double> seconds_of(Backend& backend, double seconds, const std::function<void()>& work) {
  work();
  work();
  backend.synchronize();
  std::vector<double> times;
  repeat(seconds, [&] {
    const auto start = Clock::now();
    work();
    backend.synchronize();
    times.push_back(seconds_since(start));
  });
  return times;
}

/// Minimum over many runs: an estimate of peak performance.
double shortest_seconds(Backend& backend, const Operation& operation, double seconds) {
  Staged staged(backend, operation);
  const std::vector<double> times = seconds_of(backend, seconds, [&] { staged.run(); });
  return *std::min_element(times.begin(), times.end());
}

std::string top_layer(const std::string& name) { return name.substr(0, name.find('.')); }

Work work_of(const Plan& plan) {
  Work sum;
  for (const Step& step : plan.steps()) sum += minception::work_of(step.operation);
  return sum;
}

std::int64_t multiply_accumulates(const Plan& plan) {
  std::int64_t sum = 0;
  for (const Step& step : plan.steps()) sum += minception::multiply_accumulates(step.operation);
  return sum;
}

NetworkOptions network_options(std::int64_t batch, bool plan_only) {
  return {.max_batch = batch, .optimizer = Sgd{.momentum = 0.9}, .plan_only = plan_only};
}

LayerCosts& layer_named(std::vector<LayerCosts>& layers, const std::string& name) {
  const auto found = std::find_if(layers.begin(), layers.end(), [&](const LayerCosts& l) { return l.name == name; });
  if (found != layers.end()) return *found;
  layers.push_back({.name = name});
  return layers.back();
}

/// Median seconds of every step of a plan, run in order.
std::vector<double> step_seconds(Network& network, Mode mode, double seconds) {
  Backend& backend = network.backend();
  std::vector<Operation> operations = network.operations(mode, network.options().max_batch);
  std::size_t workspace_bytes = 0;
  for (Operation& operation : operations) {
    workspace_bytes = std::max(workspace_bytes, backend.plan(operation).workspace);
    if (mode == Mode::training) continue;
    // An earlier inference has prepacked the weights.
    std::visit(
        [](auto& op) {
          if constexpr (requires { op.refresh_prepacked; }) op.refresh_prepacked = false;
        },
        operation);
  }
  const Buffer workspace = backend.allocate(workspace_bytes);
  std::vector<std::vector<double>> times(operations.size());
  repeat(seconds, [&] {
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const auto start = Clock::now();
      backend.run(operations[i], {const_cast<void*>(workspace.data()), workspace_bytes});
      backend.synchronize();
      times[i].push_back(seconds_since(start));
    }
  });
  std::vector<double> medians;
  for (std::vector<double>& each : times) medians.push_back(median(std::move(each)));
  return medians;
}

}  // namespace

Work& Work::operator+=(const Work& other) {
  flops += other.flops;
  bytes += other.bytes;
  seconds += other.seconds;
  return *this;
}

Work work_of(const Operation& operation) {
  Work work;
  work.flops = 2.0 * static_cast<double>(multiply_accumulates(operation));
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    if (role == "prepacked") return;
    // elements() of a slice excludes the channels outside it.
    const auto bytes = static_cast<double>(tensor.elements()) * static_cast<double>(size_of(tensor.dtype));
    work.bytes += access == Access::read_write ? 2.0 * bytes : bytes;
  });
  return work;
}

double Ceilings::least_seconds(const Work& work) const {
  return std::max(work.flops / arithmetic(), work.bytes / copy);
}

Ceilings measure_ceilings(Backend& backend, const CostOptions& options) {
  const auto rate = [&](const Operation& operation, double Work::*what) {
    return work_of(operation).*what / shortest_seconds(backend, operation, options.seconds);
  };
  const auto f32 = [](const Shape& shape) { return Tensor(shape, DType::f32); };
  const Shape square = {options.extent, options.extent};
  LinearForward product;
  product.x = f32(square);
  product.w = f32(square);
  product.y = f32(square);
  Conv2dForward convolution;
  convolution.attributes.padding = {kConvolution.kernel / 2, kConvolution.kernel / 2};
  convolution.x = f32({kConvolution.images, kConvolution.channels, kConvolution.size, kConvolution.size});
  convolution.w = f32({kConvolution.channels, kConvolution.channels, kConvolution.kernel, kConvolution.kernel});
  convolution.y = convolution.x;
  return {.copy = rate(Cast{f32({options.copied}), f32({options.copied})}, &Work::bytes),
          .product = rate(product, &Work::flops),
          .convolution = options.extent < kConvolution.size ? 0.0 : rate(convolution, &Work::flops)};
}

std::int64_t ModelCosts::batch_for(double ridge, double BatchIntensity::*intensity) const {
  for (const BatchIntensity& at : intensities) {
    if (at.*intensity >= ridge) return at.batch;
  }
  return 0;
}

ModelCosts count_costs(const ModelConfig& config, Backend& backend, const CostOptions& options) {
  ModelCosts costs;
  costs.config = config;
  const Network network(make_model(config), backend, network_options(options.batch, true));
  const Network::Memory& memory = network.memory();
  costs.parameters = network.parameters().trained_values();
  costs.activations = memory.training.activations;
  costs.training_arena = memory.training.arena;
  costs.inference_arena = memory.inference.arena;
  // Training first: its plan contains all layers, in order.
  for (const Mode mode : {Mode::training, Mode::inference}) {
    for (const Step& step : network.plan(mode).steps()) {
      LayerCosts& layer = layer_named(costs.layers, top_layer(step.layer));
      (mode == Mode::training ? layer.training : layer.inference) += work_of(step.operation);
    }
  }
  costs.inference = work_of(network.plan(Mode::inference));
  costs.training = work_of(network.plan(Mode::training));

  // Counts that do not depend on the backend are planned on the reference backend, which plans fastest.
  const auto reference = make_reference_backend();
  for (std::int64_t batch = 1; batch <= 1024; batch *= 2) {
    const Network planned(make_model(config), *reference, network_options(batch, true));
    const Plan& inference = planned.plan(Mode::inference);
    costs.intensities.push_back({.batch = batch,
                                 .inference = work_of(inference).intensity(),
                                 .training = work_of(planned.plan(Mode::training)).intensity()});
    if (batch > 1) continue;
    costs.inference_macs = multiply_accumulates(inference);
    costs.training_macs = multiply_accumulates(planned.plan(Mode::training));
    costs.one_image = planned.memory().inference.live;
    for (const Step& step : inference.steps()) {
      costs.largest_operation =
          std::max(costs.largest_operation, static_cast<std::size_t>(work_of(step.operation).bytes));
    }
  }
  return costs;
}

void measure_costs(ModelCosts& costs, Backend& backend, const Ceilings& ceilings, const CostOptions& options) {
  const std::int64_t batch = options.batch;
  Network network(make_model(costs.config), backend, network_options(batch, false));
  network.initialize(Initialization::xavier_uniform, 1);
  std::vector<float> images(static_cast<std::size_t>(batch * costs.config.input.elements()));
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = Random{1, 1}.uniform(i);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < batch; ++i) labels.push_back(static_cast<std::int32_t>(i % costs.config.classes));
  network.set_control(1, 0, 0.0f, 0.9f);

  // Both modes share memory: each sets its input before it runs.
  network.set_input(Mode::training, images, labels);
  costs.training.seconds = median(seconds_of(backend, options.seconds, [&] { network.train_step(batch); }));
  const std::vector<double> training = step_seconds(network, Mode::training, options.seconds);
  network.set_input(Mode::inference, images, labels);
  costs.inference.seconds = median(seconds_of(backend, options.seconds, [&] { network.infer(batch); }));
  const std::vector<double> inference = step_seconds(network, Mode::inference, options.seconds);

  for (const Mode mode : {Mode::inference, Mode::training}) {
    const std::vector<double>& seconds = mode == Mode::training ? training : inference;
    const std::span<const Step> steps = network.plan(mode).steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      LayerCosts& layer = layer_named(costs.layers, top_layer(steps[i].layer));
      (mode == Mode::training ? layer.training : layer.inference).seconds += seconds[i];
      const double least = ceilings.least_seconds(work_of(steps[i].operation));
      (mode == Mode::training ? layer.training_least_seconds : layer.inference_least_seconds) += least;
      (mode == Mode::training ? costs.training_least_seconds : costs.inference_least_seconds) += least;
    }
  }
}

}  // namespace minception
