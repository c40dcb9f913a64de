#include "minception.h"

#include "tests/catch.h"
#include "tests/tools/programs.h"
#include "tests/tools/runs.h"
#include "training/evaluation_record.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <stdexcept>
#include <utility>

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
  const FitResult again = fit(own_model(), data.load(), parts);
  CHECK_THAT(again.text, Catch::Contains("nothing to do"));
  CHECK(!again.early_stopped);
  CHECK(again.best->epoch == result.best->epoch);
  CHECK(again.best->eval_accuracy == result.best->eval_accuracy);

  parts.augmentation.flip = false;
  parts.optimizer = Sgd{.lr = 0.5, .momentum = 0.9, .weight_decay = 1e-3};
  CHECK_THROWS_WITH(fit(own_model(), data.load(), parts),
                    Catch::Contains("other options: lr = 0.5 (was 0.02), flip = false (was true); use the same ones"));
}

TEST_CASE("fit refuses to resume with another network and names the first layer that differs") {
  const Data data;
  FitOptions o = options(data / "run");
  o.epochs = 1;
  fit(own_model(), data.load(), o);
  o.resume = true;
  o.epochs = 2;
  const auto refused = [&](Sequential layers, const char* difference) {
    CHECK_THROWS_WITH(fit(Model("own", std::move(layers), {1, 28, 28}, 10), data.load(), o),
                      Catch::Contains(concat("first difference: ", difference, "; use the same one")));
  };
  const auto first = [] { return Conv2d(6, 3, {.stride = 2, .bias = false}); };
  const auto norm = [] { return BatchNorm2d({.relu = true}); };
  const auto third = [] { return Residual({Conv2d(6, 3, {.padding = 1}), GELU()}); };
  refused({Conv2d(8, 3, {.stride = 2, .bias = false}), Flatten(), Linear(10)}, "0: out_channels 8 (was 6)");
  refused({first(), norm(), Residual({Conv2d(6, 3, {.padding = 1}), ReLU()}), MaxPool2d(2), Flatten(), Dropout(0.3),
           Linear(10)},
          "2.residual.1: ReLU (was GELU)");
  refused({first(), norm(), Residual({Conv2d(6, 3, {.padding = 1}), GELU()}, {Conv2d(6, 1)}), MaxPool2d(2), Flatten(),
           Dropout(0.3), Linear(10)},
          "2.projection: Sequential (was absent)");
  refused({first(), norm(), third(), MaxPool2d(2), Flatten(), Dropout(0.3), Linear(10), Flatten()},
          "7: Flatten (was absent)");
  refused({first(), norm(), third(), MaxPool2d(2), Flatten(), Linear(10)}, "5: Linear (was Dropout)");
  CHECK_NOTHROW(fit(own_model(), data.load(), o));
}

TEST_CASE("fit resumes a run of train with the same options and names those that differ") {
  const Data data;
  const Outcome trained =
      run(data.folder.path(),
          "train --data-dir data --model googlenet_small --image-size 28 --device cpu --epochs 1 --batch-size 8 --lr "
          "0.02 --momentum 0.9 --weight-decay 1e-3 --ema 0.9 --crop-padding 2 --flip --seed 5 --log-every 2 --out run");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Model model = make_model({.name = "googlenet_small", .input = {1, 28, 28}, .seed = 5});
  FitOptions o = options(data / "run");
  o.resume = true;
  const auto refused = [&](auto edit, const char* differences) {
    FitOptions edited = o;
    edit(edited);
    CHECK_THROWS_WITH(fit(model, data.load(), edited),
                      Catch::Contains(concat("other options: ", differences, "; use")));
  };
  refused([](FitOptions& e) { e.optimizer = Sgd{.lr = 0.02, .momentum = 0.5, .weight_decay = 1e-3}; },
          "momentum = 0.5 (was 0.9)");
  refused([](FitOptions& e) { e.ema_decay = 0.0; }, "ema_decay = 0.0 (was 0.9)");
  refused([](FitOptions& e) { e.batch_size = 4; }, "batch_size = 4 (was 8)");
  refused([](FitOptions& e) { e.accumulate = 2; }, "accumulate = 2 (was 1)");
  const FitResult result = fit(model, data.load(), o);
  CHECK(read_metrics(data / "run/metrics.jsonl").epochs.size() == 3);
  CHECK(result.best->epoch >= 1);
}

TEST_CASE("train resumes a run of images in memory if their data set is named") {
  const Data data;
  Dataset in_memory = data.load();
  in_memory.source = in_memory.folder = in_memory.options = "";
  FitOptions o = options(data / "run");
  o.epochs = 1;
  fit(own_model(), in_memory, o);
  const Outcome unnamed = run(data.folder.path(), "train --resume run --epochs 2");
  CHECK(unnamed.code == 1);
  CHECK_THAT(unnamed.err, Catch::Contains("no record of where its images came from; name them with --data"));
  const Outcome named = run(data.folder.path(), "train --resume run --epochs 2 --data fashion-mnist --data-dir data");
  INFO(named.err);
  CHECK(named.code == 0);
  CHECK(read_metrics(data / "run/metrics.jsonl").epochs.size() == 2);
}

