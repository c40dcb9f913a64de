#include "data/registry.h"
#include "core/error.h"
#include "data/cifar10.h"
#include "data/fashion_mnist.h"
#include "data/mnist.h"
#include "data/origin.h"

#include <algorithm>
#include <string_view>
#include <system_error>

namespace minception {
namespace {

constexpr std::string_view kFolder = "folder:";

struct Entry {
  const char* name;
  const char* default_dir;
  Dataset (*load)(const std::filesystem::path& dir, const Selection& selection);
};

constexpr Entry kEntries[] = {
    {"fashion-mnist", "/usr/share/datasets/fashion-mnist", load_fashion_mnist},
    // No package installs these; the error message explains how to get them.
    {"mnist", "/usr/share/datasets/mnist", load_mnist},
    {"cifar10", "/usr/share/datasets/cifar10", load_cifar10},
};

const Entry& find(const std::string& name) {
  std::string known;
  for (const Entry& entry : kEntries) {
    if (name == entry.name) return entry;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  std::error_code error;
  if (std::filesystem::is_directory(name, error)) {
    fail("unknown data set '", name, "'; for the folder of that name write folder:", name);
  }
  fail("unknown data set '", name, "'; use ", known, " or folder:PATH");
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

std::filesystem::path default_data_dir(const std::string& name) { return find(name).default_dir; }

bool is_image_folder(const std::string& name) { return name == "folder" || name.starts_with(kFolder); }

std::vector<std::filesystem::path> image_folder_paths(const std::string& name, const std::filesystem::path& dir) {
  const bool named = dir.empty() && name != "folder";
  const std::string text = named ? name.substr(kFolder.size()) : dir.string();
  require(!text.empty(), "data set '", name, "': write folder:PATH, with the path of a folder of images");
  std::error_code error;
  if (std::filesystem::exists(text, error)) return {text};  // an existing path may contain a colon
  std::vector<std::filesystem::path> paths;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) paths.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

Dataset load_dataset(const std::string& name, const std::filesystem::path& dir, const ImageFolderOptions& options,
                     const Selection& selection) {
  if (is_image_folder(name)) {
    Dataset dataset = load_image_folder(image_folder_paths(name, dir), options, selection);
    dataset.name = name;
    dataset.source = name;
    dataset.folder = dir.string();
    return dataset;
  }
  const Entry& entry = find(name);
  Dataset dataset = entry.load(dir.empty() ? std::filesystem::path(entry.default_dir) : dir, selection);
  record_origin(dataset, name, dir, selection);
  return dataset;
}

}  // namespace minception
