#include "data/origin.h"
#include "core/error.h"

#include <nlohmann/json.hpp>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Selection& selection) {
  return {{"validation-fraction", selection.validation_fraction},
          {"hold-out", selection.hold_out},
          {"limit-train", selection.train},
          {"limit-test", selection.test}};
}

/// Paths may hold bytes that are not UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

void record_origin(Dataset& dataset, const std::string& source, const std::filesystem::path& folder,
                   const Selection& selection) {
  Json json = {{"data", source}};
  json.update(to_json(selection));
  dataset.source = source;
  dataset.folder = folder.string();
  dataset.options = text_of(json);
}

void record_origin(Dataset& dataset, const std::vector<std::filesystem::path>& folders,
                   const ImageFolderOptions& options, const Selection& selection) {
  dataset.source = "folder";
  for (const std::filesystem::path& folder : folders) dataset.source += concat(":", folder.string());
  const auto& [r, g, b] = options.image.background;
  Json json = {{"data", dataset.source},
               {"folder-size", concat(options.size.h, "x", options.size.w)},
               {"labels", options.labels.string()},
               {"resize", to_string(options.image.resize)},
               {"ignore-orientation", !options.image.exif_orientation},
               {"background", concat(+r, ",", +g, ",", +b)},
               {"test-fraction", options.test_fraction},
               {"split-seed", options.split_seed}};
  json.update(to_json(selection));
  dataset.options = text_of(json);
  dataset.image_options = options.image;
}

}  // namespace minception
