/// Whole networks: gradients, memory, partial batches, state.

#ifdef MINCEPTION_HAVE_CPU
#include "kernels/cpu/backend.h"
#include "kernels/cpu/onednn.h"
#endif
#include "models/gradient_check.h"
#include "models/network.h"
#include "models/registry.h"
#include "models/weights.h"
#include "tests/models/drift.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>

using namespace minception;

namespace {

std::vector<std::byte> parameters_after(Backend& backend, Model model, bool reuse, int steps) {
  const ModelConfig config = model.config;
  Network network(std::move(model), backend,
                  {.max_batch = 6,
                   .optimizer = Sgd{.momentum = 0.9, .nesterov = true, .weight_decay = 1e-3},
                   .reuse_memory = reuse});
  network.initialize(Initialization::xavier_uniform, 1);
  for (int step = 0; step < steps; ++step) {
    const RandomBatch data = random_batch(config, step % 2 == 0 ? 6 : 5, static_cast<std::uint64_t>(step));
    network.set_input(Mode::training, data.images, data.labels);
    network.set_control(1, 6 * step, 0.05f, 0.9f);
    network.train_step(static_cast<std::int64_t>(data.labels.size()));
    network.set_input(Mode::inference, data.images, data.labels);
    network.infer(static_cast<std::int64_t>(data.labels.size()));
  }
  const auto flat = network.flat_parameters();
  return {flat.begin(), flat.end()};
}

double relative_difference(const FileTensor& a, const FileTensor& b) {
  const std::vector<double> x = to_doubles(a), y = to_doubles(b);
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE("gradients of whole small networks agree with central differences", "[gradients]") {
  for (const bool batch_norm : {false, true}) {
    for (const bool auxiliary : {false, true}) {
      const GradientCheck check = check_gradients(small_googlenet(batch_norm, auxiliary),
                                                  {.batch = 6, .label_smoothing = auxiliary ? 0.1 : 0.0});
      INFO("batch_norm " << batch_norm << ", auxiliary head " << auxiliary << ": " << check.text());
      CHECK(check.ok());
    }
  }
}

TEST_CASE("gradients of later blocks and auxiliary classifiers agree with central differences", "[gradients]") {
  const GradientCheck check = check_gradients(small_relative(true), {.batch = 6, .coordinates = 4});
  INFO(check.text());
  CHECK(check.ok());
}

TEST_CASE("gradients of googlenet and googlenet_bn agree with central differences", "[gradients]") {
  const GradientCheck plain = check_gradients(make_model({.name = "googlenet", .input = {1, 32, 32}}),
                                              {.batch = 4,
                                               .coordinates = 4,
                                               .only = {"conv1.conv.weight", "inception3a.branch2.0.conv.weight",
                                                        "inception4c.branch3.1.conv.bias", "fc.weight"}});
  INFO("googlenet: " << plain.text());
  CHECK(plain.ok());
  const GradientCheck normed =
      check_gradients(make_model({.name = "googlenet_bn", .input = {1, 32, 32}}),
                      {.batch = 16,
                       .coordinates = 4,
                       .only = {"conv1.conv.weight", "inception3b.branch1.bn.weight", "inception5b.branch4.1.bn.bias",
                                "inception4a.branch2.1.conv.weight"}});
  INFO("googlenet_bn: " << normed.text());
  CHECK(normed.ok());
}

TEST_CASE("reuse_memory does not change the results", "[memory]") {
  const auto backend = make_reference_backend();
  for (const bool batch_norm : {false, true}) {
    CHECK(parameters_after(*backend, small_googlenet(batch_norm, true), true, 4) ==
          parameters_after(*backend, small_googlenet(batch_norm, true), false, 4));
  }
  const Network shared(make_model({.name = "googlenet"}), *backend, {.plan_only = true});
  CHECK(shared.memory().training.arena < shared.memory().training.without_reuse * 6 / 10);
  CHECK(shared.memory().training.arena >= shared.memory().training.live);
}

TEST_CASE("a partial batch gives the results of a network of that size", "[partial batch]") {
  const auto backend = make_reference_backend();
  const RandomBatch data = random_batch(small_googlenet(true).config, 3);
  std::map<std::string, FileTensor> states[2];
  for (const std::int64_t max_batch : {3, 8}) {
    Network network(small_googlenet(true), *backend, {.max_batch = max_batch});
    network.initialize(Initialization::xavier_uniform, 1);
    network.set_input(Mode::training, data.images, data.labels);
    network.set_control(1, 0, 0.1f, 0.0f);
    network.train_step(3);
    states[max_batch == 8] = network.state();
  }
  CHECK(states[0] == states[1]);
}

TEST_CASE("a training step with a batch of one works", "[partial batch]") {
  const auto backend = make_reference_backend();
  // The smallest images that leave BatchNorm more than one value per channel in the last block: 2x2.
  Network network(make_model({.name = "googlenet_bn", .input = {1, 33, 33}}), *backend, {.max_batch = 2});
  network.initialize(Initialization::xavier_uniform, 1);
  const RandomBatch data = random_batch(network.model().config, 1);
  network.set_input(Mode::training, data.images, data.labels);
  network.set_control(1, 0, 0.1f, 0.0f);
  network.train_step(1);
  for (const auto& [name, tensor] : network.state()) {
    const std::vector<double> values = to_doubles(tensor);
    INFO(name);
    CHECK(std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }));
  }
  CHECK_THROWS_WITH(network.train_step(3), Catch::Contains("planned for 1 to 2"));
  CHECK_THROWS_AS(network.train_step(0), Error);
}

