/// State dicts of other tools: precisions, prefixes, missing heads, and values that are not finite.

#include "core/error.h"
#include "models/registry.h"
#include "models/state_dict.h"
#include "models/weights.h"
#include "models/weights_file.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;

namespace {

using State = std::map<std::string, FileTensor>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

FileTensor floats(const std::vector<double>& values) {
  return to_file_tensor(values, Shape{static_cast<std::int64_t>(values.size())}, DType::f32);
}

FileTensor halves(const std::vector<std::uint16_t>& bits) {
  FileTensor tensor{DType::f16, Shape{static_cast<std::int64_t>(bits.size())}, std::vector<std::byte>(2 * bits.size())};
  std::memcpy(tensor.bytes.data(), bits.data(), tensor.bytes.size());
  return tensor;
}

double half(std::uint16_t bits) { return to_doubles(halves({bits}))[0]; }

/// torchvision's GoogLeNet for three classes, small enough for the reference backend.
ModelConfig torchvision() { return {.name = "googlenet_torchvision", .input = {3, 32, 32}, .classes = 3}; }

const WeightsDescription kTorchvision = {.model = "googlenet_torchvision", .size = Shape{32, 32}};

State initial_state(Backend& backend, const ModelConfig& config, std::uint64_t seed) {
  Network network(make_model(config), backend, {.max_batch = 1, .training = false});
  network.initialize(Initialization::kaiming_normal, seed);
  return network.state();
}

State without_heads(State state) {
  std::erase_if(state, [](const auto& item) { return item.first.starts_with("aux"); });
  return state;
}

}  // namespace

TEST_CASE("f16 values convert as IEEE binary16", "[state dict]") {
  CHECK(half(0x3c00) == 1.0);
  CHECK(half(0xc000) == -2.0);
  CHECK(half(0x3555) == 0.333251953125);
  CHECK(half(0x7bff) == 65504.0);
  CHECK(half(0x0400) == 0x1p-14);
  CHECK(half(0x0001) == 0x1p-24);
  CHECK(half(0x03ff) == 1023 * 0x1p-24);
  CHECK(half(0x7c00) == std::numeric_limits<double>::infinity());
  CHECK(half(0xfc00) == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(half(0x7e00)));
  CHECK(std::isnan(half(0x7c01)));
  CHECK(std::signbit(half(0x8000)));
  // Neighbouring numbers differ by one unit of the last of 10 mantissa bits; below 2^-14 that is 2^-24.
  bool spaced = true;
  for (std::uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const double step = std::ldexp(1.0, std::max(bits >> 10, 1) - 25);
    spaced = spaced && half(static_cast<std::uint16_t>(bits + 1)) - half(bits) == step &&
             half(static_cast<std::uint16_t>(bits | 0x8000)) == -half(bits);
  }
  CHECK(spaced);
}

TEST_CASE("other precisions become f32 and values too large for f32 are an error", "[state dict]") {
  const auto as = [](double value, DType dtype) { return to_file_tensor(std::vector<double>{value}, Shape{1}, dtype); };
  State tensors = {{"a", as(1.0 / 3.0, DType::f64)},
                   {"b", as(0.40625, DType::bf16)},
                   {"c", halves({0x3555, 0xc000})},
                   {"d", as(0.1, DType::f32)},
                   {"n", {DType::i64, {}, std::vector<std::byte>(8)}}};
  State expected = tensors;
  expected["a"] = floats({static_cast<double>(1.0f / 3.0f)});
  expected["b"] = floats({0.40625});
  expected["c"] = floats({0.333251953125, -2.0});
  convert_to_f32(tensors);
  CHECK(tensors == expected);

  State large = {{"fc.weight", to_file_tensor(std::vector<double>{1e300, 1.0, -4e38}, Shape{3}, DType::f64)}};
  CHECK(message_of([&] { convert_to_f32(large); }) ==
        "the tensor fc.weight is f64, and 2 of 3 values are too large for f32");
}

