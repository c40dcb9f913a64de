/// All kinds of data sets except Fashion-MNIST, from their files to predictions. DEVICE is cpu, or cuda in builds with
/// emulated kernels.

#include "data/image_file.h"
#include "models/weights_file.h"
#include "tests/data/cifar10_files.h"
#include "tests/tools/programs.h"
#include "training/metrics.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <cmath>

using namespace minception;
using namespace minception::testing;
using nlohmann::json;

namespace {

const std::string kTrain = std::string("train --device ") + DEVICE +
                           " --model googlenet_small --image-size 17 --epochs 1 --batch-size 6 --lr 0.01 ";
const std::string kWeights = std::string(" --device ") + DEVICE + " --weights run/model.safetensors ";

/// Runs a tool that must succeed, and returns its output.
std::string output_of(const TemporaryFolder& folder, const std::string& command) {
  const Outcome outcome = run(folder.path(), command);
  INFO(command << "\n" << outcome.err);
  REQUIRE(outcome.code == 0);
  return outcome.out;
}

/// Checks that predict and evaluate agree on the same images: equal number of correct predictions, and equal mean loss
/// up to the order of summation in batches.
void check_predictions(const TemporaryFolder& folder, const std::vector<std::string>& files,
                       const std::vector<std::string>& true_names, const json& evaluation) {
  std::string command = "predict --json" + kWeights;
  for (const std::string& file : files) command += " " + file;
  const json predictions = json::parse(output_of(folder, command));
  REQUIRE(predictions.size() == files.size());
  double right = 0.0, loss = 0.0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    right += predictions[i]["class_name"] == true_names[i];
    loss -= std::log(predictions[i]["probabilities"][true_names[i]].get<double>());
  }
  const auto count = static_cast<double>(files.size());
  CHECK(evaluation["samples"] == files.size());
  CHECK(evaluation["top1"].get<double>() == right / count);
  CHECK(loss / count == Approx(evaluation["loss"].get<double>()).epsilon(2e-5));
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

TEST_CASE("CIFAR-10: train and evaluate and predict") {
  const TemporaryFolder folder;
  write_file(folder / "cifar-10-binary.tar.gz", gzipped(tar("cifar-10-batches-bin", cifar10_binary(2))));
  write_files(folder / "cifar-10-batches-bin", cifar10_binary(2));

  const std::string trained = output_of(folder, kTrain +
                                                    "--data cifar10 --data-dir cifar-10-binary.tar.gz --out run "
                                                    "--mean 0.4914,0.4822,0.4465 --std 0.2470,0.2435,0.2616");
  CHECK_THAT(trained, Catch::Contains("cifar10: 10 training and 2 test images, 32x32"));
  CHECK_THAT(trained, Catch::Contains(std::string("device: ") + DEVICE + ","));
  CHECK_THAT(trained, Catch::Contains("epoch 1/1  train loss"));
  const json of_archive =
      json::parse(output_of(folder, "evaluate --json" + kWeights + "--data cifar10 --data-dir cifar-10-binary.tar.gz"));
  CHECK(of_archive["classes"][6]["name"] == "frog");
  json of_folder = json::parse(output_of(folder, "evaluate --json" + kWeights + "--data cifar10 --data-dir ."));
  for (const char* key : {"loss", "top1", "top5", "confusion"}) CHECK(of_folder[key] == of_archive[key]);

  if (has_png()) {
    const std::string files = output_of(folder, "export_images --data cifar10 --data-dir . --count 2 --out images");
    CHECK(files == "images/0_dog.png\nimages/1_frog.png\n");
    check_predictions(folder, {"images/0_dog.png", "images/1_frog.png"}, {"dog", "frog"}, of_archive);
  }

  std::string damaged = text_of(folder / "cifar-10-binary.tar.gz");
  damaged.resize(damaged.size() / 2);
  write_file(folder / "cut.tar.gz", damaged);
  check_refusals(folder, "--data cifar10 --data-dir cut.tar.gz", "cut.tar.gz: the compressed data end too early");
  write_file(folder / "cifar-10-batches-bin/test_batch.bin", std::string(3073, '\x0b'));
  check_refusals(folder, "--data cifar10 --data-dir cifar-10-batches-bin",
                 "test_batch.bin: offset 0: label 11 of image 0");
}

TEST_CASE("image folders: train and evaluate and predict use the folder names as classes") {
  const TemporaryFolder folder;
  // Grey and colour, smaller and larger than the size they are loaded in, in formats that every build reads.
  int number = 0;
  for (const char* name : {"b cats", "a-dogs", "owls"}) {
    for (int i = 0; i < 5; ++i, ++number) {
      const int height = 9 + 7 * i, width = 30 - 4 * i, channels = number % 2 == 0 ? 1 : 3;
      std::string content = concat(channels == 1 ? "P5 " : "P6 ", width, ' ', height, " 255\n");
      for (int at = 0; at < height * width * channels; ++at) content += static_cast<char>(at * (number + 3) + at / 64);
      fs::create_directories(folder / "zoo" / name);
      write_file(folder / "zoo" / name / std::to_string(i), content);
    }
  }
  write_file(folder / "zoo/a-dogs/.DS_Store", "no image");

  const std::string data = "--data folder:zoo --test-fraction 0.2 ";
  const std::string trained =
      output_of(folder, kTrain + data + "--schedule constant --validation-fraction 0 --folder-size 20x24 --out run");
  CHECK_THAT(trained, Catch::Contains("folder:zoo: 12 training and 3 test images, 20x24"));
  const json test = json::parse(output_of(folder, "evaluate --json" + kWeights + data));
  const json train = json::parse(output_of(folder, "evaluate --json --split train" + kWeights + data));
  CHECK(test["samples"] == 3);
  CHECK(train["samples"] == 12);
  // The mistakes are listed by file; how many there are follows from the accuracy.
  const std::string listed = output_of(folder, "evaluate --split train --mistakes 12" + kWeights + data);
  const auto wrong = std::llround(12 * (1.0 - train["top1"].get<double>()));
  std::int64_t files_listed = 0;
  for (std::size_t at = listed.find(": zoo/"); at != std::string::npos; at = listed.find(": zoo/", at + 1))
    ++files_listed;
  CHECK(files_listed == wrong);
  CHECK((listed.find("most confident mistakes") != std::string::npos) == (wrong > 0));
  CHECK((listed.find("no mistakes on images that were trained on") != std::string::npos) == (wrong == 0));
  const std::vector<std::string> names = {"a-dogs", "b cats", "owls"};
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(test["classes"][c]["name"] == names[c]);
    CHECK(test["classes"][c]["samples"] == 1);
    CHECK(train["classes"][c]["samples"] == 4);
  }

