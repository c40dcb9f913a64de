/// What people are told whose GPU, driver and build do not fit each other.

#include <minception/kernels/backend.h>
#include <minception/kernels/cuda/machine.h>

#include <minception/tests/catch.h>

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

TEST_CASE("cuda: GPU, driver and build fit each other or one line says what does not") {
  CHECK(misfit(good()).empty());

  CHECK(misfit({.failure = "CUDA driver version is insufficient for CUDA runtime version", .runtime = 13000}) ==
        "no GPU answers: no driver of NVIDIA's is loaded");
  CHECK(misfit({.failure = "driver version is insufficient", .driver = 12040, .runtime = 13000}) ==
        "no GPU answers: driver version is insufficient (the driver knows CUDA 12.4, and this build needs 13.0); "
        "install a "
        "newer driver");
  CHECK(misfit({.failure = "unknown error", .driver = 13000, .runtime = 13000}) ==
        "no GPU answers: unknown error (the driver knows CUDA 13.0)");
  CHECK(misfit({.driver = 13000, .runtime = 13000}) == "no GPU answers: there is none");

  Machine machine = good();
  machine.device = 2;
  CHECK(misfit(machine) == "there is no GPU 2: the last one is 1");

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
        "the GPU NVIDIA A10 (compute capability 8.6, driver 13.0) finds no kernels in this build, which was made for "
        "9.0: "
        "configure it with -DCMAKE_CUDA_ARCHITECTURES=86");
}

TEST_CASE("cuda: a device that is not there is named") {
  CHECK_THROWS_WITH(make_cuda_backend({.device = 7}), "there is no GPU 7: the last one is 0; or use cpu");
}

TEST_CASE("cuda: a recording says how long its replays took") {
  const auto backend = make_cuda_backend();
  const Buffer memory = backend->allocate(4096);
  const Tensor y({1024}, DType::f32, memory.data(), backend->device());
  const auto work = [&] { backend->run(Fill{.value = 3.0, .y = y}); };
  work();
  const auto recording = backend->record(work);
  REQUIRE(recording);
  const double one = recording->replay_timed(1), many = recording->replay_timed(200);
  CHECK(one > 0.0);
  CHECK(many > one);
}
