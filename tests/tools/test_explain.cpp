/// The tool explain: its page, and invalid input.

#include "data/image_file.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "tests/tools/programs.h"
#include "tests/tools/refusals.h"

#include "tests/catch.h"

#include <fstream>

using namespace minception;
using namespace minception::testing;

namespace {

struct Workplace {
  TemporaryFolder folder;

  explicit Workplace(const ModelConfig& config) {
    const auto backend = make_cpu_backend();
    Network network(make_model(config), *backend, {.max_batch = 1, .training = false});
    network.initialize(Initialization::kaiming_normal, 3);
    write_safetensors(folder / "model.safetensors", {network.state(), weights_metadata(network, {"cat", "dog & co"})});
    write(folder / "one.pgm", "P5 9 7 255\n" + std::string(63, '\x40'));
    write(folder / "two.ppm", "P6 40 30 255\n" + std::string(3600, '\x80'));
  }
  Outcome run(const std::string& command) const { return testing::run(folder.path(), command); }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++number;
  return number;
}

}  // namespace

TEST_CASE("explain draws the picture, a map per class, activations and filters, and requests nothing") {
  const Workplace place({.name = "googlenet_small", .input = {3, 64, 64}, .classes = 2});
  const Outcome made = place.run("explain --weights model.safetensors one.pgm two.ppm --layer inception3a");
  CHECK(made.err.empty());
  CHECK(made.out == "explain.html\n");
  CHECK(made.code == 0);
  const std::string page = text_of(place.folder / "explain.html");
  CHECK(count(page, "alt=\"map of cat\"") == 2);
  CHECK(count(page, "alt=\"map of dog &amp; co\"") == 2);
  CHECK(count(page, "alt=\"activations of inception3a\"") == 2);
  CHECK(count(page, "alt=\"filters\"") == 1);
  CHECK(count(page, "class activation maps") == 1);
  CHECK(count(page, "src=\"data:image/png;base64,") == count(page, "src="));

  CHECK(place.run("explain --weights model.safetensors one.pgm --classes 1 --class cat --out a.html").code == 0);
  const std::string one = text_of(place.folder / "a.html");
  CHECK(count(one, "alt=\"map of cat\"") == 1);
}

TEST_CASE("explain measures maps by occlusion for networks without an average at the end") {
  const Workplace place({.name = "vgg11", .input = {3, 32, 32}, .classes = 2});
  CHECK(place.run("explain --weights model.safetensors two.ppm").code == 0);
  const std::string page = text_of(place.folder / "explain.html");
  CHECK(count(page, "replaced by its mean colour") == 1);
  CHECK(count(page, "maps of 12x12") == 1);
}

TEST_CASE("explain shows mistakes and the nearest training images") {
  const Workplace place({.name = "googlenet_small", .input = {3, 32, 32}, .classes = 2});
  std::uint32_t state = 1;
  for (const char* name : {"cat", "dog & co"}) {
    for (const char* part : {"train", "test"}) {
      const fs::path below = place.folder / "pics" / part / name;
      fs::create_directories(below);
      for (int i = 0; i < 6; ++i) {
        std::string pixels;
        for (int j = 0; j < 20 * 20 * 3; ++j) {
          state = state * 1664525u + 1013904223u;
          pixels += static_cast<char>(state >> 24);
        }
        write(below / (std::to_string(i) + ".ppm"), "P6 20 20 255\n" + pixels);
      }
    }
  }
  // The picture is one of the training images, which is found again.
  const Outcome nearest =
      place.run("explain --weights model.safetensors pics/train/cat/3.ppm --neighbours 4 --data folder:pics");
  CHECK(nearest.err.empty());
  CHECK(nearest.code == 0);
  const std::string page = text_of(place.folder / "explain.html");
  CHECK(count(page, "<b>cat</b><span>1.000 ") == 1);
  CHECK(count(page, "/train/cat/3.ppm</span>") == 1);
  CHECK(count(page, "<b>cat</b><span>") + count(page, "<b>dog &amp; co</b><span>") == 4);

  // A network with random weights prefers one class: all images of the other one are mistakes.
  CHECK(
      place.run("explain --weights model.safetensors --mistakes 5 --classes 1 --data folder:pics --out m.html").code ==
      0);
  const std::string mistakes = text_of(place.folder / "m.html");
  CHECK(count(mistakes, " taken for ") == 5);
  CHECK(count(mistakes, "alt=\"map of cat\"") == 5);
  CHECK(count(mistakes, "alt=\"map of dog &amp; co\"") == 5);  // the true class, too
}

TEST_CASE("explain refuses invalid input in one line and writes nothing") {
  const Workplace place({.name = "googlenet_small", .input = {3, 32, 32}, .classes = 2});
  const auto before = snapshot(place.folder.path());
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"explain --weights model.safetensors one.pgm --class cow",
       "explain: --class 'cow': the classes are cat, dog & co\n"},
      {"explain --weights model.safetensors", "explain: nothing to explain: name image files, or give --mistakes N\n"},
      {"explain --weights model.safetensors --mistakes 3 --data folder:none", "explain: none: "},
      {"explain --weights model.safetensors none.png", "explain: none.png: "},
      {"explain --weights model.safetensors one.pgm --out none/a.html", "explain: none/a.html: "}};
  for (const auto& [command, message] : wrong) {
    CAPTURE(command);
    const Outcome outcome = place.run(command);
    CHECK(outcome.code != 0);
    CHECK(outcome.err.starts_with(message));
    CHECK(count(outcome.err, "\n") == 1);
    CHECK(snapshot(place.folder.path()) == before);
  }
  const Outcome layer = place.run("explain --weights model.safetensors one.pgm --layer nine");
  CHECK(layer.err.starts_with("explain: no layer 'nine' computes an output in googlenet_small: use conv1, "));
}
