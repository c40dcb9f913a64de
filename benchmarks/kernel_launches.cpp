/// Block sizes and dynamic shared memory with which the backend launches each CUDA kernel: one line per kernel and
/// combination, sorted by name. Emulated launches are recorded but not run, so that all cases of the tests and
/// training steps of large batches take seconds. kernel_report.py computes blocks per multiprocessor from them.

#include "models/network.h"
#include "models/registry.h"
#include "simt/executor.h"
#include "tests/cases/case.h"
#include "tests/kernels/precision.h"
#include "tests/kernels/staged_case.h"
#include "tools/program.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

using namespace minception;

namespace {

constexpr Algorithm kAlgorithms[] = {Algorithm::fma, Algorithm::naive, Algorithm::tensor_op};

void launch_cases(DType dtype) {
  std::vector<std::unique_ptr<Backend>> backends;
  for (const Algorithm algorithm : kAlgorithms) {
    backends.push_back(make_cuda_backend({.tf32 = true, .algorithm = algorithm}));
  }
  for (const Case& test_case : all_cases()) {
    if (std::holds_alternative<Custom>(test_case.operation)) continue;  // kernels of the tests
    const Values values = make_values(test_case, dtype);
    Operation unaligned = test_case.operation;  // to which other kernels belong
    for_each_operand(unaligned,
                     [](std::string_view, Tensor& tensor, Access) { tensor.offset += size_of(tensor.dtype); });
    for (const auto& backend : backends) {
      StagedCase(*backend, test_case.operation, dtype, values).run();
      StagedCase(*backend, unaligned, dtype, values).run();
      if (!multiplies_matrices(test_case.operation)) break;
    }
  }
}

/// One training step and one inference, of so many images that the large tiles are chosen.
void launch_network(const std::string& name, std::int64_t size, std::int64_t classes, const CudaOptions& options,
                    DType dtype) {
  constexpr std::int64_t kBatch = 128;
  const auto backend = make_cuda_backend(options);
  const Shape source = {1, 28, 28};
  Network network(make_model({.name = name, .input = {1, size, size}, .classes = classes}), *backend,
                  {.max_batch = kBatch,
                   .compute = dtype,
                   .optimizer = Sgd{.momentum = 0.9},
                   .max_norm = 1.0,
                   .ema_decay = 0.9,
                   .dataset_image = source});
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kBatch * source.elements()));
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(kBatch));
  const ResidentDataset dataset = make_resident(*backend, source, pixels, labels);
  std::vector<std::int32_t> indices(labels.size());
  std::iota(indices.begin(), indices.end(), 0);
  for (const Mode mode : {Mode::training, Mode::inference}) network.set_dataset(mode, dataset);
  network.set_indices(indices);
  network.set_control(1, 0, 0.01f, 0.9f);
  network.train_step(kBatch);
  network.infer(kBatch);
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine command_line(
      "Prints threads per block, bytes of dynamic shared memory and name of every CUDA kernel, as launched by the "
      "cases of "
      "the tests and by training steps. Kernels are not run.",
      "kernel_launches");
  return command_line.run(argc, argv, [&] {
    simt::settings().execution = simt::Execution::none;
    simt::settings().device_memory = std::size_t{64} << 30;  // address space only
    for (const DType dtype : {DType::f32, DType::bf16}) {
      launch_cases(dtype);
      for (const Algorithm algorithm : {Algorithm::fma, Algorithm::tensor_op}) {
        const CudaOptions options{.tf32 = true, .algorithm = algorithm};
        launch_network("googlenet", 96, 10, options, dtype);
        launch_network("vgg11", 64, 1000, options, dtype);  // weight gradients and losses of several blocks
      }
    }
    std::vector<simt::KernelCounters> kernels = simt::counters();
    std::sort(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) { return a.kernel < b.kernel; });
    std::printf(
        "# Threads per block, bytes of dynamic shared memory, kernel. Made by kernel_launches of build/emulated.\n");
    for (const simt::KernelCounters& kernel : kernels) {
      for (const simt::LaunchShape& shape : kernel.shapes) {
        std::printf("%4zu %6zu %s\n", shape.block_threads, shape.dynamic_shared, kernel.kernel.c_str());
      }
    }
  });
}
