/// Evaluation records round-trip through a file, and damaged files are rejected.

#include "core/error.h"
#include "data/image_file.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "models/network.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"
#include "training/evaluation_record.h"
#include "training/report/picture.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;
using minception::testing::write_file;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A record with every member set, with NaN where allowed.
EvaluationRecord some_record() {
  EvaluationRecord record{.data = "fashion-mnist, test", .epoch = 3, .step = 42};
  record.class_names = {"T-shirt/top", "\"quoted\"\n", "na\u00efve"};
  record.evaluation = {.samples = 6,
                       .loss = kNan,
                       .top1 = 1.0 / 3.0,
                       .top5 = 1.0,
                       .classes = 3,
                       .confusion = {1, 0, 2, 0, 1, 0, 1, 1, 0},
                       .mistakes = {{5, 0, 2, 0.1 + 0.2}, {1, 2, 0, kNan}}};
  record.mistake_images = {{0, 255, 17, 9}, {}};
  return record;
}

InsidePictures some_pictures() {
  return {.index = 7,
          .label = 1,
          .predicted = 2,
          .probability = 0.75,
          .image = {1, 2},
          .file = "/a/b.png",
          .map = {3},
          .layers = {{"conv1", 64, 24, 48, 47, {4, 5}}, {"block", 3, 3, 6, 6, {6}}},
          .first_layer = "conv1",
          .filters = {64, 3, 7, 5},
          .filters_png = {7}};
}

/// The error message for a file with this text, without the file name.
std::string complaint(const std::string& text) {
  const TemporaryFolder folder;
  const auto path = folder / "evaluation.json";
  write_file(path, text);
  const std::string message = message_of([&] { read_evaluation_record(path); });
  const std::string prefix = path.string() + ": not an evaluation record: ";
  if (!message.empty()) CHECK(message.substr(0, prefix.size()) == prefix);
  CHECK(message.find('\n') == std::string::npos);
  return message.empty() ? "" : message.substr(prefix.size());
}

/// The same for a valid record with `from` replaced by `to`.
std::string complaint(const std::string& from, const std::string& to) {
  std::string text = to_json(some_record());
  const std::size_t at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  return complaint(text.replace(at, from.size(), to));
}

}  // namespace

TEST_CASE("an evaluation record round-trips through its file") {
  for (const bool images : {true, false}) {
    EvaluationRecord record = some_record();
    if (!images) record.mistake_images.clear();
    if (images) record.mistake_maps = {{1, 2, 3}, {4}};
    if (images) record.inside = some_pictures();
    const TemporaryFolder folder;
    write_file(folder / "evaluation.json", to_json(record));
    const EvaluationRecord read = read_evaluation_record(folder / "evaluation.json");
    CHECK(read.data == record.data);
    CHECK(read.epoch == 3);
    CHECK(read.step == 42);
    CHECK(read.class_names == record.class_names);
    CHECK(read.mistake_images == record.mistake_images);
    CHECK(read.mistake_maps == record.mistake_maps);
    CHECK(read.inside == record.inside);
    CHECK(std::isnan(read.evaluation.loss));
    CHECK(read.evaluation.confusion == record.evaluation.confusion);
    REQUIRE(read.evaluation.mistakes.size() == 2);
    CHECK(read.evaluation.mistakes[0].probability == 0.1 + 0.2);
    CHECK(std::isnan(read.evaluation.mistakes[1].probability));
    CHECK(to_json(read) == to_json(record));
  }
  CHECK_THAT(to_json(some_record()), Catch::Contains("\"loss\": null"));
  CHECK_THAT(to_json(some_record()), Catch::Contains("\"confusion\": [[1,0,2],[0,1,0],[1,1,0]]"));
}

