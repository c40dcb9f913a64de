#include "minception.h"

#include "tests/catch.h"
#include "tests/tools/programs.h"
#include "tests/tools/runs.h"

#include <cmath>

using namespace minception;
using namespace minception::testing;

namespace {

struct Data {
  Data() { make_data(folder.path()); }
  Dataset load() const { return load_dataset("fashion-mnist", folder / "data"); }
  fs::path operator/(const char* name) const { return folder / name; }

  TemporaryFolder folder;
};

Model own_model() {
  return Model("own",
               {Conv2d(6, 3, {.stride = 2, .bias = false}), BatchNorm2d({.relu = true}),
                Residual({Conv2d(6, 3, {.padding = 1}), GELU()}), MaxPool2d(2), Flatten(), Dropout(0.3), Linear(10)},
               {1, 28, 28}, 10);
}

FitOptions options(const fs::path& out) {
  return {.out = out,
          .epochs = 3,
          .batch_size = 8,
          .optimizer = Sgd{.lr = 0.02, .momentum = 0.9, .weight_decay = 1e-3},
          .ema_decay = 0.9,
          .augmentation = {.padding = {2, 2}, .flip = true},
          .seed = 5,
          .device = "cpu",
          .log_every = 2,
          .verbose = false};
}

}  // namespace

TEST_CASE("fit trains an own network and train resumes its run with the same bits") {
  const Data data;
  const FitResult whole = fit(own_model(), data.load(), options(data / "whole"));
  CHECK(!whole.stopped);
  CHECK(whole.best->epoch >= 1);
  FitOptions two = options(data / "parts");
  two.epochs = 2;
  fit(own_model(), data.load(), two);
  const Outcome resumed = run(data.folder.path(), "train --resume parts --epochs 3");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  check_same_run(data / "whole", data / "parts");
  const Outcome evaluated = run(data.folder.path(), "evaluate --weights whole/model.safetensors --data-dir data");
  INFO(evaluated.err);
  CHECK(evaluated.code == 0);
}

TEST_CASE("a stopped fit resumes with the same bits and reports every step and epoch") {
  const Data data;
  std::vector<std::int64_t> steps, epochs;
  FitOptions whole = options(data / "whole");
  whole.on_step = [&](const StepMetrics& line) { steps.push_back(line.step); };
  whole.on_epoch = [&](const EpochMetrics& line) { epochs.push_back(line.epoch); };
  fit(own_model(), data.load(), whole);
  CHECK(steps == std::vector<std::int64_t>{2, 4, 6, 8, 10, 12, 14, 16, 18});
  CHECK(epochs == std::vector<std::int64_t>{1, 2, 3});

  FitOptions parts = options(data / "parts");
  int polls = 0;
  parts.should_stop = [&] { return ++polls % 9 == 0; };
  FitResult result = fit(own_model(), data.load(), parts);
  CHECK(result.stopped);
  CHECK_THAT(result.text, Catch::Contains("resume"));
  parts.resume = true;
  for (int times = 0; result.stopped && times < 20; ++times) result = fit(own_model(), data.load(), parts);
  CHECK(!result.stopped);
  check_same_run(data / "whole", data / "parts");
  CHECK_THAT(fit(own_model(), data.load(), parts).text, Catch::Contains("nothing to do"));

  parts.augmentation.flip = false;
  parts.optimizer = Sgd{.lr = 0.5, .momentum = 0.9, .weight_decay = 1e-3};
  CHECK_THROWS_WITH(fit(own_model(), data.load(), parts),
                    Catch::Contains("other options: lr 0.5 (was 0.02), flip false (was true); use the same ones"));
}

TEST_CASE("fit computes the same as train with the same options") {
  const Data data;
  const Model model = make_model({.name = "googlenet_small", .input = {1, 28, 28}, .seed = 5});
  FitOptions same = options(data / "fit");
  same.schedule = {.kind = ScheduleKind::one_cycle, .warmup_epochs = 0.5};
  fit(model, data.load(), same);
  const Outcome trained = run(
      data.folder.path(),
      "train --data-dir data --model googlenet_small --image-size 28 --device cpu --epochs 3 --batch-size 8 --lr 0.02 "
      "--momentum 0.9 --weight-decay 1e-3 --ema 0.9 --crop-padding 2 --flip --seed 5 --log-every 2 --schedule "
      "one-cycle "
      "--warmup-epochs 0.5 --out train");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  check_same_run(data / "fit", data / "train");
}

TEST_CASE("fit starts from weights and a Classifier predicts with its own backend") {
  const Data data;
  fit(own_model(), data.load(), options(data / "first"));
  FitOptions second = options(data / "second");
  second.epochs = 1;
  second.optimizer = Sgd{.lr = 0.0};
  second.init = data / "first/model.safetensors";
  second.freeze = {"0", "1"};
  fit(own_model(), data.load(), second);
  CHECK(read_safetensors(data / "second/model.safetensors").tensors.at("6.weight") ==
        read_safetensors(data / "first/model.safetensors").tensors.at("6.weight"));

  write(data / "one.pgm", "P5 28 28 255\n" + std::string(28 * 28, 'x'));
  const Prediction found = Classifier(data / "first/model.safetensors", "cpu").predict(data / "one.pgm");
  CHECK(found.probabilities.size() == 10);
  CHECK(found.class_name == data.load().train.class_names[found.class_index]);
  CHECK(found.probability() == found.probabilities[found.class_index]);
}

TEST_CASE("fit refuses what it cannot train before it writes anything") {
  const Data data;
  CHECK_THROWS_WITH(fit(own_model(), data.load(), options("")), Catch::Contains("out"));
  Model other("own", {Flatten(), Linear(3)}, {1, 28, 28}, 3);
  CHECK_THROWS_WITH(fit(other, data.load(), options(data / "run")), Catch::Contains("own has 3 classes"));
  Model colour("own", {Flatten(), Linear(10)}, {3, 28, 28}, 10);
  CHECK_THROWS_WITH(fit(colour, data.load(), options(data / "run")), Catch::Contains("takes images of [3,28,28]"));
  const auto refused = [&](auto edit, const char* message) {
    FitOptions edited = options(data / "run");
    edit(edited);
    CHECK_THROWS_WITH(fit(own_model(), data.load(), edited), Catch::Contains(message));
  };
  refused([](FitOptions& o) { o.accumulate = 0; }, "accumulate = 0: must be at least 1");
  refused([](FitOptions& o) { o.batch_size = 0; }, "batch_size = 0");
  refused([](FitOptions& o) { o.optimizer = Sgd{.lr = std::nan("")}; }, "lr = nan");
  refused([](FitOptions& o) { o.optimizer = Sgd{.lr = -1.0}; }, "lr = -1");
  refused([](FitOptions& o) { o.optimizer = Sgd{.momentum = 1.0}; }, "momentum = 1: must be below 1");
  refused([](FitOptions& o) { o.label_smoothing = 1.0; }, "label_smoothing = 1");
  refused([](FitOptions& o) { o.compute = "f16"; }, "compute = f16");
  FitOptions unknown = options(data / "run");
  unknown.device = "gpu";
  CHECK_THROWS_WITH(fit(own_model(), data.load(), unknown), Catch::Contains("unknown device 'gpu'"));
  CHECK(!fs::exists(data / "run"));
}
