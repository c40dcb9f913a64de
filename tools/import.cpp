/// Reads a network from an ONNX file and writes it as a weights file.

#include "core/error.h"
#include "core/safetensors.h"
#include "exchange/onnx_import.h"
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
  std::string onnx, out, image_size, resize = "stretch";
  std::vector<double> mean = {0.0}, deviation = {1.0};
  bool overwrite = false;
};

void declare(CommandLine& command_line, Options& o) {
  command_line.add_option("--onnx", o.onnx, "ONNX file of a network of convolutions, pools and so on: docs/onnx.md")
      .required();
  command_line.add_option("--out", o.out, "weights file to write, with the suffix .safetensors").required();
  command_line.add_option("--image-size", o.image_size, "size of the images, H or HxW, if the file leaves it free")
      .default_text("");
  command_line
      .add_option("--mean", o.mean,
                  "the network was trained on (pixel - mean) / std, pixels from 0 to 1; one value or "
                  "one per channel (default: as the file says, else 0)")
      .list();
  command_line.add_option("--std", o.deviation, "see --mean").list();
  command_line.add_option("--resize", o.resize, "how other images become this size: stretch, crop or letterbox");
  command_line.add_flag("--overwrite", o.overwrite, "replace an existing file");
}

void run(const Options& o) {
  std::error_code ignored;
  require(o.overwrite || !fs::exists(fs::symlink_status(o.out, ignored)), o.out,
          ": already exists; choose another file or replace it with --overwrite");
  OnnxImportOptions options;
  if (!o.image_size.empty()) options.size = parse_image_size(o.image_size);
  options.image_options.resize = parse_resize(o.resize);
  options.normalization = {o.mean, o.deviation};
  for (const double deviation : o.deviation) require(deviation > 0.0, "--std ", deviation, ": must be above 0");
  WeightsFile weights = import_onnx(o.onnx, options);
  const auto backend = make_backend("reference");
  const Network network(make_model(weights.config), *backend,
                        {.max_batch = 1,
                         .training = false,
                         .dataset_image = weights.image,
                         .image_options = weights.image_options,
                         .scale = weights.scale,
                         .shift = weights.shift,
                         .plan_only = true});
  write_safetensors(o.out, {std::move(weights.tensors), weights_metadata(network, weights.class_names)});
  std::printf("%s\n", o.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine command_line("Reads a network from an ONNX file and writes it as a weights file.", "import");
  declare(command_line, options);
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { run(options); });
}
