/// Weights given to the tools: metadata is used, and invalid weights are reported in one line.

#include "core/safetensors.h"
#include "models/registry.h"
#include "models/weights.h"
#include "models/weights_file.h"
#include "tests/tools/refusals.h"
#include "tests/tools/runs.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <algorithm>
#include <limits>

using namespace minception;
using namespace minception::testing;
using nlohmann::json;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const std::vector<std::string> kDevices = {
    "cpu",
    "reference",
#ifdef MINCEPTION_EMULATED
    "cuda",
#endif
};

const std::vector<std::string> kNames = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                         "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// A folder with a data set, an image and matching weights.
struct Workplace {
  TemporaryFolder folder;
  Safetensors weights;

  Workplace() {
    make_data(folder.path());
    write(folder / "image.pgm",
          "P5 17 17 255\n" + std::string(17 * 17 / 2, '\x20') + std::string(17 * 17 / 2 + 1, '\xc0'));
    weights = weights_of({.name = "googlenet_small", .input = {1, 17, 17}}, kNames);
    write_safetensors(folder / "good.safetensors", weights);
  }

  static Safetensors weights_of(const ModelConfig& config, const std::vector<std::string>& names) {
    const auto backend = make_reference_backend();
    const Normalization normalization = {{0.3}, {0.4}};
    Network network(
        make_model(config), *backend,
        {.max_batch = 1, .training = false, .scale = normalization.scale(), .shift = normalization.shift()});
    network.initialize(Initialization::kaiming_normal, 3);
    return {network.state(), weights_metadata(network, names)};
  }
  /// Writes the weights with the first value of a tensor, or all of them, replaced.
  void write_spoiled(const std::string& file, const std::string& tensor, double value, bool all = false) {
    Safetensors spoiled = weights;
    FileTensor& changed = spoiled.tensors.at(tensor);
    std::vector<double> values = to_doubles(changed);
    std::fill(values.begin(), all ? values.end() : values.begin() + 1, value);
    changed = to_file_tensor(values, changed.shape, DType::f32);
    write_safetensors(folder / file, spoiled);
  }
  Outcome run(const std::string& command) const { return testing::run(folder.path(), command); }
};

std::string predict(const std::string& file) { return "predict --weights " + file + " image.pgm "; }
std::string evaluate(const std::string& file) { return "evaluate --data-dir data --limit 2 --weights " + file + " "; }
std::string init(const std::string& file) {
  return "train --data-dir data --epochs 1 --batch-size 8 --out run --init " + file + " ";
}

}  // namespace

TEST_CASE("non-finite weights are rejected on every device with the name of the tensor") {
  Workplace place;
  place.write_spoiled("nan.safetensors", "conv1.conv.weight", kNaN, true);
  place.write_spoiled("infinite.safetensors", "fc.bias", -std::numeric_limits<double>::infinity());
  place.write_spoiled("variance.safetensors", "inception3a.branch1.bn.running_var", -0.5);
  std::vector<Refusal> refusals;
  for (const std::string& device : kDevices) {
    for (const auto& command : {predict, evaluate, init}) {
      const std::string on = "--device " + device;
      refusals.push_back({command("nan.safetensors") + on,
                          "nan.safetensors: NaN or infinity in the tensor conv1.conv.weight (784 of 784 values)"});
      refusals.push_back({command("infinite.safetensors") + on, "in the tensor fc.bias (1 of 10 values)"});
      refusals.push_back({command("variance.safetensors") + on,
                          "variances below 0 in the tensor inception3a.branch1.bn.running_var (1 of 16 values)"});
    }
  }
  check_refused(place.folder.path(), refusals);
}

