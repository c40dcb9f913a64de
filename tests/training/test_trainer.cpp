/// A small network trains on a small data set, stops, resumes and reports errors.

#include "core/error.h"
#include "tests/models/networks.h"
#include "tests/training/samples.h"
#include "training/evaluation.h"
#include "training/trainer.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>
#include <set>

using namespace minception;

namespace {

struct Run {
  explicit Run(bool augmented = false, const Sgd& sgd = {.lr = 0.05, .momentum = 0.9})
      : network(small_googlenet(true), *backend,
                {.max_batch = 8,
                 .optimizer = sgd,
                 .dataset_image = Shape{2, 8, 8},
                 .augmentation = {.padding = {augmented ? 2 : 0, augmented ? 1 : 0}, .flip = augmented}}) {
    network.initialize(Initialization::xavier_uniform, 1);
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  ImageDataset samples = make_samples();
  ResidentDataset dataset = make_resident(*backend, samples.image, samples.pixels, samples.labels);
  ResidentBatchSource feed{dataset};
  Network network;
};

const TrainerOptions kThreeEpochs = {.epochs = 3, .batch_size = 8, .steps_per_line = 2};

/// Results of a training without times.
struct Trace {
  std::vector<std::string> lines;
  std::map<std::string, FileTensor> weights, momentum;
  bool operator==(const Trace&) const = default;
};

void add_lines(Trace& trace, TrainerHooks& hooks) {
  hooks.line = [&trace](StepMetrics line) {
    line.examples_per_second = 0.0;
    trace.lines.push_back(to_json_line(line));
  };
}

void end_epoch(Trace& trace, Trainer& trainer) {
  EpochMetrics line = trainer.finish_epoch();
  line.examples_per_second = line.seconds = 0.0;
  trace.lines.push_back(to_json_line(line));
}

}  // namespace

TEST_CASE("training lowers the loss with and without shuffling") {
  for (const bool shuffle : {true, false}) {
    Run run;
    Trainer trainer(run.network, run.feed, {.epochs = 12, .batch_size = 8, .shuffle = shuffle, .steps_per_line = 1});
    CHECK(trainer.steps_per_epoch() == 3);  // 8 + 8 + 6
    std::multiset<std::int64_t> done;
    TrainerHooks hooks;
    hooks.progress = [&](const TrainerProgress& progress) {
      done.insert(progress.done);
      CHECK(progress.total == kSamples);
    };
    std::vector<EpochMetrics> epochs;
    while (!trainer.finished()) {
      CHECK(trainer.train_epoch(hooks));
      epochs.push_back(trainer.finish_epoch());
    }
    CHECK(done.count(8) == 12);
    CHECK(done.count(22) == 12);
    REQUIRE(epochs.size() == 12);
    CHECK(epochs.back().epoch == 12);
    CHECK(epochs.back().step == 36);
    CHECK(epochs.back().train_loss < 0.5 * epochs.front().train_loss);
    CHECK(epochs.back().examples_per_second > 0.0);
    CHECK(evaluate(run.network, run.feed, run.samples.labels).top1 > 0.9);
  }
}

TEST_CASE("a metrics line covers the steps since the previous line") {
  Run run;
  std::vector<StepMetrics> lines;
  TrainerHooks hooks;
  hooks.line = [&](const StepMetrics& line) { lines.push_back(line); };
  Trainer trainer(run.network, run.feed, kThreeEpochs);
  trainer.train_epoch(hooks);
  const EpochMetrics epoch = trainer.finish_epoch();
  REQUIRE(lines.size() == 2);  // after step 2 and at the end of the epoch
  CHECK(lines[0].step == 2);
  CHECK(lines[1].step == 3);
  CHECK(epoch.train_loss == Approx((lines[0].loss * 16 + lines[1].loss * 6) / 22));
  CHECK(epoch.train_accuracy == Approx((lines[0].accuracy * 16 + lines[1].accuracy * 6) / 22));
  CHECK(lines[0].learning_rate == 0.05);
  CHECK(lines[0].momentum == 0.9);

  // The gradient norms are those of the current gradients.
  double squares = 0.0;
  std::map<std::string, double> layers;
  for (const auto& [name, tensor] : run.network.gradients()) {
    for (std::size_t i = 0; i < tensor.bytes.size() / sizeof(float); ++i) {
      const float value = reinterpret_cast<const float*>(tensor.bytes.data())[i];
      squares += double{value} * value;
      layers[name.substr(0, name.find('.'))] += double{value} * value;
    }
  }
  CHECK(lines[1].gradient_norm == Approx(std::sqrt(squares)));
  REQUIRE(lines[1].gradient_norms.size() == layers.size());
  CHECK(lines[1].gradient_norms.front().first == "conv1");
  for (const auto& [layer, norm] : lines[1].gradient_norms) CHECK(norm == Approx(std::sqrt(layers.at(layer))));
}

TEST_CASE("results depend on the seed and augmentation and are reproducible") {
  const auto weights = [](std::uint64_t seed, bool augmented) {
    Run run(augmented);
    TrainerOptions options = kThreeEpochs;
    options.seed = seed;
    Trainer trainer(run.network, run.feed, options);
    for (; !trainer.finished(); trainer.finish_epoch()) trainer.train_epoch();
    return run.network.state();
  };
  const auto first = weights(1, false);
  CHECK(first == weights(1, false));
  CHECK(first != weights(2, false));
  const auto augmented = weights(1, true);
  CHECK(augmented == weights(1, true));
  CHECK(augmented != first);
}

TEST_CASE("training resumes after any step in another network with the same bits") {
  Trace whole;
  {
    Run run(true);
    TrainerHooks hooks;
    add_lines(whole, hooks);
    Trainer trainer(run.network, run.feed, kThreeEpochs);
    while (!trainer.finished()) {
      trainer.train_epoch(hooks);
      end_epoch(whole, trainer);
    }
    whole.weights = run.network.state();
    whole.momentum = run.network.optimizer_state();
  }
  CHECK(whole.momentum.size() > 10);
  for (std::int64_t stop = 1; stop <= 9; ++stop) {
    INFO("stopped after step " << stop);
    Trace parts;
    TrainerHooks hooks;
    add_lines(parts, hooks);
    TrainerState state;
    std::map<std::string, FileTensor> weights, momentum;
    {
      Run run(true);
      Trainer trainer(run.network, run.feed, kThreeEpochs);
      hooks.after_step = [&] { return trainer.step() < stop; };
      while (trainer.train_epoch(hooks) && trainer.step() < stop) end_epoch(parts, trainer);
      state = trainer.state();
      weights = run.network.state();
      momentum = run.network.optimizer_state();
    }
    CHECK(state.step == stop);
    hooks.after_step = {};
    Run run(true);
    run.network.load_state(weights);
    run.network.load_optimizer_state(momentum);
    Trainer trainer(run.network, run.feed, kThreeEpochs);
    trainer.set_state(state);
    while (!trainer.finished()) {
      trainer.train_epoch(hooks);
      end_epoch(parts, trainer);
    }
    parts.weights = run.network.state();
    parts.momentum = run.network.optimizer_state();
    CHECK(parts == whole);
  }
}

TEST_CASE("an inconsistent trainer state is rejected") {
  Run run;
  Trainer trainer(run.network, run.feed, kThreeEpochs);
  CHECK_THROWS_WITH(trainer.set_state({.epoch = 1, .position = 8, .step = 2}), Catch::Contains("it is step 1"));
  CHECK_THROWS_AS(trainer.set_state({.epoch = 1, .position = 30, .step = 4}), Error);
  CHECK_THROWS_AS(trainer.set_state({.epoch = 0}), Error);
  CHECK_THROWS_WITH(trainer.finish_epoch(), Catch::Contains("is not over"));
}

TEST_CASE("values that are not finite are located by step and layer and earlier weights are kept") {
  Run run;
  TrainerOptions options = kThreeEpochs;
  std::vector<Notice> notices;
  TrainerHooks hooks;
  hooks.notice = [&](const Notice& notice) { notices.push_back(notice); };

  SECTION("a weight that overflows") {
    auto state = run.network.state();
    auto* bias = reinterpret_cast<float*>(state.at("fc.bias").bytes.data());
    bias[0] = 3e38f;
    bias[1] = -3e38f;
    run.network.load_state(state);
    Trainer trainer(run.network, run.feed, options);
    CHECK_THROWS_WITH(
        trainer.train_epoch(hooks),
        Catch::Contains("step 1 (epoch 1, samples 0 to 7) gave numbers that are not finite, first in loss "
                        "of loss (softmax_cross_entropy)"));
    CHECK(run.network.state() == state);
  }
  SECTION("a layer in the middle") {
    auto state = run.network.state();
    auto* weight = reinterpret_cast<float*>(state.at("inception3b.branch2.0.bn.weight").bytes.data());
    weight[3] = std::numeric_limits<float>::infinity();
    run.network.load_state(state);
    Trainer trainer(run.network, run.feed, options);
    CHECK_THROWS_WITH(trainer.train_epoch(hooks), Catch::Contains("first in forward of inception3b.branch2.0"));
  }
  SECTION("an update") {
    Run decayed(false, {.lr = 1e38, .momentum = 0.9, .weight_decay = 1e4});
    Trainer trainer(decayed.network, decayed.feed, options);
    CHECK_THROWS_WITH(trainer.train_epoch(hooks), Catch::Contains("step 1 (epoch 1, samples 0 to 7)") &&
                                                      Catch::Contains("the new weights are not finite"));
  }
  SECTION("a later epoch") {
    Run slow(false, {.lr = 1e-4, .momentum = 0.9});
    options.schedule = {.kind = ScheduleKind::step,
                        .step_size = 4,  // the fifth step makes the weights so large that the sixth overflows
                        .gamma = 1e38};
    Trainer trainer(slow.network, slow.feed, options);
    CHECK(trainer.train_epoch(hooks));
    trainer.finish_epoch();
    CHECK_THROWS_WITH(trainer.train_epoch(hooks), Catch::Contains("step 6 (epoch 2, samples 16 to 21)"));
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].step == 6);
    CHECK(notices[0].epoch == 2);
    for (const auto& [name, tensor] : run.network.state()) {
      for (std::size_t i = 0; i < tensor.bytes.size() / sizeof(float); ++i) {
        REQUIRE(std::isfinite(reinterpret_cast<const float*>(tensor.bytes.data())[i]));
      }
    }
  }
}

