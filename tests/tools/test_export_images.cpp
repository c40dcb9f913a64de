/// export_images: its files hold the pixels of the data set, and rejected commands leave no files.

#include "data/image_file.h"
#include "tests/tools/programs.h"

#include "tests/catch.h"

using namespace minception;
using namespace minception::testing;

namespace {

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder with "data", a data set of 20 + 20 images.
struct Workplace : TemporaryFolder {
  Workplace() {
    fs::create_directory(*this / "data");
    write_dataset(*this / "data", 20);
  }
};

const Command kExport = "export_images --data-dir data ";

}  // namespace

TEST_CASE("exported images are named by index and class and hold the pixels of the data set") {
  if (!has_png()) SKIP("this build cannot write PNG");
  const Workplace folder;
  const Outcome outcome = run(folder.path(), kExport + "--count 3 --first 8 --out a/b");
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(outcome.out == "a/b/8_Bag.png\na/b/9_Ankle-boot.png\na/b/10_T-shirt-top.png\n");
  CHECK(files_in(folder / "a/b") == std::vector<std::string>{"10_T-shirt-top.png", "8_Bag.png", "9_Ankle-boot.png"});
  const DecodedImage image = read_image(folder / "a/b/9_Ankle-boot.png");
  CHECK(image.shape == Shape{1, 28, 28});
  CHECK(image.pixels == std::vector<std::uint8_t>(784, 225));
}

TEST_CASE("export_images exports the first eight test images by default") {
  if (!has_png()) SKIP("this build cannot write PNG");
  const Workplace folder;
  std::string pixels = text_of(folder / "data/t10k-images-idx3-ubyte");
  pixels[16] = 77;  // after the header: first pixel of the first test image
  write(folder / "data/t10k-images-idx3-ubyte", pixels);
  REQUIRE(run(folder.path(), kExport + "--out test").code == 0);
  CHECK(files_in(folder / "test").size() == 8);
  CHECK(read_image(folder / "test/0_T-shirt-top.png").pixels[0] == 77);
  REQUIRE(run(folder.path(), kExport + "--split train --count 20 --out train").code == 0);
  CHECK(files_in(folder / "train").size() == 20);
  CHECK(read_image(folder / "train/0_T-shirt-top.png").pixels[0] == 0);
}

TEST_CASE("export_images exports MNIST") {
  if (!has_png()) SKIP("this build cannot write PNG");
  const Workplace folder;
  const Outcome outcome = run(folder.path(), kExport + "--data mnist --count 2 --out digits");
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "digits/0_0.png\ndigits/1_1.png\n");
}

TEST_CASE("export_images replaces files only with --overwrite") {
  if (!has_png()) SKIP("this build cannot write PNG");
  const Workplace folder;
  fs::create_directory(folder / "out");
  write(folder / "out/2_Pullover.png", "mine");
  const auto before = snapshot(folder.path());
  const Outcome refused = run(folder.path(), kExport + "--count 4 --out out");
  CHECK(refused.code == 1);
  CHECK(refused.out.empty());
  CHECK(refused.err ==
        "export_images: out/2_Pullover.png: already exists; choose another folder or replace it with --overwrite\n");
  CHECK(snapshot(folder.path()) == before);

  CHECK(run(folder.path(), kExport + "--count 2 --out out").code == 0);  // the existing file is none of these
  CHECK(text_of(folder / "out/2_Pullover.png") == "mine");
  CHECK(run(folder.path(), kExport + "--count 4 --out out --overwrite").code == 0);
  CHECK(read_image(folder / "out/2_Pullover.png").pixels[0] == 50);
  CHECK(files_in(folder / "out").size() == 4);
}

TEST_CASE("export_images reports errors in one line and leaves no files") {
  if (!has_png()) SKIP("this build cannot write PNG");
  const Workplace folder;
  write(folder / "a_file", "x");
  const auto before = snapshot(folder.path());
  const std::pair<std::string, std::string> cases[] = {
      {"--out o --split dev", "--split dev: must be test or train"},
      {"--out o --count 0", "--count 0: must be 1 or more"},
      {"--out o --count -3", "--count -3: must be 1 or more"},
      {"--out o --first -1", "--first -1: must be 0 or more"},
      {"--out o --count 21", "--first 0 --count 21: there are only 20 images"},
      {"--out o --first 13", "--first 13 --count 8: there are only 20 images"},
      {"--out o --first 20 --count 1", "--first 20 --count 1: there are only 20 images"},
      {"--out o --first 9223372036854775807", "--first 9223372036854775807 --count 8: there are only 20 images"},
      {"--out o --first 3 --count 9223372036854775807",
       "--first 3 --count 9223372036854775807: there are only 20 images"},
      {"--out ''", "--out must name a folder"},
      {"--out o --data cifar", "unknown data set 'cifar'; use fashion-mnist, mnist"},
      {"--out o --data-dir absent", "absent: no such folder; Debian's package dataset-fashion-mnist"},
      {"--out a_file", "a_file: cannot create this folder: "},
      {"--out a_file/inside", "a_file/inside: cannot create this folder: "},
  };
  for (const auto& [options, message] : cases) {
    CAPTURE(options);
    const Outcome outcome = run(folder.path(), kExport + options);
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Catch::StartsWith("export_images: " + message));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK(snapshot(folder.path()) == before);
  }
  const Outcome without = run(folder.path(), "export_images");
  CHECK(without.code == 2);
  CHECK_THAT(without.err, Catch::Contains("--out"));
}