TEST_CASE("evaluate and predict reject weights that overflow") {
  Workplace place;
  // NaN results from infinities of both signs, and oneDNN's ReLU turns it into 0: the logits would be finite.
  place.write_spoiled("hidden.safetensors", "inception3a.branch2.0.conv.weight", 3e38, true);
  place.write_spoiled("folded.safetensors", "conv1.bn.weight", 3e38, true);
  place.write_spoiled("large.safetensors", "fc.weight", 3e38, true);
  // Black images have logits of 0 if pixels are not shifted, so that another image is the first to overflow.
  place.weights.metadata["preprocessing"] = R"({"resize":"bilinear","scale":[0.004],"shift":[0]})";
  place.write_spoiled("bright.safetensors", "fc.weight", 3e38, true);
  write(place.folder / "black.pgm", "P5 17 17 255\n" + std::string(17 * 17, '\0'));
  std::string many = "predict --weights bright.safetensors ";
  for (int i = 0; i < 32; ++i) many += "black.pgm ";
  std::vector<Refusal> refusals;
  for (const std::string& device : kDevices) {
    const std::string on = "--device " + device;
    for (const auto& command : {predict, evaluate}) {
      refusals.push_back(
          {command("hidden.safetensors") + on,
           "hidden.safetensors: these weights overflow, first in inception3a (conv2d_fused_1x1_forward)"});
      refusals.push_back({command("folded.safetensors") + on, "these weights overflow, first in conv1"});
      refusals.push_back(
          {command("large.safetensors") + on, "overflow, first in fc (linear_forward): 10 of 10 values of y"});
    }
    refusals.push_back({many + "image.pgm " + on,
                        "image.pgm: 10 of 10 logits are not finite: the weights of bright.safetensors overflow"});
    refusals.push_back({evaluate("bright.safetensors") + on,
                        "bright.safetensors: 1 of 2 images have logits that are not finite; the first is image 1"});
  }
  check_refused(place.folder.path(), refusals);
}

TEST_CASE("train --resume skips checkpoints with non-finite weights and fails if none is left") {
  Workplace place;
  REQUIRE(place.run(init("good.safetensors")).code == 0);
  const auto spoil = [](const fs::path& path, const std::string& tensor) {
    Safetensors content = read_safetensors(path);
    FileTensor& changed = content.tensors.at(tensor);
    changed = to_file_tensor(std::vector<double>(to_doubles(changed).size(), kNaN), changed.shape, DType::f32);
    write_safetensors(path, content);
  };
  const std::string model = text_of(place.folder / "run/model.safetensors");
  // A second epoch has its own checkpoint, and is repeated if that checkpoint is spoiled.
  REQUIRE(place.run("train --resume run --epochs 2").code == 0);
  const std::string longer = text_of(place.folder / "run/model.safetensors");
  REQUIRE(longer != model);
  auto checkpoints = checkpoints_of(place.folder / "run");
  REQUIRE(checkpoints.size() == 2);
  spoil(checkpoints[0], "fc.weight");
  const Outcome outcome = place.run("train --resume run --epochs 2");
  INFO(outcome.err << outcome.out);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.err, Catch::StartsWith("warning: run/checkpoints/step-000000012.safetensors: NaN or infinity in "
                                            "the tensor fc.weight (2560 of 2560 values)") &&
                              Catch::Contains("using the checkpoint before it"));
  CHECK_THAT(outcome.out, Catch::Contains("resuming after step 6 of 12"));
  CHECK(text_of(place.folder / "run/model.safetensors") == longer);
  // Non-finite running statistics do not prevent training.
  checkpoints = checkpoints_of(place.folder / "run");
  spoil(checkpoints[0], "conv1.bn.running_mean");
  CHECK_THAT(place.run("train --resume run").out, Catch::Contains("has completed all 2 epochs"));

  for (const fs::path& checkpoint : checkpoints) spoil(checkpoint, "conv2.conv.weight");
  const auto before = snapshot(place.folder.path());
  const Outcome refused = place.run("train --resume run");
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err,
             Catch::EndsWith("train: run: none of its 2 checkpoints can be used; start a new run with --out\n"));
  CHECK(snapshot(place.folder.path()) == before);
}

TEST_CASE("train --init uses the metadata of the file") {
  Workplace place;
  const Outcome outcome = place.run(init("good.safetensors"));
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out,
             Catch::StartsWith("starting from good.safetensors: googlenet_small for 10 classes, images of 17, "
                               "--mean 0.3 --std 0.4\n"));
  const json config = json::parse(text_of(place.folder / "run/config.json"));
  CHECK(config["model"] == "googlenet_small");
  CHECK(config["options"]["image-size"] == "17");
  CHECK(config["options"]["mean"] == json::array({0.3}));
  CHECK(config["options"]["std"] == json::array({0.4}));
  // The same as with these options, and as with weights without metadata.
  const std::string options = "--model googlenet_small --mean 0.3 --std 0.4 --image-size 17 --overwrite ";
  const std::string model = text_of(place.folder / "run/model.safetensors");
  REQUIRE(place.run(init("good.safetensors") + options).code == 0);
  CHECK(text_of(place.folder / "run/model.safetensors") == model);
  write_safetensors(place.folder / "plain.safetensors", {place.weights.tensors, {}});
  REQUIRE(place.run(init("plain.safetensors") + options).code == 0);
  CHECK(text_of(place.folder / "run/model.safetensors") == model);
  REQUIRE(place.run(init("plain.safetensors") + "--model googlenet_small --image-size 17 --overwrite").code == 0);
  CHECK(text_of(place.folder / "run/model.safetensors") != model);
  const Outcome larger = place.run(init("good.safetensors") + "--image-size 20 --overwrite");
  CHECK(larger.code == 0);
  CHECK(larger.err == "warning: --image-size 20: good.safetensors was trained on images of 17\n");
}

