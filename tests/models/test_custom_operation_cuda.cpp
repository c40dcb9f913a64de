/// Custom operations with kernels of their own on the cuda backend.

#include "layers/activation.h"
#include "tests/kernels/emulation.h"
#include "tests/models/swish_network.h"

#include "tests/catch.h"

using namespace minception;

namespace {

struct Square {
  static constexpr const char* kName = "square";
  template <class T>
  T value(T x) const {
    return x * x;
  }
  template <class T>
  T slope(T x) const {
    return 2 * x;
  }
};

}  // namespace

TEST_CASE("cuda: custom operation: gradients agree with reference in double", "[network]") {
  const auto cuda = make_cuda_backend();
  const auto reference = make_reference_backend();
  SwishNetwork exact(*reference, {.max_batch = 6, .compute = DType::f64});
  exact.step(0, 6, {.update = false});
  for (const auto& [compute, tolerance] : {std::pair{DType::f32, 1e-5}, std::pair{DType::bf16, 0.05}}) {
    SwishNetwork run(*cuda, {.max_batch = 6, .compute = compute});
    run.step(0, 6, {.update = false});
    INFO(name_of(compute) << ": " << run.gradient_difference(exact));
    CHECK(run.gradient_difference(exact) <= tolerance);
  }
}

TEST_CASE("cuda: custom operation: replayed steps and every thread order keep the bits", "[network]") {
  const auto cuda = make_cuda_backend();
  const auto expected = swish_training(*cuda, {.max_batch = 6, .graph_capture = false});
  SwishNetwork replayed(*cuda);
  for (int repetition = 0; repetition < 3; ++repetition) replayed.step(0, 4);
  CHECK(replayed.network.replays(4));
  for (const EmulatedOrder& order : kEmulatedOrders) {
    const EmulatedOrderScope scope(order);
    INFO(order.name);
    CHECK(expected == swish_training(*cuda, {.max_batch = 6}));
  }
}

TEST_CASE("cuda: custom operation: planning rejects one without kernels", "[network]") {
  const auto cuda = make_cuda_backend();
  Model model = swish_model();
  model.body->add<Activation<Square>>("act");
  CHECK_THROWS_WITH(
      Network(std::move(model), *cuda, {.max_batch = 2}),
      "act: square_forward: not implemented for the cuda backend; it is implemented for reference and cpu");
}
