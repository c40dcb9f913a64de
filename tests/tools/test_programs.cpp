/// The tools: output, rejected command lines, and that rejected commands change nothing.

#include "models/registry.h"
#include "tests/tools/programs.h"
#include "tests/tools/refusals.h"
#include "training/metrics.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <regex>

using minception::model_names;
using namespace minception::testing;

namespace {

const Command kTrain = "train --data-dir data --model googlenet_small --image-size 17 --epochs 1 --batch-size 8 ";

}  // namespace

TEST_CASE("train writes a run folder and the same seed gives the same weights") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 20);
  const Outcome first = run(folder.path(), kTrain + "--out runs/a");
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK_THAT(first.out, Catch::Contains("memory plan: googlenet_small, batch 8, training, f32 on cpu"));
  CHECK_THAT(first.out, Catch::Contains("epoch 1/1  train loss"));
  for (const char* file : {"config.json", "metrics.jsonl", "model.safetensors", "evaluation.json", "report.html",
                           "checkpoints/step-000000003.safetensors"}) {
    CHECK(fs::file_size(folder.path() / "runs/a" / file) > 0);
  }
  const std::string metrics = text_of(folder.path() / "runs/a/metrics.jsonl");
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') == 2);  // one for the last step, one for the epoch
  for (const char* key : {"epoch", "step", "learning_rate", "train_loss", "train_accuracy", "test_loss",
                          "test_accuracy", "test_top5", "examples_per_second", "seconds", "gradient_norm"}) {
    CHECK_THAT(metrics, Catch::Contains(std::string("\"") + key + "\":"));
  }
  CHECK_THAT(metrics, Catch::Contains("\"step\":3,"));  // 8 + 8 + 4

  REQUIRE(run(folder.path(), kTrain + "--out runs/b").code == 0);
  CHECK(text_of(folder.path() / "runs/a/model.safetensors") == text_of(folder.path() / "runs/b/model.safetensors"));
  REQUIRE(run(folder.path(), kTrain + "--seed 2 --out runs/c").code == 0);
  CHECK(text_of(folder.path() / "runs/a/model.safetensors") != text_of(folder.path() / "runs/c/model.safetensors"));

  const auto before = snapshot(folder.path() / "runs/a");
  const Outcome again = run(folder.path(), kTrain + "--out runs/a");
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("already contains a run"));
  CHECK(snapshot(folder.path() / "runs/a") == before);
  CHECK(run(folder.path(), kTrain + "--init runs/c/model.safetensors --out runs/a --overwrite").code == 0);
  CHECK(snapshot(folder.path() / "runs/a") != before);
}

