/// Writes a trained model as an ONNX file, for inference runtimes.

#include "core/error.h"
#include "exchange/onnx_export.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tools/program.h"

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

using namespace minception;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string weights, onnx;
  DescribedWeights described;
  bool preprocessing = false, softmax = false, keep_batch_norm = false, overwrite = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line
      .add_option("--weights", o.weights,
                  "model.safetensors, model_best.safetensors or a checkpoint of a run, or with --model a state dict")
      .required();
  command_line.add_option("--onnx", o.onnx, "file to write").required();
  o.described.declare(command_line);
  command_line.add_flag("--preprocessing", o.preprocessing,
                        "include resize and scaling: the input \"image\" holds bytes, (N, C, H, W) in the size of the "
                        "training images (default: \"input\", normalised floats)");
  command_line.add_flag("--softmax", o.softmax, "the output is \"probabilities\" (default: \"logits\")");
  command_line.add_flag("--keep-batch-norm", o.keep_batch_norm,
                        "write BatchNorm as nodes (default: as part of the convolutions)");
  command_line.add_flag("--overwrite", o.overwrite, "replace an existing file");
}

void run(const Options& o) {
  std::error_code ignored;
  require(o.overwrite || !fs::exists(fs::symlink_status(o.onnx, ignored)), o.onnx,
          ": already exists; choose another file or replace it with --overwrite");
  const WeightsFile weights = read_weights_file(o.weights, o.described.description());
  const auto backend = make_backend("reference");  // plans the network, runs nothing
  Network network(make_model(weights.config), *backend,
                  {.max_batch = 1,
                   .training = false,
                   .dataset_image = weights.image,
                   .image_options = weights.image_options,
                   .scale = weights.scale,
                   .shift = weights.shift});
  load_weights(network, weights, o.weights);
  export_onnx(network, weights.class_names, o.onnx,
              {.fold_batch_norm = !o.keep_batch_norm, .preprocessing = o.preprocessing, .softmax = o.softmax});
  std::printf("%s\n", o.onnx.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Writes a trained model as an ONNX file.", "export");
  declare(command_line, options);
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { run(options); });
}
