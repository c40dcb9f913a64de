/// Event counts of each CUDA kernel in one training step of a model, or in one case of the test tables, from the
/// emulation: a profile without a GPU. Bytes, sectors and bank conflicts are counted only in a build with the checker.

#include "core/error.h"
#include "core/random.h"
#include "models/network.h"
#include "models/registry.h"
#include "simt/counters_table.h"
#include "tests/cases/case.h"
#include "tests/kernels/staged_case.h"
#include "tools/program.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <numeric>
#include <vector>

using namespace minception;

namespace {

void count_step(const std::string& name, std::int64_t batch, const Shape& size, DType dtype, const CudaOptions& options,
                bool infer) {
  const auto backend = make_cuda_backend(options);
  const ModelConfig config = {.name = name, .input = {1, size[0], size[1]}};
  const Shape source = {1, 28, 28};
  Network network(make_model(config), *backend,
                  {.max_batch = batch, .compute = dtype, .optimizer = Sgd{.momentum = 0.9}, .dataset_image = source});
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(batch * source.elements()));
  const Random random{1, 1};
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(random.bits(i));
  std::vector<std::int32_t> labels(static_cast<std::size_t>(batch));
  std::iota(labels.begin(), labels.end(), 0);
  for (std::int32_t& label : labels) label %= 10;
  const ResidentDataset dataset = make_resident(*backend, source, pixels, labels);
  std::vector<std::int32_t> indices(labels.size());
  std::iota(indices.begin(), indices.end(), 0);
  network.initialize(Initialization::xavier_uniform, 1);
  network.set_dataset(infer ? Mode::inference : Mode::training, dataset);
  network.set_indices(indices);
  network.set_control(1, 0, 0.01f, 0.9f);
  simt::reset_counters();
  if (infer) {
    network.infer(batch);
  } else {
    network.train_step(batch);
  }
}

void count_case(const std::string& label, DType dtype, const CudaOptions& options) {
  for (const Case& test_case : all_cases()) {
    if (test_case.label() != label) continue;
    const auto backend = make_cuda_backend(options);
    StagedCase staged(*backend, test_case.operation, dtype, make_values(test_case, dtype));
    simt::reset_counters();
    staged.run();
    return;
  }
  std::string near;
  for (const Case& test_case : all_cases()) {
    if (near.empty() && test_case.label().find(label) != std::string::npos) near = test_case.label();
  }
  fail("no case '", label, "'",
       near.empty() ? std::string("; --list prints all cases") : concat("; did you mean '", near, "'?"));
}

}  // namespace

int main(int argc, char** argv) {
  std::string model = "googlenet", size = "96", label, order = "traffic", algorithm = "automatic", dtype = "f32";
  std::int64_t batch = 2;
  bool tf32 = false, list = false, infer = false;
  CommandLine command_line(
      "Counts the operations of the CUDA kernels in one training step, or in one case of the test tables.",
      "kernel_counters");
  command_line.add_option("--model", model, "model to run");
  command_line.add_option("--batch", batch, "images per batch").range(1, 4096);
  command_line.add_option("--image-size", size, "image size: 96, or 96x64 (height x width)");
  command_line.add_flag("--inference", infer, "run inference instead of a training step");
  command_line.add_option("--case", label, "label of a case to run instead of a model");
  command_line.add_flag("--list", list, "print the labels of all cases");
  command_line.add_option("--dtype", dtype, "dtype of activations").one_of({"f32", "bf16"});
  command_line.add_option("--algorithm", algorithm, "algorithm of convolutions and matrix products")
      .one_of({"automatic", "naive", "fma", "tensor_op"});
  command_line.add_flag("--tf32", tf32, "allow tf32 on tensor cores");
  command_line.add_option("--sort", order, "column to sort by").one_of(simt::counter_orders());
  return command_line.run(argc, argv, [&] {
    if (list) {
      for (const Case& test_case : all_cases()) std::printf("%s\n", test_case.label().c_str());
      return;
    }
    CudaOptions options{.tf32 = tf32};
    if (algorithm == "naive") options.algorithm = Algorithm::naive;
    if (algorithm == "fma") options.algorithm = Algorithm::fma;
    if (algorithm == "tensor_op") options.algorithm = Algorithm::tensor_op;
    if (label.empty()) {
      count_step(model, batch, parse_image_size(size), *parse_dtype(dtype), options, infer);
    } else {
      count_case(label, *parse_dtype(dtype), options);
    }
    std::fputs(simt::counters_table(simt::counters(), order).c_str(), stdout);
  });
}