TEST_CASE("values that are not finite are counted per tensor", "[state dict]") {
  State tensors = {{"a.weight", floats({1, 2, 3})}, {"a.running_var", floats({0, 1})}};
  CHECK_NOTHROW(check_numbers(tensors));
  tensors["a.weight"] = floats({1, kNaN, -kInfinity});
  const std::string advice = ": the training run diverged; use earlier weights";
  CHECK(message_of([&] { check_numbers(tensors); }) ==
        "NaN or infinity in the tensor a.weight (2 of 3 values)" + advice);
  for (const char* name : {"b", "c", "d", "e"}) tensors[name] = floats({kInfinity});
  CHECK(message_of([&] { check_numbers(tensors); }) ==
        "NaN or infinity in the tensors a.weight (2 of 3 values), b (1 of 1 values), c (1 of 1 values) and 2 more" +
            advice);

  // sqrt(variance + epsilon) is undefined for a negative variance.
  State statistics = {{"bn.running_var", floats({1, -1e-6})}, {"bn.running_mean", floats({-1, kNaN})}};
  CHECK_NOTHROW(check_numbers(statistics, Numbers::trained));
  CHECK_THAT(message_of([&] { check_numbers(statistics); }), Catch::Contains("bn.running_mean (1 of 2 values)"));
  statistics.erase("bn.running_mean");
  CHECK(message_of([&] { check_numbers(statistics); }) ==
        "variances below 0 in the tensor bn.running_var (1 of 2 values): not the statistics of a BatchNorm");
}

TEST_CASE("strip_prefix removes common prefixes of all names", "[state dict]") {
  const State plain = {{"conv1.weight", floats({1})}, {"inner.conv1.weight", floats({2})}, {"fc.weight", floats({3})}};
  for (const std::string prefix : {"", "module.", "_orig_mod.", "model.", "module._orig_mod.", "model.net.module."}) {
    INFO(prefix);
    State tensors;
    for (const auto& [name, tensor] : plain) tensors[prefix + name] = tensor;
    strip_prefix(tensors, {"conv1.weight", "fc.weight"});
    CHECK(tensors == plain);
  }
  // A submodule compiled on its own.
  State part = {
      {"conv1.weight", floats({1})}, {"inner._orig_mod.conv1.weight", floats({2})}, {"fc.weight", floats({3})}};
  strip_prefix(part, {"conv1.weight", "fc.weight"});
  CHECK(part == plain);
  // Tensors outside the network keep their names; an incomplete network has no prefix.
  State more = {{"net.conv1.weight", floats({1})}, {"net.fc.weight", floats({3})}, {"loss.weight", floats({4})}};
  strip_prefix(more, {"conv1.weight", "fc.weight"});
  CHECK(more == State{{"conv1.weight", floats({1})}, {"fc.weight", floats({3})}, {"loss.weight", floats({4})}});
  const State other = {
      {"layer1.conv1.weight", floats({1})}, {"layer2.conv1.weight", floats({1})}, {"fc.weight", floats({3})}};
  State same = other;
  strip_prefix(same, {"conv1.weight", "fc.weight"});
  CHECK(same == other);

  State two;
  for (const char* prefix : {"ema.", "model."}) {
    for (const auto& [name, tensor] : plain) two[prefix + name] = tensor;
  }
  CHECK_THAT(message_of([&] {
               strip_prefix(two, {"conv1.weight", "fc.weight"});
             }),
             Catch::StartsWith("holds 2 networks with the prefixes ema. and model."));
  State twice = {{"conv1.weight", floats({1})}, {"_orig_mod.conv1.weight", floats({1})}};
  CHECK_THAT(message_of([&] { strip_prefix(twice, {"conv1.weight"}); }),
             Catch::StartsWith("the tensor conv1.weight occurs twice"));
}

TEST_CASE("a state dict is read in any precision and with a prefix from wrappers", "[state dict]") {
  const auto backend = make_reference_backend();
  const TemporaryFolder folder;
  const auto path = folder / "state.safetensors";
  const State state = without_heads(initial_state(*backend, torchvision(), 1));
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    State saved, expected;
    for (const auto& [name, tensor] : state) {
      saved["module." + name] = to_file_tensor(to_doubles(tensor), tensor.shape, dtype);
      expected[name] = to_file_tensor(to_doubles(saved["module." + name]), tensor.shape, DType::f32);
    }
    write_safetensors(path, {saved, {}});
    const WeightsFile read = read_weights_file(path, kTorchvision);
    CHECK(read.described);
    CHECK(read.config.classes == 3);
    CHECK(read.config.transform_input);
    CHECK(read.tensors == expected);
  }
  write_safetensors(path, {{{"features.0.weight", floats({1})}, {"features.0.bias", floats({1})}}, {}});
  CHECK_THAT(message_of([&] { read_weights_file(path, kTorchvision); }),
             Catch::Contains("has no tensor conv1.conv.weight: not weights of googlenet_torchvision, but the "
                             "tensors features.0.bias, features.0.weight"));
  State spoiled = state;
  std::memcpy(spoiled.at("conv2.conv.weight").bytes.data(), &kNaN, sizeof kNaN);
  for (const bool labelled : {false, true}) {
    std::map<std::string, std::string> metadata;
    if (labelled) metadata["model"] = "{}";
    write_safetensors(path, {spoiled, metadata});
    CHECK_THAT(
        message_of([&] { read_weights_file(path, labelled ? WeightsDescription{} : kTorchvision); }),
        Catch::StartsWith(path.string() + ": NaN or infinity in the tensor conv2.conv.weight (1 of 4096 values)"));
  }
}

