#include "tests/kernels/harness.h"
#include "tests/kernels/staged_case.h"

#include <algorithm>
#include <cmath>
#include <exception>

namespace minception {
namespace {

/// Relative tolerance of f32 results: norm of the error over the norm of `reference` in double, per tensor.
constexpr double kTolerance = 2e-5;

double norm(const std::vector<double>& values) {
  double squares = 0.0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

double distance(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return norm(a);
}

/// Expected values of an operand after the operation.
struct Expectation {
  std::vector<double> values;
  double norm = 0.0;
  double allowed_error = 0.0;
};

/// Results of `reference` in double: one list per operand, empty for inputs.
Values computed_by_reference(const Operation& operation, const Values& inputs) {
  const auto reference = make_reference_backend();
  StagedCase stage(*reference, operation, DType::f64, inputs);
  stage.run();
  Values results(stage.operands());
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (stage.access(k) != Access::read) results[k] = stage.read(k);
  }
  return results;
}

/// One per operand. A backend may or may not round the factors of a product. The larger deviation counts, because
/// rounding errors can cancel in a small tensor.
std::vector<Expectation> expectations(const Operation& operation, const Values& inputs, const Precision& precision) {
  const Values exact = computed_by_reference(operation, inputs);
  const Values narrow_inputs = round_factors(operation, inputs, precision.factors);
  const Values narrow = narrow_inputs == inputs ? exact : computed_by_reference(operation, narrow_inputs);

  std::vector<Expectation> expected;
  for_each_operand(operation, [&](std::string_view role, const Tensor& described, Access) {
    const std::size_t k = expected.size();
    const bool rounds_gradient =
        precision.rounds_weight_gradients && role == "dw" && std::holds_alternative<Conv2dBackwardWeights>(operation);
    const DType dtype = rounds_gradient ? precision.storage : dtype_in(precision.storage, operation, role, described);
    const auto deviation = [&](std::vector<double> result) {
      for (double& value : result) value = rounded(value, dtype);
      return distance(result, exact[k]);
    };
    const double size = norm(exact[k]);
    const double rounding = std::max(deviation(exact[k]), deviation(narrow[k]));
    expected.push_back({exact[k], size, std::max(kTolerance * size, 3.0 * rounding)});
  });
  return expected;
}

/// Describes the difference of operand k from its expectation; "" if there is none.
std::string compare(const Case& test_case, const StagedCase& stage, const Expectation& expectation,
                    const std::vector<double>& initial, std::size_t k) {
  const std::vector<double> actual = stage.read(k);
  const std::vector<double>& expected = expectation.values;
  if (!is_floating(stage.dtype(k))) {
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (actual[i] != expected[i]) {
        return concat(stage.role(k), "[", i, "] is ", actual[i], ", expected ", expected[i]);
      }
    }
    return "";
  }

  std::size_t zeros = 0;
  std::size_t worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (expected[i] == 0.0) ++zeros;
    if (!(std::abs(actual[i] - expected[i]) <= std::abs(actual[worst] - expected[worst]))) worst = i;
  }
  const double error = distance(actual, expected);
  if (!(error <= expectation.allowed_error)) {
    return concat(stage.role(k), " is off by ", error / expectation.norm, " of its norm (at most ",
                  expectation.allowed_error / expectation.norm, "), most at [", worst, "]: ", actual[worst],
                  ", expected ", expected[worst]);
  }
  if (2 * zeros > actual.size() && !test_case.mostly_zero) {
    return concat("too many zeros: ", zeros, " of ", actual.size(), " expected values of ", stage.role(k),
                  " are zero; set mostly_zero in the case");
  }
  if (stage.access(k) == Access::read_write) {
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (expected[i] == initial[i] && actual[i] != initial[i]) {
        return concat(stage.role(k), "[", i, "] must stay ", initial[i], ", became ", actual[i]);
      }
    }
  }
  return "";
}

