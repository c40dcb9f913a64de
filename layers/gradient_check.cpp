#include "layers/gradient_check.h"
#include "core/random.h"
#include "kernels/elements.h"
#include "layers/control.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

namespace minception {
namespace {

constexpr double kStep = 1e-6;
constexpr std::int64_t kNormalisedValues = 16;
constexpr std::size_t kLargestGap = 1 << 16;

class Fingerprint {
 public:
  void add(std::uint64_t bits) { hash_ = (hash_ ^ bits) * 0x100000001b3u; }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

template <class T>
void add_mask_of(Fingerprint& fingerprint, const Tensor& y) {
  const T* values = y.as<T>();
  const std::int64_t row = y.dense() ? y.elements() : y.c();
  const std::int64_t stride = y.dense() ? row : y.pixel_stride;
  for (std::int64_t begin = 0, left = y.elements(); left > 0; begin += stride, left -= row) {
    for (std::int64_t i = begin; i < begin + row; ++i) fingerprint.add(values[i] > T{0});
  }
}

void add_mask(Fingerprint& fingerprint, const Tensor& y) {
  if (y.dtype == DType::f64) add_mask_of<double>(fingerprint, y);
  if (y.dtype == DType::f32) add_mask_of<float>(fingerprint, y);
}

/// "w[1,2,0,3]", in the order of the shape; memory is channels-last.
std::string element_name(const std::string& name, const Shape& shape, std::int64_t element) {
  std::vector<int> axes;  // in memory, fastest first
  for (int axis = shape.rank(); axis-- > 0;) axes.push_back(axis);
  if (shape.rank() == 4) axes = {1, 3, 2, 0};
  Shape index = shape;
  for (const int axis : axes) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return name + index.to_string();
}

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

/// How the input gradient and the parameter gradients are requested.
enum class Request { overwrite, accumulate, mask };

/// A planned layer with its memory. Equal inputs give equal values.
class LayerProblem {
 public:
  LayerProblem(Layer& layer, const Shape& input, const GradientCheckOptions& options, Request request)
      : backend_(make_reference_backend()), layer_(layer), request_(request) {
    layer_.infer("layer", input);
    layer_.register_parameters(table_, "layer");
    plan_ = std::make_unique<Plan>(*backend_, table_, Mode::training, DType::f64, input[0]);
    plan_->begin_phase(Phase::forward);
    x_ = plan_->activation("x", input);
    checked_output_shape(layer_, input);
    y_ = checked_forward(layer_, *plan_, x_);
    plan_->begin_phase(Phase::backward);
    dy_ = plan_->activation("dy", y_.shape);
    dx_ = plan_->activation("dx", x_.shape);
    relu_output_ = plan_->activation("relu_output", x_.shape);
    layer_.backward(*plan_, dy_,
                    {.dx = dx_,
                     .accumulate = request == Request::accumulate,
                     .relu_output = request == Request::mask ? relu_output_ : Tensor{}});
    for (const Tensor& tensor : {x_, y_, dy_, dx_, relu_output_}) plan_->keep(tensor);
    std::size_t gap = 0;
    for (const Storage& storage : plan_->storages()) gap = std::max(gap, storage.bytes);
    plan_->place(false, std::min(gap, kLargestGap));

    arena_ = backend_->allocate(plan_->memory().arena);
    parameters_.resize(static_cast<std::size_t>(table_.flat_parameters()));
    gradients_.resize(parameters_.size());
    statistics_.resize(static_cast<std::size_t>(table_.flat_statistics()));
    plan_->set_memory(arena_.data(), {{Region::parameters, parameters_.data()},
                                      {Region::gradients, gradients_.data()},
                                      {Region::statistics, statistics_.data()},
                                      {Region::control, control_}});
    // NaN makes reads of unwritten memory visible.
    std::fill_n(static_cast<double*>(arena_.data()), arena_.bytes() / sizeof(double),
                std::numeric_limits<double>::quiet_NaN());

    const BoundSteps& bound = plan_->bind({.batch = input[0], .accumulate = request == Request::accumulate});
    std::size_t workspace = 0;
    for (std::size_t i = 0; i < bound.operations.size(); ++i) {
      (plan_->steps()[i].phase == Phase::forward ? forward_ : backward_).push_back(bound.operations[i]);
      workspace = std::max(workspace, bound.workspaces[i].bytes);
    }
    workspace_ = backend_->allocate(workspace);
    if (options.edit_backward) options.edit_backward(backward_);
    for (Tensor* tensor : {&x_, &y_, &dy_, &dx_, &relu_output_}) *tensor = plan_->bind(*tensor, input[0]);
    fill_values();
  }

