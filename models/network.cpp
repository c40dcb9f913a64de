#include "models/network.h"
#include "core/error.h"
#include "kernels/augmentation.h"
#include "layers/control.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>

namespace minception {
namespace {

std::size_t flat_bytes(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

/// Composes y = pixel * scale + shift with the model's input transform into one affine map.
std::pair<std::vector<float>, std::vector<float>> transformed(const Model& model, std::vector<float> scale,
                                                              std::vector<float> shift) {
  const std::size_t channels = model.input_scale.size();
  if (channels == 0) return {std::move(scale), std::move(shift)};
  if (scale.size() == 1) scale.assign(channels, scale[0]);
  if (shift.size() == 1) shift.assign(channels, shift[0]);
  for (std::size_t c = 0; c < std::min({channels, scale.size(), shift.size()}); ++c) {
    scale[c] = static_cast<float>(static_cast<double>(scale[c]) * model.input_scale[c]);
    shift[c] = static_cast<float>(static_cast<double>(shift[c]) * model.input_scale[c] + model.input_shift[c]);
  }
  return {std::move(scale), std::move(shift)};
}

/// Checks the properties that the rest of Network relies on.
void check_parts(const Model& model) {
  const std::string& name = model.config.name;
  const Shape& input = model.config.input;
  const std::int64_t classes = model.config.classes;
  require(!name.empty(), "a model has no name: give it one, which files and messages use");
  require(input.rank() == 3 && input.elements() > 0, "the input ", input, " of ", name,
          " must be (channels, height, width), each at least 1");
  require(classes >= 1, name, " has ", classes, " classes: at least 1 is needed");
  require(model.body != nullptr && model.body->size() > 0, name, " has no body: add layers that end in logits");
  require(model.input_scale.size() == model.input_shift.size() &&
              (model.input_scale.empty() || static_cast<std::int64_t>(model.input_scale.size()) == input[0]),
          "the input transform of ", name, " must have a scale and a shift for each of ", input[0], " channels");
  for (std::size_t c = 0; c < model.input_scale.size(); ++c) {
    require(std::isfinite(model.input_scale[c]) && model.input_scale[c] != 0.0 && std::isfinite(model.input_shift[c]),
            "the input transform of ", name, " has the scale ", model.input_scale[c], " and the shift ",
            model.input_shift[c], " for channel ", c, ": they must be finite, the scale not 0");
  }
  const std::size_t layers = model.body->size();
  for (const Stage& stage : model.stages) {
    require(stage.begin <= stage.end && stage.end <= layers, "the stage ", stage.name, " of ", name, " is layers ",
            stage.begin, " to ", stage.end, " of ", layers,
            ": its end must be neither before its begin nor after the last layer");
  }
  for (const Head& head : model.auxiliary) {
    require(!head.name.empty(), "a head of ", name, " has no name");
    const auto named = [&](const Head& other) { return other.name == head.name; };
    require(std::count_if(model.auxiliary.begin(), model.auxiliary.end(), named) == 1, "two heads of ", name,
            " are named ", head.name);
    for (std::size_t i = 0; i < layers; ++i) {
      require(model.body->name_of(i) != head.name, "a head of ", name, " and layer ", i, " of its body are both named ",
              head.name);
    }
    require(head.after + 1 < layers, "the head ", head.name, " reads layer ", head.after, ": it must be one of the ",
            layers, " layers of the body other than the last");
    require(head.layers != nullptr && head.layers->size() > 0, "the head ", head.name,
            " has no layers: add layers that end in logits");
    require(std::isfinite(head.loss_weight) && head.loss_weight >= 0.0, "the head ", head.name,
            " has a loss weight of ", head.loss_weight, ": it must be a finite number, 0 or more");
  }
}

/// Names the layers, and sets sizes that follow from the input.
void infer_sizes(Model& model) {
  const Shape& input = model.config.input;
  Shape shape = {1, input[0], input[1], input[2]};
  for (const Head& head : model.auxiliary) model.body->keep_output(head.after);
  model.body->infer("", shape);
  for (std::size_t i = 0; i < model.body->size(); ++i) {
    shape = (*model.body)[i].output_shape(shape);
    for (Head& head : model.auxiliary) {
      if (head.after == i) head.layers->infer(head.name, shape);
    }
  }
  // A ReLU may have become part of the layer before it.
  require(!model.body->ends_in_relu(), "the body of ", model.config.name, " must end in logits, not in a ReLU");
  for (const Head& head : model.auxiliary) {
    require(!head.layers->ends_in_relu(), "the head ", head.name, " must end in logits, not in a ReLU");
  }
}

/// Checks that body and heads yield (1, classes) for one image. Layers must be named already, for the error messages.
void check_outputs(const Model& model) {
  const Shape& input = model.config.input;
  const Shape logits = {1, model.config.classes};
  Shape shape = {1, input[0], input[1], input[2]};
  const auto check = [&](const Shape& output, const std::string& what) {
    require(output == logits, what, " yields ", output, " for one image: the logits of ", model.config.classes,
            " classes are ", logits);
  };
  for (std::size_t i = 0; i < model.body->size(); ++i) {
    shape = (*model.body)[i].output_shape(shape);
    for (const Head& head : model.auxiliary) {
      if (head.after == i) check(head.layers->output_shape(shape), "the head " + head.name);
    }
  }
  check(shape, "the body of " + model.config.name);
}

[[noreturn]] void fail_to_freeze(const ParameterTable& parameters, const std::string& prefix) {
  std::string layers, last;
  for (const Parameter& parameter : parameters.all()) {
    const std::string layer = parameter.name.substr(0, parameter.name.find('.'));
    if (layer != last) layers += (layers.empty() ? "" : ", ") + layer;
    last = layer;
  }
  fail("nothing to freeze: no parameter name begins with '", prefix, "'; the layers are ", layers);
}

std::string mebibytes(std::size_t bytes) { return concat((bytes + (1 << 20) - 1) >> 20, " MiB"); }

}  // namespace

ResidentDataset make_resident(Backend& backend, const Shape& image, std::span<const std::uint8_t> pixels,
                              std::span<const std::int32_t> labels) {
  const auto count = static_cast<std::int64_t>(labels.size());
  require(count > 0 && static_cast<std::int64_t>(pixels.size()) == count * image.elements(), "a data set of ",
          pixels.size(), " bytes does not hold ", count, " images of ", image);
  const auto [smallest, largest] = std::minmax_element(labels.begin(), labels.end());
  require(*smallest >= 0, "a data set with the label ", *smallest, ": labels are 0 or more");
  ResidentDataset dataset;
  dataset.largest_label = *largest;
  dataset.image_memory = backend.allocate(pixels.size());
  dataset.label_memory = backend.allocate(labels.size_bytes());
  backend.copy_to_device(dataset.image_memory.data(), pixels.data(), pixels.size());
  backend.copy_to_device(dataset.label_memory.data(), labels.data(), labels.size_bytes());
  dataset.images =
      Tensor({count, image[0], image[1], image[2]}, DType::u8, dataset.image_memory.data(), backend.device());
  dataset.labels = Tensor(Shape{count}, DType::i32, dataset.label_memory.data(), backend.device());
  return dataset;
}

Network::Network(Model model, Backend& backend, const NetworkOptions& options)
    : model_(std::move(model)), backend_(backend), options_(options) {
  check_parts(model_);
  infer_sizes(model_);
  model_.body->register_parameters(parameters_, "");
  for (Head& head : model_.auxiliary) head.layers->register_parameters(parameters_, head.name);
  check_outputs(model_);
  for (const std::string& prefix : options_.freeze) {
    if (!parameters_.freeze(prefix)) fail_to_freeze(parameters_, prefix);
  }

  if (options_.training) {
    training_ = std::make_unique<Plan>(backend_, parameters_, Mode::training, options_.compute, options_.max_batch);
    write_plan(*training_);
  }
  inference_ = std::make_unique<Plan>(backend_, parameters_, Mode::inference, options_.compute, options_.max_batch);
  write_plan(*inference_);

  const DType master = inference_->master_dtype();
  memory_.available = backend_.available_memory();
  memory_.parameters = flat_bytes(parameters_.flat_parameters() + parameters_.flat_statistics(), master);
  if (training_) {
    memory_.training = training_->memory();
    memory_.gradients = flat_bytes(parameters_.flat_parameters(), master);
    memory_.optimizer = optimizer_buffers().size() * memory_.gradients;
    if (options_.ema_decay > 0.0) memory_.averages = memory_.parameters;
  }
  memory_.inference = inference_->memory();
  memory_.prepacked = inference_->prepacked_bytes();
  memory_.arena = std::max(memory_.training.arena, memory_.inference.arena);
  memory_.total =
      memory_.parameters + memory_.gradients + memory_.optimizer + memory_.averages + memory_.prepacked + memory_.arena;
  if (options_.plan_only) return;
  require(memory_.available == 0 || memory_.total <= memory_.available, "not enough memory on ",
          backend_.device().to_string(), " for ", model_.config.name, " with batches of ", options_.max_batch, ": ",
          mebibytes(memory_.total), " (", memory_.total, " bytes) needed, ", mebibytes(memory_.available), " (",
          memory_.available, " bytes) free; use a smaller batch or image size");

  arena_ = backend_.allocate(memory_.arena);
  parameter_memory_ = backend_.allocate(flat_bytes(parameters_.flat_parameters(), master));
  statistic_memory_ = backend_.allocate(flat_bytes(parameters_.flat_statistics(), master));
  gradient_memory_ = backend_.allocate(memory_.gradients);
  optimizer_memory_ = backend_.allocate(memory_.optimizer);
  average_memory_ = backend_.allocate(memory_.averages);
  prepacked_memory_ = backend_.allocate(memory_.prepacked);
  control_memory_ = backend_.allocate(metrics_offset(heads()));
  index_memory_ = backend_.allocate(static_cast<std::size_t>(options_.max_batch) * sizeof(std::int32_t));
  backend_.reserve_upload(index_memory_.bytes());
  std::map<Region, void*> regions = {
      {Region::parameters, parameter_memory_.data()}, {Region::gradients, gradient_memory_.data()},
      {Region::statistics, statistic_memory_.data()}, {Region::optimizer, optimizer_memory_.data()},
      {Region::averages, average_memory_.data()},     {Region::prepacked, prepacked_memory_.data()},
      {Region::control, control_memory_.data()},      {Region::dataset_indices, index_memory_.data()}};
  if (training_) training_->set_memory(arena_.data(), regions);
  if (memory_.averages > 0) {  // inference uses the averages
    regions[Region::parameters] = average_memory_.data();
    regions[Region::statistics] = average_statistics();
  }
  inference_->set_memory(arena_.data(), regions);
}

void Network::write_plan(Plan& plan) {
  const bool training = plan.mode() == Mode::training;
  const Shape& image = model_.config.input;
  const std::int64_t batch = options_.max_batch;

  plan.begin_phase(Phase::input);
  const Tensor x = plan.activation("input", {batch, image[0], image[1], image[2]});
  const Tensor labels = plan.activation("labels", Shape{batch}, DType::i32);
  if (options_.dataset_image) {
    const Shape& source = *options_.dataset_image;
    require(source.rank() == 3 && source[0] == image[0], "the model expects ", image[0],
            " channels but the images of the data set are ", source);
    const auto [scale, shift] = transformed(model_, options_.scale, options_.shift);
    plan.add(
        "input",
        LoadBatch{.scale = scale,
                  .shift = shift,
                  .augmentation = training ? options_.augmentation : Augmentation{},
                  .images = plan.external(Region::dataset_images, 0, {1, source[0], source[1], source[2]}, DType::u8),
                  .labels = plan.external(Region::dataset_labels, 0, Shape{1}, DType::i32),
                  .indices = plan.external(Region::dataset_indices, 0, Shape{batch}, DType::i32, true),
                  .position = training && options_.augmentation.random() ? position_tensor(plan) : Tensor{},
                  .y = x,
                  .y_labels = labels});
  } else {
    plan.keep(x);
    plan.keep(labels);
  }

  plan.begin_phase(Phase::forward);
  Sequential& body = *model_.body;
  std::vector<Tensor> values = {x};
  std::vector<Tensor> auxiliary_logits(model_.auxiliary.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    const Tensor y = body.forward_layer(plan, i, values.back());
    values.resize(i + 2, y);
    for (std::size_t j = 0; j < model_.auxiliary.size(); ++j) {
      Head& head = model_.auxiliary[j];
      if (training && head.after == i) auxiliary_logits[j] = head.layers->forward(plan, values.back());
    }
  }
  const Tensor logits = values.back();
  plan.keep(logits);

  plan.begin_phase(Phase::loss);
  const SoftmaxCrossEntropyLoss loss{.label_smoothing = options_.label_smoothing};
  const Tensor dlogits = loss.plan(plan, "loss", 0, logits, labels);
  (training ? training_input_ : inference_input_) = x;
  (training ? training_labels_ : inference_labels_) = labels;
  (training ? training_logits_ : inference_logits_) = logits;
  if (!training) {
    plan.place(options_.reuse_memory);
    return;
  }
  std::vector<Tensor> auxiliary_gradients;
  for (std::size_t j = 0; j < model_.auxiliary.size(); ++j) {
    const Head& head = model_.auxiliary[j];
    const SoftmaxCrossEntropyLoss weighted{.label_smoothing = options_.label_smoothing, .weight = head.loss_weight};
    auxiliary_gradients.push_back(weighted.plan(plan, head.name + ".loss", j + 1, auxiliary_logits[j], labels));
  }

  plan.begin_phase(Phase::backward);
  // Layers below the lowest trainable one get no backward step.
  std::size_t lowest = 0;
  while (lowest < body.size() && !trains(body[lowest].name())) ++lowest;
  bool any_trains = lowest < body.size();
  for (std::size_t j = 0; j < model_.auxiliary.size(); ++j) {
    const Head& head = model_.auxiliary[j];
    const bool head_trains = trains(head.name);
    any_trains = any_trains || head_trains;
    if (head_trains && head.after + 1 <= lowest) head.layers->backward(plan, auxiliary_gradients[j], {});
  }
  require(any_trains, "every parameter of ", model_.config.name, " is frozen: nothing is left to train");
  Tensor gradient = dlogits;
  for (std::size_t i = body.size(); i-- > lowest;) {
    if (body.is_fused(i)) continue;
    GradTarget target;
    if (i > lowest) {
      target.dx = plan.activation(body[i].name() + ": input gradient", values[i].shape);
      for (std::size_t j = 0; j < model_.auxiliary.size(); ++j) {
        if (model_.auxiliary[j].after + 1 != i) continue;
        model_.auxiliary[j].layers->backward(plan, auxiliary_gradients[j], target);
        target.accumulate = true;
      }
      // The body layer runs last: it completes the gradient sum and applies the ReLU mask.
      if (body.ends_in_relu(i - 1)) target.relu_output = values[i];
    }
    checked_backward(body[i], plan, gradient, target);
    gradient = target.dx;
  }

  plan.begin_phase(Phase::update);
  write_update(plan);
  plan.place(options_.reuse_memory);
}

bool Network::trains(const std::string& layer) const {
  const std::span<const Parameter> all = parameters_.all();
  return std::any_of(all.begin(), all.end(), [&](const Parameter& parameter) {
    return parameter.trained() && parameter.updates && parameter.name.starts_with(layer + ".");
  });
}

void Network::write_update(Plan& plan) {
  const DType master = plan.master_dtype();
  const Shape parameters = {parameters_.flat_parameters()};
  const Shape statistics = {parameters_.flat_statistics()};
  const std::size_t bytes = flat_bytes(parameters[0], master);
  const Tensor g = plan.external(Region::gradients, 0, parameters, master);
  const Tensor w = plan.external(Region::parameters, 0, parameters, master);
  Tensor factor;
  if (options_.max_norm > 0.0) {
    factor = plan.saved("gradient clipping: factor", Shape{1}, master);
    plan.add(
        "clipping",
        ClipCoefficient{.max_norm = options_.max_norm, .groups = parameters_.groups(0.0), .g = g, .factor = factor});
  }
  const std::vector<ParameterGroup> groups = parameters_.groups(weight_decay_of(options_.optimizer));
  if (is_adam(options_.optimizer)) {
    const Adam adam = adam_of(options_.optimizer);
    plan.add("optimizer", AdamStep{.beta2 = adam.beta2,
                                   .epsilon = adam.eps,
                                   .decoupled = std::holds_alternative<AdamW>(options_.optimizer),
                                   .groups = groups,
                                   .step = step_tensor(plan),
                                   .schedule = schedule_tensor(plan),
                                   .g = g,
                                   .w = w,
                                   .m = plan.external(Region::optimizer, 0, parameters, master),
                                   .v = plan.external(Region::optimizer, bytes, parameters, master),
                                   .factor = factor});
  } else {
    const Sgd& sgd = std::get<Sgd>(options_.optimizer);
    plan.add("optimizer",
             SgdStep{.nesterov = sgd.nesterov,
                     .groups = groups,
                     .schedule = schedule_tensor(plan),
                     .g = g,
                     .w = w,
                     .v = sgd.momentum > 0.0 ? plan.external(Region::optimizer, 0, parameters, master) : Tensor{},
                     .factor = factor});
  }
  if (options_.ema_decay <= 0.0) return;
  plan.add("averages", EmaUpdate{.decay = options_.ema_decay,
                                 .step = step_tensor(plan),
                                 .w = w,
                                 .average = plan.external(Region::averages, 0, parameters, master)});
  if (statistics[0] == 0) return;
  plan.add("averages", EmaUpdate{.decay = options_.ema_decay,
                                 .step = step_tensor(plan),
                                 .w = plan.external(Region::statistics, 0, statistics, master),
                                 .average = plan.external(Region::averages, bytes, statistics, master)});
}

const Plan& Network::plan(Mode mode) const { return plan_of(mode); }

Plan& Network::plan_of(Mode mode) const {
  const auto& plan = mode == Mode::training ? training_ : inference_;
  require(plan != nullptr, "this network was made for inference only");
  return *plan;
}

void Network::set_dataset(Mode mode, const ResidentDataset& dataset) {
  require(options_.dataset_image.has_value(), "this network was made for set_input, not for data sets");
  const Shape& image = *options_.dataset_image;
  require(dataset.images.shape == Shape({dataset.images.n(), image[0], image[1], image[2]}),
          "this network was made for images of ", image, " but the data set is ", dataset.images.shape);
  require(dataset.largest_label < model_.config.classes, "the data set has the label ", dataset.largest_label, " but ",
          model_.config.name, " has the classes 0 to ", model_.config.classes - 1);
  dataset_size_[static_cast<int>(mode)] = dataset.images.n();
  has_input_[static_cast<int>(mode)] = true;
  plan_of(mode).set_dataset(dataset.images, dataset.labels);
}

void Network::set_indices(std::span<const std::int32_t> indices) {
  require(static_cast<std::int64_t>(indices.size()) <= options_.max_batch, indices.size(),
          " samples exceed the largest batch of ", options_.max_batch);
  check_has_memory();
  if (indices.empty()) return;
  const auto [smallest, largest] = std::minmax_element(indices.begin(), indices.end());
  require(*smallest >= 0, "sample ", *smallest, " does not exist: indices are 0 or more");
  largest_index_ = *largest;
  backend_.upload(index_memory_.data(), indices.data(), indices.size_bytes());
}

void Network::set_control(std::int64_t epoch, std::int64_t position, float learning_rate, float momentum,
                          std::int64_t step) {
  check_has_memory();
  ControlBlock block = {.position = {epoch, position}, .step = step, .schedule = {learning_rate, momentum}};
  // Validated before the upload: these tensors are in host memory for every backend.
  const Tensor schedule({2}, DType::f32, block.schedule);
  const Tensor number({1}, DType::i64, &block.step);
  if (const Sgd* sgd = std::get_if<Sgd>(&options_.optimizer)) {
    validate_values(SgdStep{.schedule = schedule, .v = sgd->momentum > 0.0 ? schedule : Tensor{}});
  } else {
    validate_values(AdamStep{.step = number, .schedule = schedule});
  }
  if (options_.ema_decay > 0.0) validate_values(EmaUpdate{.step = number});
  validate_values(DropoutForward{.attributes = {}, .position = Tensor({2}, DType::i64, block.position)});
  backend_.upload(control_memory_.data(), &block, sizeof block);
}

void Network::check_has_memory() const {
  require(!options_.plan_only, "this network was only planned: it has no memory");
}

Plan& Network::plan_to_run(Mode mode) const {
  Plan& plan = plan_of(mode);
  check_has_memory();
  require(has_input_[static_cast<int>(mode)], "the network has no input: call set_dataset or set_input first");
  const std::int64_t samples = dataset_size_[static_cast<int>(mode)];
  require(samples == 0 || largest_index_ < samples, "sample ", largest_index_, " does not exist: the data set has ",
          samples);
  return plan;
}

/// Runs all bound operations (fewer than the plan's steps if the update is off), with a profiler range per phase, layer
/// and operation.
void Network::run_steps(const Plan& plan, const BoundSteps& bound, std::optional<Phase> only) {
  const std::span<const Step> steps = plan.steps().first(bound.operations.size());
  for (std::size_t begin = 0, end = 0; begin < steps.size(); begin = end) {
    const Phase phase = steps[begin].phase;
    while (end < steps.size() && steps[end].phase == phase) ++end;
    if (only && phase != *only) continue;
    const TimelineRange phase_range(backend_, minception::name_of(phase).data());
    for (std::size_t i = begin; i < end; ++i) {
      const TimelineRange layer_range(backend_, steps[i].layer.c_str());
      const TimelineRange operation_range(backend_, minception::name_of(bound.operations[i]).data());
      backend_.run(bound.operations[i], bound.workspaces[i]);
    }
  }
}

void Network::run_bound(Mode mode, const BindOptions& options, std::optional<Phase> only) {
  Plan& plan = plan_to_run(mode);
  run_steps(plan, plan.bind(options), only);
  if (mode == Mode::training) prepacked_for_batch_ = 0;  // weights or running statistics changed
}

void Network::run(Mode mode, std::int64_t batch, std::optional<Phase> only) {
  const bool refresh = mode == Mode::training || prepacked_for_batch_ != batch;
  run_bound(mode, {.batch = batch, .refresh_prepacked = refresh}, only);
  if (mode == Mode::inference && refresh) prepacked_for_batch_ = only ? 0 : batch;
}

/// The first run executes step by step, so that the backend can prepare each shape; the second is captured.
void Network::run_whole(BoundSteps& steps) {
  const TimelineRange range(backend_, "training step");
  const auto run_all = [&] { run_steps(*training_, steps); };
  if (steps.runs++ == 1) steps.graph = backend_.capture(run_all);
  if (steps.graph) {
    steps.graph->replay();
  } else {
    run_all();
  }
}

std::vector<OperationTime> Network::run_timed(Mode mode, std::int64_t batch) {
  const BoundSteps& bound = plan_to_run(mode).bind({.batch = batch, .refresh_prepacked = mode == Mode::training});
  // Prepack inference weights before timing, as in normal use, where they are prepacked once.
  if (mode == Mode::inference && prepacked_for_batch_ != batch) run(mode, batch);
  std::vector<OperationTime> times = backend_.run_timed(bound.operations, bound.workspaces);
  if (mode == Mode::training) prepacked_for_batch_ = 0;
  return times;
}

bool Network::run_watched(Phase phase, std::int64_t batch,
                          const std::function<bool(const Step&, const Operation&)>& after,
                          const TrainStepOptions& options) {
  const BoundSteps& bound =
      plan_to_run(Mode::training).bind({.batch = batch, .accumulate = options.accumulate, .divisor = options.divisor});
  for (std::size_t i = 0; i < bound.operations.size(); ++i) {
    const Step& step = training_->steps()[i];
    if (step.phase != phase) continue;
    backend_.run(bound.operations[i], bound.workspaces[i]);
    if (!after(step, bound.operations[i])) return false;
  }
  return true;
}

void Network::infer_watched(std::int64_t batch, const std::function<bool(const Step&, const Operation&)>& after) {
  Plan& plan = plan_to_run(Mode::inference);
  const BoundSteps& bound = plan.bind({.batch = batch, .refresh_prepacked = true});
  prepacked_for_batch_ = 0;
  for (std::size_t i = 0; i < bound.operations.size(); ++i) {
    backend_.run(bound.operations[i], bound.workspaces[i]);
    if (!after(plan.steps()[i], bound.operations[i])) return;
  }
  prepacked_for_batch_ = batch;
}

void Network::train_step(std::int64_t batch, const TrainStepOptions& step) {
  const BindOptions options = {
      .batch = batch, .accumulate = step.accumulate, .update = step.update, .divisor = step.divisor};
  if (options_.graph_capture) {
    run_whole(plan_to_run(Mode::training).bind(options));
  } else {
    run_bound(Mode::training, options, std::nullopt);
  }
  prepacked_for_batch_ = 0;  // also without an update: running statistics changed
}

bool Network::replays(std::int64_t batch) { return plan_of(Mode::training).bind({.batch = batch}).graph != nullptr; }

void Network::infer(std::int64_t batch) { run(Mode::inference, batch); }

std::vector<double> Network::logits(Mode mode, std::int64_t batch) const {
  check_has_memory();
  const Tensor bound = plan_of(mode).bind(mode == Mode::training ? training_logits_ : inference_logits_, batch);
  std::vector<std::byte> memory(bound.bytes());
  backend_.synchronize();
  backend_.copy_to_host(memory.data(), bound.data, memory.size());
  return to_doubles({bound.dtype, bound.shape, std::move(memory)});
}

LossMetrics Network::metrics(std::size_t head) const {
  check_has_memory();
  require(head < heads(), "head ", head, " of ", model_.config.name, " does not exist: it has ", heads());
  const DType dtype = inference_->master_dtype();
  std::vector<std::byte> memory(2 * size_of(dtype));
  backend_.synchronize();
  backend_.copy_to_host(memory.data(), static_cast<const std::byte*>(control_memory_.data()) + metrics_offset(head),
                        memory.size());
  const std::vector<double> values = to_doubles({dtype, Shape{2}, std::move(memory)});
  return {.loss = values[0], .correct = values[1]};
}

void Network::reset_metrics() {
  check_has_memory();
  backend_.fill_zero(static_cast<std::byte*>(control_memory_.data()) + metrics_offset(0),
                     metrics_offset(heads()) - metrics_offset(0));
}

void Network::set_metrics(std::span<const LossMetrics> metrics) {
  check_has_memory();
  require(metrics.size() == heads(), metrics.size(), " metrics for ", heads(), " heads");
  for (std::size_t head = 0; head < metrics.size(); ++head) {
    const double values[] = {metrics[head].loss, metrics[head].correct};
    const FileTensor tensor = to_file_tensor(values, Shape{2}, inference_->master_dtype());
    backend_.copy_to_device(static_cast<std::byte*>(control_memory_.data()) + metrics_offset(head), tensor.bytes.data(),
                            tensor.bytes.size());
  }
}

const std::vector<Operation>& Network::operations(Mode mode, std::int64_t batch) const {
  return plan_of(mode).bind({.batch = batch}).operations;
}

}  // namespace minception
