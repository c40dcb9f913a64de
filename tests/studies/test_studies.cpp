/// minimum_size and compare_models with tiny settings: results, files, and rejected command lines.

#include "tests/tools/programs.h"
#include "tests/tools/refusals.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

using namespace minception::testing;
using Json = nlohmann::json;

namespace {

const Command kCompare = "compare_models --models nin,googlenet --image-size 67 --batch 2 --seconds 0 ";

}  // namespace

TEST_CASE("minimum_size finds the sizes that each layer rejects") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), "minimum_size --model googlenet,vgg11_small --largest 40 --out study");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("vgg11_small  32 to 40"));
  const Json json = Json::parse(text_of(folder / "study/minimum_size.json"));
  const Json& googlenet = json["models"][0];
  CHECK(googlenet["smallest"] == 1);
  CHECK(googlenet["all_shrink_from"] == 17);
  CHECK(googlenet["refused"].empty());
  CHECK(googlenet["accepted"].size() == 40);
  CHECK(googlenet["shrinking_layers"] == Json({"conv1", "maxpool1", "maxpool2", "maxpool3", "maxpool4"}));
  CHECK(googlenet["heights"][2] == Json({{"size", 32}, {"heights", {32, 16, 8, 4, 2, 1}}}));
  const Json& vgg = json["models"][1];
  CHECK(vgg["smallest"] == 32);
  CHECK(vgg["all_shrink_from"] == 32);
  CHECK(vgg["refused"].size() == 5);
  CHECK(vgg["refused"][4]["from"] == 16);
  CHECK(vgg["refused"][4]["to"] == 31);
  CHECK(vgg["refused"][4]["layer"] == "maxpool5");
  CHECK_THAT(vgg["refused"][4]["error"].get<std::string>(),
             Catch::Contains("leaves no output for an input [1,128,1,1]"));

  CHECK(Json::parse(
            run(folder.path(), "minimum_size --model vgg11_small --largest 3 --json").out)["models"][0]["smallest"] ==
        nullptr);
}

TEST_CASE("compare_models writes counts and times") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), kCompare + "--product 64 --copy 4096 --threads 1 --out study");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const Json json = Json::parse(text_of(folder / "study/compare_models.json"));
  CHECK(json["ceilings"]["copy_bytes_per_s"] > 0.0);
  CHECK(json["ceilings"]["product_flop_per_s"] > 0.0);
  REQUIRE(json["models"].size() == 2);
  const double parameters[] = {1992166, 5977530};
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& model = json["models"][i];
    CHECK(model["parameters"] == parameters[i]);
    // Every convolution has one forward product, and one or two backward products.
    CHECK(model["macs"]["training"] > 2 * model["macs"]["inference"].get<double>());
    CHECK(model["macs"]["training"] < 3 * model["macs"]["inference"].get<double>());
    CHECK(model["bytes"]["training_arena"] > model["bytes"]["activations"]);
    for (const char* mode : {"inference", "training"}) {
      double flops = 0.0, bytes = 0.0;
      for (const Json& layer : model["layers"]) {
        flops += layer[mode]["flops"].get<double>();
        bytes += layer[mode]["bytes"].get<double>();
        if (layer[mode]["bytes"] > 0.0) CHECK(layer[mode]["seconds"] > 0.0);
      }
      CHECK(flops == Approx(model[mode]["flops"].get<double>()));
      CHECK(bytes == Approx(model[mode]["bytes"].get<double>()));
      CHECK(flops == Approx(4.0 * model["macs"][mode].get<double>()));  // two images, two FLOPs per multiply-accumulate
      CHECK(model[mode]["seconds"] > 0.0);
    }
    for (const Json& at : model["flop_per_byte"]) {
      if (at["batch"] == 2) {
        CHECK(at["inference"] ==
              Approx(model["inference"]["flops"].get<double>() / model["inference"]["bytes"].get<double>()));
      }
    }
  }
}

TEST_CASE("compare_models prints the published parameter counts") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), "compare_models --channels 3 --count-only");
  CHECK(outcome.code == 0);
  for (const char* count : {"46,787,978", "128,807,306", "2,015,398", "5,983,802"}) {
    CHECK_THAT(outcome.out, Catch::Contains(count));
  }
  CHECK(outcome.out.find("ms per step") == std::string::npos);
}

TEST_CASE("studies report invalid command lines in one line and write nothing") {
  const TemporaryFolder folder;
  write(folder / "file", "x");
  fs::create_directory(folder / "old");
  write(folder / "old/minimum_size.json", "x");
  write(folder / "old/compare_models.json", "x");
  const std::vector<Refusal> refusals = {
      {"minimum_size --no-such-option", "--no-such-option"},
      {"minimum_size --model googlenot", "unknown model 'googlenot'"},
      {"minimum_size --largest 0", "--largest"},
      {"minimum_size --model nin --largest 2 --out file", "file: is a file"},
      {"minimum_size --model nin --largest 2 --out file/study", "file/study: cannot create this folder"},
      {"minimum_size --model nin --largest 2 --out old", "old/minimum_size.json: already exists"},
      {kCompare + "--no-such-option", "--no-such-option"},
      {kCompare + "--models nin,googlenot", "unknown model 'googlenot'"},
      {kCompare + "--image-size 66", "maxpool3: "},
      {kCompare + "--image-size 3x67x67", "not an image size"},
      {kCompare + "--batch 0", "--batch"},
      {kCompare + "--device tpu", "unknown device 'tpu'"},
      {kCompare + "--threads -1", "--threads -1"},
      {kCompare + "--out old", "old/compare_models.json: already exists"},
      {kCompare + "--count-only --out file", "file: is a file"}};
  check_refused(folder.path(), refusals);
  const Outcome replaced = run(folder.path(), "minimum_size --model nin --largest 2 --out old --overwrite");
  CHECK(replaced.code == 0);
  CHECK(text_of(folder / "old/minimum_size.json") != "x");
}