  // All images as a test set.
  fs::create_directory(folder / "all");
  fs::rename(folder / "zoo", folder / "all/test");
  const json all = json::parse(output_of(folder, "evaluate --json" + kWeights + "--data folder:all"));
  CHECK(all["loss"].get<double>() ==
        Approx((3 * test["loss"].get<double>() + 12 * train["loss"].get<double>()) / 15).epsilon(2e-5));
  std::vector<std::string> files, true_names;
  for (const std::string& name : names) {
    for (int i = 0; i < 5; ++i) {
      files.push_back("'all/test/" + name + "/" + std::to_string(i) + "'");
      true_names.push_back(name);
    }
  }
  check_predictions(folder, files, true_names, all);

  // A run resumes after its images were moved, but only with the same images.
  const std::string resume = std::string("train --device ") + DEVICE + " --resume run --epochs 2 ";
  const Outcome gone = run(folder.path(), resume);
  CHECK(gone.code == 1);
  CHECK(gone.err == "train: zoo: no such folder\n");
  CHECK_THAT(output_of(folder, resume + "--data-dir all/test"), Catch::Contains("epoch 2/2"));
  fs::rename(folder / "all/test/owls/4", folder / "all/test/owls/5");
  fs::copy_file(folder / "all/test/owls/3", folder / "all/test/owls/5", fs::copy_options::overwrite_existing);
  CHECK_THAT(
      run(folder.path(), "train --resume run --epochs 3 --data-dir all/test").err,
      Catch::Contains("run: the images or labels of folder:zoo differ from those of the first start of the run"));

