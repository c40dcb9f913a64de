/// evaluate, predict and the tutorial: their output agrees with the library, and invalid input is reported in one line.

#include "core/safetensors.h"
#include "data/fashion_mnist.h"
#include "data/image_file.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tests/tools/programs.h"
#include "tests/tools/refusals.h"
#include "training/evaluation.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <cmath>
#include <regex>

using namespace minception;
using namespace minception::testing;
using nlohmann::json;

namespace {

constexpr int kImages = 20;

/// Images with noise, so that predictions differ.
void write_noisy_dataset(const fs::path& folder, std::uint32_t count = kImages) {
  write_dataset(folder, count);
  for (const char* split : {"train", "t10k"}) {
    std::string images = big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28);
    std::uint32_t state = split == std::string("train") ? 1 : 2;
    for (std::uint32_t i = 0; i < count * 784; ++i) {
      state = state * 1664525u + 1013904223u;
      images += static_cast<char>(state >> 24);
    }
    write(folder / (std::string(split) + "-images-idx3-ubyte"), images);
  }
}

/// A folder with a data set and matching weights.
struct Workplace {
  TemporaryFolder folder;
  Dataset dataset;
  std::unique_ptr<Backend> backend = make_cpu_backend();

  Workplace() {
    fs::create_directory(folder / "data");
    write_noisy_dataset(folder / "data");
    dataset = load_fashion_mnist(folder / "data");
    write_weights("model.safetensors", {.name = "googlenet_small", .input = {1, 20, 17}}, dataset.test.class_names);
  }

  Network make_network(const ModelConfig& config, std::int64_t max_batch) {
    return Network(make_model(config), *backend,
                   {.max_batch = max_batch,
                    .training = false,
                    .dataset_image = Shape{config.input[0], 28, 28},
                    .scale = {0.01f},
                    .shift = {-0.5f}});
  }
  void write_weights(const std::string& file, const ModelConfig& config, const std::vector<std::string>& names) {
    Network network = make_network(config, 1);
    network.initialize(Initialization::kaiming_normal, 3);
    write_safetensors(folder / file, {network.state(), weights_metadata(network, names)});
  }
  Network load_network(std::int64_t max_batch) {
    const WeightsFile weights = read_weights_file(folder / "model.safetensors");
    Network network = make_network(weights.config, max_batch);
    load_weights(network, weights, "model.safetensors");
    return network;
  }
  std::span<const std::uint8_t> pixels(std::size_t index) const {
    return std::span(dataset.test.pixels).subspan(index * 784, 784);
  }
  Outcome run(const std::string& command) const { return testing::run(folder.path(), command); }
};

const Command kEvaluate = "evaluate --weights model.safetensors --data-dir data ";
const Command kPredict = "predict --weights model.safetensors ";

}  // namespace

TEST_CASE("evaluate reports the metrics of the library") {
  Workplace place;
  Network network = place.load_network(8);
  const ResidentDataset resident =
      make_resident(*place.backend, place.dataset.test.image, place.dataset.test.pixels, place.dataset.test.labels);
  ResidentBatchSource feed(resident);
  const Evaluation expected = evaluate(network, feed, place.dataset.test.labels);

  const Outcome outcome = place.run(kEvaluate + "--batch-size 8 --json");
  INFO(outcome.err << outcome.out);
  REQUIRE(outcome.code == 0);
  const json report = json::parse(outcome.out);  // parses all of stdout
  CHECK(report["weights"] == "model.safetensors");
  CHECK(report["model"] == "googlenet_small");
  CHECK(report["data"] == "fashion-mnist");
  CHECK(report["split"] == "test");
  CHECK(report["samples"] == kImages);
  CHECK(report["loss"].get<double>() == expected.loss);
  CHECK(report["top1"].get<double>() == expected.top1);
  CHECK(report["top5"].get<double>() == expected.top5);
  CHECK(report["images_per_second"].get<double>() > 0.0);
  REQUIRE(report["classes"].size() == 10);
  for (std::size_t c = 0; c < 10; ++c) {
    const json& row = report["confusion"][c];
    CHECK(row.get<std::vector<std::int64_t>>() ==
          std::vector<std::int64_t>(expected.confusion.begin() + static_cast<std::ptrdiff_t>(10 * c),
                                    expected.confusion.begin() + static_cast<std::ptrdiff_t>(10 * c + 10)));
    CHECK(report["classes"][c]["name"] == place.dataset.test.class_names[c]);
    CHECK(report["classes"][c]["samples"] == 2);
    CHECK(report["classes"][c]["recall"].get<double>() == row[c].get<double>() / 2.0);
  }

  const Outcome text = place.run(kEvaluate + "--batch-size 8");
  CHECK(text.code == 0);
  CHECK(text.err.empty());
  CHECK_THAT(text.out, Catch::Contains(evaluation_table(expected, place.dataset.test.class_names)));
  CHECK_THAT(text.out, Catch::Contains("images/s"));

  // The other split and a limit select other samples; a class without samples has no accuracy.
  const json train = json::parse(place.run(kEvaluate + "--batch-size 8 --split train --json").out);
  CHECK(train["samples"] == kImages);
  CHECK(train["loss"] != report["loss"]);
  const json limited = json::parse(place.run(kEvaluate + "--limit 3 --json").out);
  CHECK(limited["samples"] == 3);
  CHECK(limited["classes"][3]["recall"].is_null());
}