TEST_CASE("auxiliary heads that a file lacks keep their values", "[state dict]") {
  const auto backend = make_reference_backend();
  const TemporaryFolder folder;
  const auto path = folder / "state.safetensors";
  ModelConfig many = torchvision();
  many.classes = 7;
  const State given = initial_state(*backend, torchvision(), 1), of_seven = initial_state(*backend, many, 1);
  struct Case {
    const State* state;
    bool heads;
    Heads how;
  };
  for (const Case& c : {Case{&given, false, Heads::load}, Case{&given, true, Heads::load},
                        Case{&of_seven, false, Heads::keep}, Case{&of_seven, true, Heads::keep}}) {
    write_safetensors(path, {c.heads ? *c.state : without_heads(*c.state), {}});
    const WeightsFile read = read_weights_file(path, kTorchvision);
    Network network(make_model(torchvision()), *backend, {.max_batch = 1});
    network.initialize(Initialization::kaiming_normal, 2);
    const State before = network.state();
    const std::vector<std::string> absent = load_weights(network, read, path, c.how);
    CHECK(absent == (c.heads ? std::vector<std::string>{} : std::vector<std::string>{"aux1", "aux2"}));
    int kept = 0;
    for (const auto& [name, tensor] : network.state()) {
      const bool in_head = name.starts_with("aux");
      const bool last = name.starts_with("fc.") || name.find(".fc2.") != std::string::npos;
      const bool keeps = (in_head && !c.heads) || (last && c.how == Heads::keep);
      INFO(name);
      CHECK(tensor == (keeps ? before : *c.state).at(name));
      kept += keeps;
    }
    CHECK(kept == (c.heads ? 0 : 18) + (c.how == Heads::keep ? (c.heads ? 6 : 2) : 0));
  }
  // An inference network does not need the auxiliary heads.
  write_safetensors(path, {without_heads(given), {}});
  Network network(make_model(torchvision()), *backend, {.max_batch = 1, .training = false});
  load_weights(network, read_weights_file(path, kTorchvision), path);
  CHECK(without_heads(network.state()) == without_heads(given));
}

TEST_CASE("a weights file keeps transform_input", "[state dict]") {
  const auto backend = make_reference_backend();
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  for (const bool transform : {true, false}) {
    ModelConfig config = torchvision();
    config.transform_input = transform;
    Network network(make_model(config), *backend, {.max_batch = 1, .training = false});
    CHECK(network.model().input_scale.size() == (transform ? 3 : 0));
    write_safetensors(path, {network.state(), weights_metadata(network, {"a", "b", "c"})});
    CHECK(read_weights_file(path).config.transform_input == transform);
    write_safetensors(path, {network.state(), {}});
    WeightsDescription described = kTorchvision;
    described.transform_input = transform;
    CHECK(read_weights_file(path, described).config.transform_input == transform);
  }
  CHECK(message_of([] { make_model({.name = "googlenet", .transform_input = false}); }) ==
        "googlenet has no input transform to omit; only googlenet_torchvision has one");
}

TEST_CASE("normalization_of recovers short decimal means and deviations", "[state dict]") {
  const std::vector<Normalization> all = {{{0.0}, {1.0}},
                                          {{0.5}, {0.25}},
                                          {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
                                          {{0.2860405969887955}, {0.35302424451492237}},
                                          {{0.1, 0.2}, {0.5}},
                                          {{0.5}, {0.1, 0.2}}};
  for (const Normalization& n : all) {
    const std::optional<Normalization> found = normalization_of(n.scale(), n.shift());
    REQUIRE(found.has_value());
    INFO(n.mean[0] << " " << found->mean[0] << ", " << n.deviation[0] << " " << found->deviation[0]);
    const auto expanded = [](const std::vector<float>& values, std::size_t count) {
      return values.size() == 1 ? std::vector<float>(count, values[0]) : values;
    };
    CHECK(expanded(found->scale(), 3) == expanded(n.scale(), 3));
    CHECK(expanded(found->shift(), 3) == expanded(n.shift(), 3));
    if (n.mean[0] != 0.2860405969887955) {
      CHECK(found->mean == n.mean);
      CHECK(found->deviation == n.deviation);
    }
  }
  const auto none = [](float scale, float shift) {
    return !normalization_of(std::vector<float>{scale}, std::vector<float>{shift}).has_value();
  };
  CHECK(none(0.0f, 0.0f));
  CHECK(none(-0.01f, 0.5f));
}
