/// Speed of the executor of emulated kernels: cost of a thread switch, and convolutions with each algorithm. Uses one
/// OS thread; reports the best of several runs.

#include "core/error.h"
#include "kernels/cuda/launch.h"
#include "tests/cases/case.h"
#include "tests/kernels/staged_case.h"
#include "tools/program.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace minception;

namespace {

__global__ void wait_often(int barriers) {
  for (int i = 0; i < barriers; ++i) __syncthreads();
}

/// Seconds spent in emulated kernels since the counters were reset.
double kernel_seconds() {
  double seconds = 0.0;
  for (const simt::KernelCounters& counters : simt::counters()) seconds += counters.seconds;
  return seconds;
}

template <class Run>
double best_seconds(int repetitions, Run&& run) {
  double best = 1e300;
  for (int i = 0; i < repetitions; ++i) {
    simt::reset_counters();
    run();
    best = std::min(best, kernel_seconds());
  }
  return best;
}

void switches(int repetitions) {
  for (const int threads : {32, 256, 1024}) {
    const int barriers = 200000 / threads;
    const double seconds =
        best_seconds(repetitions, [&] { cuda::launch<wait_often>(1, threads, 0, nullptr, barriers); });
    std::printf("barrier, %4d threads: %6.1f ns per thread\n", threads, seconds * 1e9 / (barriers * threads));
  }
}

void convolutions(int repetitions) {
  struct Way {
    const char* name;
    DType dtype;
    CudaOptions options;
  };
  const Way ways[] = {{"naive, f32", DType::f32, {.algorithm = Algorithm::naive}},
                      {"fma, f32", DType::f32, {.algorithm = Algorithm::fma}},
                      {"tensor_op, tf32", DType::f32, {.tf32 = true, .algorithm = Algorithm::tensor_op}},
                      {"tensor_op, bf16", DType::bf16, {.algorithm = Algorithm::tensor_op}}};
  for (const char* label :
       {"conv2d_forward: conv3 3x3", "conv2d_backward_data: conv3 3x3", "conv2d_backward_weights: conv3 3x3"}) {
    std::printf("%s\n", label);
    for (const Case& test_case : all_cases()) {
      if (test_case.label() != label) continue;
      for (const Way& way : ways) {
        const auto backend = make_cuda_backend(way.options);
        StagedCase staged(*backend, test_case.operation, way.dtype, make_values(test_case, way.dtype));
        const double seconds = best_seconds(repetitions, [&] { staged.run(); });
        std::printf("  %-18s %6.2f GFLOP/s\n", way.name,
                    2e-9 * static_cast<double>(multiply_accumulates(test_case.operation)) / seconds);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  int repetitions = 20;
  CommandLine command_line("Measures the executor of emulated kernels.", "executor_speed");
  command_line.add_option("--repetitions", repetitions, "number of repetitions; the best is reported").range(1, 10000);
  return command_line.run(argc, argv, [&] {
    simt::settings().os_threads = 1;
    switches(repetitions);
    convolutions(repetitions);
  });
}
