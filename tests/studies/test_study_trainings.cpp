/// compare_variants and transfer on a few tiny images: runs, files, and rejected command lines.

#include "tests/tools/refusals.h"
#include "tests/tools/runs.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

using namespace minception::testing;
using Json = nlohmann::json;

namespace {

const Command kSmall = " --data-dir data --image-size 17 --batch-size 8 --threads 1";
const Command kVariants = "compare_variants --models googlenet_small,googlenet_residual" + kSmall;
const Command kTransfer =
    "transfer --limit-per-class all,2 --model googlenet_small --least-steps 4 --epochs 2 --pretrain-epochs 2 "
    "--timed-steps 5" +
    kSmall;

void check_ascending(const Json& tests, const char* what) {
  for (std::size_t i = 1; i < tests.size(); ++i) CHECK(tests[i][what] > tests[i - 1][what]);
}

}  // namespace

TEST_CASE("compare_variants trains each model over the same budget of epochs") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Outcome outcome =
      run(folder.path(), kVariants + " --epochs 1.5 --tests 3 --lr 0.01,googlenet_residual=0.02 --out study");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json json = Json::parse(text_of(folder / "study/compare_variants.json"));
  REQUIRE(json["models"].size() == 2);
  CHECK(json["models"][0]["parameters"] == 379298);
  CHECK(json["models"][0]["learning_rate"] == 0.01);
  CHECK(json["models"][1]["learning_rate"] == 0.02);
  for (const Json& model : json["models"]) {
    CHECK(model["step_seconds_before"].is_null());
    CHECK(model["inference_macs"] > 1'000'000);
    CHECK(model["training_bytes"] > 3 * 4 * model["parameters"].get<std::int64_t>());
    const Json& tests = model["tests"];
    REQUIRE(tests.size() == 3);
    const std::int64_t images[] = {24, 44, 68};  // six steps per epoch, the last with four images
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(tests[i]["step"] == 3 * (i + 1));
      CHECK(tests[i]["images"] == images[i]);
      CHECK(tests[i]["epochs"] == Approx(static_cast<double>(images[i]) / 44.0));
      CHECK(tests[i]["accuracy"] >= 0.0);
      CHECK(tests[i]["accuracy"] <= 1.0);
    }
    check_ascending(tests, "seconds");
    const double last = tests[2]["seconds"];
    CHECK(model["images_per_second"] == Approx(68.0 / last));
  }
}

TEST_CASE("study runs with intermediate tests give the same result as train") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const std::string recipe =
      " --lr 0.01 --schedule one-cycle --momentum 0.9 --weight-decay 0.0005 --device cpu "
      "--initialization xavier-uniform";
  const Outcome trained = run(folder.path(), "train --model googlenet_small --epochs 2 --out run" + recipe + kSmall);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const Outcome outcome =
      run(folder.path(), "compare_variants --models googlenet_small --epochs 2 --tests 4 --json" + recipe + kSmall);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json tests = Json::parse(outcome.out)["models"][0]["tests"];
  const auto epochs = minception::read_metrics(folder / "run/metrics.jsonl").epochs;
  REQUIRE(epochs.size() == 2);
  CHECK(tests[1]["loss"] == Approx(epochs[0].eval_loss).epsilon(1e-9));
  CHECK(tests[3]["loss"] == Approx(epochs[1].eval_loss).epsilon(1e-9));
  CHECK(tests[3]["accuracy"] == Approx(epochs[1].eval_accuracy));
}

TEST_CASE("compare_variants derives the number of steps from --minutes and the measured step time") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Outcome outcome = run(folder.path(),
                              "compare_variants --models googlenet_small --minutes 0.005 --timed-steps 4 "
                              "--tests 2 --json" +
                                  kSmall);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json model = Json::parse(outcome.out)["models"][0];
  const double step_seconds = model["step_seconds_before"];
  REQUIRE(step_seconds > 0.0);
  CHECK(step_seconds < 10.0);
  CHECK(model["tests"].back()["step"] == std::max<std::int64_t>(1, std::llround(0.3 / step_seconds)));
}