  fs::copy(folder / "all/test", folder / "all/train", fs::copy_options::recursive);
  const Outcome no_use = run(folder.path(), kTrain + "--out refused --folder-size 20");
  CHECK(no_use.err == "train: --folder-size is for --data folder:PATH, not for fashion-mnist\n");
  const Outcome nor_here = run(folder.path(), "evaluate" + kWeights + "--data mnist --test-fraction 0.5");
  CHECK(nor_here.err == "evaluate: --test-fraction is for --data folder:PATH, not for mnist\n");
  const Outcome no_export = run(folder.path(), "export_images --data folder:all --out images");
  CHECK(no_export.code == 1);
  CHECK(no_export.err == "export_images: --data folder:all: an image folder already holds image files\n");
  check_refusals(folder, "--data folder:nowhere", "nowhere: no such folder");
  check_refusals(folder, "--data folder:all --test-fraction 0.1", "leave out --test-fraction");
  check_refusals(folder, "--data folder:all --test-fraction 1", "--test-fraction 1: must be 0 or more and below 1");
  write_file(folder / "all/test/owls/0", "no image");
  check_refusals(folder, "--data folder:all", "all/test/owls/0: not an image of a known format");
}

TEST_CASE("image folders: defaults depend on the images and options on the command line take precedence") {
  const TemporaryFolder folder;
  for (const char* name : {"dark", "light"}) {
    fs::create_directories(folder / "pets" / name);
    for (int i = 0; i < 12; ++i) {
      write_file(folder / "pets" / name / std::to_string(i),
                 "P6 30 40 255\n" + std::string(3600, static_cast<char>((name[0] == 'd' ? 20 : 90) + i)));
    }
  }
  const std::string train = std::string("train --device ") + DEVICE + " --data folder:pets --epochs 1 ";
  const std::string trained = output_of(folder, train + "--out run");
  CHECK_THAT(trained,
             Catch::StartsWith("defaults for 20 training images of 2 classes: --validation-fraction 0.2 --model "
                               "googlenet_small --image-size 32 ") &&
                 Catch::Contains(" --optimizer adamw ") && Catch::Contains(" --schedule one-cycle ") &&
                 Catch::Contains("\nfolder:pets: 20 training and 4 validation images, 32x32\n"));
  CHECK(trained.substr(0, trained.find('\n')).find("--epochs") == std::string::npos);
  // The printed options give the same weights.
  const std::string typed = trained.substr(trained.find(" --"), trained.find('\n') - trained.find(" --"));
  const std::string again = output_of(folder, train + typed + " --out again");
  CHECK_THAT(again, Catch::StartsWith("defaults for 20 training images of 2 classes:\n"));
  CHECK(text_of(folder / "again/model.safetensors") == text_of(folder / "run/model.safetensors"));
  CHECK(text_of(folder / "run/model_best.safetensors") == text_of(folder / "run/model.safetensors"));

  const std::string own = output_of(folder, train + "--momentum 0.9 --batch-size 5 --test-fraction 0.5 --out own");
  CHECK_THAT(own.substr(0, own.find('\n')), !Catch::Contains("--optimizer") && !Catch::Contains("--lr") &&
                                                !Catch::Contains("--batch-size") && Catch::Contains("--flip"));
  // Changing one option of the optimizer keeps the others; an SGD option drops those of AdamW.
  const std::string slower = output_of(folder, train + "--lr 0.0005 --out slower");
  CHECK_THAT(
      slower.substr(0, slower.find('\n')),
      Catch::Contains(" --optimizer adamw --weight-decay 0.05 --schedule one-cycle ") && !Catch::Contains("--lr"));
  CHECK_THAT(own,
             Catch::Contains("\nthe optimizer is not AdamW: the folder defaults for learning rate, weight decay and "
                             "schedule do not apply\n"));
  // A folder next to the parts is reported.
  fs::create_directories(folder / "parted/moon");
  fs::copy(folder / "pets", folder / "parted/train", fs::copy_options::recursive);
  fs::copy(folder / "pets", folder / "parted/test", fs::copy_options::recursive);
  CHECK(run(folder.path(), train + "--data-dir parted --out parted_run").err ==
        "warning: parted/moon is next to train and test but is not used\n");
  CHECK(run(folder.path(), "train --data pets --out refused").err ==
        "train: unknown data set 'pets'; for the folder of that name write folder:pets\n");
  output_of(folder, train + "--flip=false --out unmirrored");
  CHECK(json::parse(text_of(folder / "unmirrored/config.json"))["options"]["flip"] == false);
  CHECK(json::parse(text_of(folder / "run/config.json"))["options"]["flip"] == true);
  const json options = json::parse(text_of(folder / "own/config.json"))["options"];
  CHECK(options["optimizer"] == "sgd");
  CHECK(options["batch-size"] == 5);
  const std::string by_test = output_of(folder, train + "--validation-fraction 0 --out by_test");
  CHECK_THAT(by_test, Catch::StartsWith("defaults for 20 training images of 2 classes: --test-fraction 0.2 --model ") &&
                          Catch::Contains("\nfolder:pets: 20 training and 4 test images, 32x32\n") &&
                          Catch::Contains("the best on the test images"));
  const Outcome published = run(folder.path(), "train --recipe folder --data mnist --out refused");
  CHECK(published.err == "train: --recipe folder is for --data folder:PATH, not for mnist\n");
}

