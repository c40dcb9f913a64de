/// How far trainings come apart that differ in rounding only: an ensemble of pairs of trainings on the cpu backend, one of
/// which has every weight moved by one unit in the last place, up or down, before each step. That is as much as the
/// rounding of one operation changes, and now and then it flips a decision of a ReLU or a maximum, as rounding does.
///
///   minception_models_tests "[.spread]"
///
/// prints the spreads from which the bounds in drift.h follow, and checks that they hold with their factor. Hidden: it
/// takes minutes, and its results change only with the bounds.

#include "tests/models/drift.h"
#include "tests/models/trained.h"

#include "core/random.h"

#include "tests/catch.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

using namespace minception;

namespace {

using State = std::map<std::string, FileTensor>;

/// Moves every f32 value by one unit in the last place.
State nudged(State state, std::uint64_t seed) {
  const Random random{seed, name_hash("nudged")};
  std::uint64_t index = 0;
  for (auto& [name, tensor] : state) {
    if (tensor.dtype != DType::f32) continue;
    for (std::size_t at = 0; at < tensor.bytes.size(); at += sizeof(std::uint32_t)) {
      std::uint32_t bits;
      std::memcpy(&bits, tensor.bytes.data() + at, sizeof bits);
      if ((bits & 0x7fffffffu) == 0) continue;
      bits += (random.bits(index / 32) >> index % 32 & 1u) != 0 ? 1u : ~0u;
      ++index;
      std::memcpy(tensor.bytes.data() + at, &bits, sizeof bits);
    }
  }
  return state;
}

struct Trial {
  double loss = 0.0;            ///< the largest difference in a step, relative to the loss
  std::vector<double> weights;  ///< `drift` at the end, or with restarts of each step
};

struct Setting {
  const char* model;
  std::int64_t batch;
  int steps;
  float rate;
  double momentum;
  bool restarts;  ///< every step starts from the state of the undisturbed training
};

Trial trial(const Setting& setting, std::uint64_t seed) {
  const auto cpu = make_cpu_backend();
  const ModelConfig config = {.name = setting.model, .input = {1, 32, 32}};
  const NetworkOptions options = {
      .max_batch = setting.batch, .optimizer = Sgd{.momentum = setting.momentum}, .dataset_image = Shape{1, 28, 28}};
  Trained plain(*cpu, config, options), disturbed(*cpu, config, options);
  plain.network.initialize(Initialization::xavier_uniform, seed);
  State before = plain.network.state();
  disturbed.network.load_state(before);
  Trial result;
  for (int step = 0; step < setting.steps; ++step) {
    if (setting.restarts) {
      before = plain.network.state();
      disturbed.network.load_optimizer_state(plain.network.optimizer_state());
    }
    disturbed.network.load_state(nudged(setting.restarts ? before : disturbed.network.state(), 1000 * seed + step));
    const std::int64_t first = (static_cast<std::int64_t>(seed) * 8 + step) * setting.batch % (512 - setting.batch);
    const double loss = plain.step(first, setting.batch, {}, setting.rate);
    result.loss = std::max(result.loss, std::abs(disturbed.step(first, setting.batch, {}, setting.rate) - loss) / loss);
    if (setting.restarts || step + 1 == setting.steps) {
      result.weights.push_back(drift(disturbed.network, plain.network, before));
    }
  }
  return result;
}

/// `group`: trainings from which a test takes the median, if each gives one value.
void check_spread(const Setting& setting, int trainings, int group, const RoundingSpread& bound) {
  double loss = 0.0;
  std::vector<double> weights, medians, in_group;
  for (int seed = 1; seed <= trainings; ++seed) {
    const Trial result = trial(setting, static_cast<std::uint64_t>(seed));
    loss = std::max(loss, result.loss);
    weights.insert(weights.end(), result.weights.begin(), result.weights.end());
    in_group.insert(in_group.end(), result.weights.begin(), result.weights.end());
    if (seed % group != 0) continue;
    medians.push_back(median(in_group));
    in_group.clear();
  }
  std::sort(weights.begin(), weights.end());
  const double largest_median = largest(medians);
  std::printf(
      "%s, batch %ld, %d steps%s: loss up to %.1e; weights median %.1e, nine of ten %.1e, up to %.1e; medians of a "
      "test up to %.1e\n",
      setting.model, static_cast<long>(setting.batch), setting.steps,
      setting.restarts ? ", each from the same state" : "", loss, median(weights), weights[weights.size() * 9 / 10],
      weights.back(), largest_median);
  CHECK(kSpreadFactor * loss <= bound.loss);
  CHECK(kSpreadFactor * weights.back() <= bound.weights);
  CHECK(kSpreadFactor * largest_median <= bound.median_weights);
}

}  // namespace

TEST_CASE("rounding spread: ten steps of googlenet at 32x32", "[.spread]") {
  check_spread({"googlenet", 8, 10, 0.01f, 0.9, false}, 20, 5, kTenSteps);
}
TEST_CASE("rounding spread: single BatchNorm steps with batches of 8", "[.spread]") {
  check_spread({"googlenet_small", 8, 10, 0.01f, 0.0, true}, 80, 1, kBatchNormStepOf8);
}
TEST_CASE("rounding spread: single BatchNorm steps with batches of 16", "[.spread]") {
  check_spread({"googlenet_small", 16, 40, 0.02f, 0.8, true}, 40, 1, kBatchNormStepOf16);
}