TEST_CASE("make_evaluation_record stores the evaluation and the images of its mistakes") {
  ImageDataset dataset{.image = {1, 2, 3}, .pixels = {}, .labels = {0, 1, 1}, .class_names = {"a", "b"}};
  for (std::uint8_t i = 0; i < 18; ++i) dataset.pixels.push_back(i);
  const Evaluation evaluation = {
      .samples = 3, .classes = 2, .confusion = {0, 1, 1, 1}, .mistakes = {{2, 1, 0, 0.9}, {0, 0, 1, 0.8}}};
  const EvaluationRecord record = make_evaluation_record("letters, test", 1, 7, evaluation, dataset);
  CHECK(record.class_names == dataset.class_names);
  CHECK(record.evaluation.mistakes.size() == 2);
  if (has_png()) {
    REQUIRE(record.mistake_images.size() == 2);
    CHECK(record.mistake_images[0] == encode_png({1, 2, 3}, std::vector<std::uint8_t>{12, 13, 14, 15, 16, 17}));
    CHECK(record.mistake_images[1] == encode_png({1, 2, 3}, std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5}));
  } else {
    CHECK(record.mistake_images.empty());
  }
  dataset.class_names.push_back("c");
  CHECK_THAT(message_of([&] { make_evaluation_record("", 0, 0, evaluation, dataset); }),
             Catch::Contains("2 classes does not match a data set of 3"));
}

TEST_CASE("add_mistake_maps draws the map of the predicted class, also in several batches") {
  if (!has_png()) return;
  // Class 0 is the brightness, class 1 the darkness of the pixel at each position; both are averaged.
  Sequential body = {{"classes", Conv2d(2, 1)}, {"pool", GlobalAvgPool()}};
  const auto backend = make_backend("reference");
  Network network(Model("light", std::move(body), {1, 2, 3}, 2), *backend,
                  {.max_batch = 2, .training = false, .dataset_image = Shape{1, 2, 3}});
  network.load_state({{"classes.weight", to_file_tensor(std::vector<double>{1.0, -1.0}, {2, 1, 1, 1}, DType::f32)},
                      {"classes.bias", to_file_tensor(std::vector<double>{0.0, 1.0}, Shape{2}, DType::f32)}});
  ImageDataset dataset{.image = {1, 2, 3}, .pixels = {}, .labels = {0, 1, 1}, .class_names = {"a", "b"}};
  dataset.pixels = {0, 0, 0, 0, 255, 0, 255, 255, 255, 255, 0, 255, 0, 255, 0, 0, 0, 255};
  EvaluationRecord record{.class_names = dataset.class_names,
                          .evaluation = {.samples = 3,
                                         .classes = 2,
                                         .confusion = {0, 1, 2, 0},
                                         .mistakes = {{0, 1, 0, 0.9}, {2, 1, 0, 0.8}, {1, 0, 1, 0.7}}},
                          .mistake_images = {}};
  network.reset_metrics();
  add_mistake_maps(record, network, dataset);
  CHECK(network.metrics().loss == 0.0);
  REQUIRE(record.mistake_maps.size() == 3);
  const auto expected = [](std::vector<float> map) {
    const DecodedImage heat = report::heat(map, 2, 3, 1.0f);
    return encode_png(heat.shape, heat.pixels);
  };
  CHECK(record.mistake_maps[0] == expected({0, 0, 0, 0, 1, 0}));
  CHECK(record.mistake_maps[1] == expected({0, 1, 0, 0, 0, 1}));
  CHECK(record.mistake_maps[2] == expected({0, 0, 0, 0, 1, 0}));

  Sequential flat = {Flatten(), Linear(2)};
  Network without(Model("flat", std::move(flat), {1, 2, 3}, 2), *backend,
                  {.max_batch = 2, .training = false, .dataset_image = Shape{1, 2, 3}});
  record.mistake_maps.clear();
  add_mistake_maps(record, without, dataset);
  CHECK(record.mistake_maps.empty());
}

TEST_CASE("maps of a network that is not finite are left out") {
  if (!has_png()) return;
  const auto backend = make_backend("reference");
  Network network(Model("nan", {{"classes", Conv2d(2, 1)}, {"pool", GlobalAvgPool()}}, {1, 2, 3}, 2), *backend,
                  {.max_batch = 2, .training = false, .dataset_image = Shape{1, 2, 3}});
  network.load_state({{"classes.weight", to_file_tensor(std::vector<double>{kNan, 1.0}, {2, 1, 1, 1}, DType::f32)},
                      {"classes.bias", to_file_tensor(std::vector<double>{0.0, 1.0}, Shape{2}, DType::f32)}});
  const ImageDataset dataset{
      .image = {1, 2, 3}, .pixels = std::vector<std::uint8_t>(6, 9), .labels = {0}, .class_names = {"a", "b"}};
  EvaluationRecord record{
      .class_names = dataset.class_names,
      .evaluation = {.samples = 1, .classes = 2, .confusion = {0, 1, 0, 0}, .mistakes = {{0, 0, 1, 0.9}}},
      .mistake_images = {}};
  add_mistake_maps(record, network, dataset);
  CHECK(record.mistake_maps.empty());
  add_inside_pictures(record, network, dataset);
  CHECK_FALSE(record.inside.has_value());
}