TEST_CASE("train --balance-classes oversamples small classes and streamed and resident images give the same weights") {
  const TemporaryFolder folder;
  for (const auto& [name, count] : {std::pair{"many", 10}, {"some", 4}, {"few", 3}}) {
    fs::create_directories(folder / "pets" / name);
    for (int i = 0; i < count; ++i) {
      write_file(folder / "pets" / name / std::to_string(i),
                 "P5 16 16 255\n" + std::string(256, static_cast<char>(20 * i + name[0])));
    }
  }
  const std::string train = std::string("train --device ") + DEVICE + " --data folder:pets --epochs 2 --out ";
  const std::string plain = output_of(folder, train + "plain");
  CHECK_THAT(plain, !Catch::Contains("each class appears"));
  const std::string balanced = output_of(folder, train + "balanced --balance-classes");
  CHECK_THAT(balanced, Catch::Contains("folder:pets: 13 training and 4 validation images") &&
                           Catch::Contains("each class appears 8 times in an epoch of 24 images"));
  output_of(folder, train + "streamed --balance-classes --stream --num-workers 2");
  CHECK(text_of(folder / "streamed/model.safetensors") == text_of(folder / "balanced/model.safetensors"));
  CHECK(text_of(folder / "plain/model.safetensors") != text_of(folder / "balanced/model.safetensors"));

  for (int round = 0; round < 2; ++round) {
    output_of(folder, train + "cached --balance-classes --overwrite --cache cache");
    CHECK(text_of(folder / "cached/model.safetensors") == text_of(folder / "balanced/model.safetensors"));
  }
  CHECK(text_of(folder / "cached/evaluation.json") == text_of(folder / "balanced/evaluation.json"));

  // config.json of a run repeats the training; the command line takes precedence.
  const std::string again = std::string("train --device ") + DEVICE + " --config balanced/config.json --out ";
  output_of(folder, again + "again");
  CHECK(text_of(folder / "again/model.safetensors") == text_of(folder / "balanced/model.safetensors"));
  output_of(folder, again + "other --balance-classes=false --data folder:pets");
  CHECK(text_of(folder / "other/model.safetensors") == text_of(folder / "plain/model.safetensors"));
  write_file(folder / "own.json", R"({"epochs": 1, "lr": 0.5, "mean": [0.5], "flip": true, "freeze": []})");
  output_of(folder, train + "own --config own.json");
  const json options = json::parse(text_of(folder / "own/config.json"))["options"];
  CHECK(options["epochs"] == 2);
  CHECK(options["lr"] == 0.5);
  CHECK(options["mean"] == json{0.5});
  CHECK(options["flip"] == true);
  const auto refusal = [&](const std::string& content) {
    write_file(folder / "bad.json", content);
    const Outcome outcome = run(folder.path(), train + "bad --config=bad.json");
    CHECK(outcome.code == 2);
    return outcome.err;
  };
  CHECK(refusal("{\"learning\": 1}") == "train: --config bad.json: 'learning' is not an option of train\n");
  CHECK(refusal("{\"lr\": {}}") == "train: --config bad.json: the value of 'lr' is not valid for an option\n");
  CHECK(refusal("lr 1") == "train: --config bad.json: is not a JSON object of options\n");
  CHECK_THAT(refusal("{\"lr\": \"high\"}"), Catch::Contains("high"));
  CHECK(run(folder.path(), train + "bad --config none.json").err ==
        "train: --config none.json: cannot be opened: No such file or directory\n");
}

