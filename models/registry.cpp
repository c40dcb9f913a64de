#include <minception/core/error.h>
#include <minception/models/googlenet.h>
#include <minception/models/registry.h>

namespace minception {
namespace {

struct Entry {
  const char* name;
  Model (*make)(const ModelConfig&);
};

constexpr Entry kModels[] = {{"googlenet", make_googlenet}, {"googlenet_bn", make_googlenet_bn}};

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
  for (const Entry& entry : kModels) {
    if (config.name == entry.name) return entry.make(config);
  }
  std::string known;
  for (const Entry& entry : kModels) known += concat(known.empty() ? "" : ", ", entry.name);
  fail("unknown model '", config.name, "': known are ", known);
}

}  // namespace minception
