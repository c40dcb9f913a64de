/// Steps of several passes, other optimizers and averages, and their checkpoints.

#include "core/error.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/drift.h"
#include "tests/models/networks.h"
#include "tests/training/samples.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

#include "tests/catch.h"

#include <cmath>

using namespace minception;
using namespace minception::testing;

namespace {

using State = std::map<std::string, FileTensor>;

struct Run {
  explicit Run(const NetworkOptions& options, bool batch_norm = true, bool auxiliary = false)
      : network(small_googlenet(batch_norm, auxiliary), *backend, options) {
    network.initialize(Initialization::xavier_uniform, 1);
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  ImageDataset samples = make_samples();
  ResidentDataset dataset = make_resident(*backend, samples.image, samples.pixels, samples.labels);
  ResidentBatchSource feed{dataset};
  Network network;
};

NetworkOptions for_samples(std::int64_t max_batch, DType compute = DType::f32) {
  return {.max_batch = max_batch,
          .compute = compute,
          .optimizer = Sgd{.lr = 0.02, .momentum = 0.9},
          .dataset_image = Shape{2, 8, 8}};
}

TrainerOptions epochs(std::int64_t count, std::int64_t batch_size, std::int64_t accumulate) {
  return {.epochs = count, .batch_size = batch_size, .accumulate = accumulate, .steps_per_line = 1};
}

}  // namespace

TEST_CASE("accumulated passes equal steps of a larger batch including the last of an epoch") {
  // 22 samples: 8 + 8 + 6 at once, or split as 4 + 4, 4 + 4, 4 + 2.
  struct Trace {
    State weights;
    std::vector<StepMetrics> lines;
  };
  const auto trained = [](std::int64_t batch_size, std::int64_t accumulate, bool record) {
    NetworkOptions options = for_samples(batch_size, DType::f64);
    options.graph_capture = record;
    Run run(options, /*batch_norm=*/false, /*auxiliary=*/true);
    Trainer trainer(run.network, run.feed, epochs(3, batch_size, accumulate));
    CHECK(trainer.steps_per_epoch() == 3);
    Trace trace;
    TrainerHooks hooks;
    hooks.line = [&](const StepMetrics& line) { trace.lines.push_back(line); };
    for (; !trainer.finished(); trainer.finish_epoch()) CHECK(trainer.train_epoch(hooks));
    CHECK(trainer.step() == 9);
    trace.weights = run.network.state();
    return trace;
  };
  const Trace whole = trained(8, 1, true);
  for (const bool record : {true, false}) {
    const Trace parts = trained(4, 2, record);
    CHECK(distance(parts.weights, whole.weights) < 1e-12);
    REQUIRE(parts.lines.size() == whole.lines.size());
    for (std::size_t i = 0; i < whole.lines.size(); ++i) {
      CHECK(parts.lines[i].step == whole.lines[i].step);
      CHECK(parts.lines[i].loss == Approx(whole.lines[i].loss).epsilon(1e-10));
      CHECK(parts.lines[i].gradient_norm == Approx(whole.lines[i].gradient_norm).epsilon(1e-10));
    }
  }
  CHECK_THROWS_WITH(trained(8, 0, true), Catch::Contains("gradients of 0 passes per step"));
}

TEST_CASE("a step of several passes may end with a short pass") {
  NetworkOptions options = for_samples(3, DType::f64);
  Run parts(options, false);
  Trainer trainer(parts.network, parts.feed, epochs(1, 3, 3));  // 9 + 9 + 4, the last as 3 + 1
  CHECK(trainer.steps_per_epoch() == 3);
  trainer.train_epoch();
  options.max_batch = 9;
  Run whole(options, false);
  Trainer at_once(whole.network, whole.feed, epochs(1, 9, 1));
  at_once.train_epoch();
  CHECK(distance(parts.network.state(), whole.network.state()) < 1e-12);
  CHECK_THROWS_WITH(trainer.set_state({.epoch = 1, .position = 3, .step = 2}),
                    Catch::Contains("with 22 samples and 9 per step it is step 1"));
}

TEST_CASE("training with all options resumes from a checkpoint after any step with the same bits") {
  const TemporaryFolder folder;
  NetworkOptions options = for_samples(3);
  options.optimizer = AdamW{.lr = 0.02, .weight_decay = 0.05};
  options.max_norm = 0.5;
  options.ema_decay = 0.8;
  options.freeze = {"conv1"};
  options.augmentation.flip = true;
  const TrainerOptions all = epochs(2, 3, 2);  // 6 + 6 + 6 + 4
  Run whole(options);
  Trainer to_the_end(whole.network, whole.feed, all);
  for (; !to_the_end.finished(); to_the_end.finish_epoch()) to_the_end.train_epoch();
  CHECK(to_the_end.step() == 8);

  for (std::int64_t stop = 1; stop <= 8; ++stop) {
    INFO("stopped after step " << stop);
    {
      Run run(options);
      Trainer trainer(run.network, run.feed, all);
      TrainerHooks hooks;
      hooks.after_step = [&] { return trainer.step() < stop; };
      while (trainer.train_epoch(hooks) && trainer.step() < stop) trainer.finish_epoch();
      CHECK(trainer.step() == stop);
      write_checkpoint(folder / "c", run.network, trainer.state(), "{}", {"a", "b", "c", "d"});
    }
    Run run(options);
    Trainer trainer(run.network, run.feed, all);
    const Checkpoint checkpoint = read_checkpoint(folder / "c");
    load_checkpoint(run.network, checkpoint);
    trainer.set_state(checkpoint.state);
    for (; !trainer.finished(); trainer.finish_epoch()) trainer.train_epoch();
    CHECK(run.network.state() == whole.network.state());
    CHECK(run.network.averaged_state() == whole.network.averaged_state());
    CHECK(run.network.optimizer_state() == whole.network.optimizer_state());

    Run without(for_samples(3));
    CHECK_THROWS_WITH(load_checkpoint(without.network, checkpoint),
                      Catch::Contains("exp_avg.conv1.bn.bias") && Catch::Contains("belong to no layer of small"));
    options.ema_decay = 0.0;
    Run not_averaged(options);
    CHECK_THROWS_WITH(load_checkpoint(not_averaged.network, checkpoint), Catch::Contains("without averages"));
    options.ema_decay = 0.8;
  }
}

TEST_CASE("check_every_step does not change the results") {
  NetworkOptions options = for_samples(4);
  options.optimizer = Adam{.lr = 0.02};
  options.ema_decay = 0.9;
  State states[2];
  for (const bool check : {false, true}) {
    Run run(options);
    TrainerOptions two = epochs(2, 4, 2);
    two.check_every_step = check;
    Trainer trainer(run.network, run.feed, two);
    for (; !trainer.finished(); trainer.finish_epoch()) trainer.train_epoch();
    states[check] = run.network.averaged_state();
  }
  CHECK(states[0] == states[1]);
}

TEST_CASE("values that are not finite in a later pass are located and averages are restored") {
  for (const bool check : {false, true}) {
    NetworkOptions options = for_samples(4);
    options.ema_decay = 0.5;
    options.optimizer = Sgd{.lr = 0.0};
    Run run(options, /*batch_norm=*/false);
    // Only the bright pixel of sample 15 makes the loss infinite: the last sample of the second pass of step 2.
    TrainerOptions once = epochs(1, 4, 2);
    once.shuffle = false;
    once.steps_per_line = 10;
    once.check_every_step = check;
    std::fill(run.samples.pixels.begin(), run.samples.pixels.end(), std::uint8_t{0});
    run.samples.pixels[15 * 128 + 5] = 255;
    run.dataset = make_resident(*run.backend, run.samples.image, run.samples.pixels, run.samples.labels);
    State state = run.network.state();
    for (auto& [name, tensor] : state) {
      if (name != "conv1.conv.weight" && name != "inception3a.branch1.conv.weight") continue;
      const std::vector<double> large(to_doubles(tensor).size(), 1e25);
      tensor = to_file_tensor(large, tensor.shape, tensor.dtype);
    }
    for (auto& [name, tensor] : state) {
      if (name != "conv1.conv.bias") continue;
      tensor = to_file_tensor(std::vector<double>(to_doubles(tensor).size(), 0.0), tensor.shape, tensor.dtype);
    }
    run.network.load_state(state);
    Trainer trainer(run.network, run.feed, once);
    CHECK_THROWS_WITH(trainer.train_epoch(),
                      Catch::Contains("step 2 (epoch 1, samples 8 to 15) gave numbers that are not finite, first in "
                                      "forward of inception3a"));
    CHECK(run.network.state() == state);
    CHECK(run.network.averaged_state() == state);
  }
}

TEST_CASE("metric lines report loss and accuracy of auxiliary heads") {
  Run run(for_samples(8, DType::f64), true, true);
  std::vector<StepMetrics> lines;
  std::vector<LossMetrics> metrics;
  TrainerHooks hooks;
  hooks.line = [&](const StepMetrics& line) { lines.push_back(line); };
  TrainerOptions rare = epochs(1, 8, 1);
  rare.steps_per_line = 2;
  Trainer trainer(run.network, run.feed, rare);
  hooks.after_step = [&] {
    if (trainer.step() == 1) metrics = trainer.state().on_device;
    return trainer.step() < 2;
  };
  trainer.train_epoch(hooks);
  REQUIRE(lines.size() == 1);
  REQUIRE(lines[0].auxiliary.size() == 1);
  const StepMetrics::Auxiliary& head = lines[0].auxiliary[0];
  CHECK(head.head == "aux1");
  CHECK(head.loss > 0.5);
  CHECK(head.loss < 5.0);
  CHECK(head.loss != lines[0].loss);
  // The line covers two steps; `metrics` has the first one only.
  REQUIRE(metrics.size() == 2);
  CHECK(head.loss * 16 > metrics[1].loss);
  CHECK(head.accuracy * 16 >= metrics[1].correct);
  CHECK(std::fmod(head.accuracy * 16, 1.0) == 0.0);
}