  const Plan& plan() const { return *plan_; }
  /// Value that dx and the parameter gradients hold before backward runs.
  double before(std::size_t i) const {
    return request_ == Request::accumulate ? 1.0 + 0.125 * static_cast<double>(i % 7)
                                           : std::numeric_limits<double>::quiet_NaN();
  }
  /// Whether the requested mask passes element i of dx.
  static bool passes(std::size_t i) { return i % 3 != 0; }

  /// Runs forward and backward; the result refers to this object.
  GradientProblem problem() {
    GradientProblem problem;
    problem.loss = [this] {
      run(forward_);
      double loss = 0.0;
      for (std::size_t i = 0; i < weights_of_loss_.size(); ++i) loss += weights_of_loss_[i] * y_.as<double>()[i];
      return loss;
    };
    problem.decisions = [this] { return decisions_of(forward_); };
    problem.not_finite = [this] {
      return first_not_finite(plan_->steps(), forward_) +
             "; memory that was not written holds nan: does forward write all of y, and read within its operands?";
    };

    problem.loss();
    for (std::size_t i = 0; i < weights_of_loss_.size(); ++i) {
      const bool masked = layer_.ends_in_relu() && !(y_.as<double>()[i] > 0.0);
      dy_.as<double>()[i] = masked ? 0.0 : weights_of_loss_[i];
    }
    run(backward_);
    const auto add = [&](const std::string& name, const Shape& shape, double* values, const double* gradient) {
      problem.tensors.push_back({name, shape, values, {gradient, gradient + shape.elements()}});
    };
    add("x", x_.shape, x_.as<double>(), dx_.as<double>());
    for (const Parameter& parameter : table_.all()) {
      if (!parameter.trained()) continue;
      add(parameter.name, parameter.shape, parameters_.data() + parameter.begin, gradients_.data() + parameter.begin);
    }
    return problem;
  }

 private:
  void run(const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) backend_->run(operation, {workspace_.data(), workspace_.bytes()});
  }

  void fill_values() {
    std::uint64_t index = 0;
    const Random random{7, 11};
    const auto fill = [&](double* values, std::int64_t count, double scale) {
      for (std::int64_t i = 0; i < count; ++i) values[i] = scale * random.normal(index++);
    };
    fill(x_.as<double>(), x_.elements(), 1.0);
    for (const Parameter& parameter : table_.all()) {
      if (parameter.trained()) {
        const bool weight = parameter.role == ParameterRole::weight && parameter.fan_in > 0;
        double* values = parameters_.data() + parameter.begin;
        fill(values, parameter.shape.elements(),
             parameter.initial ? 0.1
             : weight          ? 1.0 / std::sqrt(static_cast<double>(parameter.fan_in))
                               : 0.5);
        for (std::int64_t i = 0; i < parameter.shape.elements(); ++i) values[i] += parameter.initial.value_or(0.0);
        for (std::size_t i = 0; i < static_cast<std::size_t>(parameter.shape.elements()); ++i) {
          gradients_[static_cast<std::size_t>(parameter.begin) + i] = before(i);
        }
      } else if (parameter.role == ParameterRole::running_var) {
        std::fill_n(statistics_.data() + parameter.begin, parameter.shape.elements(), 1.0);
      }
    }
    weights_of_loss_.resize(static_cast<std::size_t>(y_.elements()));
    fill(weights_of_loss_.data(), y_.elements(), 1.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(x_.elements()); ++i) {
      dx_.as<double>()[i] = before(i);
      relu_output_.as<double>()[i] = passes(i) ? 1.0 : 0.0;
    }
  }

