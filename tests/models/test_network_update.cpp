/// The update phase of a training step: optimizers, clipping, averages and frozen parameters.

#include "core/error.h"
#include "models/gradient_check.h"
#include "models/network.h"
#include "models/weights.h"
#include "models/weights_file.h"
#include "tests/models/drift.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace minception;

namespace {

using State = std::map<std::string, FileTensor>;

struct Trained {
  Trained(const NetworkOptions& options, std::uint64_t seed = 1, bool batch_norm = true)
      : network(small_googlenet(batch_norm, true), *backend, options) {
    network.initialize(Initialization::xavier_uniform, seed);
  }

  /// Step number `step`, from 1, with different data for each step.
  void step(std::int64_t step, float rate = 0.05f, float momentum = 0.9f) {
    const RandomBatch data = random_batch(network.model().config, 4, static_cast<std::uint64_t>(step));
    network.set_input(Mode::training, data.images, data.labels);
    network.set_control(1, 4 * step, rate, momentum, step);
    network.train_step(4);
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Network network;
};

NetworkOptions in_double() { return {.max_batch = 4, .compute = DType::f64}; }

/// Applies f element by element to all tensors.
template <class F>
State combined(const State& a, const State& b, F f) {
  State result;
  for (const auto& [name, tensor] : a) {
    std::vector<double> x = to_doubles(tensor);
    const std::vector<double> y = to_doubles(b.at(name));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = f(x[i], y[i]);
    result[name] = to_file_tensor(x, tensor.shape, tensor.dtype);
  }
  return result;
}

State parameters_of(const Network& network) {
  State state = network.state();
  std::erase_if(state, [](const auto& item) { return item.first.find(".running_") != std::string::npos; });
  return state;
}

}  // namespace

TEST_CASE("Adam updates weights by its bias-corrected moments", "[update]") {
  for (const bool decoupled : {false, true}) {
    NetworkOptions options = in_double();
    options.optimizer = Adam{.beta2 = 0.75, .eps = 1e-3, .weight_decay = 0.1};
    if (decoupled) options.optimizer = AdamW{.beta2 = 0.75, .eps = 1e-3, .weight_decay = 0.1};
    Trained run(options);
    State m = combined(parameters_of(run.network), parameters_of(run.network), [](double, double) { return 0.0; });
    State v = m;
    // Gradients differ between steps, so a lost moment or a constant step number shows at the second step.
    for (std::int64_t step = 1; step <= 3; ++step) {
      const State before = parameters_of(run.network);
      run.step(step, 0.25f, 0.5f);
      State g = run.network.gradients();
      if (!decoupled) g = combined(g, before, [](double gradient, double w) { return gradient + 0.1 * w; });
      m = combined(m, g, [](double moment, double gradient) { return moment + 0.5 * (gradient - moment); });
      v = combined(v, g, [](double moment, double gradient) { return moment + 0.25 * (gradient * gradient - moment); });
      const double first = 1.0 - std::pow(0.5, step), second = 1.0 - std::pow(0.75, step);
      const State towards =
          combined(m, v, [&](double a, double b) { return a / first / (std::sqrt(b / second) + 1e-3); });
      const State expected = combined(before, towards, [&](double w, double direction) {
        return w - (decoupled ? 0.25 * 0.1 * w : 0.0) - 0.25 * direction;
      });
      INFO("decoupled " << decoupled << ", step " << step);
      CHECK(distance(parameters_of(run.network), expected) < 1e-12);
    }
    const State state = run.network.optimizer_state();
    for (const auto& [name, tensor] : m) {
      CHECK(distance({{"m", state.at("exp_avg." + name)}}, {{"m", tensor}}) < 1e-12);
      CHECK(distance({{"v", state.at("exp_avg_sq." + name)}}, {{"v", v.at(name)}}) < 1e-12);
    }
    CHECK(state.size() == 2 * m.size());
    CHECK(run.network.memory().optimizer == 2 * run.network.memory().gradients);
  }
}

TEST_CASE("a network resumes from saved weights and moments and averages with the same bits", "[update]") {
  const NetworkOptions options = {
      .max_batch = 4, .optimizer = Adam{.weight_decay = 0.01}, .max_norm = 1.0, .ema_decay = 0.7};
  Trained whole(options);
  State weights, moments, averages;
  for (std::int64_t step = 1; step <= 4; ++step) {
    whole.step(step, 0.01f);
    if (step != 2) continue;
    weights = whole.network.state();
    moments = whole.network.optimizer_state();
    averages = whole.network.averaged_state();
  }
  Trained rest(options, 9);
  rest.network.load_state(weights);
  CHECK(rest.network.averaged_state() == weights);  // averages restart from the loaded weights
  rest.network.load_optimizer_state(moments);
  rest.network.load_averages(averages);
  rest.step(3, 0.01f);
  rest.step(4, 0.01f);
  CHECK(rest.network.state() == whole.network.state());
  CHECK(rest.network.optimizer_state() == whole.network.optimizer_state());
  CHECK(rest.network.averaged_state() == whole.network.averaged_state());
  CHECK(whole.network.averaged_state() != whole.network.state());

  // Invalid states change nothing.
  const State kept = rest.network.optimizer_state();
  State wrong = moments;
  wrong.erase("exp_avg_sq.fc.bias");
  wrong.at("exp_avg.fc.bias").bytes[0] ^= std::byte{1};
  CHECK_THROWS_WITH(rest.network.load_optimizer_state(wrong), Catch::Contains("fc.bias of small is missing"));
  wrong["momentum.fc.bias"] = moments.at("exp_avg.fc.bias");
  CHECK_THROWS_WITH(rest.network.load_optimizer_state(wrong),
                    Catch::Contains("momentum.fc.bias does not belong to the state of this network's optimizer"));
  CHECK(rest.network.optimizer_state() == kept);
  averages.erase("fc.bias");
  CHECK_THROWS_WITH(rest.network.load_averages(averages), Catch::Contains("fc.bias of small is missing"));
  CHECK(rest.network.averaged_state() == whole.network.averaged_state());

  Trained plain({.max_batch = 4});
  CHECK_THROWS_WITH(plain.network.load_optimizer_state(moments), Catch::Contains("without state"));
  CHECK_THROWS_WITH(plain.network.load_averages(weights), Catch::Contains("without averages"));
  CHECK(plain.network.averaged_state() == plain.network.state());
}

TEST_CASE("a network infers with the averages of its weights and statistics", "[update]") {
  NetworkOptions options = in_double();
  options.ema_decay = 0.75;
  Trained run(options);
  State average;
  for (std::int64_t step = 1; step <= 3; ++step) {
    run.step(step, 0.2f, 0.0f);
    const State now = run.network.state();
    average = step == 1 ? now : combined(average, now, [&](double a, double w) {
      return a + 9.0 / (10.0 + static_cast<double>(step)) * (w - a);  // warm-up: above 1 - decay until step 26
    });
    CHECK(distance(run.network.averaged_state(), average) < 1e-14);
    CHECK((step == 1) == (run.network.averaged_state() == now));
  }

  const auto logits = [](Network& network) {
    const RandomBatch data = random_batch(network.model().config, 4, 77);
    network.set_input(Mode::inference, data.images, data.labels);
    network.infer(4);
    return network.logits(Mode::inference, 4);
  };
  Trained other(in_double(), 5);
  other.network.load_state(run.network.averaged_state());
  CHECK(logits(run.network) == logits(other.network));
  other.network.load_state(run.network.state());
  CHECK(logits(run.network) != logits(other.network));
}

TEST_CASE("a pass without an update changes running statistics and inference uses them", "[update]") {
  Trained run(in_double()), fresh(in_double());
  const RandomBatch data = random_batch(run.network.model().config, 4, 77);
  const auto logits = [&](Network& network) {
    network.set_input(Mode::inference, data.images, data.labels);
    network.infer(4);
    return network.logits(Mode::inference, 4);
  };
  const std::vector<double> before = logits(run.network);
  for (const bool whole : {true, false}) {
    run.network.set_input(Mode::training, data.images, data.labels);
    run.network.set_control(1, 0, 0.0f, 0.0f);
    if (whole) {
      run.network.train_step(4, {.update = false});
    } else {
      run.network.run(Mode::training, 4, Phase::forward);
    }
    fresh.network.load_state(run.network.state());
    CHECK(logits(run.network) == logits(fresh.network));
    CHECK(logits(run.network) != before);
  }
}

TEST_CASE("gradients are clipped by their global norm", "[update]") {
  for (const double largest : {0.1, 1e4}) {
    NetworkOptions options = in_double();
    options.max_norm = largest;
    Trained run(options);
    const State before = parameters_of(run.network);
    run.step(1, 0.5f, 0.0f);
    const State gradients = run.network.gradients();  // before clipping
    double squares = 0.0;
    for (const auto& [name, gradient] : gradients) {
      for (const double g : to_doubles(gradient)) squares += g * g;
    }
    const double factor = std::min(1.0, largest / (std::sqrt(squares) + 1e-6));
    CHECK((factor < 1.0) == (largest < 1.0));
    const State expected = combined(before, gradients, [&](double w, double g) { return w - 0.5 * factor * g; });
    CHECK(distance(parameters_of(run.network), expected) < 1e-14);
  }
}

TEST_CASE("frozen parameters do not change and need no backward operations", "[freeze]") {
  struct Freeze {
    std::vector<std::string> prefixes;
    std::string lowest;  ///< lowest body layer with backward operations
  };
  const std::vector<Freeze> variants = {{{"conv1"}, "inception3a"},
                                        {{"conv1", "inception3a"}, "inception3b"},
                                        {{"inception3a.branch2"}, "conv1"},
                                        {{"conv1", "inception3", "aux1"}, "fc"},
                                        {{"conv1", "inception3", "fc"}, "aux1"}};
  for (const bool batch_norm : {true, false}) {
    for (const Freeze& variant : variants) {
      NetworkOptions options = {.max_batch = 4,
                                .optimizer = Sgd{.momentum = 0.9, .weight_decay = 0.1},
                                .ema_decay = 0.5,
                                .freeze = variant.prefixes};
      Trained run(options, 1, batch_norm);
      const State before = run.network.state();
      for (std::int64_t step = 1; step <= 2; ++step) run.step(step);
      const auto frozen = [&](const std::string& name) {
        return std::any_of(variant.prefixes.begin(), variant.prefixes.end(),
                           [&](const std::string& prefix) { return name.starts_with(prefix); });
      };
      const State after = run.network.state(), averages = run.network.averaged_state();
      for (const auto& [name, tensor] : before) {
        INFO(name << ", batch norm " << batch_norm << ", frozen " << variant.prefixes.back());
        CHECK((after.at(name) == tensor) == frozen(name));
        if (frozen(name)) CHECK(averages.at(name) == tensor);
      }
      for (const Step& step : run.network.plan(Mode::training).steps()) {
        if (step.phase != Phase::backward) continue;
        const bool below = (variant.lowest == "inception3a" && step.layer.starts_with("conv1")) ||
                           (variant.lowest == "inception3b" &&
                            (step.layer.starts_with("conv1") || step.layer.starts_with("inception3a") ||
                             step.layer.starts_with("pool2"))) ||
                           (variant.lowest == "fc" && !step.layer.starts_with("fc")) ||
                           (variant.lowest == "aux1" && !step.layer.starts_with("aux1"));
        INFO(step.layer << " " << name_of(step.operation));
        CHECK(!below);
        const bool for_weights = name_of(step.operation).ends_with("backward_weights");
        if (for_weights && step.layer != "inception3a") CHECK(!frozen(step.layer + ".weight"));
      }
    }
  }
}

TEST_CASE("gradients above and next to frozen layers agree with central differences", "[freeze][gradients]") {
  NetworkOptions options = {.max_batch = 6, .compute = DType::f64, .reuse_memory = false};
  options.freeze = {"inception3a.branch1", "inception3a.branch2.0.bn", "inception3a.branch2.1.conv", "inception3b",
                    "fc.weight"};
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true, true), *backend, options);
  network.initialize(Initialization::kaiming_normal, 3);
  // Statistics that differ from their initial values.
  State state = network.state();
  for (auto& [name, tensor] : state) {
    if (name.find("running_") == std::string::npos) continue;
    std::vector<double> values = to_doubles(tensor);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.3 + 0.1 * static_cast<double>(i % 5);
    tensor = to_file_tensor(values, tensor.shape, tensor.dtype);
  }
  network.load_state(state);
  const RandomBatch data = random_batch(network.model().config, 6);
  network.set_input(Mode::training, data.images, data.labels);
  const GradientCheck check = check_gradients(network, {.batch = 6});
  INFO(check.text());
  CHECK(check.ok());
  CHECK(check.tensors.size() > 10);
}