TEST_CASE("state round-trips in file shapes and invalid states change nothing", "[state]") {
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true), *backend, {.max_batch = 2});
  network.initialize(Initialization::kaiming_normal, 4);
  const auto state = network.state();
  Network other(small_googlenet(true), *backend, {.max_batch = 2});
  other.initialize(Initialization::xavier_uniform, 9);
  CHECK(other.state() != state);
  other.load_state(state);
  CHECK(other.state() == state);

  auto missing = state;
  missing.erase("fc.bias");
  CHECK_THROWS_WITH(other.load_state(missing), Catch::Contains("fc.bias") && Catch::Contains("missing"));
  missing.erase("conv1.conv.weight");
  missing["stem.weight"] = missing["stem.bias"] = missing["top.weight"] = missing["top.bias"] = state.at("fc.weight");
  CHECK_THROWS_WITH(
      other.load_state(missing),
      Catch::Equals("the tensors stem.bias, stem.weight, top.bias and 1 more belong to no layer of small; the "
                    "tensors conv1.conv.weight, fc.bias of small are missing"));
  auto extra = state;
  extra["fc.extra"] = state.at("fc.bias");
  CHECK_THROWS_WITH(other.load_state(extra), Catch::Contains("fc.extra"));
  auto wrong = state;
  wrong["fc.bias"].shape = {2, 2};
  CHECK_THROWS_WITH(other.load_state(wrong), Catch::Contains("fc.bias is [2,2]") && Catch::Contains("expects [4]"));
  wrong["fc.weight"].shape = {66, 4};
  CHECK_THROWS_WITH(other.load_state(wrong), Catch::EndsWith("expects [4], and 1 more have the same problem"));
  auto half = state;
  half["fc.bias"].dtype = DType::bf16;
  CHECK_THROWS_WITH(other.load_state(half), Catch::Contains("fc.bias is bf16"));
  CHECK(other.state() == state);
}