std::string compare_all(const Case& test_case, const StagedCase& stage, const std::vector<Expectation>& expected,
                        const Values& initial) {
  const std::string near = stage.trespassed();
  if (!near.empty()) return concat("memory around ", near, " or of an input was changed");
  for (std::size_t k = 0; k < stage.operands(); ++k) {
    if (stage.access(k) == Access::read) continue;
    const std::string difference = compare(test_case, stage, expected[k], initial[k], k);
    if (!difference.empty()) return difference;
  }
  return "";
}

/// Sets the operand `prepacked` of the operation; false if it has no such operand.
bool with_prepacked(Operation& operation, const Tensor& prepacked, bool refresh) {
  return std::visit(
      [&](auto& op) {
        if constexpr (requires { op.prepacked; }) {
          op.prepacked = prepacked;
          op.refresh_prepacked = refresh;
          return true;
        }
        return false;
      },
      operation);
}

/// Runs once with refresh_prepacked, then with the weights prepacked by that run.
std::string check_prepacked(Backend& backend, const Case& test_case, StagedCase& stage,
                            const std::vector<Expectation>& expected, const Values& values) {
  const std::size_t bytes = backend.plan(stage.operation()).prepacked;
  if (bytes == 0) return "";
  const bool allocated = stage.placement() == Placement::allocated;
  const Buffer buffer = allocated ? backend.allocate(bytes) : Buffer();
  const GuardedMemory guarded("prepacked", bytes, stage.placement(), 64);
  void* const memory = allocated ? buffer.data() : guarded.data();
  const std::vector<std::byte> garbage(bytes, std::byte{0xff});
  backend.copy_to_device(memory, garbage.data(), bytes);
  const Tensor prepacked(Shape{static_cast<std::int64_t>(bytes)}, DType::u8, memory, backend.device());
  for (const bool refresh : {true, false}) {
    Operation operation = stage.operation();
    if (!with_prepacked(operation, prepacked, refresh)) return "needs prepacked weights but has no operand for them";
    stage.run(operation, 0xff);
    const std::string difference = compare_all(test_case, stage, expected, values);
    if (!difference.empty()) return concat(refresh ? "packing weights: " : "with prepacked weights: ", difference);
  }
  return "";
}

std::string check(Backend& backend, const Case& test_case, const Precision& precision, const Ways& ways) {
  const Values values = make_values(test_case, precision.storage);
  const std::vector<Expectation> expected = expectations(test_case.operation, values, precision);
  StagedCase stage(backend, test_case.operation, precision.storage, values);
  std::vector<std::vector<std::byte>> first_run;
  for (const Way& way : ways) {
    way.arrange();
    const bool first = first_run.empty();
    if (way.placement != stage.placement()) stage.place(way.placement);
    stage.run(stage.operation(), first ? 0xff : 0x00);
    if (first) {
      const std::string difference = compare_all(test_case, stage, expected, values);
      if (!difference.empty()) return difference;
      first_run = stage.memory();
    } else if (stage.memory() != first_run) {
      return concat("two runs gave different bits: ", ways.front().name, " and ", way.name);
    }
  }
  return check_prepacked(backend, test_case, stage, expected, values);
}

bool fused_relu(const Operation& operation) {
  return std::visit(
      [](const auto& op) {
        if constexpr (requires { op.relu; }) return op.relu;
        if constexpr (requires { op.attributes.relu; }) return op.attributes.relu;
        return false;
      },
      operation);
}

/// Elements [first, first + count) of an input that receive the planted value: the first one that affects results.
struct Planting {
  std::size_t first = 0;
  std::size_t count = 1;
};

Planting planting(const Operation& operation, const std::string& role, std::size_t elements) {
  const std::vector<ParameterGroup>* groups = std::visit(
      [](const auto& op) -> const std::vector<ParameterGroup>* {
        if constexpr (requires { op.groups, op.factor; }) return &op.groups;
        return nullptr;
      },
      operation);
  if (groups != nullptr && elements > 2) {  // neither schedule nor factor
    for (const ParameterGroup& group : *groups) {
      if (group.trains && group.count > 0) return {static_cast<std::size_t>(group.begin), 1};
    }
  }
  // The filter position that reads the first pixel; others may read only padding.
  const auto filter_position = [&](const Conv2dAttributes& a, const Tensor& w) {
    return Planting{static_cast<std::size_t>((a.padding.h * w.w() + a.padding.w) * w.c()), 1};
  };
  if (role == "w") {
    if (const auto* conv = std::get_if<Conv2dForward>(&operation)) return filter_position(conv->attributes, conv->w);
    if (const auto* conv = std::get_if<Conv2dBackwardData>(&operation))
      return filter_position(conv->attributes, conv->w);
  }
  return {};
}

