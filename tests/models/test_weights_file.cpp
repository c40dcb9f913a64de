/// Weights file metadata round-trips, and invalid metadata is rejected.

#include "core/error.h"
#include "models/registry.h"
#include "models/weights.h"
#include "models/weights_file.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include "tests/catch.h"

#include <cmath>
#include <limits>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;
using minception::testing::write_file;

namespace {

using Metadata = std::map<std::string, std::string>;

const std::string kNamesOfThree = R"(["cat","dog","cow"])";
const Metadata kGood = {{"model", R"({"name":"googlenet","input":[3,32,40],"classes":3})"},
                        {"preprocessing", R"({"resize":"bilinear","scale":[0.5],"shift":[1,2,3]})"},
                        {"class_names", kNamesOfThree}};

FileTensor tensor_of(float value) { return to_file_tensor(std::vector<double>{value}, {1}, DType::f32); }

/// The error message for a file with this metadata, without the file name.
std::string complaint(const Metadata& metadata) {
  const TemporaryFolder folder;
  const auto path = folder / "odd.safetensors";
  write_safetensors(path, {{{"fc.bias", tensor_of(1.0f)}}, metadata});
  const std::string message = message_of([&] { read_weights_file(path); });
  const std::string prefix = path.string() + ": ";
  if (!message.empty()) CHECK(message.substr(0, prefix.size()) == prefix);
  CHECK(message.find('\n') == std::string::npos);
  return message.empty() ? "" : message.substr(prefix.size());
}

std::string complaint(const std::string& entry, const std::string& text) {
  Metadata metadata = kGood;
  metadata[entry] = text;
  return complaint(metadata);
}

}  // namespace

TEST_CASE("files of ONNX and PyTorch: the error says how to convert them") {
  const TemporaryFolder folder;
  const auto said = [&](const char* name) {
    write_file(folder / name, std::string(name).ends_with(".pth") ? "PK\3\4 a zip file" : "some other format");
    return message_of([&] { read_weights_file(folder / name); });
  };
  const std::string onnx = (folder / "net.onnx").string();
  CHECK(said("net.onnx") == onnx + ": not a safetensors file; make one of an ONNX file with: import --onnx " + onnx +
                                " --out weights.safetensors");
  CHECK_THAT(said("net.pth"), Catch::Contains("python3 -c \"import torch; from safetensors.torch import save_file;"));
  CHECK_THAT(message_of([&] { read_weights_file(folder / "missing.onnx"); }), Catch::Contains("cannot be found"));
}

TEST_CASE("metadata round-trips exactly including floats") {
  const auto backend = make_reference_backend();
  const std::vector<std::string> names = {"T-shirt/top", "Ankle boot", "na\u00efve \"quotes\"", ""};
  const std::vector<float> scale = {1.0f / 255.0f, 0.1f, std::numeric_limits<float>::denorm_min()};
  const std::vector<float> shift = {-0.485f, std::numeric_limits<float>::max(), -0.0f};
  const Network network(
      make_model({.name = "googlenet_bn", .input = {3, 33, 47}, .classes = 4}), *backend,
      {.max_batch = 2, .training = false, .dataset_image = Shape{3, 50, 60}, .scale = scale, .shift = shift});
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  write_safetensors(path, {network.state(), weights_metadata(network, names)});

  const WeightsFile read = read_weights_file(path);
  CHECK(read.config.name == "googlenet_bn");
  CHECK(read.config.input == Shape{3, 33, 47});
  CHECK(read.config.classes == 4);
  CHECK(read.image == Shape{3, 50, 60});
  CHECK(read.class_names == names);
  CHECK(read.scale == scale);
  CHECK(read.shift == shift);
  CHECK(std::signbit(read.shift[2]));
  CHECK(read.tensors == network.state());
}

TEST_CASE("every model can be restored from its weights file alone") {
  const auto backend = make_reference_backend();
  const TemporaryFolder folder;
  const std::vector<std::string> names = {"a", "b", "c"};
  for (const std::string& name : model_names()) {
    INFO(name);
    ModelConfig config = {.name = name, .input = {2, 24, 25}, .classes = 3};
    // Few pixels before the large fully connected layers; the auxiliary classifiers of v1 need more.
    if (name == "alexnet" || name == "nin" || name == "googlenet_v1") config.input = {2, 79, 80};
    if (name.starts_with("vgg11")) config.input = {2, 32, 33};
    const NetworkOptions options = {.max_batch = 1, .training = false};
    Network network(make_model(config), *backend, options);
    const auto fill = [](std::span<std::byte> flat, std::uint32_t first) {
      const std::span<float> values(reinterpret_cast<float*>(flat.data()), flat.size() / sizeof(float));
      std::uint32_t state = first;
      for (float& value : values) value = static_cast<float>(state = state * 1664525u + 1013904223u);
    };
    fill(network.flat_parameters(), 1);
    fill(network.flat_statistics(), 2);
    const auto written = network.state();
    const auto path = folder / "model.safetensors";
    write_safetensors(path, {written, weights_metadata(network, names)});

    const WeightsFile read = read_weights_file(path);
    CHECK(read.config.name == name);
    CHECK(read.config.input == config.input);
    CHECK(read.config.classes == 3);
    Network again(make_model(read.config), *backend, options);
    load_weights(again, read, path);
    CHECK(again.state() == written);
  }
}

