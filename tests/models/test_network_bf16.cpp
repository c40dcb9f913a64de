/// Training steps of the cpu backend in bf16, compared with `reference` in double. The bound is the error of
/// `reference` with the same tensors rounded.

#include "kernels/cpu/onednn.h"
#include "models/registry.h"
#include "models/weights.h"
#include "tests/kernels/forwarding_backend.h"
#include "tests/kernels/precision.h"
#include "tests/models/drift.h"
#include "tests/models/handed_on.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <cmath>
#include <cstdio>

using namespace minception;

namespace {

/// Runs an operation in double with bf16 rounding: of the weights of matrix products, and of every output that would be
/// bf16.
void run_rounded(const Operation& operation, Backend& inner) {
  Operation narrow = operation;
  std::vector<double> weights;
  if (multiplies_matrices(operation)) {
    for_each_operand(narrow, [&](std::string_view role, Tensor& tensor, Access) {
      if (role != "w") return;
      const double* const first = tensor.as<const double>();
      weights.assign(first, first + tensor.elements());
      for (double& value : weights) value = rounded(value, DType::bf16);
      tensor.data = weights.data();
    });
  }
  inner.run(narrow);
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    Tensor described = tensor;
    described.dtype = DType::f32;
    if (access == Access::read || tensor.dtype != DType::f64) return;
    if (dtype_in(DType::bf16, operation, role, described) != DType::bf16) return;
    const std::int64_t row = tensor.is_image() ? tensor.c() : tensor.elements();
    const std::int64_t stride = tensor.is_image() ? tensor.pixel_stride : row;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      double& value = tensor.as<double>()[i / row * stride + i % row];
      value = rounded(value, DType::bf16);
    }
  });
}

/// Elements of a tensor in host memory without gaps between pixels.
std::vector<double> read(const Tensor& tensor) {
  std::vector<double> values;
  const std::int64_t row = tensor.is_image() ? tensor.c() : tensor.elements();
  const std::int64_t stride = tensor.is_image() ? tensor.pixel_stride : row;
  for (std::int64_t k = 0; k < tensor.elements(); ++k) {
    const std::int64_t i = k / row * stride + k % row;
    values.push_back(tensor.dtype == DType::f64    ? tensor.as<const double>()[i]
                     : tensor.dtype == DType::bf16 ? static_cast<double>(float(tensor.as<const bf16>()[i]))
                     : tensor.dtype == DType::f32  ? static_cast<double>(tensor.as<const float>()[i])
                                                   : static_cast<double>(tensor.as<const std::uint8_t>()[i]));
  }
  return values;
}

/// Tensors of a forward step that the backward pass reads.
std::vector<Tensor> handed_on(const Operation& operation) {
  std::vector<Tensor> tensors;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    if (is_handed_on(role, tensor, access)) tensors.push_back(tensor);
  });
  return tensors;
}

/// Error of our values relative to the error from rounding alone, both against `exact`.
struct Comparison {
  static constexpr double kF32 = 2e-5;  ///< tolerance for f32 rounding
  double worst = 0.0, largest = 0.0;

  void add(const std::string& what, const std::vector<double>& ours, const std::vector<double>& rounded,
           const std::vector<double>& exact) {
    const double difference = relative_difference(ours, exact), rounding = relative_difference(rounded, exact);
    INFO(what << ": " << difference << " off; rounding alone " << rounding);
    CHECK(difference <= std::max(3.0 * rounding, kF32));  // statistics are f32
    if (rounding > kF32) worst = std::max(worst, difference / rounding);
    largest = std::max(largest, rounding);
  }
};

}  // namespace

TEST_CASE("the cpu backend's training step in bf16 is as close to reference as rounding allows", "[cpu][bf16]") {
  if (!cpu::OneDnn::multiplies_bf16()) {
    SKIP("oneDNN multiplies no bf16 on this processor");
  }
  const auto cpu = make_cpu_backend();
  const auto reference = make_reference_backend();
  ForwardingBackend rounding(make_reference_backend(), run_rounded);
  const std::int64_t batch = 4;
  for (const char* name : {"googlenet", "googlenet_bn"}) {
    const ModelConfig config = {.name = name, .input = {1, 48, 48}};
    NetworkOptions options = {.max_batch = batch, .compute = DType::bf16, .reuse_memory = false};
    Network fast(make_model(config), *cpu, options);
    options.compute = DType::f64;
    Network exact(make_model(config), *reference, options), narrow(make_model(config), rounding, options);
    fast.initialize(Initialization::xavier_uniform, 1);
    auto start = fast.state();
    for (auto& [key, tensor] : start) {
      if (!key.ends_with("bias")) continue;  // biases start at zero otherwise
      std::vector<double> biases = to_doubles(tensor);
      for (std::size_t i = 0; i < biases.size(); ++i) biases[i] = 0.1 * Random{9, 1}.normal(i);
      tensor = to_file_tensor(biases, tensor.shape, tensor.dtype);
    }
    fast.load_state(start);
    const auto state = in_double(start);
    exact.load_state(state);
    narrow.load_state(state);
    RandomBatch data = random_batch(config, batch);
    for (float& pixel : data.images) pixel = static_cast<float>(rounded(pixel, DType::bf16));
    for (Network* network : {&fast, &exact, &narrow}) {
      network->reset_metrics();
      network->set_input(Mode::training, data.images, data.labels);
      network->set_control(1, 0, 0.0f, 0.0f);
    }
    // Every step starts from the bf16 outputs of the step before: BatchNorm over few values amplifies rounding, and
    // over all steps the results would not be comparable. The same holds for the backward pass, whose gradients jump
    // where a pre-activation changes its sign.
    fast.run(Mode::training, batch, Phase::forward);
    const std::vector<Operation>&ours = fast.operations(Mode::training, batch),
          &theirs = exact.operations(Mode::training, batch), &allowed = narrow.operations(Mode::training, batch);
    REQUIRE(ours.size() == theirs.size());
    Comparison forward, backward;
    for (std::size_t i = 0; !std::holds_alternative<SoftmaxCrossEntropy>(ours[i]); ++i) {
      reference->run(theirs[i]);
      rounding.run(allowed[i]);
      const std::vector<Tensor> from = handed_on(ours[i]), to = handed_on(theirs[i]), narrow_to = handed_on(allowed[i]);
      for (std::size_t k = 0; k < from.size(); ++k) {
        const std::vector<double> values = read(from[k]);
        if (from[k].dtype != DType::u8) {
          forward.add(concat(name, " step ", i, " ", from[k].shape), values, read(narrow_to[k]), read(to[k]));
        }
        write(to[k], values);
        write(narrow_to[k], values);
      }
    }
    for (Network* network : {&fast, &exact, &narrow}) {
      network->run(Mode::training, batch, Phase::loss);
      network->run(Mode::training, batch, Phase::backward);
    }
    CHECK(fast.metrics().loss == Approx(exact.metrics().loss).epsilon(1e-4));
    const auto expected = exact.gradients(), rounded_gradients = narrow.gradients();
    for (const auto& [key, gradient] : fast.gradients()) {
      backward.add(concat(name, " gradient of ", key), to_doubles(gradient), to_doubles(rounded_gradients.at(key)),
                   to_doubles(expected.at(key)));
    }
    std::printf(
        "%s in bf16: off by at most %.2f (forward) and %.2f (gradients) times what rounding costs, which is at most "
        "%.1e and %.1e\n",
        name, forward.worst, backward.worst, forward.largest, backward.largest);
  }
}
