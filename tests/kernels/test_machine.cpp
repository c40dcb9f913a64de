/// Error messages for a GPU, driver and build that do not match; capture of CUDA graphs.

#include "kernels/backend.h"
#include "kernels/cuda/machine.h"

#include "tests/catch.h"

using namespace minception;
using minception::cuda::Machine;
using minception::cuda::misfit;

namespace {

Machine good() {
  return {.devices = 2,
          .driver = 13000,
          .runtime = 13000,
          .gpu = "NVIDIA H100",
          .major = 9,
          .minor = 0,
          .built_for = "8.0, 9.0"};
}

}  // namespace

TEST_CASE("cuda: misfit names the mismatch of GPU and driver and build") {
  CHECK(misfit(good()).empty());

  CHECK(misfit({.failure = "CUDA driver version is insufficient for CUDA runtime version", .runtime = 13000}) ==
        "no GPU is available: the NVIDIA driver is not loaded");
  CHECK(
      misfit({.failure = "driver version is insufficient", .driver = 12040, .runtime = 13000}) ==
      "no GPU is available: driver version is insufficient (the driver supports CUDA 12.4, and this build needs 13.0); "
      "install a "
      "newer driver");
  CHECK(misfit({.failure = "unknown error", .driver = 13000, .runtime = 13000}) ==
        "no GPU is available: unknown error (the driver supports CUDA 13.0)");
  CHECK(misfit({.driver = 13000, .runtime = 13000}) == "no GPU is available: none was found");

  Machine machine = good();
  machine.device = 2;
  CHECK(misfit(machine) == "GPU 2 does not exist: the last one is 1");

  machine = good();
  machine.gpu = "Tesla V100";
  machine.major = 7;
  CHECK(
      misfit(machine) ==
      "the GPU Tesla V100 (compute capability 7.0, driver 13.0) is too old: the cuda backend needs compute capability "
      "8.0");

  machine = good();
  machine.gpu = "NVIDIA A10";
  machine.major = 8;
  machine.minor = 6;
  machine.has_kernels = false;
  machine.built_for = "9.0";
  CHECK(misfit(machine) ==
        "the GPU NVIDIA A10 (compute capability 8.6, driver 13.0) is not supported by this build, which was made for "
        "9.0: "
        "configure it with -DCMAKE_CUDA_ARCHITECTURES=86");
}

TEST_CASE("cuda: make_cuda_backend rejects a missing device") {
  CHECK_THROWS_WITH(make_cuda_backend({.device = 7}), "GPU 7 does not exist: the last one is 0; or use cpu");
}

TEST_CASE("cuda: replay_timed returns the seconds of its replays") {
  const auto backend = make_cuda_backend();
  const Buffer memory = backend->allocate(4096);
  const Tensor y({1024}, DType::f32, memory.data(), backend->device());
  const auto work = [&] { backend->run(Fill{.value = 3.0, .y = y}); };
  work();
  const auto graph = backend->capture(work);
  REQUIRE(graph);
  graph->replay();  // the first replay may take longer than many later ones
  const double one = graph->replay_timed(1), many = graph->replay_timed(200);
  CHECK(one > 0.0);
  CHECK(many > one);
}
