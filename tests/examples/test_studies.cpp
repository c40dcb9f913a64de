/// minimum_size and compare_models at tiny settings: what they find, what they write, what they refuse.

#include <minception/examples/roofline.h>
#include <minception/tests/examples/programs.h>
#include <minception/tests/examples/refusals.h>

#include <minception/tests/catch.h>
#include <nlohmann/json.hpp>

#include <regex>

using namespace minception::testing;
using minception::Roofline;
using Json = nlohmann::json;

namespace {

const Command kCompare = "compare_models --models nin,googlenet --image-size 67 --batch 2 --seconds 0 ";

/// The places of all labels of a picture, as boxes of narrow letters.
struct Label {
  double left, right, top, bottom;
};
std::vector<Label> labels_of(const std::string& svg) {
  const std::regex pattern("<text class=\"label\" x=\"([0-9.]+)\" y=\"([0-9.]+)\" text-anchor=\"middle\">([^<]*)<");
  std::vector<Label> labels;
  for (std::sregex_iterator found(svg.begin(), svg.end(), pattern), end; found != end; ++found) {
    const double x = std::stod((*found)[1]), y = std::stod((*found)[2]);
    const double half = 0.5 * 5.5 * static_cast<double>((*found)[3].length());
    labels.push_back({x - half, x + half, y - 8.0, y + 2.0});
  }
  return labels;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("minimum_size finds where each layer begins to refuse") {
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
  CHECK_THAT(vgg["refused"][4]["error"].get<std::string>(), Catch::Contains("leaves nothing of an input [1,128,1,1]"));

  const std::string page = text_of(folder / "study/minimum_size.md");
  CHECK(run(folder.path(), "minimum_size --model googlenet,vgg11_small --largest 40 --markdown").out == page);
  CHECK_THAT(page, Catch::Contains("| vgg11_small | 32 to 40 | 32 |"));
  CHECK(Json::parse(
            run(folder.path(), "minimum_size --model vgg11_small --largest 3 --json").out)["models"][0]["smallest"] ==
        nullptr);
}

TEST_CASE("compare_models counts, measures and draws") {
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
    // Every convolution has one forward product, and one or two backward.
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
      CHECK(flops == Approx(4.0 * model["macs"][mode].get<double>()));  // two images
      CHECK(model[mode]["seconds"] > 0.0);
    }
    for (const Json& at : model["flop_per_byte"]) {
      if (at["batch"] == 2) {
        CHECK(at["inference"] ==
              Approx(model["inference"]["flops"].get<double>() / model["inference"]["bytes"].get<double>()));
      }
    }
  }
  const std::string page = text_of(folder / "study/compare_models.md");
  CHECK_THAT(page, Catch::Contains("compare_models_inference.svg") && Catch::Contains("## What it means for a chip"));
  CHECK(page.find("nan") == std::string::npos);
  for (const char* mode : {"inference", "training"}) {
    const std::string svg = text_of(folder / (std::string("study/compare_models_") + mode + ".svg"));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(count_of(svg, "<circle") == 12 + 13);  // every layer that multiplies
    CHECK_THAT(svg, Catch::Contains("FLOP per byte") && Catch::Contains("speed, GFLOP/s"));
    CHECK(svg.find("null") == std::string::npos);
  }
}

TEST_CASE("compare_models counts the published parameters") {
  const TemporaryFolder folder;
  const Outcome outcome = run(folder.path(), "compare_models --channels 3 --count-only");
  CHECK(outcome.code == 0);
  for (const char* count : {"46,787,978", "128,807,306", "2,015,398", "5,983,802"}) {
    CHECK_THAT(outcome.out, Catch::Contains(count));
  }
  CHECK(outcome.out.find("ms per step") == std::string::npos);
}

TEST_CASE("labels of a roofline stay apart, in a crowd too") {
  Roofline roofline = {.title = "a < b", .copy = 30e9, .arithmetic = 250e9, .panels = {{.title = "crowd"}, {}}};
  for (int i = 0; i < 12; ++i) {
    roofline.panels[0].points.push_back({"inception" + std::to_string(i), 60.0 + 4.0 * i, 200e9 + 2e9 * i});
  }
  roofline.panels[1].points = {{"none", 0.0, 1e9}, {"idle", 1.0, 0.0}, {"alone", 1.0, 1e9}};
  const std::string svg = roofline_svg(roofline);
  const std::vector<Label> labels = labels_of(svg);
  CHECK(labels.size() == 13);
  CHECK(count_of(svg, "<circle") == 13);
  CHECK(svg.find("a &lt; b") != std::string::npos);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Label &a = labels[i], &b = labels[j];
      CHECK_FALSE((a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
    }
  }
}

TEST_CASE("the studies say in one line what is wrong and write nothing") {
  const TemporaryFolder folder;
  write(folder / "file", "x");
  fs::create_directory(folder / "old");
  write(folder / "old/minimum_size.json", "x");
  write(folder / "old/compare_models_training.svg", "x");
  const std::vector<Refusal> refusals = {
      {"minimum_size --no-such-option", "--no-such-option"},
      {"minimum_size --model googlenot", "unknown model 'googlenot'"},
      {"minimum_size --largest 0", "--largest"},
      {"minimum_size --json --markdown", "--json"},
      {"minimum_size --model nin --largest 2 --out file", "file: is a file"},
      {"minimum_size --model nin --largest 2 --out file/study", "file/study: this folder cannot be made"},
      {"minimum_size --model nin --largest 2 --out old", "old/minimum_size.json: is there already"},
      {kCompare + "--no-such-option", "--no-such-option"},
      {kCompare + "--models nin,googlenot", "unknown model 'googlenot'"},
      {kCompare + "--image-size 66", "maxpool3: "},
      {kCompare + "--image-size 3x67x67", "no image size"},
      {kCompare + "--batch 0", "--batch"},
      {kCompare + "--device tpu", "unknown device 'tpu'"},
      {kCompare + "--threads -1", "--threads -1"},
      {kCompare + "--out old", "old/compare_models_training.svg: is there already"},
      {kCompare + "--count-only --out file", "file: is a file"}};
  check_refused(folder.path(), refusals);
  const Outcome replaced = run(folder.path(), "minimum_size --model nin --largest 2 --out old --overwrite");
  CHECK(replaced.code == 0);
  CHECK(text_of(folder / "old/minimum_size.json") != "x");
}