TEST_CASE("transfer trains from scratch and fine-tuned and head only for each number of images") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const std::string rates = " --lr 0.01 --fine-tune-lr 0.01 --head-lr 0.01 --first 5,1,9 --tests 2";
  const Outcome outcome = run(folder.path(), kTransfer + rates + " --out study");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json json = Json::parse(text_of(folder / "study/transfer.json"));
  CHECK(json["first"]["classes"] == Json({"Sandal", "Trouser", "Ankle boot"}));
  CHECK(json["second"]["classes"].size() == 7);
  const Json& trials = json["second"]["trials"];
  REQUIRE(trials.size() == 2);
  CHECK(trials[0]["images_per_class"] == 2);
  CHECK(trials[0]["images"] == 14);
  CHECK(trials[0]["epochs"] == 2);  // of two steps each, to reach the minimum of four
  CHECK(trials[1]["images_per_class"] == "all");
  CHECK(trials[1]["images"] == 31);
  for (const Json& trial : trials) {
    REQUIRE(trial["ways"].size() == 3);
    for (const Json& way : trial["ways"]) {
      CHECK(way["tests"].size() == 2);
      CHECK(way["tests"][1]["images"] == 2 * trial["images"].get<std::int64_t>());
      check_ascending(way["tests"], "seconds");
    }
    // Same seed, head and learning rate: the first two ways differ only in the weights below the head.
    CHECK(trial["ways"][0]["tests"][0]["loss"] != trial["ways"][1]["tests"][0]["loss"]);
    CHECK(trial["ways"][1]["tests"][0]["loss"] != trial["ways"][2]["tests"][0]["loss"]);
  }
  const Json& costs = json["costs"];
  CHECK(costs[0]["trained_parameters"] == 379298 - 3 * 257);
  CHECK(costs[1]["trained_parameters"] == costs[0]["trained_parameters"]);
  CHECK(costs[2]["trained_parameters"] == 7 * 257);
  CHECK(costs[2]["training_bytes"] < costs[0]["training_bytes"]);
  for (const Json& cost : costs) CHECK(cost["step_seconds"] > 0.0);
}