TEST_CASE("predict and evaluate give bitwise identical logits for a data set image") {
  Workplace place;
  std::string files;
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::string name = "image" + std::to_string(i) + ".pgm";
    const auto pixels = place.pixels(i);
    write(place.folder / name, "P5\n28 28\n255\n" + std::string(pixels.begin(), pixels.end()));
    files += name + " ";
  }
  const Outcome outcome = place.run(kPredict + "--json " + files);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(outcome.err.empty());
  const json predictions = json::parse(outcome.out);
  REQUIRE(predictions.size() == kImages);

  Network network = place.load_network(kImages);
  const ResidentDataset resident =
      make_resident(*place.backend, place.dataset.test.image, place.dataset.test.pixels, place.dataset.test.labels);
  ResidentBatchSource feed(resident);
  feed.start(network, Mode::inference, {.batch_size = kImages});
  feed.next(kImages);
  network.infer(kImages);
  const std::vector<double> logits = network.logits(Mode::inference, kImages);
  const std::vector<std::string>& names = place.dataset.test.class_names;
  for (std::size_t i = 0; i < kImages; ++i) {
    INFO("image " << i);
    const json& one = predictions[i];
    CHECK(one["file"] == "image" + std::to_string(i) + ".pgm");
    const auto of_file = one["logits"].get<std::vector<double>>();
    CHECK(of_file == std::vector<double>(logits.begin() + static_cast<std::ptrdiff_t>(10 * i),
                                         logits.begin() + static_cast<std::ptrdiff_t>(10 * i + 10)));
    const auto best = static_cast<std::size_t>(std::max_element(of_file.begin(), of_file.end()) - of_file.begin());
    CHECK(one["class"] == best);
    CHECK(one["class_name"] == names[best]);
    double sum = 0.0;
    for (double logit : of_file) sum += std::exp(logit);
    CHECK(one["probability"].get<double>() == Approx(std::exp(of_file[best]) / sum).epsilon(1e-12));
    REQUIRE(one["probabilities"].size() == 10);
    for (std::size_t c = 0; c < 10; ++c) {
      CHECK(one["probabilities"][names[c]].get<double>() == Approx(std::exp(of_file[c]) / sum).epsilon(1e-12));
    }
  }
  CHECK(predictions[0]["logits"] != predictions[1]["logits"]);

  // The text output has one line per image with the same class first.
  const Outcome text = place.run(kPredict + "--top 2 " + files);
  REQUIRE(text.code == 0);
  std::istringstream lines(text.out);
  std::string line;
  for (std::size_t i = 0; i < kImages; ++i) {
    REQUIRE(std::getline(lines, line));
    const std::string name = predictions[i]["class_name"].get<std::string>();
    std::smatch match;
    INFO(line);
    REQUIRE(std::regex_match(line, match,
                             std::regex(R"((image\d+\.pgm) +(\d+\.\d) % (\S+(?: \S+)?) +\d+\.\d % \S+(?: \S+)?)")));
    CHECK(match[1] == predictions[i]["file"].get<std::string>());
    CHECK(std::stod(match[2]) == Approx(100.0 * predictions[i]["probability"].get<double>()).margin(0.051));
    CHECK(match[3] == name);
  }
  CHECK(!std::getline(lines, line));
}

