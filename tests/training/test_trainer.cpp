/// A small network learns a small data set, last partial batch included.

#include <minception/core/error.h>
#include <minception/tests/models/networks.h>
#include <minception/training/trainer.h>

#include <catch2/catch.hpp>

#include <set>

using namespace minception;

namespace {

/// Noise, with a bright square whose place is the class.
struct Samples {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
};

Samples make_samples(std::int64_t count) {
  Samples samples;
  const Random random{3, 9};
  for (std::int64_t n = 0; n < count; ++n) {
    const auto label = static_cast<std::int32_t>(n * 7 % 4);
    samples.labels.push_back(label);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        for (int c = 0; c < 2; ++c) {
          const bool inside = y / 4 == label / 2 && x / 4 == label % 2;
          samples.pixels.push_back(
              static_cast<std::uint8_t>(random.bits(samples.pixels.size()) % 100 + (inside ? 120 : 0)));
        }
      }
    }
  }
  return samples;
}

struct Run {
  std::unique_ptr<Backend> backend = make_reference_backend();
  Samples samples = make_samples(22);
  ResidentDataset train = make_resident(*backend, {2, 8, 8}, samples.pixels, samples.labels);
  Network network{
      small_googlenet(true), *backend, {.max_batch = 8, .sgd = {.momentum = true}, .dataset_image = Shape{2, 8, 8}}};
};

}  // namespace

TEST_CASE("training lowers the loss on every sample, whatever the order") {
  for (const bool shuffle : {true, false}) {
    Run run;
    run.network.initialize(Initialization::xavier_uniform, 1);
    Trainer trainer(
        run.network, run.train, run.train,
        {.epochs = 12, .batch_size = 8, .shuffle = shuffle, .schedule = {.learning_rate = 0.05, .momentum = 0.9}});
    CHECK(trainer.steps_per_epoch() == 3);  // 8 + 8 + 6
    std::set<std::int64_t> done;
    EpochMetrics first, last;
    for (std::int64_t epoch = 1; epoch <= 12; ++epoch) {
      last = trainer.run_epoch(epoch, [&](const TrainerProgress& progress) {
        if (!progress.testing) done.insert(progress.done);
        CHECK(progress.total == 22);
      });
      if (epoch == 1) first = last;
    }
    CHECK(done.count(22) == 1);
    CHECK(last.step == 36);
    CHECK(last.train_loss < 0.5 * first.train_loss);
    CHECK(last.test_accuracy > 0.9);
    CHECK(last.examples_per_second > 0.0);
  }
}

TEST_CASE("a test counts the last partial batch: any batch size gives the same loss") {
  double losses[2];
  int i = 0;
  for (const std::int64_t max_batch : {8, 22}) {
    Run run;
    Network network(small_googlenet(true), *run.backend, {.max_batch = max_batch, .dataset_image = Shape{2, 8, 8}});
    network.initialize(Initialization::kaiming_normal, 1);
    Trainer trainer(network, run.train, run.train, {.epochs = 1, .batch_size = 4});
    losses[i++] = trainer.evaluate(run.train).loss;
  }
  CHECK(losses[0] == Approx(losses[1]).epsilon(1e-5));
}

TEST_CASE("one seed gives one run, another seed another") {
  const auto weights = [](std::uint64_t seed) {
    Run run;
    run.network.initialize(Initialization::xavier_uniform, seed);
    Trainer trainer(run.network, run.train, run.train, {.epochs = 2, .batch_size = 8, .seed = seed});
    trainer.run_epoch(1);
    trainer.run_epoch(2);
    return run.network.state();
  };
  const auto first = weights(1);
  CHECK(first == weights(1));
  CHECK(first != weights(2));
}

TEST_CASE("what cannot be trained is refused") {
  Run run;
  CHECK_THROWS_WITH(Trainer(run.network, run.train, run.train, {.epochs = 1, .batch_size = 9}),
                    Catch::Contains("batch size of 9"));
  CHECK_THROWS_AS(Trainer(run.network, run.train, run.train, {.epochs = 0, .batch_size = 8}), Error);
  CHECK_THROWS_AS(make_resident(*run.backend, {2, 8, 8}, run.samples.pixels, std::span(run.samples.labels).first(3)),
                  Error);
}
