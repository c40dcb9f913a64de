#include "tools/run_data.h"
#include "core/error.h"
#include "training/run_folder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace fs = std::filesystem;

namespace minception {

void RunData::declare(CommandLine& command_line) {
  command_line.add_option("--data", data,
                          "data set: fashion-mnist, mnist, cifar10, or folder:PATH with one sub-folder of images per "
                          "class (default: the data and split of the run that made the weights, else fashion-mnist)");
  command_line.add_option("--data-dir", data_dir,
                          "folder or archive of the data set (default: where its package installs it): docs/data.md");
  command_line.add_option("--labels", labels, "folder: same as for train").default_text("");
  command_line.add_option("--test-fraction", test_fraction, "folder: same as for train");
  command_line.add_option("--split-seed", split_seed, "folder: same as for train");
  command_line.add_option("--limit", limit, "use the first N images (0: all)");
}

bool RunData::is_same_as(const std::string& other, const std::string& other_dir) const {
  if (data == other) return data_dir.empty() || data_dir == other_dir;
  if (!is_image_folder(data) || !is_image_folder(other)) return false;
  std::error_code error;
  const std::vector<fs::path> ours = image_folder_paths(data, data_dir), theirs = image_folder_paths(other, other_dir);
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                    [&](const fs::path& a, const fs::path& b) { return fs::equivalent(a, b, error); });
}

void RunData::take_from_run(const std::string& weights, bool test_fraction_given) {
  const fs::path folder = fs::path(weights).parent_path();
  std::error_code error;
  for (const fs::path& run : {folder, folder / ".."}) {  // weights, checkpoints
    const fs::path path = run / "config.json";
    if (!fs::exists(path, error)) continue;
    const auto config = nlohmann::json::parse(read_text(path), nullptr, false);
    const bool named = !data.empty();
    try {
      const std::string of_run = config.at("data").get<std::string>(), dir_of_run = config.value("data_dir", "");
      if (named && !is_same_as(of_run, dir_of_run)) break;
      const nlohmann::json& options = config.at("options");
      const Selection parts = {.hold_out = options.at("hold-out").get<std::int64_t>(),
                               .validation_fraction = options.value("validation-fraction", 0.0),
                               .train = options.at("limit-train").get<std::int64_t>(),
                               .test = options.at("limit-test").get<std::int64_t>()};
      const auto fraction = options.value("test-fraction", 0.0);
      split_seed = options.value("split-seed", std::int64_t{1});
      if (!named) data = of_run;
      if (data_dir.empty()) data_dir = dir_of_run;
      if (!test_fraction_given) test_fraction = fraction;
      if (labels.empty()) labels = options.value("labels", "");
      selection = parts;
    } catch (const nlohmann::json::exception&) {
      require(named, path.string(), ": has no record of the data set of the run; name one with --data");
    }
    break;
  }
  if (data.empty()) data = "fashion-mnist";
  require(test_fraction >= 0.0 && test_fraction < 1.0, "--test-fraction ", test_fraction,
          ": must be 0 or more and below 1");
  require(split_seed >= 0, "--split-seed ", split_seed, ": must be 0 or more");
  require(is_image_folder(data) || test_fraction == 0.0, "--test-fraction is for --data folder:PATH, not for ", data);
  require(limit >= 0, "--limit ", limit, ": must be 0 or more");
}

Dataset RunData::load(const WeightsFile& weights, bool train, bool validation, bool test) const {
  Selection parts = selection;
  if (!train) parts.train = 0;
  if (!test && !validation) parts.test = 0;
  if (limit > 0) {
    if (train) parts.train = limit;
    if (test || validation) parts.test = limit;
  }
  return load_dataset(data, data_dir,
                      {.size = {weights.image[1], weights.image[2]},
                       .image = weights.image_options,
                       .channels = weights.image[0],
                       .test_fraction = test_fraction,
                       .split_seed = static_cast<std::uint64_t>(split_seed),
                       .labels = labels,
                       .train = train,
                       .validation = validation,
                       .test = test,
                       .progress = loading_bar()},
                      parts);
}

}  // namespace minception
