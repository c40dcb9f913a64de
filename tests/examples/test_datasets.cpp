/// Data sets besides the one of the other tests, from their files to a prediction, as a person uses them. DEVICE is cpu,
/// or cuda where its kernels run on the CPU.

#include <minception/data/image_file.h>
#include <minception/tests/data/cifar10_files.h>
#include <minception/tests/examples/programs.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace minception;
using namespace minception::testing;
using nlohmann::json;

namespace {

const std::string kTrain = std::string("train --device ") + DEVICE +
                           " --model googlenet_bn --image-size 17 --epochs 1 --batch-size 6 --lr 0.01 ";
const std::string kWeights = std::string(" --device ") + DEVICE + " --weights run/model.safetensors ";

/// Runs a program that has to succeed.
std::string output_of(const TemporaryFolder& folder, const std::string& command) {
  const Outcome outcome = run(folder.path(), command);
  INFO(command << "\n" << outcome.err);
  REQUIRE(outcome.code == 0);
  return outcome.out;
}

/// What predict says of the files is what evaluate finds: the same class for each, hence the same number of right ones.
void check_predictions(const TemporaryFolder& folder, const std::vector<std::string>& files,
                       const std::vector<std::string>& true_names, const json& evaluation) {
  std::string command = "predict --json" + kWeights;
  for (const std::string& file : files) command += " " + file;
  const json predictions = json::parse(output_of(folder, command));
  REQUIRE(predictions.size() == files.size());
  double right = 0.0;
  for (std::size_t i = 0; i < files.size(); ++i) right += predictions[i]["class_name"] == true_names[i];
  CHECK(evaluation["samples"] == files.size());
  CHECK(evaluation["top1"].get<double>() == right / static_cast<double>(files.size()));
}

void check_refusals(const TemporaryFolder& folder, const std::string& options, const std::string& says) {
  const auto before = snapshot(folder.path());
  for (const std::string& command : {kTrain + "--out refused " + options, "evaluate" + kWeights + options}) {
    const Outcome outcome = run(folder.path(), command);
    INFO(command << "\n" << outcome.err);
    CHECK(outcome.code == 1);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_THAT(outcome.err, Catch::Contains(says));
    CHECK(snapshot(folder.path()) == before);
  }
}

}  // namespace

TEST_CASE("CIFAR-10 is trained on, tested and predicted") {
  const TemporaryFolder folder;
  write_file(folder / "cifar-10-python.tar.gz", gzipped(tar("cifar-10-batches-py", cifar10_python(2))));
  write_files(folder / "cifar-10-batches-bin", cifar10_binary(2));

  const std::string trained = output_of(folder, kTrain +
                                                    "--data cifar10 --data-dir cifar-10-python.tar.gz --out run "
                                                    "--mean 0.4914,0.4822,0.4465 --deviation 0.2470,0.2435,0.2616");
  CHECK_THAT(trained, Catch::Contains("cifar10: 10 training and 2 test images, 32x32"));
  CHECK_THAT(trained, Catch::Contains(std::string("device: ") + DEVICE + ","));
  CHECK_THAT(trained, Catch::Contains("epoch 1/1  train loss"));
  const json of_archive =
      json::parse(output_of(folder, "evaluate --json" + kWeights + "--data cifar10 --data-dir cifar-10-python.tar.gz"));
  CHECK(of_archive["classes"][6]["name"] == "frog");
  json of_folder = json::parse(output_of(folder, "evaluate --json" + kWeights + "--data cifar10 --data-dir ."));
  for (const char* key : {"loss", "top1", "top5", "confusion"}) CHECK(of_folder[key] == of_archive[key]);

  if (has_png()) {
    const std::string files = output_of(folder, "export_images --data cifar10 --data-dir . --count 2 --out images");
    CHECK(files == "images/0_dog.png\nimages/1_frog.png\n");
    check_predictions(folder, {"images/0_dog.png", "images/1_frog.png"}, {"dog", "frog"}, of_archive);
  }

  std::string damaged = text_of(folder / "cifar-10-python.tar.gz");
  damaged.resize(damaged.size() / 2);
  write_file(folder / "cut.tar.gz", damaged);
  check_refusals(folder, "--data cifar10 --data-dir cut.tar.gz", "cut.tar.gz: the compressed data end too early");
  write_file(folder / "cifar-10-batches-bin/test_batch.bin", std::string(3073, '\x0b'));
  check_refusals(folder, "--data cifar10 --data-dir cifar-10-batches-bin",
                 "test_batch.bin: offset 0: label 11 of image 0");
}
