/// Prints a model's output shapes, parameters, multiply-accumulates and memory. Only plans; allocates nothing.

#include "core/error.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/summary.h"
#include "models/weights_file.h"
#include "tools/program.h"

#include <cstdio>
#include <memory>
#include <optional>

using namespace minception;

namespace {

/// Memory saved by reusing buffers: one row per model, mode and dtype.
void print_all(Backend& backend, std::int64_t batch) {
  std::printf("memory of activations, their gradients and workspaces, MiB, batch %lld, on %s\n\n",
              static_cast<long long>(batch), backend.description().c_str());
  std::printf("| %-22s | %-9s | %-9s | %-5s | %8s | %8s | %8s | %5s |\n", "model", "input", "mode", "dtype", "planned",
              "live", "sum", "ratio");
  std::printf("| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n");
  std::string no_bf16;
  for (const std::string& name : model_names()) {
    const ModelConfig config = default_config(name);
    for (const bool training : {true, false}) {
      for (const DType compute : {DType::f32, DType::bf16}) {
        MemorySummary plan;
        try {
          const Network network(make_model(config), backend,
                                {.max_batch = batch, .training = training, .compute = compute, .plan_only = true});
          plan = network.plan(training ? Mode::training : Mode::inference).memory();
        } catch (const Error& error) {
          if (compute != DType::bf16) throw;
          no_bf16 = error.what();  // bf16 is not supported on every processor
          continue;
        }
        const auto mib = [](std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; };
        std::printf("| %-22s | %-9s | %-9s | %-5s | %8.1f | %8.1f | %8.1f | %5.2f |\n", name.c_str(),
                    concat(config.input[0], "x", config.input[1], "x", config.input[2]).c_str(),
                    training ? "training" : "inference", std::string(name_of(compute)).c_str(), mib(plan.arena),
                    mib(plan.live), mib(plan.without_reuse),
                    static_cast<double>(plan.arena) / static_cast<double>(plan.without_reuse));
      }
    }
  }
  std::printf(
      "\nplanned: memory allocated; live: most memory in use at one time, the lower bound for any plan;\n"
      "sum: all tensors and workspaces without reuse; ratio: planned / sum\n");
  if (!no_bf16.empty()) std::fprintf(stderr, "warning: bf16 rows are missing: %s\n", no_bf16.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::string name = "googlenet", weights;
  std::string input;
  std::optional<std::int64_t> classes;
  std::string device = "cpu";
  std::string compute = "f32";
  std::optional<std::int64_t> batch;
  bool inference = false, all = false;
  CommandLine command_line("Prints each stage's output shape, parameters, multiply-accumulates and memory.",
                           "summarize");
  command_line.add_option("--model", name, "googlenet, alexnet, vgg11, nin and others: docs/models.md");
  command_line
      .add_option("--weights", weights,
                  "instead of --model: the network of a weights file, such as a run's model.safetensors")
      .default_text("");
  command_line.add_option("--input", input,
                          "batch x channels x height x width (default: one image of the model's own size)");
  command_line.add_option("--classes", classes, "number of classifier outputs (default: the model's own)");
  command_line.add_option("--device", device, "device to plan workspaces for: cpu, cuda or reference");
  command_line.add_option("--compute", compute, "dtype of activations: f32 or bf16").one_of({"f32", "bf16"});
  command_line.add_option("--batch", batch, "images per batch (default: that of --input, or 1; with --all 128)")
      .range(1, 1'000'000);
  command_line.add_flag(
      "--all", all, "memory reuse of every model at its own input size, for training and inference in f32 and bf16");
  command_line.add_flag("--inference", inference, "show memory of inference instead of training");
  return command_line.run(argc, argv, [&] {
    if (all) return print_all(*make_backend(device), batch.value_or(128));
    require(weights.empty() || command_line.count("--model") == 0,
            "--weights and --model cannot be combined: the file describes its network");
    ModelConfig described = weights.empty() ? default_config(name) : read_weights_file(weights).config;
    const Shape& image = described.input;
    Shape shape = input.empty() ? Shape{1, image[0], image[1], image[2]} : parse_shape(input);
    require(shape.rank() == 4, "--input ", input, ": must be batch x channels x height x width, such as 1x1x96x96");
    shape[0] = batch.value_or(shape[0]);
    require(classes.value_or(1) <= 1'000'000 && shape[0] <= 1'000'000,
            "the number of classes and the batch must be at most 1,000,000");
    const std::unique_ptr<Backend> backend = make_backend(device);
    described.input = {shape[1], shape[2], shape[3]};
    const std::int64_t outputs = classes.value_or(described.classes);
    if (!described.graph.empty()) described.graph = with_classes(described.graph, described.classes, outputs);
    described.classes = outputs;
    Model model = make_model(described);
    for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    const Network network(std::move(model), *backend,
                          {.max_batch = shape[0],
                           .training = !inference,
                           .compute = compute == "bf16" ? DType::bf16 : DType::f32,
                           .plan_only = true});
    std::printf("%s\n%s", layer_table(network).c_str(), memory_table(network).c_str());
  });
}
