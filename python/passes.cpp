/// Single layers: forward, backward and gradient checks.

#include "core/error.h"
#include "layers/gradient_check.h"
#include "layers/plan.h"
#include "models/gradient_check.h"
#include "models/graph.h"
#include "models/initialization.h"
#include "models/state_dict.h"
#include "models/weights.h"
#include "python/arguments.h"
#include "python/arrays.h"
#include "python/layers.h"
#include "python/model.h"
#include "python/module.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>

namespace minception::python {
namespace {

const std::string kLayer = "layer";

/// Memory of a tensor in the library's layout: that of an array, if it has this layout, or a copy.
class Memory {
 public:
  Memory(nb::handle value, const std::string& what, DType dtype) : array_(array_from(value, what)) {
    if (dtype_of(array_) != dtype) {
      raise_type_error(concat(what, " is an array of ", dtype_name(array_), "; it must be ",
                              dtype == DType::f64 ? "float64" : "float32", ", as x"));
    }
    if (!is_channels_last(array_)) copy_ = file_to_channels_last(row_major(array_), shape(), dtype);
  }

  Shape shape() const { return shape_of(array_); }
  std::size_t bytes() const { return array_.nbytes(); }
  /// Not written to.
  void* data() { return copy_.empty() ? const_cast<void*>(static_cast<const void*>(array_.data())) : copy_.data(); }

 private:
  Array array_;
  std::vector<std::byte> copy_;
};

/// f32 or f64, the dtype that a layer computes in for this array.
DType compute_dtype(nb::handle x) {
  const Array array = array_from(x, "x");
  const std::optional<DType> dtype = dtype_of(array);
  if (dtype != DType::f32 && dtype != DType::f64) {
    raise_type_error(concat("x is an array of ", dtype_name(array),
                            "; it must be float32 (computed on cpu) or float64 "
                            "(on reference)"));
  }
  return *dtype;
}

std::unique_ptr<Backend> backend_for(const std::optional<std::string>& device, DType dtype) {
  const std::string name = device.value_or(dtype == DType::f64 ? "reference" : "auto");
  std::unique_ptr<Backend> backend = make_backend(name);
  require(backend->device().kind == DeviceKind::cpu, "single layers run on cpu or reference, not on ", name);
  require(dtype == DType::f32 || backend->name() == "reference", "float64 is computed on reference, not on ",
          backend->name());
  return backend;
}

/// A layer planned for one input, on a backend whose memory is the host's.
class PlannedLayer {
 public:
  PlannedLayer(const Description& description, const Shape& input, DType dtype,
               const std::optional<std::string>& device, Mode mode)
      : dtype_(dtype), layer_(description.build()), backend_(backend_for(device, dtype)) {
    require(input.rank() == 2 || input.rank() == 4, "x has the shape ", input, ": it must be (N, C, H, W) or (N, C)");
    require(input.elements() > 0, "x has the shape ", input, ": it is empty");
    layer_->infer(kLayer, input);
    layer_->register_parameters(table_, kLayer);
    plan_ = std::make_unique<Plan>(*backend_, table_, mode, dtype, input[0]);
    plan_->begin_phase(Phase::forward);
    x_ = plan_->external(Region::dataset_images, 0, input, dtype, true);
    y_ = layer_->forward(*plan_, x_, plan_->external(Region::optimizer, 0, layer_->output_shape(input), dtype, true));
    parameters_.resize(static_cast<std::size_t>(table_.flat_parameters()) * size_of(dtype));
    gradients_.resize(parameters_.size());
    statistics_.resize(static_cast<std::size_t>(table_.flat_statistics()) * size_of(dtype));
  }

  void plan_backward() {
    plan_->begin_phase(Phase::backward);
    const Tensor dy = plan_->external(Region::averages, 0, y_.shape, dtype_, true);
    dx_ = plan_->external(Region::dataset_labels, 0, x_.shape, dtype_, true);
    layer_->backward(*plan_, dy, {.dx = dx_});
  }