TEST_CASE("predict accepts images of other formats and sizes and more than one batch") {
  Workplace place;
  write(place.folder / "big.ppm", "P6 100 60 255\n" + std::string(18000, 'c'));
  write(place.folder / "dot.pgm", "P2 1 1 9 4");
  std::string files = "big.ppm dot.pgm";
  if (has_png()) {
    const auto png = encode_png({1, 28, 28}, place.pixels(0));
    write(place.folder / "first.png", std::string(png.begin(), png.end()));
    write(place.folder / "named_otherwise.txt", std::string(png.begin(), png.end()));
    files += " first.png named_otherwise.txt";
  }
  for (int i = 0; i < 40; ++i) files += " dot.pgm";
  const Outcome outcome = place.run(kPredict + "--json " + files);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const json predictions = json::parse(outcome.out);
  REQUIRE(predictions.size() == (has_png() ? 44 : 42));
  CHECK(predictions.back()["file"] == "dot.pgm");
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(predictions.back()["logits"][c].get<double>() ==
          Approx(predictions[1]["logits"][c].get<double>()).margin(1e-4));
  }
  if (has_png()) CHECK(predictions[2]["logits"] == predictions[3]["logits"]);
}

TEST_CASE("predict expands folders and patterns and lists unreadable files") {
  Workplace place;
  const auto write_image = [&](const fs::path& name, char brightness) {
    fs::create_directories((place.folder / name).parent_path());
    write(place.folder / name, "P5 8 8 255\n" + std::string(64, brightness));
  };
  for (int i = 0; i < 70; ++i) write_image("in/" + std::to_string(100 + i) + ".pgm", static_cast<char>(i));
  write_image("in/deeper/A.PGM", 'a');
  write_image("in/.hidden/b.pgm", 'b');
  write_image("in/@eaDir/c.pgm", 'c');
  write_image("in/a, \"quoted\".pgm", 'd');
  write(place.folder / "in/notes.txt", "no image");
  const Outcome all = place.run(kPredict + "--json in");
  INFO(all.err);
  REQUIRE(all.code == 0);
  const json predictions = json::parse(all.out);
  REQUIRE(predictions.size() == 72);
  CHECK(predictions[0]["file"] == "in/100.pgm");
  CHECK(predictions[70]["file"] == "in/a, \"quoted\".pgm");
  CHECK(predictions[71]["file"] == "in/deeper/A.PGM");

  write(place.folder / "in/130.pgm", "text");
  write(place.folder / "in/160.pgm", "P5 8 8 255\n");
  const Outcome some = place.run(kPredict + "--csv 'in/1*.pgm' in/deeper/A.PGM missing.pgm");
  CHECK(some.code == 1);
  CHECK_THAT(some.err, Catch::StartsWith("predict: 3 of 72 images cannot be read:\n  in/130.pgm: ") &&
                           Catch::Contains("\n  in/160.pgm: ") && Catch::Contains("\n  missing.pgm: "));
  std::istringstream lines(some.out);
  std::string line;
  REQUIRE(std::getline(lines, line));
  CHECK_THAT(line, Catch::StartsWith("file,class,probability,T-shirt/top,Trouser,"));
  std::size_t count = 0;
  for (; std::getline(lines, line); ++count) {
    CHECK(std::count(line.begin(), line.end(), ',') == 12);
    if (line.starts_with("in/deeper/A.PGM,")) {
      const json& expected = predictions[71];
      CHECK_THAT(line, Catch::Contains("," + expected["class_name"].get<std::string>() + ","));
      const std::string last = line.substr(line.rfind(',') + 1);
      CHECK(std::stod(last) == Approx(expected["probabilities"]["Ankle boot"].get<double>()).epsilon(1e-5));
    }
  }
  CHECK(count == 69);
  CHECK_THAT(place.run(kPredict + "--csv in/a*.pgm").out, Catch::Contains("\n\"in/a, \"\"quoted\"\".pgm\","));

  CHECK_THAT(place.run(kPredict + "$(printf 'a\\033b')").err, Catch::StartsWith("predict: a\\x1bb: cannot be opened"));
  fs::create_directory(place.folder / "empty");
  check_refused(place.folder.path(), {{kPredict + "empty", "empty: this folder contains no images"},
                                      {kPredict + "'none*.png'", "none*.png: no file has this name"},
                                      {kPredict + "--csv --json in", "--csv"}});
}