TEST_CASE("validation images select the best epoch and it is tested once") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 20);
  const std::string command = kTrain + "--lr 0.001 --hold-out 10 --out runs/";
  const Outcome outcome = run(folder.path(), command + "a");
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("fashion-mnist: 10 training, 10 validation and 20 test images, 28x28") &&
                              Catch::Contains("  validation loss ") &&
                              Catch::Contains("\nmodel_best.safetensors (epoch 1) on the test images: loss "));
  CHECK_THAT(text_of(folder.path() / "runs/a/evaluation.json"), Catch::Contains("fashion-mnist, test"));
  CHECK_THAT(text_of(folder.path() / "runs/a/report.html"), Catch::Contains("chosen by the validation images") &&
                                                                Catch::Contains("Validation accuracy") &&
                                                                Catch::Contains("Inside the network"));

  const fs::path images = folder.path() / "data/t10k-images-idx3-ubyte";
  std::string content = text_of(images);
  std::fill(content.begin() + 16, content.end(), '\x55');
  write(images, content);
  REQUIRE(run(folder.path(), command + "b").code == 0);
  for (const char* file : {"model_best.safetensors", "model.safetensors"}) {
    CHECK(text_of(folder.path() / "runs/a" / file) == text_of(folder.path() / "runs/b" / file));
  }
  const auto a = minception::read_metrics(folder.path() / "runs/a/metrics.jsonl");
  const auto b = minception::read_metrics(folder.path() / "runs/b/metrics.jsonl");
  CHECK(a.epochs[0].eval_loss == b.epochs[0].eval_loss);
  REQUIRE(a.tests.size() == 1);
  REQUIRE(b.tests.size() == 1);
  CHECK(a.tests[0].validation_accuracy == a.epochs[0].eval_accuracy);
  CHECK(a.tests[0].test_loss != b.tests[0].test_loss);

  // The same images selected by a fraction.
  REQUIRE(run(folder.path(), kTrain + "--lr 0.001 --validation-fraction 0.5 --out runs/c").code == 0);
  CHECK(text_of(folder.path() / "runs/c/model.safetensors") == text_of(folder.path() / "runs/b/model.safetensors"));

  // A run killed before the test runs it on resume; a tested run has nothing left to do.
  CHECK_THAT(run(folder.path(), "train --resume runs/b").out, Catch::Contains("nothing to do"));
  const fs::path metrics = folder.path() / "runs/b/metrics.jsonl";
  const std::string whole = text_of(metrics);
  write(metrics, whole.substr(0, whole.find("{\"event\":\"test\"")));
  const Outcome resumed = run(folder.path(), "train --resume runs/b");
  CHECK(resumed.code == 0);
  CHECK_THAT(resumed.out, !Catch::Contains("epoch 1/1") && Catch::Contains("on the test images: loss "));
  CHECK(text_of(metrics) == whole);
  REQUIRE(run(folder.path(), "train --resume runs/b --epochs 2").code == 0);
  CHECK(minception::read_metrics(metrics).tests.size() == 2);
}

TEST_CASE("summarize --all shows memory reuse for every model") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), "summarize --all --batch 32");
  INFO(outcome.err << outcome.out);
  REQUIRE(outcome.code == 0);
  const std::regex row(
      R"(\| (\w+) +\| \S+ +\| (training|inference) +\| (f32|bf16) +\| +(\S+) \| +(\S+) \| +(\S+) \| +(\S+) \|)");
  std::size_t f32 = 0, bf16 = 0;
  for (std::sregex_iterator found(outcome.out.begin(), outcome.out.end(), row), end; found != end; ++found) {
    ++((*found)[3] == "f32" ? f32 : bf16);
    const double planned = std::stod((*found)[4]), live = std::stod((*found)[5]), sum = std::stod((*found)[6]);
    CHECK(planned >= live);
    CHECK(planned <= 1.2 * live);
    CHECK(planned < 0.75 * sum);
    CHECK(std::stod((*found)[7]) == Approx(planned / sum).margin(0.01));
  }
  CHECK(f32 == 2 * model_names().size());
  CHECK((bf16 == f32 || outcome.err.find("bf16 rows are missing") != std::string::npos));
}

TEST_CASE("train without --image-size uses the input size of the model description") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 4);
  const std::string command =
      "train --data-dir data --model googlenet_native --epochs 1 --batch-size 2 --limit-train 2 ";
  const Outcome outcome = run(folder.path(), command + "--limit-test 2 --out runs/a");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const nlohmann::json config = nlohmann::json::parse(text_of(folder.path() / "runs/a/config.json"));
  CHECK(config["input"] == nlohmann::json{1, 28, 28});
  CHECK(config["options"]["image-size"] == "28");
  const Outcome unknown = run(folder.path(), "train --model lenet --out runs/b");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err, Catch::Contains("lenet") && Catch::Contains("googlenet_native"));
}