TEST_CASE("initial_values follow their distributions", "[initialization]") {
  const Parameter weight = {
      .name = "w", .shape = {200, 100, 3, 3}, .role = ParameterRole::weight, .fan_in = 900, .fan_out = 1800};
  const double bound = std::sqrt(6.0 / 2700.0);
  double sum = 0.0, squares = 0.0, largest = 0.0;
  const auto xavier = initial_values(weight, Initialization::xavier_uniform, 1);
  for (double value : xavier) {
    sum += value;
    squares += value * value;
    largest = std::max(largest, std::abs(value));
  }
  const auto count = static_cast<double>(xavier.size());
  CHECK(std::abs(sum / count) < 4.0 * bound / std::sqrt(3.0 * count));
  CHECK(squares / count == Approx(bound * bound / 3.0).epsilon(0.01));
  CHECK(largest <= bound);
  CHECK(largest > 0.999 * bound);

  squares = 0.0;
  for (double value : initial_values(weight, Initialization::kaiming_normal, 1)) squares += value * value;
  CHECK(squares / count == Approx(2.0 / 900.0).epsilon(0.01));
  squares = 0.0;
  for (double value : initial_values(weight, Initialization::kaiming_normal_fan_out, 1)) squares += value * value;
  CHECK(squares / count == Approx(2.0 / static_cast<double>(weight.fan_out)).epsilon(0.01));

  CHECK(initial_values(weight, Initialization::resnet, 1) ==
        initial_values(weight, Initialization::kaiming_normal_fan_out, 1));

  Parameter matrix = weight;
  matrix.shape = {50, 900};
  const auto uniform = initial_values(matrix, Initialization::resnet, 1);
  const auto [smallest, greatest] = std::minmax_element(uniform.begin(), uniform.end());
  CHECK(-*smallest == Approx(1.0 / 30.0).epsilon(1e-3));
  CHECK(*greatest == Approx(1.0 / 30.0).epsilon(1e-3));

  Parameter bias = weight;
  bias.shape = {5000};
  bias.role = ParameterRole::bias;
  const auto biases = initial_values(bias, Initialization::xavier_uniform, 1);
  CHECK(std::all_of(biases.begin(), biases.end(), [](double value) { return std::abs(value) <= 1.0 / 30.0; }));
  CHECK(initial_values(bias, Initialization::resnet, 1) == biases);
  CHECK(initial_values(bias, Initialization::kaiming_normal, 1) == std::vector<double>(5000, 0.0));
  CHECK(initial_values(weight, Initialization::xavier_uniform, 2) != xavier);
  CHECK_THROWS_WITH(parse_initialization("zeros"), Catch::Contains("kaiming-normal"));
}

TEST_CASE("gradients of half batches add up to those of the whole batch", "[gradients]") {
  const auto backend = make_reference_backend();
  const ModelConfig config = small_googlenet(false).config;
  const RandomBatch data = random_batch(config, 6);
  Network network(small_googlenet(false), *backend, {.max_batch = 6, .compute = DType::f64});
  network.initialize(Initialization::kaiming_normal, 1);
  network.set_input(Mode::training, data.images, data.labels);
  network.train_step(6, {.update = false});
  const auto whole = network.gradients();
  const std::span<const float> images(data.images);
  const std::span<const std::int32_t> labels(data.labels);
  const auto pixels = static_cast<std::size_t>(config.input.elements());
  network.set_input(Mode::training, images.first(4 * pixels), labels.first(4));
  network.train_step(4, {.update = false, .divisor = 6});
  network.set_input(Mode::training, images.subspan(4 * pixels), labels.subspan(4));
  network.train_step(2, {.update = false, .accumulate = true, .divisor = 6});
  for (const auto& [name, gradient] : network.gradients()) {
    INFO(name);
    CHECK(relative_difference(gradient, whole.at(name)) < 1e-12);
  }
}

TEST_CASE("the order in which auxiliary heads are listed does not matter", "[gradients]") {
  const auto backend = make_reference_backend();
  const RandomBatch data = random_batch(small_googlenet(false).config, 4);
  std::map<std::string, FileTensor> gradients[2];
  for (const bool reversed : {false, true}) {
    Model model = small_googlenet(false, true);
    auto layers = std::make_unique<Sequential>();
    layers->add<GlobalAvgPool>("avgpool");
    layers->add<Linear>("fc", Linear::Options{.in_features = 9, .out_features = 4});
    model.auxiliary.push_back({"aux0", 0, std::move(layers), 0.7});
    if (reversed) std::swap(model.auxiliary[0], model.auxiliary[1]);
    Network network(std::move(model), *backend, {.max_batch = 4, .compute = DType::f64});
    network.initialize(Initialization::kaiming_normal, 1);
    network.set_input(Mode::training, data.images, data.labels);
    network.train_step(4, {.update = false});
    gradients[reversed] = network.gradients();
  }
  for (const auto& [name, gradient] : gradients[0]) {
    INFO(name);
    CHECK(relative_difference(gradients[1].at(name), gradient) < 1e-12);
  }
}