TEST_CASE("evaluate and predict report invalid input in one line and print nothing to stdout") {
  Workplace place;
  const TemporaryFolder& folder = place.folder;
  const std::vector<std::string>& names = place.dataset.test.class_names;
  const std::string good = text_of(folder / "model.safetensors");
  write(folder / "good.pgm", "P5\n28 28\n255\n" + std::string(784, 'x'));
  write(folder / "short.pgm", "P5\n28 28\n255\n" + std::string(783, 'x'));
  write(folder / "text.png", "not an image");
  write(folder / "empty.png", "");
  write(folder / "empty.safetensors", "");
  write(folder / "text.safetensors", "not weights");
  write(folder / "short.safetensors", good.substr(0, good.size() - 1));
  Safetensors content = read_safetensors(folder / "model.safetensors");
  const auto variant = [&](const std::string& file, const auto& change) {
    Safetensors changed = content;
    change(changed);
    write_safetensors(folder / file, changed);
  };
  variant("foreign.safetensors", [](Safetensors& file) { file.metadata = {{"format", "pt"}}; });
  variant("unknown.safetensors",
          [](Safetensors& file) { file.metadata["model"] = R"({"name":"lenet","input":[1,20,17],"classes":10})"; });
  variant("other.safetensors",
          [](Safetensors& file) { file.metadata["model"] = R"({"name":"googlenet","input":[1,20,17],"classes":10})"; });
  variant("tensor.safetensors", [](Safetensors& file) { file.tensors.erase("fc.bias"); });
  std::vector<std::string> renamed = names;
  renamed[3] = "Toga";
  place.write_weights("toga.safetensors", {.input = {1, 17, 17}}, renamed);
  place.write_weights("two.safetensors", {.input = {1, 17, 17}, .classes = 2}, {"cat", "dog"});
  place.write_weights("colour.safetensors", {.input = {3, 17, 17}}, names);
  fs::copy(folder / "data", folder / "truncated");
  fs::resize_file(folder / "truncated" / "t10k-images-idx3-ubyte", 5000);

  struct Bad {
    std::string command;
    std::string says;
  };
  std::vector<Bad> inputs = {
      {"evaluate", "--weights is required"},
      {"evaluate --weights", "--weights"},
      {kEvaluate + "--no-such-option", "--no-such-option"},
      {kEvaluate + "extra", "extra"},
      {kEvaluate + "--split valid", "--split 'valid': use test, validation or train"},
      {kEvaluate + "--split validation", "--split validation: fashion-mnist has no validation images"},
      {kEvaluate + "--batch-size 0", "--batch-size 0"},
      {kEvaluate + "--batch-size 9223372036854775807", "--batch-size 9223372036854775807"},
      {kEvaluate + "--batch-size many", "--batch-size"},
      {kEvaluate + "--limit -1", "--limit -1"},
      {kEvaluate + "--limit 21", "--limit 21: there are only 20 images"},
      {kEvaluate + "--data mnist-of-mars", "mnist-of-mars"},
      {kEvaluate + "--data-dir nowhere", "nowhere: no such folder"},
      {kEvaluate + "--data-dir truncated", "t10k-images-idx3-ubyte"},
      {kEvaluate + "--weights toga.safetensors --json",
       "toga.safetensors: class 3 is 'Toga' but in fashion-mnist it is 'Dress'"},
      {kEvaluate + "--weights two.safetensors", "two.safetensors: was trained for 2 classes but fashion-mnist has 10"},
      {kEvaluate + "--weights colour.safetensors", "the model expects 3 channels"},
      {"predict", "required"},
      {kPredict, "images is required"},
      {"predict good.pgm", "--weights is required"},
      {kPredict + "good.pgm --no-such-option", "--no-such-option"},
      {kPredict + "good.pgm --top 0", "--top 0"},
      {kPredict + "good.pgm --top most", "--top"},
      {kPredict + "nowhere.png", "nowhere.png"},
      {kPredict + "good.pgm data", "data"},
      {kPredict + "text.png", "text.png"},
      {kPredict + "empty.png", "empty.png"},
      {kPredict + "short.pgm --json", "short.pgm"},
  };
  for (const Command& program : {kEvaluate, kPredict + "good.pgm "}) {
    inputs.push_back({program + "--device tpu", "unknown device 'tpu'"});
    inputs.push_back({program + "--kernels vendor", "--kernels vendor: this build has no vendor backend"});
    inputs.push_back({program + "--threads -1", "--threads -1"});
    inputs.push_back({program + "--threads 2 --device reference", "--threads is for --device cpu"});
    inputs.push_back({program + "--weights nowhere.safetensors", "nowhere.safetensors: cannot be found"});
    inputs.push_back({program + "--weights data", "data: is not a regular file"});
    inputs.push_back({program + "--weights empty.safetensors", "empty.safetensors"});
    inputs.push_back({program + "--weights text.safetensors", "text.safetensors"});
    inputs.push_back({program + "--weights short.safetensors", "short.safetensors"});
    inputs.push_back({program + "--weights good.pgm", "good.pgm"});
    inputs.push_back({program + "--weights foreign.safetensors", "its metadata name no model"});
    inputs.push_back({program + "--weights unknown.safetensors",
                      "unknown.safetensors: its metadata name the unknown model \"lenet\"; the known models are "
                      "alexnet, googlenet"});
    inputs.push_back({program + "--weights other.safetensors", "other.safetensors: the tensor"});
    inputs.push_back({program + "--weights tensor.safetensors", "the tensor fc.bias of googlenet_small is missing"});
  }
  const auto before = snapshot(folder.path());
  for (const Bad& bad : inputs) {
    const Outcome outcome = place.run(bad.command);
    INFO(bad.command << "\n" << outcome.err);
    CHECK(outcome.code >= 1);
    CHECK(outcome.code <= 2);
    CHECK(outcome.out.empty());
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK(outcome.err.find(bad.says) != std::string::npos);
  }
  CHECK(snapshot(folder.path()) == before);
}

