#include "tests/layers/gradient_check.h"
#include "core/random.h"
#include "layers/control.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace minception {
namespace {

constexpr double kStep = 1e-6;

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
  for (std::int64_t pixel = 0; pixel < y.pixels(); ++pixel) {
    for (std::int64_t c = 0; c < y.c(); ++c) fingerprint.add(values[pixel * y.pixel_stride + c] > T{0});
  }
}

void add_mask(Fingerprint& fingerprint, const Tensor& y) {
  y.dtype == DType::f64 ? add_mask_of<double>(fingerprint, y) : add_mask_of<float>(fingerprint, y);
}

/// The GradTarget of the operation, which may be masked or accumulated; nullptr if it has none.
GradTarget* target_of(Operation& operation) {
  return std::visit(
      [](auto& op) -> GradTarget* {
        if constexpr (requires { op.target; }) {
          return &op.target;
        } else if constexpr (requires { op.da; }) {
          return &op.da;
        } else {
          return nullptr;
        }
      },
      operation);
}

/// A planned layer with its memory.
class LayerProblem {
 public:
  LayerProblem(std::unique_ptr<Layer> layer, const Shape& input)
      : backend_(make_reference_backend()), layer_(std::move(layer)) {
    layer_->register_parameters(table_, "layer");
    plan_ = std::make_unique<Plan>(*backend_, table_, Mode::training, DType::f64, input[0]);
    plan_->begin_phase(Phase::forward);
    x_ = plan_->activation("x", input);
    y_ = layer_->forward(*plan_, x_);
    plan_->begin_phase(Phase::backward);
    dy_ = plan_->activation("dy", y_.shape);
    dx_ = plan_->activation("dx", x_.shape);
    layer_->backward(*plan_, dy_, {.dx = dx_});
    for (const Tensor& tensor : {x_, y_, dy_, dx_}) plan_->keep(tensor);
    plan_->place(false);

    arena_.resize(plan_->memory().arena / sizeof(double));
    parameters_.resize(static_cast<std::size_t>(table_.flat_parameters()));
    gradients_.resize(parameters_.size());
    statistics_.resize(static_cast<std::size_t>(table_.flat_statistics()));
    plan_->set_memory(arena_.data(), {{Region::parameters, parameters_.data()},
                                      {Region::gradients, gradients_.data()},
                                      {Region::statistics, statistics_.data()},
                                      {Region::control, control_}});
    // NaN makes reads of unwritten memory visible.
    std::fill(arena_.begin(), arena_.end(), std::numeric_limits<double>::quiet_NaN());
    std::fill(gradients_.begin(), gradients_.end(), std::numeric_limits<double>::quiet_NaN());

    const BoundSteps& bound = plan_->bind({.batch = input[0]});
    for (std::size_t i = 0; i < bound.operations.size(); ++i) {
      (plan_->steps()[i].phase == Phase::forward ? forward_ : backward_).push_back(bound.operations[i]);
    }
    for (Tensor* tensor : {&x_, &y_, &dy_, &dx_}) *tensor = plan_->bind(*tensor, input[0]);

    std::uint64_t index = 0;
    const Random random{7, 11};
    const auto fill = [&](double* values, std::int64_t count, double scale) {
      for (std::int64_t i = 0; i < count; ++i) values[i] = scale * random.normal(index++);
    };
    fill(x_.as<double>(), x_.elements(), 1.0);
    for (const Parameter& parameter : table_.all()) {
      if (!parameter.trained()) continue;
      const bool weight = parameter.role == ParameterRole::weight;
      fill(parameters_.data() + parameter.begin, parameter.shape.elements(),
           weight ? 1.0 / std::sqrt(static_cast<double>(parameter.fan_in)) : 0.5);
    }
    weights_of_loss_.resize(static_cast<std::size_t>(y_.elements()));
    fill(weights_of_loss_.data(), y_.elements(), 1.0);
  }

  std::vector<Operation>& backward() { return backward_; }

  GradientProblem problem() {
    GradientProblem problem;
    problem.loss = [this] {
      for (const Operation& operation : forward_) backend_->run(operation);
      double loss = 0.0;
      for (std::size_t i = 0; i < weights_of_loss_.size(); ++i) loss += weights_of_loss_[i] * y_.as<double>()[i];
      return loss;
    };
    problem.decisions = [this] { return decisions_of(forward_); };

    problem.loss();
    for (std::size_t i = 0; i < weights_of_loss_.size(); ++i) {
      const bool masked = layer_->ends_in_relu() && !(y_.as<double>()[i] > 0.0);
      dy_.as<double>()[i] = masked ? 0.0 : weights_of_loss_[i];
    }
    for (const Operation& operation : backward_) backend_->run(operation);
    problem.tensors.push_back({"x", x_.as<double>(), {dx_.as<double>(), dx_.as<double>() + dx_.elements()}});
    for (const Parameter& parameter : table_.all()) {
      if (!parameter.trained()) continue;
      const double* gradient = gradients_.data() + parameter.begin;
      problem.tensors.push_back(
          {parameter.name, parameters_.data() + parameter.begin, {gradient, gradient + parameter.shape.elements()}});
    }
    return problem;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Layer> layer_;
  ParameterTable table_;
  std::unique_ptr<Plan> plan_;
  std::vector<double> arena_, parameters_, gradients_, statistics_, weights_of_loss_;
  std::byte control_[256] = {};
  Tensor x_, y_, dy_, dx_;
  std::vector<Operation> forward_, backward_;
};

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
        },
        operation);
  }
  return fingerprint.value();
}

