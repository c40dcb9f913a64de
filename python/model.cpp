#include "python/model.h"
#include "core/error.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/state_dict.h"
#include "models/summary.h"
#include "models/weights.h"
#include "python/arguments.h"
#include "python/arrays.h"
#include "python/images.h"
#include "python/layers.h"
#include "python/module.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

namespace minception::python {

// ---- running -------------------------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t kLargestBatch = 32;

std::map<std::string, FileTensor> initial_state(const ParameterTable& parameters) {
  std::map<std::string, FileTensor> state;
  for (const Parameter& parameter : parameters.all()) {
    state[parameter.name] =
        to_file_tensor(initial_values(parameter, Initialization::xavier_uniform, 1), parameter.shape, DType::f32);
  }
  return state;
}

}  // namespace

InputNetwork::InputNetwork(Model model, const WeightsFile& weights, const std::string& device)
    : device_(device),
      backend_(make_backend(device)),
      network_(std::move(model), *backend_, {.max_batch = kLargestBatch, .training = false}) {
  load_weights(network_, weights, network_.model().config.name);
}

std::vector<double> InputNetwork::logits(std::span<const ImageView> images) {
  const std::lock_guard lock(mutex_);
  std::vector<double> all;
  while (!images.empty()) {
    const std::size_t batch = std::min(images.size(), static_cast<std::size_t>(kLargestBatch));
    network_.set_input(Mode::inference, images.first(batch), {});
    images = images.subspan(batch);
    network_.infer(static_cast<std::int64_t>(batch));
    const std::vector<double> logits = network_.logits(Mode::inference, static_cast<std::int64_t>(batch));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

// ---- weights -------------------------------------------------------------------------------------------------------

TrainedModel::TrainedModel(Model model) : model_(std::move(model)), planner_(make_reference_backend()) {
  planned(1, false);  // reports layers that do not fit together
  file_.config = model_.config;
  file_.image = model_.config.input;
  for (std::int64_t i = 0; i < model_.config.classes; ++i) file_.class_names.push_back(std::to_string(i));
  file_.scale = {1.0f / 255.0f};
  file_.shift = {0.0f};
}

TrainedModel::TrainedModel(const std::filesystem::path& weights) : planner_(make_reference_backend()) {
  file_ = read_weights_file(weights);
  model_ = make_model(file_.config);
  load_weights(*std::make_unique<Network>(clone(model_), *planner_, NetworkOptions{.max_batch = 1, .training = false}),
               file_, weights);
}

/// A network without memory.
Network TrainedModel::planned(std::int64_t batch, bool training) const {
  return {clone(model_), *planner_,
          NetworkOptions{.max_batch = batch,
                         .training = training,
                         .dataset_image = file_.image.rank() == 3 ? std::optional(file_.image) : std::nullopt,
                         .image_options = file_.image_options,
                         .scale = file_.scale.empty() ? std::vector{1.0f} : file_.scale,
                         .shift = file_.shift.empty() ? std::vector{0.0f} : file_.shift,
                         .plan_only = true}};
}

std::map<std::string, FileTensor> TrainedModel::state() const {
  return has_weights() ? file_.tensors : initial_state(planned(1, false).parameters());
}

void TrainedModel::set_state(std::map<std::string, FileTensor> state) {
  const std::string what = "state dict for " + config().name;
  convert_to_f32(state);
  std::erase_if(state, [](const auto& tensor) { return tensor.first.ends_with(".num_batches_tracked"); });
  const Network plan = planned(1, false);
  const std::span<const Parameter> all = plan.parameters().all();
  if (!all.empty()) strip_prefix(state, {all.front().name, all.back().name});
  check_numbers(state);
  Network network(clone(model_), *planner_, {.max_batch = 1, .training = false});
  network.initialize(Initialization::xavier_uniform, 1);
  WeightsFile file;
  file.tensors = std::move(state);
  load_weights(network, file, what);
  const std::lock_guard lock(mutex_);
  file_.tensors = network.state();
  network_.reset();
}

void TrainedModel::take(const std::filesystem::path& file) {
  WeightsFile read = read_weights_file(file);
  const std::lock_guard lock(mutex_);
  file_ = std::move(read);
  network_.reset();
}

void TrainedModel::save(const std::filesystem::path& path) const {
  write_safetensors(path, {state(), weights_metadata(planned(1, false), file_.class_names)});
}

std::string TrainedModel::summary(std::int64_t batch) const {
  const Network network = planned(batch, true);
  return layer_table(network) + "\n" + memory_table(network);
}

std::vector<double> TrainedModel::logits(std::span<const ImageView> images, const std::string& device) {
  std::shared_ptr<InputNetwork> network;
  {
    const std::lock_guard lock(mutex_);
    if (network_ == nullptr || network_->device() != device) {
      WeightsFile weights;
      weights.tensors = state();
      network_ = std::make_shared<InputNetwork>(clone(model_), weights, device);
    }
    network = network_;
  }
  return network->logits(images);
}

// ---- binding -------------------------------------------------------------------------------------------------------

namespace {

Shape input_shape(nb::handle value, const std::string& what) {
  std::vector<std::int64_t> extents;
  if (!nb::try_cast(value, extents) || extents.size() != 3) raise_wrong_type(what, "(channels, height, width)", value);
  return Shape(std::span<const std::int64_t>(extents));
}

std::map<std::string, FileTensor> state_from(const nb::dict& state) {
  std::map<std::string, FileTensor> tensors;
  for (const auto& [key, value] : state) {
    const std::string name = Argument<std::string>::from(key, "load_state_dict(): each key");
    tensors[name] = file_tensor_from(value, "load_state_dict(): " + name);
  }
  return tensors;
}

nb::dict state_to_python(std::map<std::string, FileTensor> state, bool torch) {
  nb::dict tensors;
  for (auto& [name, tensor] : state) tensors[name.c_str()] = to_python(std::move(tensor), torch);
  return tensors;
}

nb::object logits_of(TrainedModel& model, nb::handle x, const std::string& device) {
  const Array array = array_from(x, "x");
  FloatImages images;
  append_values(images, array, model.config().input, "x");
  std::vector<double> logits;
  {
    const nb::gil_scoped_release release;
    logits = model.logits(images.views, device);
  }
  const std::int64_t classes = model.config().classes;
  return to_python(to_file_tensor(logits, {static_cast<std::int64_t>(logits.size()) / classes, classes}, DType::f32),
                   is_torch(x));
}

void construct(TrainedModel* self, const std::string& name, const DescriptionPointer& net, nb::handle input,
               std::int64_t classes) {
  Sequential layers;
  std::unique_ptr<Layer> built = net->build();
  if (auto* sequential = dynamic_cast<Sequential*>(built.get())) {
    layers = std::move(*sequential);
  } else {
    layers.add("0", std::move(built));
  }
  new (self) TrainedModel(Model(name, std::move(layers), input_shape(input, "Model(): input"), classes));
}

std::shared_ptr<TrainedModel> named_model(const std::string& name, nb::handle input,
                                          std::optional<std::int64_t> classes, std::optional<double> dropout,
                                          bool transform_input) {
  ModelConfig config = default_config(name);
  if (!input.is_none()) config.input = input_shape(input, "make_model(): input");
  if (classes) config.classes = *classes;
  config.dropout = dropout;
  config.transform_input = transform_input;
  return std::make_shared<TrainedModel>(make_model(config));
}

}  // namespace

void add_model(nb::module_& module) {
  nb::class_<TrainedModel>(
      module, "Model",
      "A network with its weights: Model(\"mine\", Sequential([...]), input=(C, H, W), classes=N).\n"
      "Sizes that follow from the input are not given. The network ends in logits (N, classes). Built-in models come "
      "from\n"
      "make_model, trained ones from Model.load. Without weights, a model has the initial values for seed 1.")
      .def("__init__", &construct, nb::arg("name"), nb::arg("net"), nb::arg("input").none(), nb::arg("classes"),
           nb::sig("def __init__(self, name: str, net: Layer, input: tuple[int, int, int], classes: int) -> None"))
      .def_static(
          "load", [](const std::filesystem::path& path) { return std::make_shared<TrainedModel>(path); },
          nb::arg("path"), "Reads a weights file: model.safetensors of a run, a checkpoint, or what `save` wrote.")
      .def("save", &TrainedModel::save, nb::arg("path"),
           "Writes a weights file (safetensors) with network, class names and preprocessing: it is enough for\n"
           "Classifier(path) and for the command line tools.")
      .def_prop_ro("name", [](const TrainedModel& self) { return self.config().name; })
      .def_prop_ro(
          "classes", [](const TrainedModel& self) { return self.classes(); },
          "Names of the classes; \"0\", \"1\", ... before training.")
      .def_prop_ro(
          "input_size",
          [](const TrainedModel& self) {
            const Shape& input = self.config().input;
            return nb::make_tuple(input[0], input[1], input[2]);
          },
          nb::for_getter(nb::sig("def input_size(self) -> tuple[int, int, int]")), "(C, H, W) of the network's input.")
      .def("summary", &TrainedModel::summary, nb::arg("batch") = 1,
           "Layers with output shapes, parameters, multiply-accumulates and memory for training with this batch.")
      .def("__repr__", [](const TrainedModel& self) { return self.summary(1); })
      .def(
          "state_dict", [](const TrainedModel& self, bool torch) { return state_to_python(self.state(), torch); },
          nb::kw_only(), nb::arg("torch") = false,
          nb::sig("def state_dict(self, *, torch: bool = False) -> dict[str, typing.Any]"),
          "Parameters and running statistics by PyTorch's names and in its shapes, as float32 NumPy arrays or, with\n"
          "`torch`, as tensors. Copies: later training does not change them.")
      .def(
          "load_state_dict",
          [](TrainedModel& self, nb::handle state) {
            // PyTorch's state dicts are OrderedDicts, which are dicts.
            if (!nb::isinstance<nb::dict>(state))
              raise_wrong_type("load_state_dict(): state", "a dict of arrays", state);
            self.set_state(state_from(nb::borrow<nb::dict>(state)));
          },
          nb::arg("state").none(), nb::sig("def load_state_dict(self, state: dict[str, typing.Any]) -> None"),
          "Sets all parameters and running statistics from arrays of any framework, also from a PyTorch module's\n"
          "state_dict(). Raises Error, naming the tensors, unless names and shapes match; auxiliary classifiers may "
          "be\n"
          "absent, and prefixes such as \"module.\" are removed. The values are copied.")
      .def("logits", &logits_of, nb::arg("x").none(), nb::arg("device") = "auto",
           nb::sig("def logits(self, x: typing.Any, device: str = 'auto') -> typing.Any"),
           "Logits, float32 (N, classes), of network inputs: float arrays (C, H, W) or (N, C, H, W), normalised as in\n"
           "training. The result is a NumPy array, or a PyTorch tensor for a tensor. The result is not copied; the "
           "input is\n"
           "read in place and copied once into the network's memory, which holds (N, H, W, C).");

  module.def("model_names", &model_names, "Names that make_model accepts.");
  module.def(
      "make_model", &named_model, nb::arg("name"), nb::arg("input") = nb::none(), nb::arg("classes") = nb::none(),
      nb::kw_only(), nb::arg("dropout") = nb::none(), nb::arg("transform_input") = true,
      nb::sig("def make_model(name: str, input: tuple[int, int, int] | None = None, classes: int | None = None, *, "
              "dropout: float | None = None, transform_input: bool = True) -> Model"),
      "A built-in model by name, for instance \"googlenet\". input: (C, H, W); dropout: rate of every dropout layer.");
}

}  // namespace minception::python