TEST_CASE("running a network without memory or input is an error", "[state]") {
  const auto backend = make_reference_backend();
  Network planned(small_googlenet(false), *backend, {.max_batch = 2, .plan_only = true});
  CHECK_THROWS_WITH(planned.infer(1), Catch::Contains("only planned"));
  CHECK_THROWS_WITH(planned.initialize(Initialization::kaiming_normal, 1), Catch::Contains("only planned"));
  Network empty(small_googlenet(false), *backend, {.max_batch = 2});
  CHECK_THROWS_WITH(empty.train_step(1), Catch::Contains("the network has no input"));
  const RandomBatch data = random_batch(small_googlenet(false).config, 2);
  empty.set_input(Mode::inference, data.images, data.labels);
  empty.infer(2);
  CHECK_THROWS_WITH(empty.train_step(1), Catch::Contains("the network has no input"));
  Network resident(small_googlenet(false), *backend, {.max_batch = 2, .dataset_image = Shape{2, 8, 8}});
  CHECK_THROWS_WITH(resident.set_input(Mode::training, data.images, data.labels), Catch::Contains("not for set_input"));
  Model dangling = small_googlenet(false, true);
  dangling.auxiliary[0].after = 7;
  CHECK_THROWS_WITH(Network(std::move(dangling), *backend, {.max_batch = 2}), Catch::Contains("aux1"));
}

TEST_CASE("parameters with different weight decay or updates form separate groups", "[state]") {
  ParameterTable table;
  for (const char* name : {"a", "b", "c", "d"}) {
    Parameter parameter = {.name = name, .shape = {5}, .initial = 0.0};
    parameter.decays = std::string(name) != "b";
    parameter.updates = std::string(name) != "d";
    table.add(parameter);
  }
  const auto groups = table.groups(0.1);
  REQUIRE(groups.size() == 4);
  CHECK((groups[0].begin == 0 && groups[0].count == 5 && groups[0].weight_decay == 0.1));
  CHECK((groups[1].begin == 16 && groups[1].weight_decay == 0.0));
  CHECK((groups[2].begin == 32 && groups[2].weight_decay == 0.1 && groups[2].trains));
  CHECK_FALSE(groups[3].trains);
  const auto backend = make_reference_backend();
  const Network network(small_googlenet(true), *backend, {.max_batch = 1, .plan_only = true});
  CHECK(network.parameters().groups(0.1).size() == 1);
}

#ifdef MINCEPTION_HAVE_CPU
TEST_CASE("every convolution of the models uses an optimised oneDNN primitive or a matrix product", "[cpu]") {
  CpuBackend cpu(0);
  const auto plan = [&](ModelConfig config, DType compute) {
    const Network network(make_model(config), cpu, {.max_batch = 16, .compute = compute, .plan_only = true});
  };
  std::vector<DType> types = {DType::f32};
  if (cpu::OneDnn::multiplies_bf16()) types.push_back(DType::bf16);
  for (const DType compute : types) {
    for (const std::string& name : model_names()) plan(default_config(name), compute);
    for (const char* name : {"googlenet", "googlenet_bn"}) {
      for (const std::int64_t size : {96, 32, 224}) {
        for (const std::int64_t channels : {1, 3}) plan({.name = name, .input = {channels, size, size}}, compute);
      }
    }
  }
  const auto implementations = cpu.implementations();
  CHECK(implementations.size() > 100);
  for (const std::string& line : implementations) {
    INFO(line);
    CHECK(line.find(": ref") == std::string::npos);
    CHECK(line.find(": none") == std::string::npos);
    // In bf16, the weight gradient of a strided 1x1 convolution (the projections of ResNets) has one faulty primitive;
    // the one after it multiplies matrices.
    const bool projection =
        line.find(", 1x1 stride 2x2 ") != std::string::npos && line.find("x64:gemm") != std::string::npos;
    CHECK((line.find("instead of") == std::string::npos || projection));
  }
}