TEST_CASE("invalid freeze prefixes are an error", "[freeze]") {
  const auto backend = make_reference_backend();
  const auto message = [&](std::vector<std::string> prefixes) {
    try {
      Network(small_googlenet(true, true), *backend, {.max_batch = 2, .freeze = std::move(prefixes)});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  CHECK(message({"conv1", "stem"}) ==
        "nothing to freeze: no parameter name begins with 'stem'; the layers are conv1, inception3a, "
        "inception3b, fc, aux1");
  CHECK(message({"conv1", "i", "fc", "aux"}) == "every parameter of small is frozen: nothing is left to train");
  CHECK(message({"conv1", "i", "aux"}) == "nothing");
}

TEST_CASE("head_parameters finds all heads and weights_among prefers averages", "[update]") {
  const auto backend = make_reference_backend();
  const Network network(small_googlenet(true, true), *backend, {.max_batch = 2, .plan_only = true});
  const std::vector<std::string> names = head_parameters(network);
  CHECK(std::set<std::string>(names.begin(), names.end()) ==
        std::set<std::string>{"fc.weight", "fc.bias", "aux1.fc.weight", "aux1.fc.bias"});
  CHECK(names.size() == 4);

  const auto tensor = [](double value) { return to_file_tensor(std::vector<double>{value}, Shape{1}, DType::f32); };
  CHECK(weights_among({{"a", tensor(1)}, {"average.a", tensor(2)}, {"optimizer.a", tensor(3)}, {"b", tensor(4)}}) ==
        State{{"a", tensor(2)}, {"b", tensor(4)}});
}

TEST_CASE("invalid control values are rejected before the upload", "[update]") {
  Trained sgd({.max_batch = 4});
  CHECK_THROWS_WITH(sgd.step(1, std::nanf("")), "sgd_step: the learning rate must be 0 or more, not nan");
  CHECK_THROWS_WITH(sgd.step(1, 0.1f, -1.0f), "sgd_step: the momentum must be 0 or more, not -1");
  CHECK_THROWS_WITH(sgd.network.set_control(-1, 0, 0.1f, 0.0f),
                    "dropout_forward: epoch and position must be 0 or more, not -1 and 0");
  Trained adam({.max_batch = 4, .optimizer = Adam{}});
  CHECK_THROWS_WITH(adam.step(0), "adam_step: the step must be 1 or more, not 0");
  CHECK_THROWS_WITH(adam.step(1, 0.1f, 1.0f), "adam_step: beta1 must be in [0, 1), not 1");
  Trained averaged({.max_batch = 4, .ema_decay = 0.9});
  CHECK_THROWS_WITH(averaged.step(0, 0.1f, 0.0f), "ema_update: the step must be 1 or more, not 0");
}

TEST_CASE("load_all_but_heads keeps the heads and loads all other weights", "[update]") {
  const auto backend = make_reference_backend();
  Network source(small_googlenet(true, true), *backend, {.max_batch = 2});
  source.initialize(Initialization::xavier_uniform, 1);
  Network network(small_googlenet(true, true), *backend, {.max_batch = 2});
  network.initialize(Initialization::xavier_uniform, 2);
  State wanted = source.state();
  const State before = network.state();
  for (const std::string& name : head_parameters(network)) {
    REQUIRE(wanted.at(name) != before.at(name));
    wanted.at(name) = before.at(name);
  }
  State given = source.state();
  given.at("fc.bias").shape = {7};  // shapes of head tensors in the file do not matter
  load_all_but_heads(network, given);
  CHECK(network.state() == wanted);
  given.erase("conv1.conv.weight");
  CHECK_THROWS_WITH(load_all_but_heads(network, given), Catch::Contains("conv1.conv.weight"));
}