TEST_CASE("fit reports when it ended by patience, also when it is resumed") {
  const Data data;
  FitOptions o = options(data / "run");
  o.epochs = 6;
  o.optimizer = Sgd{.lr = 0.0};
  o.freeze = {"0", "1", "2"};
  o.patience = 2;
  const FitResult result = fit(own_model(), data.load(), o);
  CHECK(result.early_stopped);
  CHECK(!result.stopped);
  CHECK(result.best->epoch == 1);
  o.resume = true;
  const FitResult again = fit(own_model(), data.load(), o);
  CHECK(again.early_stopped);
  CHECK(again.best->epoch == 1);
}

TEST_CASE("an exception from a callback leaves a report, and before a checkpoint the folder may be used again") {
  const Data data;
  FitOptions o = options(data / "run");
  o.on_step = [](const StepMetrics&) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(fit(own_model(), data.load(), o), "enough");
  CHECK(fs::exists(data / "run/report.html"));
  o.on_step = {};
  o.on_epoch = [](const EpochMetrics&) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(fit(own_model(), data.load(), o), "enough");
  CHECK(read_metrics(data / "run/metrics.jsonl").epochs.size() == 1);
  o.on_epoch = {};
  CHECK_THROWS_WITH(fit(own_model(), data.load(), o), Catch::Contains("already contains a run; use resume"));
  o.resume = true;
  CHECK(!fit(own_model(), data.load(), o).stopped);
}

TEST_CASE("evaluate of a classifier gives the evaluation of the run and of the tool") {
  const Data data;
  const FitResult result = fit(own_model(), data.load(), options(data / "run"));
  const Classifier classifier(data / "run/model_best.safetensors", "cpu");
  const Evaluation found = evaluate(classifier, data.load(), {.batch_size = 8});
  CHECK(found.samples == data.load().test.size());
  CHECK(found.loss == result.best->eval_loss);
  CHECK(found.top1 == result.best->eval_accuracy);
  CHECK(found.top5 == result.best->eval_top5);
  const Outcome outcome =
      run(data.folder.path(),
          "evaluate --weights run/model_best.safetensors --data-dir data --device cpu --batch-size 8 --json");
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["loss"] == found.loss);
  CHECK(json["top1"] == found.top1);

  Dataset parts = data.load();
  std::swap(parts.test, parts.validation);
  CHECK(evaluate(classifier, parts, {.batch_size = 8}).loss == found.loss);
  parts.validation = {};
  CHECK(evaluate(classifier, parts).samples == parts.train.size());
  parts.train.class_names[3] = "Hat";
  CHECK_THROWS_WITH(evaluate(classifier, parts), Catch::Contains("Hat"));
  CHECK_THROWS_WITH(evaluate(classifier, parts.test), Catch::Contains("no images to evaluate"));
}

TEST_CASE("the pictures of a tested run are those of its best weights") {
  const Data data;
  Dataset parts = data.load();
  for (std::int32_t& label : parts.train.labels) label = (label + 1) % 10;
  FitOptions first = options(data / "first");
  first.epochs = 20;
  fit(own_model(), parts, first);
  // With other labels, the results on the old ones become worse.
  parts.validation = parts.train;
  parts.train = data.load().train;
  FitOptions second = options(data / "run");
  second.init = data / "first/model.safetensors";
  second.ema_decay = 0.0;
  second.epochs = 4;
  const FitResult result = fit(own_model(), parts, second);
  REQUIRE(result.best->epoch < 4);  // else the last weights are the best
  const EvaluationRecord record = read_evaluation_record(data / "run/evaluation.json");
  REQUIRE(record.inside.has_value());
  Classifier classifier(data / "run/model_best.safetensors", "cpu");
  const std::span<const std::uint8_t> pixels = parts.test.pixels_of(record.inside->index);
  const DecodedImage image = {parts.test.image, {pixels.begin(), pixels.end()}};
  CHECK(classifier.predict(std::span(&image, 1)).front().probability() == Approx(record.inside->probability));
}

