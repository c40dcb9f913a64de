/// Prints what a model is made of: output shapes, parameters, multiply-accumulates, memory. Only plans:
/// nothing is allocated.

#include <minception/core/error.h>
#include <minception/examples/program.h>
#include <minception/models/registry.h>
#include <minception/models/summary.h>

#include <cstdio>
#include <memory>
#include <optional>

using namespace minception;

int main(int argc, char** argv) {
  std::string name = "googlenet";
  std::string input;
  std::optional<std::int64_t> classes;
  std::string device = "cpu";
  bool inference = false;
  CLI::App app("Prints each stage's output shape, parameters, multiply-accumulates and memory.", "summarize");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--model", name, "googlenet, alexnet, vgg11, nin and others: docs/models.md");
  app.add_option("--input", input,
                 "batch x channels x height x width; not given: one image as the model's description says");
  app.add_option("--classes", classes, "outputs of the classifier; not given: as the model's description says");
  app.add_option("--device", device, "whose workspaces to plan with: cpu, cuda or reference");
  app.add_flag("--inference", inference, "memory of inference instead of training");
  return run_program(app, argc, argv, [&] {
    const ModelConfig described = default_config(name);
    const Shape& image = described.input;
    const Shape shape = input.empty() ? Shape{1, image[0], image[1], image[2]} : parse_shape(input);
    require(shape.rank() == 4, "--input ", input, ": write batch x channels x height x width, such as 1x1x96x96");
    require(classes.value_or(1) <= 1'000'000 && shape[0] <= 1'000'000,
            "more than 1,000,000 classes or images are not planned for");
    const std::unique_ptr<Backend> backend = make_backend(device);
    Model model = make_model(
        {.name = name, .input = {shape[1], shape[2], shape[3]}, .classes = classes.value_or(described.classes)});
    for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    const Network network(std::move(model), *backend,
                          {.max_batch = shape[0], .training = !inference, .plan_only = true});
    std::printf("%s\n%s", layer_table(network).c_str(), memory_table(network).c_str());
  });
}