std::string GradientReport::summary() const {
  std::string text = concat(checked, " coordinates checked, ", skipped, " skipped, ", failures.size(), " failed");
  for (std::size_t i = 0; i < std::min<std::size_t>(failures.size(), 5); ++i) text += "\n  " + failures[i];
  return text;
}

GradientReport check_gradients(GradientProblem& problem, int coordinates, bool stop_early, std::uint64_t seed) {
  GradientReport report;
  const double loss = problem.loss();
  const std::uint64_t decisions = problem.decisions();
  const double noise = 10.0 * std::numeric_limits<double>::epsilon() * std::abs(loss) / kStep;

  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    const CheckedTensor& tensor = problem.tensors[t];
    const auto count = static_cast<std::uint64_t>(tensor.gradient.size());
    const auto wanted = std::min<std::uint64_t>(count, static_cast<std::uint64_t>(coordinates));
    int telling = 0;
    int checked = 0;
    // If ReLUs are dead, most gradients are zero: try up to eight times as many coordinates.
    for (std::uint64_t i = 0; i < std::min(count, 8 * wanted) && (i < wanted || telling < 4); ++i) {
      const auto at = static_cast<std::size_t>(permuted(Random{seed, t}, count, i));
      const double saved = tensor.values[at];
      tensor.values[at] = saved + kStep;
      const double above = problem.loss();
      bool same = problem.decisions() == decisions;
      tensor.values[at] = saved - kStep;
      const double below = problem.loss();
      same = same && problem.decisions() == decisions;
      tensor.values[at] = saved;
      if (!same) {
        ++report.skipped;
        continue;
      }
      ++checked;
      const double numeric = (above - below) / (2.0 * kStep);
      const double analytic = tensor.gradient[at];
      const double difference = std::abs(analytic - numeric);
      const double size = std::max(std::abs(analytic), std::abs(numeric));
      if (size > 100.0 * noise) ++telling;
      if (!(difference <= 1e-6 * size + noise)) {
        report.failures.push_back(concat(tensor.name, "[", at, "]: analytic ", analytic, ", numeric ", numeric));
        if (stop_early) return report;
      }
    }
    report.checked += checked;
    if (telling < static_cast<int>(std::min<std::uint64_t>(4, count))) {
      report.failures.push_back(
          concat(tensor.name, ": only ", telling, " of ", checked, " gradients are above the noise"));
    }
  }
  if (report.skipped * 20 > report.checked + report.skipped) {
    report.failures.push_back(concat(report.skipped, " coordinates were skipped, more than 5 %"));
  }
  problem.loss();
  return report;
}

GradientReport check_layer(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input,
                           const Mutation& mutation) {
  LayerProblem layer(make(), input);
  if (mutation) mutation(layer.backward());
  GradientProblem problem = layer.problem();
  return check_gradients(problem, 24, static_cast<bool>(mutation));
}

std::vector<NamedMutation> backward_mutations(const std::function<std::unique_ptr<Layer>()>& make, const Shape& input) {
  LayerProblem layer(make(), input);
  std::vector<NamedMutation> mutations;
  const std::vector<Operation>& steps = layer.backward();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string step = concat("step ", i, ", ", name_of(steps[i]));
    mutations.push_back({step + ": left out", [i](std::vector<Operation>& backward) {
                           backward.erase(backward.begin() + static_cast<std::ptrdiff_t>(i));
                         }});
    const auto alter = [&](const char* what, auto change) {
      mutations.push_back(
          {step + ": " + what, [i, change](std::vector<Operation>& backward) { change(*target_of(backward[i])); }});
    };
    Operation operation = steps[i];
    const GradTarget* target = target_of(operation);
    if (target == nullptr) continue;
    alter("accumulation flipped", [](GradTarget& changed) { changed.accumulate = !changed.accumulate; });
    if (target->relu_output.defined()) {
      alter("mask left out", [](GradTarget& changed) { changed.relu_output = {}; });
    }
  }
  return mutations;
}

}  // namespace minception