TEST_CASE("a recipe sets the options that are not on the command line") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 20);
  const Outcome outcome = run(folder.path(), kTrain + "--recipe quickstart --lr 0.05 --out runs/a");
  REQUIRE(outcome.code == 0);
  const std::string config = text_of(folder.path() / "runs/a/config.json");
  for (const char* option : {R"("recipe": "quickstart")", R"("schedule": "one-cycle")", R"("nesterov": true)",
                             R"("momentum": 0.95)", R"("lr": 0.05)", R"("epochs": 1,)", R"("image-size": "17")"}) {
    CHECK_THAT(config, Catch::Contains(option));
  }
  // Giving all options of the recipe explicitly gives the same training.
  REQUIRE(run(folder.path(), kTrain + "--schedule one-cycle --lr 0.05 --pct-start 0.2 --momentum 0.95 "
                                      "--base-momentum 0.85 --nesterov --weight-decay 5e-4 --out runs/b")
              .code == 0);
  CHECK(text_of(folder.path() / "runs/a/model.safetensors") == text_of(folder.path() / "runs/b/model.safetensors"));
  CHECK(run(folder.path(), "train --resume runs/a").code == 0);

  const Outcome unknown = run(folder.path(), "train --recipe cake --out runs/c");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err,
             Catch::StartsWith("train: --recipe cake: use one of classic, ") && Catch::Contains("quickstart"));
  // Every recipe has valid options and values: only the added option is rejected.
  std::istringstream names(unknown.err.substr(unknown.err.find("one of ") + 7));
  std::size_t count = 0;
  for (std::string name; std::getline(names, name, ',');) {
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of('\n') + 1);
    INFO(name);
    const std::string data = name == "folder" ? " --data folder:nowhere" : "";
    const Outcome refused = run(folder.path(), "train --keep-checkpoints 0 --out runs/c --recipe " + name + data);
    CHECK_THAT(refused.err, Catch::StartsWith("train: --keep-checkpoints 0"));
    ++count;
  }
  CHECK(count >= 6);
}

