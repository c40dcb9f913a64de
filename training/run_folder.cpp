#include <minception/core/error.h>
#include <minception/core/safetensors.h>
#include <minception/training/run_folder.h>

#include <nlohmann/json.hpp>

#include <span>

namespace minception {
namespace {

constexpr const char* kFiles[] = {"config.json", "metrics.jsonl", "model.safetensors"};

void write_text(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span<const char>(text.data(), text.size())));
}

}  // namespace

void RunFolder::check(const std::filesystem::path& path, bool overwrite) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error)) {
    fail(path.string(), ": is a file; name a folder for the run");
  }
  for (const char* file : kFiles) {
    require(!std::filesystem::is_directory(path / file, error), (path / file).string(),
            ": is a folder, and in the way");
  }
  // A run that ended before its first epoch has nothing to lose.
  const bool has_run = std::filesystem::exists(path / "model.safetensors", error) ||
                       (std::filesystem::exists(path / "metrics.jsonl", error) &&
                        std::filesystem::file_size(path / "metrics.jsonl", error) > 0);
  require(overwrite || !has_run, path.string(),
          ": a run is in there already; choose another --out, or --overwrite to replace it");
}

RunFolder::RunFolder(std::filesystem::path path, const std::string& config_json, bool overwrite)
    : path_(std::move(path)) {
  check(path_, overwrite);
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  require(!error, path_.string(), ": cannot make the folder: ", error.message());
  for (const char* file : kFiles) {
    std::filesystem::remove(path_ / file, error);
    require(!error, (path_ / file).string(), ": cannot be replaced: ", error.message());
  }
  write_text(path_ / "config.json", config_json);
  write_text(path_ / "metrics.jsonl", "");
}

void RunFolder::append_metrics(const EpochMetrics& metrics) {
  metrics_ += to_json_line(metrics) + "\n";
  write_text(path_ / "metrics.jsonl", metrics_);
}

void RunFolder::write_weights(const Network& network, const std::map<std::string, std::string>& metadata) {
  write_safetensors(path_ / "model.safetensors", {network.state(), metadata});
}

std::map<std::string, std::string> weights_metadata(const Network& network,
                                                    const std::vector<std::string>& class_names) {
  using Json = nlohmann::ordered_json;
  const ModelConfig& config = network.model().config;
  const Shape& input = config.input;
  const Json model = {{"name", config.name}, {"input", {input[0], input[1], input[2]}}, {"classes", config.classes}};
  const Json preprocessing = {
      {"resize", "bilinear"}, {"scale", network.options().scale}, {"shift", network.options().shift}};
  return {{"model", model.dump()}, {"preprocessing", preprocessing.dump()}, {"class_names", Json(class_names).dump()}};
}

}  // namespace minception