TEST_CASE("image options are stored in the weights and used by all tools") {
  const TemporaryFolder folder;
  // The left half has no information; the middle, which a centre crop keeps, is dark or light.
  for (const char* name : {"dark", "light"}) {
    fs::create_directories(folder / "pets" / name);
    for (int i = 0; i < 6; ++i) {
      std::string content = "P5 60 20 255\n";
      for (int at = 0; at < 1200; ++at) {
        const bool middle = at % 60 >= 20 && at % 60 < 40;
        content += static_cast<char>(middle ? (name[0] == 'd' ? 10 : 240) : 128 + i);
      }
      write_file(folder / "pets" / name / std::to_string(i), content);
    }
  }
  const std::string train = std::string("train --device ") + DEVICE + " --data folder:pets --epochs 1 --out ";
  output_of(folder, train + "crop --resize crop --ignore-orientation --background 9,8,7");
  const json options = json::parse(text_of(folder / "crop/config.json"))["options"];
  CHECK(options["resize"] == "crop");
  const auto weights = read_weights_file(folder / "crop/model.safetensors");
  CHECK(weights.image_options ==
        ImageOptions{.resize = Resize::crop, .exif_orientation = false, .background = {9, 8, 7}});
  const std::string evaluate = std::string("evaluate --json --device ") + DEVICE + " --weights crop/model.safetensors ";
  const json whole = json::parse(output_of(folder, evaluate + "--split train"));
  CHECK(whole["samples"] == 10);
  // For these weights, files with only the middle are the same images.
  for (const char* name : {"dark", "light"}) {
    fs::create_directories(folder / "middle" / name);
    for (int i = 0; i < 6; ++i) {
      write_file(folder / "middle" / name / std::to_string(i),
                 "P5 20 20 255\n" + std::string(400, static_cast<char>(name[0] == 'd' ? 10 : 240)));
    }
  }
  const auto probabilities = [&](const std::string& file) {
    const std::string predict = std::string("predict --json --device ") + DEVICE + " --weights crop/model.safetensors ";
    return json::parse(output_of(folder, predict + file))[0]["probabilities"];
  };
  CHECK(probabilities("pets/dark/1") == probabilities("middle/dark/1"));
  CHECK(probabilities("pets/dark/1") != probabilities("pets/light/1"));

  // A run that starts from these weights uses the same image options, and rejects others.
  output_of(folder, train + "again --init crop/model.safetensors");
  CHECK(read_weights_file(folder / "again/model.safetensors").image_options == weights.image_options);
  const Outcome other = run(folder.path(), train + "other --init crop/model.safetensors --resize letterbox");
  CHECK(other.err ==
        "train: --resize letterbox: crop/model.safetensors was trained with --resize crop; leave out the option\n");
  CHECK(run(folder.path(), train + "other --resize squash").err ==
        "train: --resize: 'squash' is not a resize mode: use stretch, crop or letterbox\n");
  CHECK(run(folder.path(), train + "other --background pink").err ==
        "train: --background: 'pink' is not a colour: use black, grey, white, or R,G,B with numbers from 0 to 255\n");
  CHECK(run(folder.path(), "train --resize crop --data mnist --out other").err ==
        "train: --resize is for --data folder:PATH, not for mnist\n");
}