TEST_CASE("the cpu backend's training step agrees with reference in double", "[cpu]") {
  const auto cpu = make_cpu_backend();
  const auto reference = make_reference_backend();
  const std::int64_t batch = 4;
  for (const char* name : {"googlenet", "googlenet_bn"}) {
    // The last blocks see 2x2 pixels: 16 values per channel, enough for a well-conditioned BatchNorm.
    for (const Shape& input : {Shape{1, 48, 48}, Shape{3, 48, 40}}) {
      const ModelConfig config = {.name = name, .input = input};
      Network fast(make_model(config), *cpu, {.max_batch = batch, .reuse_memory = false});
      Network exact(make_model(config), *reference, {.max_batch = batch, .compute = DType::f64, .reuse_memory = false});
      fast.initialize(Initialization::xavier_uniform, 1);
      exact.load_state(in_double(fast.state()));

      // If f32 rounding flips the sign of a pre-activation, the gradient jumps and is not comparable. Images are drawn
      // until all ReLU decisions agree.
      bool same_decisions = false;
      for (std::uint64_t seed = 1; seed <= 30 && !same_decisions; ++seed) {
        const RandomBatch data = random_batch(config, batch, seed);
        for (Network* network : {&fast, &exact}) {
          network->reset_metrics();
          network->set_input(Mode::training, data.images, data.labels);
          network->train_step(batch, {.update = false});
        }
        same_decisions = decisions_of(fast.operations(Mode::training, batch)) ==
                         decisions_of(exact.operations(Mode::training, batch));
      }
      INFO(name << " " << input);
      REQUIRE(same_decisions);
      // Without BatchNorm the loss is near ln(10) for all images, which change it by only 2e-5.
      const double tolerance = config.name == "googlenet" ? 1e-6 : 1e-5;
      CHECK(fast.metrics().loss == Approx(exact.metrics().loss).epsilon(tolerance));
      const auto expected = exact.gradients();
      for (const auto& [key, gradient] : fast.gradients()) {
        const double difference = relative_difference(gradient, expected.at(key));
        INFO(key << ": " << difference);
        CHECK(difference <= 1e-3);
      }
    }
  }
}

namespace {

struct Departure {
  double loss = 0.0;     ///< the largest relative difference of a step
  double weights = 0.0;  ///< `drift` after the last step
};

/// Ten steps of GoogLeNet on random images, on the cpu backend and on reference in double.
Departure cpu_from_double(std::uint64_t seed) {
  const auto cpu = make_cpu_backend();
  const auto reference = make_reference_backend();
  const ModelConfig config = {.name = "googlenet", .input = {1, 32, 32}};
  const std::int64_t batch = 8;
  Network ours(make_model(config), *cpu, {.max_batch = batch, .optimizer = Sgd{.momentum = 0.9}});
  Network exact(make_model(config), *reference,
                {.max_batch = batch, .compute = DType::f64, .optimizer = Sgd{.momentum = 0.9}});
  ours.initialize(Initialization::xavier_uniform, seed);
  const auto before = in_double(ours.state());
  exact.load_state(before);
  Departure result;
  for (std::uint64_t step = 0; step < 10; ++step) {
    RandomBatch data = random_batch(config, batch, 10 * seed + step);
    // A flat background, as in photographs of clothes, where many pools choose between equal values.
    for (std::size_t i = 0; i < data.images.size(); ++i) {
      if (i / 32 % 32 < 12) data.images[i] = 0.0f;
    }
    for (Network* network : {&ours, &exact}) {
      network->reset_metrics();
      network->set_input(Mode::training, data.images, data.labels);
      network->set_control(1, batch * static_cast<std::int64_t>(step), 0.01f, 0.9f);
      network->train_step(batch);
    }
    const double loss = exact.metrics().loss;
    result.loss = std::max(result.loss, std::abs(ours.metrics().loss - loss) / loss);
  }
  result.weights = drift(ours, exact, before);
  return result;
}

}  // namespace

TEST_CASE("training on the cpu backend stays close to reference in double", "[cpu]") {
  // If f32 rounding flips one ReLU decision, two trainings diverge from there: in the first of these, a pre-activation
  // of 1e-9 flips at step 6, and four steps later the weights differ by 5e-3 of their distance from the start. So the
  // bound of the median is closer than that of all.
  std::vector<double> apart;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Departure departure = cpu_from_double(seed);
    INFO("seed " << seed);
    CHECK(departure.loss <= kTenStepsInDouble.loss);
    apart.push_back(departure.weights);
  }
  INFO("relative distance " << *std::min_element(apart.begin(), apart.end()) << " to " << largest(apart));
  CHECK(median(apart) <= kTenStepsInDouble.median_weights);
  CHECK(largest(apart) <= kTenStepsInDouble.weights);
}