TEST_CASE("a loss at chance level gives one notice per plateau") {
  const ModelConfig googlenet{.name = "googlenet", .classes = 10}, own{.name = "own", .classes = 10};
  LossWatch watch(googlenet, 1000);
  const double chance = std::log(10.0);
  for (int i = 0; i < 19; ++i) CHECK(!watch.add(chance * (i % 2 == 0 ? 1.005 : 0.995), 10));
  const auto said = watch.add(chance, 10);
  REQUIRE(said);
  CHECK_THAT(*said, Catch::Contains("for 200 steps the loss has been ln(10) = 2.303 or more") &&
                        Catch::Contains("A GoogLeNet without BatchNorm"));
  for (int i = 0; i < 50; ++i) CHECK(!watch.add(chance, 10));
  CHECK(!watch.add(0.9 * chance, 10));
  CHECK(watch.state().at_chance == 0);
  CHECK(!watch.add(std::nan(""), 10));
  for (int i = 0; i < 19; ++i) CHECK(!watch.add((1.0 + 0.05 * i) * chance, 10));
  CHECK(watch.add(chance, 10));
  LossWatch of_a_short_training(own, 60);
  CHECK(!of_a_short_training.add(chance, 20));
  CHECK_THAT(of_a_short_training.add(chance, 10).value_or(""),
             Catch::Contains("for 30 steps") && !Catch::Contains("GoogLeNet") && !Catch::Contains("googlenet"));
  LossWatch of_the_shortest(own, 12);
  CHECK(!of_the_shortest.add(chance, 9));
  CHECK(of_the_shortest.add(chance, 1));

  // The trainer notices a network that does not learn: its learning rate is 0 and its last layer is zero.
  Run run(false, {.lr = 0.0, .momentum = 0.9});
  auto state = run.network.state();
  for (auto& [name, tensor] : state) {
    if (name.starts_with("fc.")) std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0});
  }
  run.network.load_state(state);
  TrainerOptions options = kThreeEpochs;
  options.epochs = 100;
  std::vector<Notice> notices;
  TrainerHooks hooks;
  hooks.notice = [&](const Notice& notice) { notices.push_back(notice); };
  Trainer trainer(run.network, run.feed, options);
  for (; !trainer.finished(); trainer.finish_epoch()) trainer.train_epoch(hooks);
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].step >= 150);  // half of the training
  CHECK(notices[0].step <= 152);
}