TEST_CASE("add_inside_pictures draws the first correct image through the layers") {
  if (!has_png()) return;
  // conv passes the image on, halved has half its size; the class is 0 for bright images and 1 for dark ones.
  Sequential body = {
      {"conv", Conv2d(1, 1)}, {"halved", MaxPool2d(2)}, {"classes", Conv2d(2, 1)}, {"pool", GlobalAvgPool()}};
  const auto backend = make_backend("reference");
  Network network(Model("light", std::move(body), {1, 2, 4}, 2), *backend,
                  {.max_batch = 3, .training = false, .dataset_image = Shape{1, 2, 4}});
  const auto tensor = [](std::vector<double> values, const Shape& shape) {
    return to_file_tensor(values, shape, DType::f32);
  };
  network.load_state({{"conv.weight", tensor({1.0}, {1, 1, 1, 1})},
                      {"conv.bias", tensor({0.0}, Shape{1})},
                      {"classes.weight", tensor({1.0, 0.0}, {2, 1, 1, 1})},
                      {"classes.bias", tensor({0.0, 0.4}, Shape{2})}});
  ImageDataset dataset{.image = {1, 2, 4}, .pixels = {}, .labels = {1, 0, 0}, .class_names = {"bright", "dark"}};
  const std::vector<std::uint8_t> bright = {0, 255, 255, 255, 255, 255, 255, 255};
  for (int i = 0; i < 3; ++i) dataset.pixels.insert(dataset.pixels.end(), bright.begin(), bright.end());
  dataset.pixels[8] = 51;  // differs from the first image
  EvaluationRecord record{.class_names = dataset.class_names, .evaluation = {.classes = 2}, .mistake_images = {}};
  network.reset_metrics();
  add_inside_pictures(record, network, dataset);
  CHECK(network.metrics().loss == 0.0);
  REQUIRE(record.inside.has_value());
  const InsidePictures& inside = *record.inside;
  CHECK(inside.index == 1);
  CHECK(inside.label == 0);
  CHECK(inside.predicted == 0);
  CHECK(inside.probability == Approx(1.0 / (1.0 + std::exp(0.4 - 1.0))));
  CHECK(inside.image == encode_png({1, 2, 4}, dataset.pixels_of(1)));
  const DecodedImage heat = report::heat(std::vector<float>{1.0f, 1.0f}, 1, 2, 1.0f);
  CHECK(inside.map == encode_png(heat.shape, heat.pixels));
  REQUIRE(inside.layers.size() == 2);
  CHECK(inside.layers[0].layer == "conv");
  CHECK(inside.layers[0].height == 2);
  CHECK(inside.layers[0].width == 4);
  CHECK(inside.layers[0].channels == 1);
  const DecodedImage tiles = report::tiles({1, 2, 4, {0.2f, 1, 1, 1, 1, 1, 1, 1}}, 1);
  CHECK(inside.layers[0].png == encode_png(tiles.shape, tiles.pixels));
  CHECK(inside.layers[1].layer == "classes");
  CHECK(inside.layers[1].channels == 2);
  CHECK(inside.first_layer == "conv");
  CHECK(inside.filters == std::vector<std::int64_t>{1, 1, 1, 1});

  dataset.labels = {1, 1, 1};  // none is correct
  add_inside_pictures(record, network, dataset);
  CHECK(record.inside->index == 0);
  CHECK(record.inside->label == 1);
  CHECK(record.inside->predicted == 0);
}

