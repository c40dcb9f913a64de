/// Damaged descriptions of networks end in an Error of one line, never in a crash or another exception.

#include "core/error.h"
#include "core/random.h"
#include "models/graph.h"
#include "models/network.h"
#include "tests/models/networks.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <limits>
#include <string>
#include <vector>

using namespace minception;
using Json = nlohmann::ordered_json;

namespace {

/// A network with containers, blocks and layers with and without settings.
Model various() {
  Sequential body = {Conv2d(8, 3, {.padding = 1, .bias = false}),
                     BatchNorm2d(),
                     ReLU(),
                     MaxPool2d(2),
                     LocalResponseNorm({.size = 3}),
                     Residual({Conv2d(8, 3, {.padding = 1}), ReLU()}, 0.5, true),
                     Residual({Conv2d(8, 3, {.padding = 1})}, {Conv2d(8, 1)}),
                     Inception({.channels = {0, 4, 4, 4, 4, 4, 4}}),
                     AvgPool2d(2),
                     Dropout(0.5),
                     Flatten(),
                     Linear(4)};
  return {"various", std::move(body), {2, 12, 10}, 4};
}

Json any_value(const Random& random, std::uint64_t& next) {
  static const std::vector<Json> kValues = {-1,
                                            0,
                                            1,
                                            7,
                                            1'000'000,
                                            std::numeric_limits<std::int64_t>::max(),
                                            std::numeric_limits<std::int64_t>::min(),
                                            1.5,
                                            -0.25,
                                            1e308,
                                            nullptr,
                                            true,
                                            "",
                                            "x",
                                            "Conv2d",
                                            "Sequential",
                                            std::string("\n\0", 2),
                                            std::string(5000, 'a'),
                                            Json::array(),
                                            Json::object(),
                                            Json::array({1}),
                                            Json::array({-3, 3}),
                                            Json::array({1'000'000'000, 1'000'000'000}),
                                            Json::array({1, 2, 3})};
  return kValues[random.bits(next++) % kValues.size()];
}

void pointers(const Json& json, const Json::json_pointer& here, std::vector<Json::json_pointer>& all) {
  all.push_back(here);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) pointers(value, here / key, all);
  } else if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) pointers(json[i], here / i, all);
  }
}

/// Replaces, removes, copies or moves one value.
Json mutated(Json json, const Random& random, std::uint64_t& next) {
  std::vector<Json::json_pointer> all;
  pointers(json, Json::json_pointer(), all);
  const Json::json_pointer at = all[1 + random.bits(next++) % (all.size() - 1)];
  const Json copy = json[all[random.bits(next++) % all.size()]];
  Json& parent = json[at.parent_pointer()];
  switch (random.bits(next++) % 5) {
    case 0:
    case 1:
      json[at] = any_value(random, next);
      break;
    case 2:
      json[at] = copy;
      break;
    case 3:
      if (parent.is_object()) {
        parent.erase(at.back());
      } else {
        parent.erase(static_cast<std::size_t>(std::stoul(at.back())));
      }
      break;
    default:
      if (parent.is_array()) {
        parent.insert(parent.begin() + std::stol(at.back()), copy);
      } else {
        parent["extra"] = copy;
      }
  }
  return json;
}

}  // namespace

TEST_CASE("graphs: every mutation is a network or an error of one line") {
  const Json whole = Json::parse(to_graph(various()));
  const auto backend = make_backend("reference");
  const Random random{11, 0};
  std::uint64_t next = 0;
  int networks = 0, errors = 0;
  for (int i = 0; i < 3000; ++i) {
    Json json = mutated(whole, random, next);
    if (i % 3 == 0 && json.is_object() && json.size() > 1) json = mutated(std::move(json), random, next);
    const std::string text = json.dump();
    INFO("mutation " << i << ": " << text);
    try {
      const Network network(model_from_graph({.name = "various", .input = {2, 12, 10}, .classes = 4, .graph = text}),
                            *backend, {.max_batch = 2, .training = i % 2 == 0, .plan_only = true});
      ++networks;
    } catch (const Error& error) {
      ++errors;
      const std::string message = error.what();
      CHECK(message.size() < 500);
      CHECK(message.find('\n') == std::string::npos);
    }
  }
  CHECK(networks > 50);
  CHECK(errors > 1000);
}