TEST_CASE("invalid input is reported in one line with a nonzero exit code and changes nothing") {
  const TemporaryFolder folder;
  const fs::path data = folder.path() / "data";
  fs::create_directory(data);
  write_dataset(data, 20);
  write(folder.path() / "a_file", "x");
  write(folder.path() / "text.safetensors", "not weights");
  write(folder.path() / "empty.safetensors", "");
  REQUIRE(run(folder.path(), kTrain + "--model googlenet --out runs/plain").code == 0);

  // Data folders, each damaged in one way.
  const auto damaged = [&](const std::string& name, const auto& damage) {
    fs::copy(data, folder.path() / name);
    damage(folder.path() / name);
  };
  const std::string images = "train-images-idx3-ubyte", labels = "train-labels-idx1-ubyte";
  damaged("missing", [&](const fs::path& in) { fs::remove(in / labels); });
  damaged("truncated", [&](const fs::path& in) { fs::resize_file(in / images, 5000); });
  damaged("magic",
          [&](const fs::path& in) { fs::copy_file(in / labels, in / images, fs::copy_options::overwrite_existing); });
  damaged("label", [&](const fs::path& in) {
    std::string content = text_of(in / labels);
    content[8 + 13] = 10;
    write(in / labels, content);
  });
  damaged("counts",
          [&](const fs::path& in) { write(in / labels, big_endian(0x801) + big_endian(3) + std::string(3, '\0')); });
  damaged("gzip", [&](const fs::path& in) {
    fs::remove(in / images);
    write(in / (images + ".gz"), std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10) + "garbage");
  });
  damaged("huge", [&](const fs::path& in) {
    write(in / images, big_endian(0x803) + big_endian(0xffffffff) + big_endian(0xffff) + big_endian(0xffff));
  });

  const std::vector<Refusal> refusals = {
      {"train", "--out is required"},
      {kTrain + "--out runs/x --no-such-option", "--no-such-option"},
      {kTrain + "--out runs/plain", "use --resume to continue it, another --out, or --overwrite to replace it"},
      {kTrain + "--out runs/x --ema nan", "--ema nan: must be in [0, 1)"},
      {kTrain + "--out runs/x --std 0", "--std 0: must be a finite number above 0"},
      {kTrain + "--out runs/x --crop-padding -1", "--crop-padding -1: must be 0 to 10000"},
      {kTrain + "--out runs/x --compute tf32", "--compute tf32 needs --device cuda"},
      {kTrain + "--out runs/x --warmup-epochs 1e30", "--warmup-epochs 1e+30: must be 0 to 1000000"},
      {kTrain + "--out runs/x --model googlenot", "unknown model 'googlenot'"},
      {kTrain + "--out runs/x --data mnist-of-mars", "mnist-of-mars"},
      {kTrain + "--out runs/x --device tpu", "unknown device 'tpu'"},
      {kTrain + "--out runs/x --kernels mine", "--kernels mine: use ours or vendor"},
      {kTrain + "--out runs/x --kernels vendor", "--kernels vendor: this build has no vendor backend"},
      {kTrain + "--out runs/x --schedule sometimes", "unknown schedule 'sometimes'"},
      {kTrain + "--out runs/x --initialization zeros", "unknown initialisation 'zeros'"},
      {kTrain + "--out runs/x --image-size 0", "'0' is not a shape"},
      {kTrain + "--out runs/x --image-size 32x", "'32x' is not a shape"},
      {kTrain + "--out runs/x --image-size 3x32x32", "not an image size"},
      {kTrain + "--out runs/x --image-size 999999999999999999", "2^40"},
      {kTrain + "--out runs/x --image-size 9000 --batch-size 500", "not enough memory"},
      {kTrain + "--out runs/x --epochs 0", "--epochs 0"},
      {kTrain + "--out runs/x --epochs many", "--epochs"},
      {kTrain + "--out runs/x --batch-size 0", "--batch-size 0"},
      {kTrain + "--out runs/x --batch-size -5", "--batch-size -5"},
      {kTrain + "--out runs/x --lr nan", "--lr nan"},
      {kTrain + "--out runs/x --lr -1", "--lr -1"},
      {kTrain + "--out runs/x --momentum 1", "--momentum 1"},
      {kTrain + "--out runs/x --schedule one-cycle --momentum 0.9 --base-momentum 0.95", "--base-momentum 0.95"},
      {kTrain + "--out runs/x --nesterov", "--nesterov needs"},
      {kTrain + "--out runs/x --weight-decay -0.1", "--weight-decay -0.1"},
      {kTrain + "--out runs/x --optimizer lion", "--optimizer lion: use sgd, adam or adamw"},
      {kTrain + "--out runs/x --optimizer adam --momentum 0.9", "--momentum is for --optimizer sgd"},
      {kTrain + "--out runs/x --optimizer adamw --nesterov", "--nesterov is for --optimizer sgd"},
      {kTrain + "--out runs/x --beta1 0.5", "need --optimizer adam or adamw"},
      {kTrain + "--out runs/x --optimizer adam --beta1 1", "--beta1 1"},
      {kTrain + "--out runs/x --optimizer adam --beta2 -0.1", "--beta2 -0.1"},
      {kTrain + "--out runs/x --optimizer adam --eps 0", "--eps 0"},
      {kTrain + "--out runs/x --optimizer adam --schedule one-cycle --base-momentum 0.95", "between 0 and --beta1"},
      {kTrain + "--out runs/x --max-norm -1", "--max-norm -1"},
      {kTrain + "--out runs/x --ema 1", "--ema 1"},
      {kTrain + "--out runs/x --scale 0", "--scale 0"},
      {kTrain + "--out runs/x --ratio 0.75", "--ratio 0.75"},
      {kTrain + "--out runs/x --scale 0.08 --crop-padding 4", "cannot be combined"},
      {kTrain + "--out runs/x --contrast 2", "--contrast 2"},
      {kTrain + "--out runs/x --saturation 0.4", "--saturation needs colour images; these have 1 channel"},
      {kTrain + "--out runs/x --accumulate 0", "--accumulate 0"},
      {kTrain + "--out runs/x --freeze stem", "begins with 'stem'; the layers are conv1, conv2"},
      {kTrain + "--out runs/x --freeze ''", "--freeze ''"},
      {kTrain + "--out runs/x --freeze conv,inception,fc", "nothing is left to train"},
      {kTrain + "--out runs/x --reset-head 10", "--reset-head needs --init"},
      {kTrain + "--out runs/x --model googlenet --init runs/plain/model.safetensors --reset-head 7", "has 10 classes"},
      {kTrain + "--out runs/x --label-smoothing 1", "--label-smoothing 1"},
      {kTrain + "--out runs/x --pct-start 1", "--pct-start 1"},
      {kTrain + "--out runs/x --threads -1", "--threads -1"},
      {kTrain + "--out runs/x --threads 100000", "100000"},
      {kTrain + "--out runs/x --threads 2 --device reference", "--threads is for"},
      {kTrain + "--out runs/x --seed -1", "--seed -1"},
      {kTrain + "--out runs/x --seed 99999999999999999999999", "--seed"},
      {kTrain + "--out runs/x --lr 1e300", "--lr 1e+300"},
      {kTrain + "--out runs/x --batch-size 9223372036854775807", "--batch-size"},
      {kTrain + "--out runs/x --base-momentum 0", "needs --schedule one-cycle"},
      {kTrain + "--out ''", "--out"},
      {kTrain + "--out runs/x --limit-train 21", "there are only 20 images"},
      {kTrain + "--out runs/x --hold-out 20", "--hold-out 20: there are 20 training images; hold out 1 to 19"},
      {kTrain + "--out runs/x --validation-fraction 1", "--validation-fraction 1: must be 0 or more and below 1"},
      {kTrain + "--out runs/x --validation-fraction 0.1 --hold-out 3",
       "--validation-fraction and --hold-out cannot be combined"},
      {kTrain + "--out runs/x --limit-test -3", "--limit-test -3"},
      {kTrain + "--out a_file", "a_file: is a file"},
      {kTrain + "--out a_file/run", "a_file: cannot write a run there: Not a directory"},
      {kTrain + "--out runs/x --data-dir nowhere", "nowhere"},
      {kTrain + "--out runs/x --data-dir missing", labels},
      {kTrain + "--out runs/x --data-dir truncated", images},
      {kTrain + "--out runs/x --data-dir magic", images},
      {kTrain + "--out runs/x --data-dir label", "10"},
      {kTrain + "--out runs/x --data-dir counts", "3"},
      {kTrain + "--out runs/x --data-dir gzip", images},
      {kTrain + "--out runs/x --data-dir huge", images},
      {kTrain + "--out runs/x --init nowhere.safetensors", "nowhere.safetensors"},
      {kTrain + "--out runs/x --init text.safetensors", "text.safetensors"},
      {kTrain + "--out runs/x --init empty.safetensors", "empty.safetensors"},
      {kTrain + "--out runs/x --init runs/plain/model.safetensors",
       "--model googlenet_small: runs/plain/model.safetensors has weights of googlenet"},
      {"summarize --model googlenot", "unknown model 'googlenot'"},
      {"summarize --input 96x96", "batch x channels x height x width"},
      {"summarize --input 1x0x96x96", "is not a shape"},
      {"summarize --classes 0", "at least 1"},
      {"summarize --classes 9223372036854775807", "1,000,000"},
      {"summarize extra", "extra"},
  };
  check_refused(folder.path(), refusals);
}