TEST_CASE("the metadata keys do not change") {
  const auto backend = make_reference_backend();
  const Network network(small_googlenet(false), *backend, {.max_batch = 1, .plan_only = true});
  const Metadata metadata = weights_metadata(network, {"a", "b", "c", "d"});
  CHECK(metadata.size() == 3);
  CHECK_THAT(metadata.at("model"), Catch::StartsWith(R"({"name":"small","input":[2,12,10],"classes":4,"layers":[{)"));
  CHECK(metadata.at("preprocessing") == R"({"resize":"bilinear","scale":[0.003921568859368563],"shift":[0.0]})");
  CHECK(metadata.at("class_names") == R"(["a","b","c","d"])");
  CHECK_THAT(message_of([&] { weights_metadata(network, {"a"}); }), Catch::Contains("1 class names for 4 classes"));
  CHECK_THAT(message_of([&] { weights_metadata(network, {"a", "b", "\xff", "d"}); }), Catch::Contains("UTF-8"));
}

TEST_CASE("image options round-trip and defaults are omitted") {
  const auto backend = make_reference_backend();
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  const ImageOptions unusual = {.resize = Resize::letterbox, .exif_orientation = false, .background = {1, 20, 255}};
  for (const ImageOptions& options : {ImageOptions{}, ImageOptions{.resize = Resize::crop}, unusual}) {
    const Network network(make_model({.name = "googlenet_small", .input = {3, 32, 32}, .classes = 2}), *backend,
                          {.max_batch = 1, .training = false, .image_options = options, .plan_only = true});
    const Metadata metadata = weights_metadata(network, {"a", "b"});
    CHECK((metadata.at("preprocessing").find("background") == std::string::npos) == (options == ImageOptions{}));
    write_safetensors(path, {{{"fc.bias", tensor_of(1.0f)}}, metadata});
    CHECK(read_weights_file(path).image_options == options);
  }
}

TEST_CASE("only optimizer tensors are left out") {
  const TemporaryFolder folder;
  const auto path = folder / "checkpoint.safetensors";
  Metadata metadata = kGood;
  metadata["trainer"] = "whatever a checkpoint says besides";
  write_safetensors(
      path, {{{"fc.bias", tensor_of(1.0f)}, {"optimizer.fc.bias", tensor_of(2.0f)}, {"optimizers", tensor_of(3.0f)}},
             metadata});
  const WeightsFile read = read_weights_file(path);
  CHECK(read.tensors ==
        std::map<std::string, FileTensor>{{"fc.bias", tensor_of(1.0f)}, {"optimizers", tensor_of(3.0f)}});
  CHECK(read.shift == std::vector<float>{1.0f, 2.0f, 3.0f});
  CHECK(read.image == Shape{3, 32, 40});  // defaults to the input
}

TEST_CASE("load_weights errors name the file and change nothing") {
  const auto backend = make_reference_backend();
  Network network(small_googlenet(false), *backend, {.max_batch = 1, .training = false});
  network.initialize(Initialization::xavier_uniform, 1);
  WeightsFile weights{.tensors = network.state()};
  load_weights(network, weights, "some.safetensors");
  const auto before = network.state();
  weights.tensors["fc.bias"] = tensor_of(1.0f);
  CHECK_THAT(message_of([&] { load_weights(network, weights, "some.safetensors"); }),
             Catch::StartsWith("some.safetensors: the tensor fc.bias is [1] but small expects [4]"));
  CHECK(network.state() == before);
}