/// Whether the formula may discard the value: a fused ReLU discards -infinity, 1 / sqrt(infinite variance) is 0, the
/// sigmoid of swish_forward saturates, and the first update of ema_update overwrites the average.
bool may_vanish(const Operation& operation, const std::string& role, double value) {
  if (role == "average") return true;
  return std::isinf(value) && (fused_relu(operation) || role == "running_var" || name_of(operation) == "swish_forward");
}

std::string check_planted(Backend& backend, const Case& test_case, const Values& open, std::size_t k, double value,
                          const Precision& precision) {
  const auto reference = make_reference_backend();
  Values values = open;
  const StagedCase names(*reference, test_case.operation, DType::f64, values);
  const std::string& role = names.role(k);
  const auto [first, count] = planting(test_case.operation, role, values[k].size());
  std::fill_n(values[k].begin() + static_cast<std::ptrdiff_t>(first), count, value);

  StagedCase expected(*reference, test_case.operation, DType::f64, values);
  expected.run();
  StagedCase stage(backend, test_case.operation, precision.storage, values);
  stage.run();
  bool propagated = false;
  for (std::size_t out = 0; out < stage.operands(); ++out) {
    if (stage.access(out) == Access::read || !is_floating(stage.dtype(out))) continue;
    const std::vector<double> actual = stage.read(out);
    const std::vector<double> wanted = expected.read(out);
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (std::isfinite(wanted[i])) continue;
      propagated = true;
      if (std::isfinite(actual[i])) {
        return concat(value, " in ", role, " vanished: ", stage.role(out), "[", i, "] is ", actual[i], ", expected ",
                      wanted[i]);
      }
    }
  }
  if (propagated || may_vanish(test_case.operation, role, value)) return "";
  return concat(value, " in ", role, " changed no result");
}

std::string check_plantings(Backend& backend, const Case& test_case, double value, const Precision& precision) {
  Values values = make_values(test_case, precision.storage);
  open_relu_masks(test_case.operation, values);
  std::string difference;
  std::size_t k = 0;
  for_each_operand(test_case.operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    const bool mask = role == "relu_output" || (role == "y" && access == Access::read);
    const bool refused = role == "schedule";  // rejected by validate_values
    if (difference.empty() && access != Access::write && tensor.dtype == DType::f32 && !mask && !refused) {
      difference = check_planted(backend, test_case, values, k, value, precision);
    }
    ++k;
  });
  return difference;
}

template <class Check>
CheckResult report(Backend& backend, const Case& test_case, const Precision& precision, Check&& run_check) {
  const std::string alone =
      test_case.alone.empty() ? concat("MINCEPTION_CASE='", test_case.label(), "'") : test_case.alone;
  const auto line = [&](const std::string& problem) {
    return concat(backend.name(), " in ", precision.name, ": ", problem, " (alone: ", alone, ")");
  };
  const StrayAccessReport stray_accesses(line(test_case.label()));
  try {
    const std::string problem = run_check();
    if (problem.empty()) return {};
    return {false, line(problem), false};
  } catch (const std::exception& error) {
    return {false, line(error.what()), true};
  }
}

}  // namespace

CheckResult check_case(Backend& backend, const Case& test_case, const Precision& precision, const Ways& ways) {
  return report(backend, test_case, precision, [&] { return check(backend, test_case, precision, ways); });
}

CheckResult check_propagation(Backend& backend, const Case& test_case, double value, const Precision& precision) {
  if (test_case.cpu_swallows_nan && backend.name() == "cpu") return {};
  return report(backend, test_case, precision, [&] { return check_plantings(backend, test_case, value, precision); });
}

}  // namespace minception