TEST_CASE("a full disk is reported in one line and keeps the last good weights") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 20);
  // A file size limit (256 KiB, in blocks of 512 bytes) simulates a full disk: the configuration fits, the weights do
  // not.
  const Outcome outcome = run(folder.path(), kTrain + "--out runs/full", "trap '' XFSZ && ulimit -f 512");
  INFO(outcome.err);
  CHECK(outcome.code == 1);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK_THAT(outcome.err, Catch::Contains("model.safetensors"));
  for (const char* file : {"model.safetensors", "checkpoints/step-000000003.safetensors"}) {
    CHECK(!fs::exists(folder.path() / "runs/full" / file));
  }
  for (const char* part : {"runs/full", "runs/full/checkpoints"}) {
    for (const auto& entry : fs::directory_iterator(folder.path() / part)) {
      CHECK(entry.path().extension() != ".tmp");
    }
  }
}

TEST_CASE("cpu backend does not wait for threads that OpenMP cannot provide") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 10);
  for (const char* setting : {"export OMP_THREAD_LIMIT=1", "export OMP_DYNAMIC=true"}) {
    const Outcome outcome = run(folder.path(), kTrain + "--overwrite --out runs/a", setting);
    INFO(setting << ": " << outcome.err);
    CHECK(outcome.code == 0);
  }
  CHECK(run(folder.path(), kTrain + "--threads 2 --out runs/b", "export OMP_THREAD_LIMIT=1").code == 1);
}