  const ParameterTable& table() const { return table_; }
  const Shape& output_shape() const { return y_.shape; }
  bool ends_in_relu() const { return layer_->ends_in_relu(); }

  /// "layer.0.weight" as users see it: "0.weight".
  static std::string short_name(const std::string& name) { return name.substr(kLayer.size() + 1); }

  void set_parameters(nb::handle given) {
    std::map<std::string, FileTensor> state;
    if (!given.is_none()) {
      if (!nb::isinstance<nb::dict>(given)) raise_wrong_type("parameters", "a dict of arrays", given);
      for (const auto& [key, value] : nb::borrow<nb::dict>(given)) {
        const std::string name = Argument<std::string>::from(key, "parameters: each key");
        state[name] = file_tensor_from(value, "parameters: " + name);
      }
    }
    for (const Parameter& parameter : table_.all()) {
      const std::string name = short_name(parameter.name);
      const auto found = state.find(name);
      if (found != state.end()) {
        require(found->second.shape == parameter.shape, "parameters: ", name, " has the shape ", found->second.shape,
                ", the layer's is ", parameter.shape);
        set(parameter, to_doubles(found->second));
        state.erase(found);
      } else {
        require(given.is_none() || !parameter.trained(), "parameters: ", name, " is missing");
        set(parameter, initial_values(parameter, Initialization::xavier_uniform, 1));
      }
    }
    std::erase_if(state, [](const auto& each) { return each.first.ends_with("num_batches_tracked"); });
    require(state.empty(), "parameters: the layer has no ", state.empty() ? "" : state.begin()->first);
  }

  /// `y`, `dy` and `dx`: memory in the library's layout; null if not needed.
  void run(void* x, void* y, void* dy, void* dx) {
    plan_->place();
    arena_ = backend_->allocate(plan_->memory().arena);
    prepacked_ = backend_->allocate(plan_->prepacked_bytes());
    plan_->set_memory(arena_.data(), {{Region::parameters, parameters_.data()},
                                      {Region::gradients, gradients_.data()},
                                      {Region::statistics, statistics_.data()},
                                      {Region::control, control_},
                                      {Region::prepacked, prepacked_.data()},
                                      {Region::dataset_images, x},
                                      {Region::optimizer, y},
                                      {Region::averages, dy},
                                      {Region::dataset_labels, dx}});
    const BoundSteps& bound = plan_->bind({.batch = x_.shape[0]});
    for (std::size_t i = 0; i < bound.operations.size(); ++i) {
      if (plan_->steps()[i].phase == Phase::backward && ends_in_relu() && !masked_) mask(y, dy);
      backend_->run(bound.operations[i], bound.workspaces[i]);
    }
    backend_->synchronize();
  }

  nb::dict gradients(bool torch) const {
    nb::dict dict;
    for (const Parameter& parameter : table_.all()) {
      if (!parameter.trained()) continue;
      const std::size_t begin = static_cast<std::size_t>(parameter.begin) * size_of(dtype_);
      const std::size_t bytes = static_cast<std::size_t>(parameter.shape.elements()) * size_of(dtype_);
      FileTensor tensor = {dtype_, parameter.shape,
                           channels_last_to_file(std::span(gradients_).subspan(begin, bytes), parameter.shape, dtype_)};
      dict[short_name(parameter.name).c_str()] = to_python(std::move(tensor), torch);
    }
    return dict;
  }

 private:
  void set(const Parameter& parameter, const std::vector<double>& values) {
    const FileTensor tensor = to_file_tensor(values, parameter.shape, dtype_);
    const std::vector<std::byte> memory = file_to_channels_last(tensor.bytes, tensor.shape, dtype_);
    std::vector<std::byte>& flat = parameter.trained() ? parameters_ : statistics_;
    std::memcpy(flat.data() + static_cast<std::size_t>(parameter.begin) * size_of(dtype_), memory.data(),
                memory.size());
  }

