#include "tests/kernels/inputs.h"
#include "core/random.h"
#include "kernels/backend.h"
#include "tests/kernels/precision.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

namespace minception {
namespace {

std::uint64_t seed_of(std::string_view label) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char letter : label) hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211u;
  return hash;
}

double as_float(double value) { return static_cast<double>(static_cast<float>(value)); }

const std::vector<double> kMiddleOfAnEpoch = {3.0, 41.0};  // epoch, position in it

/// Default values of an operand. Means are positive so that a fused ReLU passes more than half of the values.
double generic_value(std::string_view role, const Tensor& tensor, const Random& random, std::uint64_t i) {
  const double normal = random.normal(i);
  if (role == "w" && tensor.is_image()) {
    const double fan_in = static_cast<double>(tensor.elements()) / static_cast<double>(tensor.shape[0]);
    return (normal + 0.5) / std::sqrt(fan_in);
  }
  if (role == "gamma" || role == "beta") return 1.0 + 0.3 * normal;
  if (role == "bias") return 1.0 + normal;
  if (role == "running_mean") return 0.5 + 0.3 * normal;
  if (role == "running_var") return 0.5 + static_cast<double>(random.uniform(i));
  if (role == "relu_output") return std::max(0.0, normal + 0.5);
  return normal + 0.5;
}

/// The values of a case by role. One call operator per operation adjusts them.
class Inputs {
 public:
  Inputs(const Case& test_case, DType storage) : random_{seed_of(test_case.label()), 0} {
    for_each_operand(test_case.operation, [&](std::string_view role, const Tensor& tensor, Access access) {
      random_.stream = values_.size();
      roles_.emplace_back(role);
      values_.emplace_back();
      if (access == Access::write) return;
      const DType dtype = dtype_in(storage, test_case.operation, role, tensor);
      for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        const double value = as_float(generic_value(role, tensor, random_, static_cast<std::uint64_t>(i)));
        values_.back().push_back(rounded(value, dtype));
      }
    });
    std::visit(*this, test_case.operation);
  }

  Values take() { return std::move(values_); }

  // The overloads below replace generic values that do not suit an operation.
  void operator()(const LoadBatch& op) {
    for (double& pixel : of("images")) pixel = integer(pixel, 256);
    for (double& label : of("labels")) label = integer(label, 1000);
    auto& indices = of("indices");
    for (double& index : indices) index = integer(index, op.images.n());
    indices.front() = static_cast<double>(op.images.n() - 1);
    if (op.position.defined()) of("position") = kMiddleOfAnEpoch;
  }
  void operator()(const ReluBackward&) {
    for (double& y : of("y")) y = std::max(0.0, y);
  }
  void operator()(const MaxPool2dForward&) {
    for (double& x : of("x")) x = std::round(2.0 * x) / 2.0;  // full of ties
  }
  void operator()(const MaxPool2dBackward& op) {
    MaxPool2dForward forward;
    forward.attributes = op.attributes;
    std::vector<double> x(static_cast<std::size_t>(op.target.dx.elements()));
    std::vector<double> y(static_cast<std::size_t>(op.dy.elements()));
    std::vector<std::uint8_t> argmax(y.size());
    random_.stream = roles_.size();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = random_.normal(i);
    forward.x = Tensor(op.target.dx.shape, DType::f64, x.data());
    forward.y = Tensor(op.dy.shape, DType::f64, y.data());
    forward.argmax = Tensor(op.dy.shape, DType::u8, argmax.data());
    make_reference_backend()->run(forward);
    of("argmax").assign(argmax.begin(), argmax.end());
  }
  void operator()(const BatchNormBackward& op) {
    const auto channels = static_cast<std::size_t>(op.x.c());
    const auto& x = of("x");
    const auto m = static_cast<double>(x.size() / channels);
    for (std::size_t c = 0; c < channels; ++c) {
      double mean = 0.0;
      double var = 0.0;
      for (std::size_t i = c; i < x.size(); i += channels) mean += x[i] / m;
      for (std::size_t i = c; i < x.size(); i += channels) var += (x[i] - mean) * (x[i] - mean) / m;
      of("mean")[c] = as_float(mean);
      of("rstd")[c] = as_float(1.0 / std::sqrt(var + 1e-5));
    }
  }
  void operator()(const DropoutForward&) { of("position") = kMiddleOfAnEpoch; }
  void operator()(const DropoutBackward&) { of("position") = kMiddleOfAnEpoch; }
  void operator()(const SoftmaxCrossEntropy& op) {
    auto& labels = of("labels");
    const auto& logits = of("logits");
    const auto classes = op.logits.c();
    for (std::size_t n = 0; n < labels.size(); ++n) {
      const auto row = logits.begin() + static_cast<std::ptrdiff_t>(n) * classes;
      const auto largest = static_cast<double>(std::max_element(row, row + classes) - row);
      labels[n] = n % 2 == 0 ? largest : integer(labels[n], classes);  // some right, some wrong
    }
    of("metrics") = {3.25, 2.0};
  }
  void operator()(const SgdStep& op) {
    of("schedule") = {as_float(0.1), op.v.defined() ? as_float(0.9) : 0.0};
    if (op.factor.defined()) of("factor") = {as_float(0.3)};
  }
  void operator()(const AdamStep& op) {
    of("schedule") = {as_float(0.02), as_float(0.9)};
    of("step") = {op.beta2 == 0.999 ? 1.0 : 12.0};
    for (double& v : of("v")) v = std::abs(v);
    if (op.factor.defined()) of("factor") = {as_float(0.3)};
  }
  void operator()(const EmaUpdate& op) { of("step") = {op.decay == 0.5 ? 1.0 : 12.0}; }
  template <class Other>
  void operator()(const Other&) {}

 private:
  std::vector<double>& of(std::string_view role) {
    const auto found = std::find(roles_.begin(), roles_.end(), role);
    require(found != roles_.end(), "the case has no operand ", role);
    return values_[static_cast<std::size_t>(found - roles_.begin())];
  }
  /// Maps a random value to an integer in [0, count).
  static double integer(double value, std::int64_t count) {
    const auto digits = static_cast<std::int64_t>(std::abs(value) * 0x1p20);
    return static_cast<double>(digits % count);
  }

  Random random_;
  std::vector<std::string> roles_;
  Values values_;
};

}  // namespace

Values make_values(const Case& test_case, DType storage) { return Inputs(test_case, storage).take(); }

void open_relu_masks(const Operation& operation, Values& values) {
  std::size_t k = 0;
  for_each_operand(operation, [&](std::string_view role, const Tensor&, Access) {
    const bool mask = role == "relu_output" || (role == "y" && std::holds_alternative<ReluBackward>(operation));
    if (mask) std::fill(values[k].begin(), values[k].end(), 1.0);
    ++k;
  });
}

}  // namespace minception