TEST_CASE("summarize reports output that cannot be written") {
  const TemporaryFolder folder;
  const std::string command =
      std::string(PROGRAM_FOLDER) + "/summarize > /dev/full 2> '" + (folder.path() / "err").string() + "'";
  CHECK(std::system(command.c_str()) != 0);
  CHECK_THAT(text_of(folder.path() / "err"), Catch::Contains("could not be written"));
}

TEST_CASE("train warns about small images and accepts rectangular sizes") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 10);
  const Outcome small = run(folder.path(), kTrain + "--image-size 16 --out runs/small");
  CHECK(small.code == 0);
  CHECK_THAT(small.err, Catch::Contains("cannot halve it any more"));
  const Outcome wide = run(folder.path(), kTrain + "--image-size 20x33 --out runs/wide");
  CHECK(wide.code == 0);
  CHECK(wide.err.empty());
}

TEST_CASE("summarize prints the published parameter counts") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), "summarize --model googlenet --input 1x1x96x96");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("5,977,530"));
  CHECK_THAT(outcome.out, Catch::Contains("[1,832,3,3]"));
  CHECK_THAT(run(folder.path(), "summarize --model googlenet_bn").out, Catch::Contains("5,984,810"));
  CHECK(run(folder.path(), "summarize --help").code == 0);
}

TEST_CASE("train --patience ends a run whose accuracy does not improve") {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "data");
  write_dataset(folder.path() / "data", 20);
  // With frozen weights and statistics every epoch has the same accuracy.
  const Command still = kTrain + "--epochs 10 --lr 0 --freeze c,i --out run ";
  const Outcome outcome = run(folder.path(), still + "--patience 2");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("epoch 3/10") && !Catch::Contains("epoch 4/10") &&
                              Catch::Contains("no epoch was better than epoch 1 for 2 epochs (patience)"));
  const Outcome resumed = run(folder.path(), "train --resume run");
  CHECK(resumed.code == 0);
  CHECK_THAT(resumed.out, Catch::Contains("run stopped early after 2 epochs without a better one; nothing to do"));
  const Outcome patient = run(folder.path(), still + "--epochs 3 --patience 3 --overwrite");
  CHECK_THAT(patient.out, Catch::Contains("epoch 3/3") && !Catch::Contains("patience"));
}

TEST_CASE("train --help has groups and every tool prints its version") {
  const TemporaryFolder folder;
  const std::string help = run(folder.path(), "train --help").out;
  std::size_t at = 0;
  for (const char* heading : {"Run:", "Images:", "Optimization:", "Initial weights:", "Device:"}) {
    const std::size_t found = help.find(heading);
    INFO(heading);
    REQUIRE(found != std::string::npos);
    CHECK(found > at);
    at = found;
  }
  // Only help and version have no heading.
  const std::string rest = help.substr(help.find("Options:"), help.find("Run:") - help.find("Options:"));
  CHECK(std::count(rest.begin(), rest.end(), '\n') == 5);
  for (const char* program : {"train", "evaluate", "predict", "report", "summarize", "export", "import"}) {
    CHECK_THAT(run(folder.path(), std::string(program) + " --version").out,
               Catch::StartsWith(std::string(program) + " of Minception ") && Catch::Contains("."));
  }
}
