/// Writes images of a data set as PNG files, for viewing or as input of predict.

#include "core/error.h"
#include "core/safetensors.h"
#include "data/image_file.h"
#include "data/registry.h"
#include "tools/program.h"

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <vector>

using namespace minception;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string data = "fashion-mnist";
  std::string data_dir;
  std::string split = "test";
  std::int64_t count = 8;
  std::int64_t first = 0;
  std::string out;
  bool overwrite = false;
};

/// A class name made safe for a file name: "T-shirt/top" becomes "T-shirt-top".
std::string file_name_part(std::string class_name) {
  for (char& letter : class_name) {
    const bool safe = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
    if (!safe) letter = '-';
  }
  return class_name;
}

void export_images(const Options& o) {
  require(has_png(), "this build cannot write PNG; install libpng (Debian: libpng-dev), run cmake and build again");
  require(o.split == "test" || o.split == "train", "--split ", o.split, ": must be test or train");
  require(o.count >= 1, "--count ", o.count, ": must be 1 or more");
  require(o.first >= 0, "--first ", o.first, ": must be 0 or more");
  require(!o.out.empty(), "--out must name a folder");
  require(!is_image_folder(o.data), "--data ", o.data, ": an image folder already holds image files");
  const Dataset dataset = load_dataset(o.data, o.data_dir);
  const ImageDataset& images = o.split == "test" ? dataset.test : dataset.train;
  require(o.first < images.size() && o.count <= images.size() - o.first, "--first ", o.first, " --count ", o.count,
          ": there are only ", images.size(), " images");

  const fs::path folder = o.out;
  std::vector<fs::path> paths;
  for (std::int64_t i = 0; i < o.count; ++i) {
    const auto label = static_cast<std::size_t>(images.labels[static_cast<std::size_t>(o.first + i)]);
    paths.push_back(folder / concat(o.first + i, '_', file_name_part(images.class_names[label]), ".png"));
    std::error_code ignored;
    require(o.overwrite || !fs::exists(fs::symlink_status(paths.back(), ignored)), paths.back().string(),
            ": already exists; choose another folder or replace it with --overwrite");
  }
  std::error_code error;
  fs::create_directories(folder, error);
  std::error_code ignored;
  require(fs::is_directory(folder, ignored), folder.string(),
          ": cannot create this folder: ", error ? error.message() : "a file of this name exists");

  const auto bytes = static_cast<std::size_t>(images.image.elements());
  for (std::int64_t i = 0; i < o.count; ++i) {
    const std::size_t offset = static_cast<std::size_t>(o.first + i) * bytes;
    const std::vector<std::uint8_t> png = encode_png(images.image, std::span(images.pixels).subspan(offset, bytes));
    const fs::path& path = paths[static_cast<std::size_t>(i)];
    write_file_atomically(path, std::as_bytes(std::span(png)));
    std::printf("%s\n", path.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CommandLine command_line("Writes images of a data set as PNG files and prints their names.", "export_images");
  command_line.add_option("--data", o.data, "data set: fashion-mnist, mnist or cifar10");
  command_line.add_option("--data-dir", o.data_dir,
                          "folder or archive of the data set (default: where its package installs it): docs/data.md");
  command_line.add_option("--split", o.split, "test or train");
  command_line.add_option("--count", o.count, "number of images");
  command_line.add_option("--first", o.first, "index of the first image, counted from 0");
  command_line.add_option("--out", o.out, "folder for the files, named by index and class such as 0_Ankle-boot.png")
      .required();
  command_line.add_flag("--overwrite", o.overwrite, "replace existing files");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { export_images(o); });
}
