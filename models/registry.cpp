#include "models/registry.h"
#include "core/error.h"
#include "models/classic.h"
#include "models/googlenet.h"
#include "models/graph.h"
#include "models/resnet.h"

namespace minception {
namespace {

struct Entry {
  const char* name;
  Model (*make)(const ModelConfig&);
  Extent2d image;  // the model's default input size
  std::int64_t channels;
  std::int64_t classes;
};

constexpr Entry kModels[] = {{"alexnet", make_alexnet, {224, 224}, 1, 10},
                             {"googlenet", make_googlenet, {96, 96}, 1, 10},
                             {"googlenet_bn", make_googlenet_bn, {96, 96}, 1, 10},
                             {"googlenet_cifar", make_googlenet_cifar, {32, 32}, 3, 10},
                             {"googlenet_native", make_googlenet_native, {28, 28}, 1, 10},
                             {"googlenet_residual", make_googlenet_residual, {96, 96}, 1, 10},
                             {"googlenet_small", make_googlenet_small, {96, 96}, 1, 10},
                             {"googlenet_torchvision", make_googlenet_torchvision, {224, 224}, 3, 1000},
                             {"googlenet_v1", make_googlenet_v1, {224, 224}, 3, 1000},
                             {"googlenet_v2", make_googlenet_v2, {96, 96}, 1, 10},
                             {"googlenet_v3", make_googlenet_v3, {96, 96}, 1, 10},
                             {"nin", make_nin, {224, 224}, 1, 10},
                             {"resnet18", make_resnet18, {224, 224}, 3, 1000},
                             {"resnet34", make_resnet34, {224, 224}, 3, 1000},
                             {"resnet50", make_resnet50, {224, 224}, 3, 1000},
                             {"vgg11", make_vgg11, {224, 224}, 1, 10},
                             {"vgg11_small", make_vgg11_small, {224, 224}, 1, 10}};

[[noreturn]] void fail_unknown(std::string_view name) {
  std::string known;
  for (const Entry& entry : kModels) known += concat(known.empty() ? "" : ", ", entry.name);
  fail("unknown model '", name, "': use one of ", known);
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kModels) names.emplace_back(entry.name);
  return names;
}

Model make_model(const ModelConfig& config) {
  require(config.input.rank() == 3 && config.input.elements() > 0, "the input ", config.input,
          " of a model must be (channels, height, width), each at least 1");
  require(config.classes >= 1, "a model of ", config.classes, " classes: at least 1 is needed");
  require(!config.dropout || (*config.dropout >= 0.0 && *config.dropout < 1.0),
          "the dropout rate of a model must be at least 0 and below 1, not ", config.dropout.value_or(0.0));
  if (!config.graph.empty()) return model_from_graph(config);
  for (const Entry& entry : kModels) {
    if (config.name != entry.name) continue;
    require(config.transform_input || entry.make == make_googlenet_torchvision, config.name,
            " has no input transform to omit; only googlenet_torchvision has one");
    return entry.make(config);
  }
  fail_unknown(config.name);
}

ModelConfig default_config(std::string_view name) {
  for (const Entry& entry : kModels) {
    if (name != entry.name) continue;
    return {.name = entry.name, .input = {entry.channels, entry.image.h, entry.image.w}, .classes = entry.classes};
  }
  fail_unknown(name);
}

}  // namespace minception