TEST_CASE("invalid metadata is rejected with a message that names the problem") {
  CHECK(complaint(kGood).empty());
  CHECK(complaint(Metadata{{"format", "pt"}}) ==
        "its metadata name no model, so it was not written by train; use the model.safetensors or a checkpoint of a "
        "run, or name its model with model");
  CHECK(complaint(Metadata{}) == complaint(Metadata{{"format", "pt"}}));
  for (const char* entry : {"preprocessing", "class_names"}) {
    Metadata metadata = kGood;
    metadata.erase(entry);
    CHECK_THAT(complaint(metadata), Catch::StartsWith(concat("its metadata have no entry '", entry, "'")));
  }

  struct Odd {
    const char* entry;
    std::string text;
    std::string says;
  };
  const std::vector<Odd> odd = {
      {"model", "googlenet", "'model' in its metadata is not JSON"},
      {"model", "", "'model' in its metadata is not JSON"},
      {"model", R"("googlenet")", "'model' in its metadata lacks 'name'"},
      {"model", R"({"name":5,"input":[3,32,40],"classes":3})",
       "'model' in its metadata has a 'name' that is not a string"},
      {"model", R"({"name":"vgg\nnot","input":[3,32,40],"classes":3})",
       "its metadata name the unknown model \"vgg\\nnot\"; the known models are alexnet, googlenet, googlenet_bn"},
      {"model", R"({"name":"googlenet","classes":3})", "'model' in its metadata lacks 'input'"},
      {"model", R"({"name":"googlenet","input":[32,40],"classes":3})", "not (channels, height, width)"},
      {"model", R"({"name":"googlenet","input":[3,0,40],"classes":3})",
       "'input' that is not a number from 1 to 1000000"},
      {"model", R"({"name":"googlenet","input":[3,-5,40],"classes":3})",
       "'input' that is not a number from 1 to 1000000"},
      {"model", R"({"name":"googlenet","input":[3,32.5,40],"classes":3})", "'input' that is not a number"},
      {"model", R"({"name":"googlenet","input":[3,99999999999,40],"classes":3})", "'input' that is not a number"},
      {"model", R"({"name":"googlenet","input":[3,100000,100000],"classes":3})", "more than 2^28 values"},
      {"model", R"({"name":"googlenet","input":[3,32,40]})", "lacks 'classes'"},
      {"model", R"({"name":"googlenet","input":[3,32,40],"classes":0})", "'classes' that is not a number"},
      {"model", R"({"name":"googlenet","input":[3,32,40],"classes":4})", "lists 3 names but the model has 4 classes"},
      {"model", R"({"name":"own","input":[3,32,40],"classes":3,"layers":[{"name":"act1","type":"PReLU"}]})",
       "own, layer act1: unknown type 'PReLU'; use a program that registers it (register_layer), such as the one that "
       "trained the network"},
      {"preprocessing", "{", "'preprocessing' in its metadata is not JSON"},
      {"preprocessing", "[]", "lacks 'resize'"},
      {"preprocessing", R"({"resize":"nearest","scale":[1],"shift":[0]})",
       "resizes by \"nearest\": only 'bilinear' is supported"},
      {"preprocessing", R"({"resize":"bilinear","shift":[0]})", "lacks 'scale'"},
      {"preprocessing", R"({"resize":"bilinear","scale":1,"shift":[0]})", "'scale' that is not a list"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1,2],"shift":[0]})",
       "has 2 values of 'scale': expected one for all channels or one for each of 3"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1],"shift":[]})", "has 0 values of 'shift'"},
      {"preprocessing", R"({"resize":"bilinear","scale":["1"],"shift":[0]})", "'scale' that is not an f32 number"},
      {"preprocessing", R"({"resize":"bilinear","scale":[null],"shift":[0]})", "'scale' that is not an f32 number"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1e300],"shift":[0]})", "'scale' that is not an f32 number"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1],"shift":[0],"image":[1,28,28]})",
       "'image' of 1 channels but the model expects 3"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1],"shift":[0],"fit":"squash"})",
       "fits images by \"squash\": use stretch, crop or letterbox"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1],"shift":[0],"exif_orientation":1})",
       "'exif_orientation' that is neither true nor false"},
      {"preprocessing", R"({"resize":"bilinear","scale":[1],"shift":[0],"background":[0,0,256]})",
       "'background' that is not a list of three numbers from 0 to 255"},
      {"class_names", "{}", "'class_names' in its metadata is not a list"},
      {"class_names", R"(["cat","dog"])", "lists 2 names but the model has 3 classes"},
      {"class_names", R"(["cat","dog",3])", "a name that is not a string"},
  };
  for (const Odd& o : odd) {
    INFO(o.entry << " " << o.text);
    const std::string says = complaint(o.entry, o.text);
    INFO(says);
    CHECK(says.find(o.says) != std::string::npos);
  }
}

TEST_CASE("a missing or invalid safetensors file is rejected by name") {
  const TemporaryFolder folder;
  CHECK_THAT(message_of([&] { read_weights_file(folder / "nowhere"); }),
             Catch::StartsWith((folder / "nowhere").string() + ": cannot be found"));
  write_file(folder / "text", "these are no weights");
  CHECK_THAT(message_of([&] { read_weights_file(folder / "text"); }), Catch::StartsWith((folder / "text").string()));
}
