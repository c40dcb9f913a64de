/// Custom operations in networks on the host backends.

#ifdef MINCEPTION_HAVE_CPU
#include "kernels/cpu/onednn.h"
#endif
#include "models/finite.h"
#include "models/gradient_check.h"
#include "models/summary.h"
#include "tests/models/swish_network.h"

#include "tests/catch.h"

using namespace minception;

namespace {

const NetworkOptions kDouble = {.max_batch = 6, .compute = DType::f64};

}  // namespace

TEST_CASE("custom operation: gradients of a network agree with central differences", "[gradients]") {
  const GradientCheck check = check_gradients(swish_model());
  INFO(check.text());
  CHECK(check.ok());
}

TEST_CASE("custom operation: reference in f32 and cpu in f32 and bf16 agree with reference in double") {
  const auto reference = make_reference_backend();
  SwishNetwork exact(*reference, kDouble);
  exact.step(0, 6, {.update = false});
  const auto check = [&](Backend& backend, DType compute, double tolerance) {
    SwishNetwork run(backend, {.max_batch = 6, .compute = compute});
    run.step(0, 6, {.update = false});
    INFO(backend.name() << " " << name_of(compute) << ": " << run.gradient_difference(exact));
    CHECK(run.gradient_difference(exact) <= tolerance);
  };
  check(*reference, DType::f32, 1e-5);
#ifdef MINCEPTION_HAVE_CPU
  const auto cpu = make_cpu_backend();
  check(*cpu, DType::f32, 1e-5);
  if (cpu::OneDnn::multiplies_bf16()) check(*cpu, DType::bf16, 0.05);
#endif
}

TEST_CASE("custom operation: accumulated partial batches give the gradient of the whole batch") {
  const auto reference = make_reference_backend();
  SwishNetwork whole(*reference, kDouble), parts(*reference, kDouble);
  whole.step(0, 6, {.update = false});
  parts.step(0, 4, {.update = false, .divisor = 6.0});
  parts.step(4, 2, {.update = false, .accumulate = true, .divisor = 6.0});
  CHECK(parts.gradient_difference(whole) <= 1e-12);
  parts.step(0, 6, {.update = false});  // overwrites
  CHECK(parts.gradient_difference(whole) == 0.0);
}

TEST_CASE("custom operation: a partial batch equals a network of that size, and reruns give the same bits") {
  const auto reference = make_reference_backend();
  std::vector<Backend*> backends = {reference.get()};
#ifdef MINCEPTION_HAVE_CPU
  const auto cpu = make_cpu_backend();
  backends.push_back(cpu.get());
#endif
  for (Backend* backend : backends) {
    INFO(backend->name());
    SwishNetwork large(*backend), small(*backend, {.max_batch = 4});
    large.step(0, 4);
    small.step(0, 4);
    CHECK(large.network.state() == small.network.state());
    const auto first = swish_training(*backend, {.max_batch = 6});
    CHECK(first == swish_training(*backend, {.max_batch = 6}));
    CHECK(first == swish_training(*backend, {.max_batch = 6, .reuse_memory = false}));
  }
}

TEST_CASE("custom operation: summary, profile and NaN report name it") {
  const auto reference = make_reference_backend();
  SwishNetwork run(*reference);
  CHECK_THAT(layer_table(run.network), Catch::Contains("swish          [6,8,6,5]                       8"));
  const std::span<const Step> steps = run.network.plan(Mode::training).steps();
  const auto named = [&](std::string_view name) {
    return std::count_if(steps.begin(), steps.end(), [&](const Step& s) { return name_of(s.operation) == name; });
  };
  CHECK(named("swish_forward") == 1);
  CHECK(named("swish_backward") == 1);

  auto state = run.network.state();
  FileTensor& weight = state.at("swish.weight");
  weight = to_file_tensor(std::vector<double>(8, std::nan("")), weight.shape, weight.dtype);
  run.network.load_state(state);
  const RandomBatch batch = random_batch(run.network.model().config, 2);
  run.network.set_input(Mode::inference, batch.images, batch.labels);
  CHECK(find_overflow(run.network, 2) == "swish (swish_forward): 480 of 480 values of y are not finite");
}

TEST_CASE("custom operation: planning names the layer, the operation and the backend that it does not support") {
  struct CudaOnly : CustomOperation {
    const char* name() const override { return "fast_forward"; }
    bool supports(std::string_view backend) const override { return backend == "cuda"; }
  };
  const auto reference = make_reference_backend();
  const ParameterTable none;
  Plan plan(*reference, none, Mode::inference, DType::f32, 2);
  const Tensor x = plan.activation("x", {2, 3});
  CHECK_THROWS_WITH(
      plan.add("block.act",
               Custom{.operation = std::make_shared<CudaOnly>(), .inputs = {{"x", x}}, .outputs = {{"y", x}}}),
      "block.act: fast_forward: not implemented for the reference backend; it is implemented for cuda");
}
