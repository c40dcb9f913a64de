#include "models/gradient_check.h"
#include "core/random.h"
#include "models/graph.h"

#include <algorithm>

namespace minception {

GradientCheck check_gradients(const Model& model, const ModelGradientCheckOptions& options) {
  return check_gradients(clone(model), options);
}

GradientCheck check_gradients(Model&& model, const ModelGradientCheckOptions& options) {
  const auto backend = make_reference_backend();
  Network network(std::move(model), *backend,
                  {.max_batch = options.batch,
                   .compute = DType::f64,
                   .label_smoothing = options.label_smoothing,
                   .reuse_memory = false});
  network.initialize(Initialization::kaiming_normal, options.seed);
  const ModelConfig& config = network.model().config;
  std::vector<float> images(static_cast<std::size_t>(options.batch * config.input.elements()));
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = Random{options.seed, 1}.uniform(i);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < options.batch; ++i) labels.push_back(static_cast<std::int32_t>(i % config.classes));
  network.set_input(Mode::training, images, labels);
  return check_gradients(network, options);
}

GradientCheck check_gradients(Network& network, const ModelGradientCheckOptions& options) {
  const NetworkOptions& planned = network.options();
  require(network.backend().name() == "reference" && planned.compute == DType::f64 && !planned.reuse_memory,
          "a gradient check needs a network on the reference backend with NetworkOptions{.compute = DType::f64, "
          ".reuse_memory = false}");
  const std::int64_t batch = options.batch;

  GradientProblem problem;
  problem.loss = [&] {
    network.reset_metrics();
    network.run(Mode::training, batch, Phase::forward);
    network.run(Mode::training, batch, Phase::loss);
    double loss = network.metrics().loss;
    for (std::size_t head = 1; head < network.heads(); ++head) {
      loss += network.model().auxiliary[head - 1].loss_weight * network.metrics(head).loss;
    }
    return loss / static_cast<double>(batch);
  };
  problem.decisions = [&] { return decisions_of(network.operations(Mode::training, batch)); };
  problem.not_finite = [&] {
    return first_not_finite(network.plan(Mode::training).steps(), network.operations(Mode::training, batch));
  };
  network.set_control(1, 0, 0.0f, 0.0f);
  network.train_step(batch, {.update = false});

  for (const std::string& name : options.only) {
    const Parameter* parameter = network.parameters().find(name);
    require(parameter != nullptr && parameter->trained() && parameter->updates, "no trained parameter is named ", name);
  }
  for (const Parameter& parameter : network.parameters().all()) {
    if (!parameter.trained() || !parameter.updates) continue;
    if (!options.only.empty() &&
        std::find(options.only.begin(), options.only.end(), parameter.name) == options.only.end())
      continue;
    auto* values = reinterpret_cast<double*>(network.flat_parameters().data()) + parameter.begin;
    const auto* gradient = reinterpret_cast<const double*>(network.flat_gradients().data()) + parameter.begin;
    problem.tensors.push_back(
        {parameter.name, parameter.shape, values, {gradient, gradient + parameter.shape.elements()}});
  }
  GradientCheck check = check_gradients(problem, {.coordinates = options.coordinates});
  add_batch_norm_hints(check, network.plan(Mode::training), batch);
  return check;
}

}  // namespace minception