// The ensemble from which the bounds of the test above follow: a hundred trainings, in a few of which a decision flips.
TEST_CASE("rounding spread: ten steps of googlenet, cpu and reference in double", "[.spread]") {
  double loss = 0.0;
  std::vector<double> weights, medians, in_group;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Departure departure = cpu_from_double(seed);
    loss = std::max(loss, departure.loss);
    weights.push_back(departure.weights);
    in_group.push_back(departure.weights);
    if (in_group.size() < 5) continue;
    medians.push_back(median(in_group));
    in_group.clear();
  }
  std::printf("cpu and double: loss up to %.1e; weights up to %.1e; medians of a test up to %.1e\n", loss,
              largest(weights), largest(medians));
  CHECK(kSpreadFactor * loss <= kTenStepsInDouble.loss);
  CHECK(kSpreadFactor * largest(weights) <= kTenStepsInDouble.weights);
  CHECK(kSpreadFactor * largest(medians) <= kTenStepsInDouble.median_weights);
}

TEST_CASE("the same run twice gives the same bits on the cpu backend", "[cpu]") {
  for (const bool batch_norm : {false, true}) {
    const auto first = make_cpu_backend();
    const auto second = make_cpu_backend();
    const auto bits = parameters_after(*first, small_googlenet(batch_norm, true), true, 4);
    CHECK(bits == parameters_after(*first, small_googlenet(batch_norm, true), true, 4));
    CHECK(bits == parameters_after(*second, small_googlenet(batch_norm, true), false, 4));
  }
}

TEST_CASE("prepacked weights are refreshed when weights or batch size change", "[cpu]") {
  const auto cpu = make_cpu_backend();
  for (const char* name : {"googlenet", "googlenet_bn"}) {
    INFO(name);
    const ModelConfig config = {.name = name, .input = {1, 32, 32}};
    const RandomBatch data = random_batch(config, 8);
    const std::span<const float> three(data.images.data(), 3 * 32 * 32);
    Network network(make_model(config), *cpu, {.max_batch = 8});
    const auto logits = [&](std::span<const float> images) {
      network.set_input(Mode::inference, images, {});
      const auto batch = static_cast<std::int64_t>(images.size()) / (32 * 32);
      network.infer(batch);
      return network.logits(Mode::inference, batch);
    };
    network.initialize(Initialization::xavier_uniform, 1);
    const auto eight = logits(data.images);
    CHECK(logits(data.images) == eight);
    const auto part = logits(three);
    for (std::size_t i = 0; i < part.size(); ++i) CHECK(part[i] == Approx(eight[i]).epsilon(1e-4).margin(1e-5));
    network.set_input(Mode::training, data.images, data.labels);
    network.set_control(1, 0, 0.1f, 0.0f);
    network.train_step(8);
    const auto trained = logits(data.images);
    CHECK(trained != eight);
    // Reference: a new network that never held other weights.
    Network fresh(make_model(config), *cpu, {.max_batch = 8, .training = false});
    fresh.load_state(network.state());
    fresh.set_input(Mode::inference, data.images, {});
    fresh.infer(8);
    CHECK(fresh.logits(Mode::inference, 8) == trained);
    network.initialize(Initialization::xavier_uniform, 1);
    CHECK(logits(data.images) == eight);
  }
}
#endif

TEST_CASE("inference folds every batch norm into the convolution before it") {
  const auto backend = make_reference_backend();
  for (const char* name : {"googlenet_bn", "googlenet_v2", "googlenet_v3", "googlenet_torchvision"}) {
    const Network network(make_model(default_config(name)), *backend,
                          {.max_batch = 1, .training = false, .plan_only = true});
    int folds = 0, norms = 0, norm_layers = 0;
    for (const Step& step : network.plan(Mode::inference).steps()) {
      folds += std::holds_alternative<FoldBatchNorm>(step.operation);
      norms += std::holds_alternative<BatchNormForwardInference>(step.operation);
    }
    for (const Parameter& parameter : network.parameters().all())
      norm_layers += parameter.role == ParameterRole::running_var;
    INFO(name);
    CHECK(norms == 0);
    CHECK(folds > 0);
    CHECK(folds <= norm_layers);  // those of auxiliary classifiers are not part of inference
  }
}