TEST_CASE("fit gives its warnings to on_warning") {
  const Data data;
  FitOptions o = options(data / "run");
  o.epochs = 2;
  std::vector<std::string> warnings;
  o.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  fit(own_model(), data.load(), o);
  CHECK(warnings.empty());
  fs::path newest;
  for (const auto& each : fs::directory_iterator(data / "run/checkpoints")) newest = std::max(newest, each.path());
  write(newest, "damaged");
  o.resume = true;
  fit(own_model(), data.load(), o);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Catch::StartsWith(newest.string()) && Catch::EndsWith("; using the checkpoint before it"));
  o.on_warning = {};
  CHECK_THROWS_WITH(fit(own_model(), data.load(), o), Catch::Contains("on_warning: must be a function"));
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
  const double nan = std::nan("");
  refused([](FitOptions& o) { o.epochs = 0; }, "epochs = 0: must be 1 to 1000000");
  refused([](FitOptions& o) { o.accumulate = 0; }, "accumulate = 0: must be 1 to 1000000");
  refused([](FitOptions& o) { o.batch_size = 0; }, "batch_size = 0");
  refused([](FitOptions& o) { o.patience = -1; }, "patience = -1: must be 0 to 1000000");
  refused([](FitOptions& o) { o.checkpoint_every = -1; }, "checkpoint_every = -1");
  refused([](FitOptions& o) { o.keep_checkpoints = 0; }, "keep_checkpoints = 0");
  refused([](FitOptions& o) { o.log_every = 0; }, "log_every = 0");
  refused([](FitOptions& o) { o.num_workers = 0; }, "num_workers = 0");
  refused([](FitOptions& o) { o.threads = -1; }, "threads = -1");
  refused([](FitOptions& o) { o.resume = o.overwrite = true; }, "resume and overwrite cannot be combined");
  refused([](FitOptions& o) { o.resume = o.profile = true; }, "profile and resume cannot be combined");
  refused([](FitOptions& o) { o.schedule.pct_start = 1.0; }, "pct_start = 1: must be between 0 and 1");
  refused([&](FitOptions& o) { o.schedule.pct_start = nan; }, "pct_start = nan");
  refused([](FitOptions& o) { o.schedule.step_size = 0.0; }, "step_size = 0: must be above 0");
  refused([&](FitOptions& o) { o.schedule.gamma = nan; }, "gamma = nan");
  refused([&](FitOptions& o) { o.schedule.eta_min = nan; }, "eta_min = nan");
  refused([&](FitOptions& o) { o.schedule.warmup_epochs = nan; }, "warmup_epochs = nan");
  refused([](FitOptions& o) { o.schedule.warmup_epochs = 1e30; }, "warmup_epochs = 1e+30: must be 0 to 1000000");
  refused([](FitOptions& o) { o.schedule.kind = static_cast<ScheduleKind>(9); }, "schedule = 9: is not a ScheduleKind");
  refused([](FitOptions& o) { o.initialization = static_cast<Initialization>(9); }, "initialization = 9");
  refused([](FitOptions& o) { o.schedule = {.kind = ScheduleKind::one_cycle, .base_momentum = 0.95}; },
          "base_momentum = 0.95: must be between 0 and momentum, 0.9");
  refused([&](FitOptions& o) { o.schedule.base_momentum = nan; }, "base_momentum = nan");
  refused([](FitOptions& o) { o.schedule.base_momentum = 0.5; }, "base_momentum needs schedule = one-cycle");
  refused([](FitOptions& o) { o.normalization.deviation = {0.0}; }, "deviation = 0: must be a finite number above 0");
  refused([&](FitOptions& o) { o.normalization.deviation = {nan}; }, "deviation = nan");
  refused([&](FitOptions& o) { o.normalization.mean = {nan}; }, "mean = nan");
  refused([](FitOptions& o) { o.normalization.mean = {0.1, 0.2}; }, "mean: 2 numbers; give one");
  refused([&](FitOptions& o) { o.ema_decay = nan; }, "ema_decay = nan");
  refused([&](FitOptions& o) { o.max_norm = nan; }, "max_norm = nan");
  refused([&](FitOptions& o) { o.label_smoothing = nan; }, "label_smoothing = nan");
  refused([](FitOptions& o) { o.augmentation.padding = -1; }, "padding = -1: must be 0 to 10000");
  refused([](FitOptions& o) { o.augmentation = {.scale = 0.0}; }, "scale = 0");
  refused([&](FitOptions& o) { o.augmentation = {.ratio = nan}; }, "ratio = nan");
  refused([](FitOptions& o) { o.augmentation.scale = 0.5; }, "padding cannot be combined with scale or ratio");
  refused([](FitOptions& o) { o.augmentation.contrast = 2.0; }, "contrast = 2: must be 0 to 1");
  refused([](FitOptions& o) { o.freeze = {""}; }, "freeze = ''");
  refused([](FitOptions& o) { o.optimizer = Sgd{.nesterov = true}; }, "nesterov needs a momentum above 0");
  refused([](FitOptions& o) { o.optimizer = AdamW{.beta2 = 1.0}; }, "beta2 = 1: must be in [0, 1)");
  refused([](FitOptions& o) { o.optimizer = Adam{.eps = 0.0}; }, "eps = 0");
  refused([&](FitOptions& o) { o.optimizer = Adam{.beta1 = nan}; }, "beta1 = nan");
  refused([](FitOptions& o) { o.optimizer = Sgd{.lr = std::nan("")}; }, "lr = nan");
  refused([](FitOptions& o) { o.optimizer = Sgd{.lr = -1.0}; }, "lr = -1");
  refused([](FitOptions& o) { o.optimizer = Sgd{.momentum = 1.0}; }, "momentum = 1: must be in [0, 1)");
  refused([](FitOptions& o) { o.label_smoothing = 1.0; }, "label_smoothing = 1");
  refused([](FitOptions& o) { o.compute = "f16"; }, "compute = f16");
  FitOptions unknown = options(data / "run");
  unknown.device = "gpu";
  CHECK_THROWS_WITH(fit(own_model(), data.load(), unknown), Catch::Contains("unknown device 'gpu'"));
  CHECK(!fs::exists(data / "run"));
}