TEST_CASE("a loss far above chance level gives one notice per run") {
  const ModelConfig model{.name = "own", .classes = 10};
  LossWatch watch(model, 500);
  const double far = 2.0 * std::log(10.0) + 1.01;
  for (int i = 0; i < 4; ++i) CHECK(!watch.add(far, 10));
  CHECK(!watch.add(0.5, 10));  // recovered
  for (int i = 0; i < 4; ++i) CHECK(!watch.add(1e6, 10));
  LossWatch resumed(model, 500);
  resumed.set_state(watch.state());
  for (LossWatch* one : {&watch, &resumed}) {
    CHECK_THAT(
        one->add(123.44, 10).value_or(""),
        Catch::Contains("the loss is 123.4, far above the ln(10) = 2.303 of chance level: the training diverges"));
    CHECK(!one->add(0.5, 10));
    for (int i = 0; i < 50; ++i) CHECK(!one->add(far, 10));
  }
}

TEST_CASE("training with a step limit and its schedule end within an epoch") {
  // Three steps per epoch; training ends after five, and so does the schedule.
  TrainerOptions options = kThreeEpochs;
  options.epochs = 2;
  options.steps = 5;
  options.schedule.kind = ScheduleKind::cosine;
  Run run;
  Trainer trainer(run.network, run.feed, options);
  CHECK(trainer.total_steps() == 5);
  std::vector<StepMetrics> lines;
  TrainerHooks hooks;
  hooks.line = [&](const StepMetrics& line) { lines.push_back(line); };
  CHECK(trainer.train_epoch(hooks));
  trainer.finish_epoch();
  CHECK(!trainer.finished());
  CHECK(trainer.train_epoch(hooks));
  CHECK(trainer.finished());
  CHECK(trainer.step() == 5);
  CHECK(trainer.state().position == 16);
  CHECK_THROWS_WITH(trainer.finish_epoch(), Catch::Contains("not over"));
  CHECK_THROWS_WITH(trainer.train_epoch(), Catch::Contains("5 steps"));
  REQUIRE(lines.size() == 4);  // after steps 2, 3 (end of the epoch), 4 and 5 (end of training)
  CHECK(lines.back().step == 5);
  CHECK(lines.back().learning_rate == Approx(options.schedule.at(4, 5, Sgd{.lr = 0.05}).learning_rate));

  // A training stopped and resumed after every step ends with the same weights.
  Run stopped;
  Trainer other(stopped.network, stopped.feed, options);
  hooks = {};
  hooks.after_step = [&] { return false; };
  while (!other.finished()) {
    if (other.epoch_trained()) other.finish_epoch();
    other.train_epoch(hooks);
    other.set_state(other.state());
  }
  CHECK(stopped.network.state() == run.network.state());

  options.steps = 100;
  CHECK(Trainer(run.network, run.feed, options).total_steps() == 6);  // the epochs end first
}

TEST_CASE("invalid trainer options are rejected") {
  Run run;
  CHECK_THROWS_WITH(Trainer(run.network, run.feed, {.epochs = 1, .steps = -1, .batch_size = 8}),
                    Catch::Contains("-1 steps"));
  CHECK_THROWS_WITH(Trainer(run.network, run.feed, {.epochs = 1, .batch_size = 9}), Catch::Contains("batch size of 9"));
  CHECK_THROWS_AS(Trainer(run.network, run.feed, {.epochs = 0, .batch_size = 8}), Error);
  CHECK_THROWS_WITH(Trainer(run.network, run.feed, {.epochs = 1, .batch_size = 8, .schedule = {.warmup_steps = 3}}),
                    Catch::Contains("warm-up of 3 steps"));
  CHECK_THROWS_AS(make_resident(*run.backend, {2, 8, 8}, run.samples.pixels, std::span(run.samples.labels).first(3)),
                  Error);
}