TEST_CASE("train --init rejects options and data that contradict the file and suggests --reset-head") {
  Workplace place;
  write_safetensors(place.folder / "plain.safetensors", {place.weights.tensors, {}});
  write_safetensors(place.folder / "colour.safetensors",
                    Workplace::weights_of({.name = "googlenet_small", .input = {3, 17, 17}}, kNames));
  write_safetensors(
      place.folder / "three.safetensors",
      Workplace::weights_of({.name = "googlenet_small", .input = {1, 17, 17}, .classes = 3}, {"a", "b", "c"}));
  std::vector<std::string> renamed = kNames;
  renamed[3] = "Toga";
  write_safetensors(place.folder / "toga.safetensors",
                    Workplace::weights_of({.name = "googlenet_small", .input = {1, 17, 17}}, renamed));
  Safetensors odd = place.weights;
  odd.metadata["preprocessing"] = R"({"resize":"bilinear","scale":[-1],"shift":[0]})";
  write_safetensors(place.folder / "odd.safetensors", odd);
  Safetensors cut = place.weights;
  cut.metadata.clear();
  cut.tensors.erase("conv2.conv.weight");
  cut.tensors.erase("inception3a.branch1.conv.weight");
  write_safetensors(place.folder / "cut.safetensors", cut);
  std::vector<Refusal> refusals = {
      {init("good.safetensors") + "--model googlenet",
       "train: --model googlenet: good.safetensors has weights of googlenet_small; leave out --model"},
      {init("good.safetensors") + "--recipe classic", "train: --model googlenet: good.safetensors"},
      {init("good.safetensors") + "--mean 0.5",
       "train: --mean 0.5 --std 0.4: good.safetensors was trained with --mean 0.3 --std 0.4"},
      {init("good.safetensors") + "--mean 0 --std 1", "--mean 0 --std 1: good.safetensors was trained with"},
      {init("good.safetensors") + "--std 0.5,0.5", "good.safetensors is for images of 1 channel"},
      {init("good.safetensors") + "--no-transform-input",
       "--no-transform-input: good.safetensors was trained without it"},
      {init("odd.safetensors"), "odd.safetensors: 'preprocessing' in its metadata cannot be expressed by --mean"},
      {init("colour.safetensors"),
       "colour.safetensors: its model takes images of 3 channels; those of fashion-mnist have 1"},
      {init("three.safetensors"),
       "three.safetensors: was trained for 3 classes but fashion-mnist has 10; use --reset-head 10 to replace the last "
       "layer"},
      {init("toga.safetensors"), "toga.safetensors: class 3 is 'Toga' but in fashion-mnist it is 'Dress'"},
      {init("toga.safetensors"), "use --reset-head 10 to replace the last layer"},
      {init("plain.safetensors"), "or name its model with --model"},
      {init("plain.safetensors") + "--model vgg11",
       "has no tensor conv1_1.weight: not weights of vgg11, but the tensors conv1"},
      {init("plain.safetensors") + "--model googlenet_small --no-transform-input",
       "googlenet_small has no input transform"},
      {init("cut.safetensors") + "--model googlenet_small --image-size 17",
       "cut.safetensors: the tensors conv2.conv.weight, inception3a.branch1.conv.weight of googlenet_small are "
       "missing"},
      {predict("good.safetensors") + "--no-transform-input", "--no-transform-input need --model"},
  };
  write(place.folder / "state.pth", "PK\x03\x04" + std::string(60, '\0'));
  for (const auto& command : {predict, evaluate, init}) {
    refusals.push_back(
        {command("state.pth"), "state.pth: was written by torch.save; convert its state dict with python3"});
    refusals.push_back({command("state.pth") + "--model googlenet_torchvision",
                        "save_file(torch.load('state.pth', map_location='cpu'), 'state.safetensors')"});
  }
  check_refused(place.folder.path(), refusals);
  for (const char* file : {"three.safetensors", "toga.safetensors"}) {
    const Outcome outcome = place.run(init(file) + "--reset-head 10 --overwrite");
    INFO(outcome.err);
    CHECK(outcome.code == 0);
  }
}