  std::unique_ptr<Backend> backend_;
  Layer& layer_;
  Request request_;
  ParameterTable table_;
  std::unique_ptr<Plan> plan_;
  Buffer arena_, workspace_;
  std::vector<double> parameters_, gradients_, statistics_, weights_of_loss_;
  std::byte control_[256] = {};
  Tensor x_, y_, dy_, dx_, relu_output_;
  std::vector<Operation> forward_, backward_;
};

/// Compares gradients requested by `request` with those of a plain backward pass; "" if they agree.
std::string disagreement(const CheckedTensor& plain, const CheckedTensor& requested, const LayerProblem& problem,
                         Request request) {
  for (std::size_t i = 0; i < plain.gradient.size(); ++i) {
    double expected = plain.gradient[i];
    if (request == Request::accumulate) expected += problem.before(i);
    if (request == Request::mask && plain.name == "x" && !LayerProblem::passes(i)) expected = 0.0;
    const double found = requested.gradient[i];
    if (std::abs(found - expected) <= 1e-9 * (1.0 + std::abs(expected))) continue;
    const std::string what = request == Request::mask ? "does not mask the input gradient by GradTarget::relu_output"
                             : plain.name == "x"
                                 ? "does not add to the input gradient, in spite of GradTarget::accumulate"
                                 : "does not add to the parameter gradient, in spite of BindOptions::accumulate";
    return concat(plain.name, ": backward ", what, ": ",
                  element_name(plain.name, plain.shape, static_cast<std::int64_t>(i)), " is ", digits(found),
                  ", expected ", digits(expected));
  }
  return "";
}

}  // namespace

std::uint64_t decisions_of(const std::vector<Operation>& operations) {
  Fingerprint fingerprint;
  for (const Operation& operation : operations) {
    std::visit(
        [&](const auto& op) {
          using Op = std::decay_t<decltype(op)>;
          bool relu = std::is_same_v<Op, ReluForward>;
          if constexpr (requires { op.relu; }) relu = relu || op.relu;
          if constexpr (requires { op.attributes.relu; }) relu = relu || op.attributes.relu;
          if constexpr (std::is_same_v<Op, Conv2dFused1x1Forward>) {
            for (const Tensor& y : op.y) {
              if (relu) add_mask(fingerprint, y);
            }
          } else if constexpr (
              requires { op.y; } && !requires { op.dy; }) {
            if (relu) add_mask(fingerprint, op.y);
          }
          if constexpr (std::is_same_v<Op, MaxPool2dForward>) {
            const std::uint8_t* argmax = op.argmax.template as<std::uint8_t>();
            for (std::int64_t i = 0; i < op.argmax.elements(); ++i) fingerprint.add(argmax[i]);
          }
          if constexpr (std::is_same_v<Op, Custom>) {
            for (const CustomOperand& input : op.inputs) add_mask(fingerprint, input.tensor);
          }
        },
        operation);
  }
  return fingerprint.value();
}

std::string first_not_finite(std::span<const Step> steps, std::span<const Operation> operations) {
  std::string found;
  for (std::size_t i = 0; i < operations.size() && found.empty(); ++i) {
    for_each_operand(operations[i], [&](std::string_view role, const Tensor& tensor, Access access) {
      if (access == Access::read || !found.empty() || tensor.dtype != DType::f64 || tensor.data == nullptr) return;
      const Elements<const double> values(tensor);
      std::int64_t count = 0, first = 0;
      for (std::int64_t element = values.size(); element-- > 0;) {
        if (std::isfinite(values[element])) continue;
        ++count;
        first = element;
      }
      if (count == 0) return;
      found = concat(steps[i].layer, " (", name_of(operations[i]), "): ", count, " of ", values.size(), " values of ",
                     role, " are not finite, ", element_name(std::string(role), tensor.shape, first), " is ",
                     digits(values[first]));
    });
  }
  return found;
}

void add_batch_norm_hints(GradientCheck& check, const Plan& plan, std::int64_t batch) {
  if (check.ok()) return;
  std::map<int, std::string> biased;  // layers with a bias, by the storage of their outputs
  for (const Step& step : plan.steps()) {
    if (const auto* conv = std::get_if<Conv2dForward>(&step.operation); conv != nullptr && conv->bias.defined()) {
      biased[conv->y.storage] = step.layer;
    }
    if (const auto* linear = std::get_if<LinearForward>(&step.operation); linear != nullptr && linear->bias.defined()) {
      biased[linear->y.storage] = step.layer;
    }
    const auto* norm = std::get_if<BatchNormForwardTraining>(&step.operation);
    if (norm == nullptr || !biased.contains(norm->x.storage)) continue;
    const std::string& layer = biased[norm->x.storage];
    const auto inconclusive = [&](const TensorFindings& tensor) {
      return tensor.name == layer + ".bias" && tensor.conclusive == 0;
    };
    if (std::none_of(check.tensors.begin(), check.tensors.end(), inconclusive)) continue;
    check.problems.push_back(concat("hint: ", step.layer, " subtracts the mean, so the bias of ", layer,
                                    " before it has no effect; leave it out (.bias = false)"));
  }
  for (const Step& step : plan.steps()) {
    const auto* norm = std::get_if<BatchNormForwardTraining>(&step.operation);
    if (norm == nullptr) continue;
    const std::int64_t values = batch * norm->x.h() * norm->x.w();
    if (values >= kNormalisedValues) continue;
    check.problems.push_back(concat("hint: ", step.layer, " normalises ", values,
                                    " values per channel; use a batch or image with ", kNormalisedValues, " or more"));
    return;
  }
}

int GradientCheck::checked() const {
  int sum = 0;
  for (const TensorFindings& tensor : tensors) sum += tensor.checked;
  return sum;
}

int GradientCheck::skipped() const {
  int sum = 0;
  for (const TensorFindings& tensor : tensors) sum += tensor.skipped;
  return sum;
}

bool GradientCheck::ok() const {
  return problems.empty() &&
         std::all_of(tensors.begin(), tensors.end(), [](const TensorFindings& tensor) { return tensor.wrong.empty(); });
}

std::string GradientCheck::text() const {
  constexpr std::size_t kShown = 3;  // per tensor
  std::string text = concat("gradients: ", checked(), " values of ", tensors.size(), " tensors checked, ", skipped(),
                            " skipped at kinks", ok() ? ", all agree" : "");
  for (const TensorFindings& tensor : tensors) {
    if (!tensor.wrong.empty()) {
      text += concat("\n  ", tensor.name, ": ", tensor.wrong.size(), " of ", tensor.checked, " are wrong");
    }
    for (std::size_t i = 0; i < std::min(tensor.wrong.size(), kShown); ++i) {
      const WrongGradient& wrong = tensor.wrong[i];
      text += concat("\n    ", element_name(tensor.name, tensor.shape, wrong.element), ": analytic ",
                     digits(wrong.analytic), ", numeric ", digits(wrong.numeric));
    }
  }
  for (const std::string& problem : problems) text += "\n  " + problem;
  return text;
}

GradientCheck check_gradients(GradientProblem& problem, const GradientCheckOptions& options) {
  GradientCheck check;
  const double loss = problem.loss();
  const auto where = [&] {
    const std::string text = problem.not_finite();
    return text.empty() ? text : ": " + text;
  };
  if (!std::isfinite(loss)) {  // all that follows would be NaN, too
    check.problems.push_back(concat("the loss is ", digits(loss), where()));
    return check;
  }
  const std::uint64_t decisions = problem.decisions();
  const double noise = 10.0 * std::numeric_limits<double>::epsilon() * std::abs(loss) / kStep;

  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    const CheckedTensor& tensor = problem.tensors[t];
    TensorFindings& found = check.tensors.emplace_back(TensorFindings{.name = tensor.name, .shape = tensor.shape});
    const auto count = static_cast<std::uint64_t>(tensor.gradient.size());
    const auto wanted = std::min<std::uint64_t>(count, static_cast<std::uint64_t>(options.coordinates));
    // If ReLUs are dead, most gradients are zero: try up to eight times as many values.
    for (std::uint64_t i = 0; i < std::min(count, 8 * wanted) && (i < wanted || found.conclusive < 4); ++i) {
      const auto at = static_cast<std::size_t>(permuted(Random{options.seed, t}, count, i));
      const double saved = tensor.values[at];
      tensor.values[at] = saved + kStep;
      const double above = problem.loss();
      std::string not_finite = std::isfinite(above) ? "" : concat(digits(above), where());
      bool same = problem.decisions() == decisions;
      tensor.values[at] = saved - kStep;
      const double below = problem.loss();
      if (not_finite.empty() && !std::isfinite(below)) not_finite = concat(digits(below), where());
      same = same && problem.decisions() == decisions;
      tensor.values[at] = saved;
      if (!not_finite.empty()) {
        check.problems.push_back(concat("if ", element_name(tensor.name, tensor.shape, static_cast<std::int64_t>(at)),
                                        ", ", digits(saved), ", changes by ", digits(kStep), ", the loss is ",
                                        not_finite));
        return check;
      }
      if (!same) {
        ++found.skipped;
        continue;
      }
      ++found.checked;
      const double numeric = (above - below) / (2.0 * kStep);
      const double analytic = tensor.gradient[at];
      const double difference = std::abs(analytic - numeric);
      const double size = std::max(std::abs(analytic), std::abs(numeric));
      if (size > 100.0 * noise) ++found.conclusive;
      if (!(difference <= 1e-6 * size + noise)) {
        found.wrong.push_back({static_cast<std::int64_t>(at), analytic, numeric});
        if (options.stop_early) return check;
      }
    }
    if (found.wrong.empty() && found.conclusive < static_cast<int>(std::min<std::uint64_t>(4, count))) {
      check.problems.push_back(concat(tensor.name, ": only ", found.conclusive, " of ", found.checked,
                                      " gradients are above the noise, too few to tell"));
    }
  }
  if (check.skipped() * 20 > check.checked() + check.skipped()) {
    check.problems.push_back(concat(check.skipped(), " values were skipped, more than 5 %"));
  }
  problem.loss();
  return check;
}

GradientCheck check_gradients(Layer& layer, const Shape& input, const GradientCheckOptions& options) {
  LayerProblem plain(layer, input, options, Request::overwrite);
  GradientProblem problem = plain.problem();
  GradientCheck check = check_gradients(problem, options);
  add_batch_norm_hints(check, plain.plan(), input[0]);
  if (check.tensors.empty() || (options.stop_early && !check.ok())) return check;
  for (const Request request : {Request::accumulate, Request::mask}) {
    LayerProblem requested(layer, input, options, request);
    const GradientProblem other = requested.problem();
    for (std::size_t t = 0; t < check.tensors.size(); ++t) {
      if (!check.tensors[t].wrong.empty()) continue;  // a wrong gradient disagrees here, too
      const std::string found = disagreement(problem.tensors[t], other.tensors[t], requested, request);
      if (!found.empty()) check.problems.push_back(found);
    }
  }
  return check;
}

}  // namespace minception
