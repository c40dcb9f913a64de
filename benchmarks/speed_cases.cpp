#include <minception/benchmarks/speed_cases.h>
#include <minception/core/error.h>
#include <minception/kernels/backend.h>
#include <minception/models/network.h>
#include <minception/models/registry.h>

#include <set>

namespace minception {

std::vector<SpeedCase> googlenet_cases(std::int64_t batch, std::int64_t size) {
  const auto backend = make_reference_backend();
  const Network network(make_model({.name = "googlenet", .input = {1, size, size}}), *backend,
                        {.max_batch = batch, .training = false, .plan_only = true});
  std::vector<SpeedCase> cases;
  std::set<std::string> seen;
  const auto dense = [](const Tensor& tensor) { return Tensor(tensor.shape, DType::f32); };
  const auto add = [&](const std::string& name, const Operation& op) { cases.push_back({{name, op}, true}); };
  for (const Step& step : network.plan(Mode::inference).steps()) {
    if (const auto* conv = std::get_if<Conv2dForward>(&step.operation)) {
      const Tensor x = dense(conv->x), w = dense(conv->w), y = dense(conv->y);
      const std::string name = concat("googlenet ", step.layer);
      if (!seen.insert(concat(x.shape, w.shape, conv->attributes.stride.h)).second) continue;
      Conv2dForward forward{conv->attributes, x, w, Tensor({w.n()}, DType::f32), y};
      forward.attributes.relu = true;
      add(name, forward);
      Conv2dBackwardData data{conv->attributes, y, w, {x}};
      Conv2dBackwardWeights weights{conv->attributes, x, y, w, forward.bias};
      data.attributes.relu = weights.attributes.relu = false;
      if (x.c() > 1) add(name, data);  // nobody needs the gradient of the image
      add(name, weights);
    } else if (const auto* group = std::get_if<Conv2d1x1GroupForward>(&step.operation)) {
      const Tensor x = dense(group->x), w = dense(group->w), bias({w.n()}, DType::f32);
      std::vector<Tensor> y;
      std::string key = concat(x.shape);
      for (const Tensor& member : group->y) y.push_back(dense(member)), key += concat(member.shape);
      if (!seen.insert(key).second) continue;
      const std::string name = concat("googlenet ", step.layer, " 1x1 group");
      add(name, Conv2d1x1GroupForward{true, x, w, bias, y});
      add(name, Conv2d1x1GroupBackwardData{y, w, {x}});
      add(name, Conv2d1x1GroupBackwardWeights{x, y, w, bias});
    }
  }
  return cases;
}

std::string pass_of(const Operation& operation) {
  const std::string name(name_of(operation));
  if (name.ends_with("_data")) return "data";
  if (name.ends_with("_weights")) return "weights";
  return name.ends_with("_backward") ? "backward" : "forward";
}

}  // namespace minception