TEST_CASE("a damaged record is rejected with a one-line error") {
  CHECK(complaint(to_json(some_record())).empty());
  const std::string whole = to_json(some_record());
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 3}) {
    CHECK(complaint(whole.substr(0, length)) == "it is not a JSON object");
  }
  CHECK(complaint("[1, 2]") == "it is not a JSON object");
  CHECK(complaint("{}") == "'data' is missing");
  CHECK(complaint("\"step\": 42", "\"step\": -1") == "'step' is not an integer from 0 to 9223372036854775806");
  CHECK(complaint("\"step\"", "\"stop\"") == "'step' is missing");
  CHECK(complaint("\"top5\": 1.0", "\"top5\": \"1\"") == "'top5' is not a number");
  CHECK(complaint("\"samples\": 6", "\"samples\": 7") == "'confusion' counts 6 of 7 samples");
  CHECK(complaint("\"samples\": 6", "\"samples\": 5") == "'confusion' counts more than the 5 samples");
  CHECK(complaint("[[1,0,2],", "[") == "'confusion' has 2 rows for 3 classes");
  CHECK(complaint("[1,0,2]", "[3]") == "a row of 'confusion' has 1 columns for 3 classes");
  CHECK(complaint("[1,0,2]", "3") == "'confusion' is not a list");
  CHECK(complaint("[1,0,2]", "[1,0,-2]") == "'confusion' is not an integer from 0 to 6");
  CHECK(complaint("[1,0,2]", "[9223372036854775807,0,2]") == "'confusion' is not an integer from 0 to 6");
  CHECK(complaint("\"T-shirt/top\"", "5") == "'class_names' is not a string");
  CHECK(complaint("\"predicted\":2", "\"predicted\":3") == "'predicted' is not an integer from 0 to 2");
  CHECK(complaint("\"label\":0", "\"label\":-1") == "'label' is not an integer from 0 to 2");
  CHECK(complaint("\"index\":5,", "") == "'index' is missing");
  CHECK(complaint("\"AP8RCQ==\"", "\"AP8RCQ=\"") == "'image' is not Base64");
  CHECK(complaint("\"AP8RCQ==\"", "\"AP8R-Q==\"") == "'image' is not Base64");
  CHECK(complaint("\"AP8RCQ==\"", "\"A=8RCQ==\"") == "'image' is not Base64");
  EvaluationRecord with_inside = some_record();
  with_inside.inside = some_pictures();
  const auto inside = [text = to_json(with_inside)](const std::string& from, const std::string& to) {
    std::string changed = text;
    const std::size_t at = changed.find(from, changed.find("\"inside\""));
    REQUIRE(at != std::string::npos);
    return complaint(changed.replace(at, from.size(), to));
  };
  CHECK(inside("\"label\":1", "\"label\":3") == "'label' is not an integer from 0 to 2");
  CHECK(inside("\"image\":", "\"picture\":") == "'image' is missing");
  CHECK(inside("[64,3,7,5]", "[64,3,7]") == "'filters' is no list of four numbers");
  CHECK(inside("\"channels\":64", "\"channels\":-64") == "'channels' is not an integer from 0 to 9223372036854775806");
  CHECK(inside("\"layers\":[", "\"layers\":5,\"l\":[") == "'layers' is not a list");
  CHECK(inside("{\"index\"", "[1],\"x\":{\"index\"") == "'index' is missing");
  CHECK(complaint(",\"image\":\"AP8RCQ==\"", "") == "some mistakes have an 'image' and some have none");
  CHECK_THAT(message_of([] { read_evaluation_record("nowhere/evaluation.json"); }),
             Catch::StartsWith("nowhere/evaluation.json: cannot be read"));
  CHECK_THAT(message_of([] { read_evaluation_record("/"); }), Catch::StartsWith("/: cannot be read"));
}

TEST_CASE("Base64 follows RFC 4648") {
  const auto of = [](const std::string& text) { return base64(std::vector<std::uint8_t>(text.begin(), text.end())); };
  // Test vectors of RFC 4648, section 10.
  CHECK(of("") == "");
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foob") == "Zm9vYg==");
  CHECK(of("fooba") == "Zm9vYmE=");
  CHECK(of("foobar") == "Zm9vYmFy");
  CHECK(base64(std::vector<std::uint8_t>{0xfb, 0xff, 0xfe}) == "+//+");
}