TEST_CASE("studies that stop or fail before the first result leave no files") {
  const TemporaryFolder folder;
  make_data(folder.path());
  for (const std::string command :
       {kVariants + " --epochs 100000 --out study", kTransfer + " --epochs 100000 --out study"}) {
    Running running(folder.path(), command);
    for (int i = 0; i < 600 && !fs::exists(folder / "study") && !running.over(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    REQUIRE(fs::exists(folder / "study"));
    running.signal(SIGINT);
    CHECK(running.wait() == 130);
    CHECK_THAT(text_of(folder / "stderr.txt"), Catch::Contains("stopped; nothing was written"));
    CHECK(!fs::exists(folder / "study"));
  }
  const Outcome outcome = run(folder.path(), kVariants + " --epochs 3 --lr 1e30 --schedule constant --out study");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Catch::Contains("googlenet_small (1/2): step ") && Catch::Contains("not finite"));
  CHECK(!fs::exists(folder / "study"));
}

TEST_CASE("finished parts of a study are saved if a later part fails") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const auto models = [&] { return Json::parse(text_of(folder / "study/compare_variants.json"))["models"]; };
  SECTION("a later run that diverges") {
    const Outcome outcome = run(folder.path(), kVariants +
                                                   " --epochs 3 --schedule constant --out study --lr 0.01,"
                                                   "googlenet_residual=1e30");
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Catch::Contains("googlenet_residual (2/2): step ") &&
                                Catch::Contains("; study has the finished results (models: 1); resume with: --models "
                                                "googlenet_residual and another --out\n"));
    REQUIRE(models().size() == 1);
    CHECK(models()[0]["model"] == "googlenet_small");
    CHECK(Json::parse(text_of(folder / "study/compare_variants.json"))["complete"] == false);
    // Without --out the results are printed.
    const Outcome printed = run(folder.path(), kVariants +
                                                   " --epochs 3 --schedule constant --lr 0.01,"
                                                   "googlenet_residual=1e30 --json");
    CHECK(printed.code == 1);
    CHECK_THAT(printed.err, Catch::Contains("; the finished results were printed (models: 1); resume with: --models "
                                            "googlenet_residual\n"));
    CHECK(Json::parse(printed.out)["models"].size() == 1);
  }
  SECTION("a signal and a kill") {
    for (const int signal : {SIGTERM, SIGKILL}) {
      fs::remove_all(folder / "study");
      Running running(folder.path(), kVariants + " --epochs 5 --out study");
      while (!running.over() && !fs::exists(folder / "study/compare_variants.json")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      running.signal(signal);
      CHECK(running.wait() == 128 + signal);
      CHECK(models().size() == 1);
    }
  }
  SECTION("transfer stopped by a signal") {
    Running running(folder.path(), kTransfer + " --out study");
    while (!running.over() && !fs::exists(folder / "study/transfer.json")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    running.signal(SIGTERM);
    CHECK(running.wait() == 128 + SIGTERM);
    CHECK_THAT(text_of(folder / "stderr.txt"),
               Catch::Contains("stopped; study has the finished results (values of --limit-per-class: 1); resume with: "
                               "--limit-per-class all and another --out\n"));
    const Json trials = Json::parse(text_of(folder / "study/transfer.json"))["second"]["trials"];
    REQUIRE(trials.size() == 1);
    CHECK(trials[0]["images_per_class"] == 2);
  }
}

TEST_CASE("a study saves its files if output is lost and prints its results if files cannot be saved") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const std::string command = std::string("cd '") + folder.path().string() + "' && '" + PROGRAM_FOLDER + "'/" +
                              std::string(kVariants + " --epochs 1 --overwrite --out study");
  for (const char* output : {"> /dev/full", ">&-"}) {
    fs::remove_all(folder / "study");
    CHECK(WEXITSTATUS(std::system((command + output + " 2> stderr.txt").c_str())) == 3);
    CHECK_THAT(text_of(folder / "stderr.txt"), Catch::Contains("the output could not be written"));
    CHECK(fs::file_size(folder / "study/compare_variants.json") > 0);
  }
  fs::remove_all(folder / "study");
  Running running(folder.path(), kVariants + " --epochs 2 --json --out study");
  while (!running.over() && !fs::exists(folder / "study")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(WEXITSTATUS(std::system((command + "> second_out.txt 2> second.txt").c_str())) == 1);
  CHECK_THAT(text_of(folder / "second.txt"), Catch::Contains("study: another study uses this folder"));
  fs::create_directory(folder / "study/compare_variants.json");
  CHECK(running.wait() == 1);
  CHECK_THAT(text_of(folder / "stderr.txt"), Catch::Contains("compare_variants.json: is not a regular file"));
  CHECK(Json::parse(text_of(folder / "stdout.txt"))["models"].size() == 2);
}

TEST_CASE("training studies report invalid command lines in one line and write nothing") {
  const TemporaryFolder folder;
  make_data(folder.path());
  write(folder / "file", "x");
  fs::create_directory(folder / "old");
  write(folder / "old/compare_variants.json", "x");
  write(folder / "old/transfer.json", "x");
  const Command epochs = kVariants + " --epochs 1 ";
  const std::vector<Refusal> refusals = {
      {kVariants, "give either --minutes or --epochs"},
      {kVariants + " --minutes 1 --epochs 1", "give either --minutes or --epochs"},
      {kVariants + " --minutes 0", "--minutes"},
      {kVariants + " --epochs -1", "--epochs"},
      {epochs + "--models googlenot", "unknown model 'googlenot'"},
      {epochs + "--models googlenet,googlenet", "listed twice"},
      {epochs + "--models alexnet", "maxpool"},
      {epochs + "--lr fast", "--lr fast"},
      {epochs + "--lr 0", "--lr 0"},
      {epochs + "--lr nan", "--lr nan"},
      {epochs + "--lr googlenot=1", "unknown model 'googlenot'"},
      {epochs + "--lr googlenet_small=0.1", "--lr: has no rate for googlenet_residual"},
      {epochs + "--initialization zero", "zero"},
      {epochs + "--schedule sometimes", "--schedule"},
      {epochs + "--tests 0", "--tests"},
      {epochs + "--device tpu --threads 0", "unknown device 'tpu'"},
      {epochs + "--hold-out 44", "--hold-out 44: there are 44 training images"},
      {epochs + "--limit-train 45", "--limit-train 45"},
      {epochs + "--data-dir nowhere", "nowhere"},
      {epochs + "--image-size 17x17x17", "not an image size"},
      {epochs + "--out file", "file: is a file"},
      {epochs + "--out old", "old/compare_variants.json: already exists"},
      {kTransfer + " --first 0,10", "--first: class 10 does not exist"},
      {kTransfer + " --first 1,1", "--first: class 1 is named twice"},
      {kTransfer + " --first 3", "--first: leaves 1 classes for the first task"},
      {kTransfer + " --first 0,1,2,3,4,5,6,7,8", "and 1 for the second"},
      {kTransfer + " --first 0,1 --limit-test 2", "one of the two tasks has no images left"},
      {kTransfer + " --limit-per-class few", "--limit-per-class few"},
      {kTransfer + " --limit-per-class 0", "--limit-per-class 0"},
      {kTransfer + " --limit-per-class 5", "--limit-per-class: cannot keep 5 images of each class"},
      {kTransfer + " --model googlenot", "unknown model 'googlenot'"},
      {kTransfer + " --head-lr 0", "--head-lr"},
      {kTransfer + " --epochs 0", "--epochs"},
      {kTransfer + " --out old", "old/transfer.json: already exists"}};
  check_refused(folder.path(), refusals);
}