TEST_CASE("weights without metadata give the same results with --model") {
  Workplace place;
  // Weights with metadata, as train writes them for images of the model's input size: pixel * 0.01 - 0.5.
  Network network(make_model({.name = "googlenet_small", .input = {1, 20, 17}}), *place.backend,
                  {.max_batch = 1, .training = false, .scale = {0.01f}, .shift = {-0.5f}});
  network.initialize(Initialization::kaiming_normal, 3);
  write_safetensors(place.folder / "labelled.safetensors",
                    {network.state(), weights_metadata(network, place.dataset.test.class_names)});
  write_safetensors(place.folder / "plain.safetensors", {network.state(), {}});
  const std::string described =
      "--model googlenet_small --image-size 20x17 --mean 0.196078431372549 --std 0.392156862745098 ";
  const std::string image = "image.pgm";
  write(place.folder / image, "P5 20 17 255\n" + std::string(17 * 20 / 2, '\x20') + std::string(17 * 20 / 2, '\xc0'));
  const Outcome labelled = place.run("predict --weights labelled.safetensors --json " + image);
  const Outcome plain = place.run("predict --weights plain.safetensors " + described + "--json " + image);
  INFO(labelled.err << plain.err);
  REQUIRE(labelled.code == 0);
  REQUIRE(plain.code == 0);
  const json expected = json::parse(labelled.out)[0], found = json::parse(plain.out)[0];
  for (std::size_t c = 0; c < 10; ++c) {
    CHECK(found["logits"][c].get<double>() == Approx(expected["logits"][c].get<double>()).epsilon(1e-4).margin(1e-5));
    CHECK(found["probabilities"].contains(std::to_string(c)));
  }
  CHECK(found["class"] == expected["class"]);
  const Outcome otherwise = place.run(
      "predict --weights plain.safetensors --model googlenet_small --image-size 20x17 --mean 0.25 --std "
      "0.392156862745098 --json " +
      image);
  REQUIRE(otherwise.code == 0);
  double change = 0.0, norm = 0.0;
  for (std::size_t c = 0; c < 10; ++c) {
    const double logit = found["logits"][c], other = json::parse(otherwise.out)[0]["logits"][c];
    change += (logit - other) * (logit - other);
    norm += logit * logit;
  }
  CHECK(change > 1e-5 * norm);  // more than 30 times the tolerance above

  const Outcome tested = place.run("evaluate --weights plain.safetensors " + described + "--data-dir data --json");
  INFO(tested.err);
  REQUIRE(tested.code == 0);
  CHECK(json::parse(tested.out)["classes"][0]["name"] == place.dataset.test.class_names[0]);
  CHECK(json::parse(tested.out)["samples"] == kImages);

  const std::pair<std::string, std::string> refused[] = {
      {"--weights plain.safetensors ", "its metadata name no model"},
      {"--weights plain.safetensors --mean 0.5 ",
       "--image-size, --resize, --mean, --std and --no-transform-input need --model"},
      {"--weights plain.safetensors --model lenet ", "lenet"},
      {"--weights plain.safetensors --model vgg11 ", "has no tensor "},
      {"--weights plain.safetensors --model googlenet ", "plain.safetensors: "},
      {"--weights plain.safetensors --model googlenet_small --std 0 ", "--std 0: must be above 0"},
      {"--weights plain.safetensors --model googlenet_small --mean 0.1,0.2 ", "2 means are given"},
      {"--weights plain.safetensors --model googlenet_small --image-size x ", "x"},
      {"--weights model.safetensors --model googlenet_small ", "leave out --model"},
  };
  for (const auto& [options, message] : refused) {
    INFO(options);
    const Outcome outcome = place.run("predict " + options + image);
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Catch::Contains(message));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
}