TEST_CASE("model_best.safetensors holds the weights of the best epoch even after stop and resume") {
  const TemporaryFolder folder;
  std::uint32_t noise = 1;
  for (const char* part : {"train", "test"}) {
    for (const char* name : {"a", "b", "c"}) {
      fs::create_directories(folder / "pets" / part / name);
      for (int i = 0; i < 8; ++i) {
        std::string content = "P5 16 16 255\n";
        for (int at = 0; at < 256; ++at) content += static_cast<char>((noise = noise * 1664525u + 1013904223u) >> 25);
        write_file(folder / "pets" / part / name / std::to_string(i), content);
      }
    }
  }
  // evaluate reproduces the best accuracy on the data of the run, whether --data is given or not.
  const auto check_best = [&](const std::string& run_folder, const std::string& data) {
    const Metrics metrics = read_metrics(folder / run_folder / "metrics.jsonl");
    EpochMetrics best = metrics.epochs.front();
    for (const EpochMetrics& epoch : metrics.epochs) {
      if (is_better(epoch, best)) best = epoch;
    }
    const std::string evaluate = std::string("evaluate --json --device ") + DEVICE + data + " --weights " + run_folder;
    const json evaluation = json::parse(output_of(folder, evaluate + "/model_best.safetensors"));
    const json& chosen_by = evaluation.contains("validation") ? evaluation["validation"] : evaluation;
    CHECK(chosen_by["top1"].get<double>() == Approx(best.eval_accuracy).margin(1e-12));
    CHECK(chosen_by["loss"].get<double>() == Approx(best.eval_loss).epsilon(1e-4));
    return best.epoch;
  };
  const std::string train = std::string("train --device ") + DEVICE +
                            " --data folder:pets --model googlenet_small --batch-size 6 --lr 0.05 --momentum 0.9 ";
  const std::string printed = output_of(folder, train + "--validation-fraction 0 --epochs 5 --out whole");
  const std::int64_t epoch = check_best("whole", " --data folder:pets");
  CHECK_THAT(printed,
             Catch::Contains(concat("model_best.safetensors (epoch ", epoch, ", the best on the test images)")));
  const std::string held = output_of(folder, train + "--epochs 1 --hold-out 6 --out held");
  CHECK_THAT(held, Catch::Contains("18 training, 6 validation and 24 test images") &&
                       Catch::Contains("(epoch 1, the best on the validation images: accuracy 0."));
  check_best("held", "");
  const std::string of_held = std::string("evaluate --device ") + DEVICE + " --weights held/model_best.safetensors";
  CHECK_THAT(output_of(folder, of_held),
             Catch::StartsWith("held/model_best.safetensors: googlenet_small on the test images of folder:pets\n"
                               "validation: 6 images, loss "));
  const json tested = json::parse(output_of(folder, of_held + " --json"));
  CHECK(tested["split"] == "test");
  CHECK(tested["samples"] == 24);
  const Metrics metrics = read_metrics(folder / "held/metrics.jsonl");
  REQUIRE(metrics.last_test() != nullptr);
  CHECK(tested["top1"].get<double>() == metrics.last_test()->test_accuracy);
  CHECK(json::parse(output_of(folder, of_held + " --json --split validation"))["samples"] == 6);
  CHECK(json::parse(output_of(folder, of_held + " --json --split train"))["samples"] == 18);
  // Images without parts are all evaluated.
  fs::copy(folder / "pets/test", folder / "others", fs::copy_options::recursive);
  const std::string all = output_of(folder, of_held + " --data folder:others");
  CHECK_THAT(all, Catch::StartsWith("held/model_best.safetensors: googlenet_small on all images of folder:others\n") &&
                      Catch::Contains("\n24 images, "));
  output_of(folder, train + "--validation-fraction 0 --epochs 3 --out parts");
  output_of(folder, std::string("train --device ") + DEVICE + " --resume parts --epochs 5");
  CHECK(check_best("parts", "") == epoch);
  CHECK(text_of(folder / "parts/model_best.safetensors") == text_of(folder / "whole/model_best.safetensors"));
}