  /// Layers that end in a ReLU get dy masked by (y > 0): see Layer::ends_in_relu.
  void mask(const void* y, void* dy) {
    const auto apply = [&]<class T>(T) {
      for (std::int64_t i = 0; i < y_.elements(); ++i) {
        if (!(static_cast<const T*>(y)[i] > T{0})) static_cast<T*>(dy)[i] = T{0};
      }
    };
    if (dtype_ == DType::f64) {
      apply(double{});
    } else {
      apply(float{});
    }
    masked_ = true;
  }

  DType dtype_;
  std::unique_ptr<Layer> layer_;
  std::unique_ptr<Backend> backend_;
  ParameterTable table_;
  std::unique_ptr<Plan> plan_;
  Tensor x_, y_, dx_;
  std::vector<std::byte> parameters_, gradients_, statistics_;
  alignas(64) std::byte control_[256] = {};
  Buffer arena_, prepacked_;
  bool masked_ = false;
};

std::vector<std::byte> memory_for(const Shape& shape, DType dtype) {
  return std::vector<std::byte>(static_cast<std::size_t>(shape.elements()) * size_of(dtype));
}

nb::object forward(const Description& layer, nb::handle x, nb::handle parameters, bool training,
                   const std::optional<std::string>& device) {
  const DType dtype = compute_dtype(x);
  Memory input(x, "x", dtype);
  PlannedLayer planned(layer, input.shape(), dtype, device, training ? Mode::training : Mode::inference);
  planned.set_parameters(parameters);
  std::vector<std::byte> y = memory_for(planned.output_shape(), dtype);
  {
    const nb::gil_scoped_release release;
    planned.run(input.data(), y.data(), nullptr, nullptr);
  }
  return channels_last_to_python(std::move(y), planned.output_shape(), dtype, is_torch(x));
}

std::pair<nb::object, nb::dict> backward(const Description& layer, nb::handle x, nb::handle dy, nb::handle parameters,
                                         const std::optional<std::string>& device) {
  const DType dtype = compute_dtype(x);
  Memory input(x, "x", dtype), gradient(dy, "dy", dtype);
  PlannedLayer planned(layer, input.shape(), dtype, device, Mode::training);
  require(gradient.shape() == planned.output_shape(), "dy has the shape ", gradient.shape(), ", the layer's output is ",
          planned.output_shape());
  planned.plan_backward();
  planned.set_parameters(parameters);
  std::vector<std::byte> y = memory_for(planned.output_shape(), dtype), dx = memory_for(input.shape(), dtype), masked;
  void* dy_memory = gradient.data();
  if (planned.ends_in_relu()) {  // the mask must not change the caller's array
    masked.resize(gradient.bytes());
    std::memcpy(masked.data(), dy_memory, masked.size());
    dy_memory = masked.data();
  }
  {
    const nb::gil_scoped_release release;
    planned.run(input.data(), y.data(), dy_memory, dx.data());
  }
  return {channels_last_to_python(std::move(dx), input.shape(), dtype, is_torch(x)), planned.gradients(is_torch(x))};
}

nb::dict initial_parameters(const Description& layer, const std::vector<std::int64_t>& input, std::uint64_t seed) {
  const PlannedLayer planned(layer, Shape(std::span<const std::int64_t>(input)), DType::f64, std::nullopt,
                             Mode::training);
  nb::dict state;
  for (const Parameter& parameter : planned.table().all()) {
    state[PlannedLayer::short_name(parameter.name).c_str()] = to_python(
        to_file_tensor(initial_values(parameter, Initialization::xavier_uniform, seed), parameter.shape, DType::f64),
        false);
  }
  return state;
}

GradientCheck check_layer(const Description& layer, const std::vector<std::int64_t>& input, int coordinates) {
  const std::unique_ptr<Layer> built = layer.build();
  const nb::gil_scoped_release release;
  return check_gradients(*built, Shape(std::span<const std::int64_t>(input)), {.coordinates = coordinates});
}

GradientCheck check_model(const TrainedModel& model, std::int64_t batch, int coordinates) {
  const nb::gil_scoped_release release;
  return check_gradients(clone(model.model()), {.batch = batch, .coordinates = coordinates});
}

}  // namespace

void add_passes(nb::module_& module) {
  module.def(
      "forward", &forward, nb::arg("layer"), nb::arg("x").none(), nb::arg("parameters") = nb::none(), nb::kw_only(),
      nb::arg("training") = true, nb::arg("device") = nb::none(),
      nb::sig("def forward(layer: Layer, x: typing.Any, parameters: dict[str, typing.Any] | None = None, *, training: "
              "bool = True, "
              "device: str | None = None) -> typing.Any"),
      "y = layer(x) for x (N, C, H, W) or (N, C): float32, computed on cpu, or float64, on reference.\n"
      "parameters: arrays by the layer's names, \"weight\" or \"0.weight\" (initial_parameters has them all); None:\n"
      "initial values. training: batch norms use batch statistics, and dropout is active.\n"
      "x is read in place if its memory is channels-last (NumPy strides of (N, H, W, C) memory, or PyTorch's\n"
      "memory_format=torch.channels_last) and copied otherwise, since layers need that layout. y has shape (N, C, P, "
      "Q)\n"
      "and channels-last memory, and is not copied: a NumPy array, or a PyTorch tensor if x is one.");
  module.def(
      "backward", &backward, nb::arg("layer"), nb::arg("x").none(), nb::arg("dy").none(),
      nb::arg("parameters") = nb::none(), nb::kw_only(), nb::arg("device") = nb::none(),
      nb::sig("def backward(layer: Layer, x: typing.Any, dy: typing.Any, parameters: dict[str, typing.Any] | None = "
              "None, *, device: str | "
              "None = None) -> tuple[typing.Any, dict[str, typing.Any]]"),
      "(dx, gradients): the gradient of x, and those of the parameters by name, for the gradient dy of the output of\n"
      "forward(layer, x, parameters), which is computed again. Arrays and copies as in forward; dy is also copied if\n"
      "the layer ends in a ReLU.");
  module.def(
      "initial_parameters", &initial_parameters, nb::arg("layer"), nb::arg("input"), nb::kw_only(), nb::arg("seed") = 1,
      nb::sig(
          "def initial_parameters(layer: Layer, input: collections.abc.Sequence[int], *, seed: int = 1) -> dict[str, "
          "numpy.ndarray]"),
      "Initial parameters and running statistics, float64 by name, of a layer for inputs of shape (N, C, H, W).");

  nb::class_<GradientCheck>(module, "GradientCheck", "Result of check_gradients; true if all gradients agree.")
      .def_prop_ro("ok", &GradientCheck::ok)
      .def_prop_ro("text", &GradientCheck::text, "Counts, then a line per wrong gradient.")
      .def_prop_ro("checked", &GradientCheck::checked, "Number of compared values.")
      .def("__bool__", &GradientCheck::ok)
      .def("__repr__", &GradientCheck::text);
  module.def("check_gradients", &check_layer, nb::arg("layer"), nb::arg("input"), nb::kw_only(),
             nb::arg("coordinates") = 24,
             nb::sig("def check_gradients(layer: Layer, input: collections.abc.Sequence[int], *, coordinates: int = "
                     "24) -> GradientCheck"),
             "Compares the gradients of a layer for its input, of shape (N, C, H, W), and its parameters with central\n"
             "differences in double precision, `coordinates` values per tensor.");
  module.def("check_gradients", &check_model, nb::arg("model"), nb::kw_only(), nb::arg("batch") = 8,
             nb::arg("coordinates") = 16, "The same for the loss of a model with random images and labels.");
}

}  // namespace minception::python
