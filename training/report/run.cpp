/// Reading of run folders.

#include "training/report/run.h"
#include "core/error.h"
#include "training/report/curve.h"
#include "training/report/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <system_error>

namespace minception::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (!value.is_array()) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string text;
  for (const Json& element : value) text += (text.empty() ? "" : ", ") + value_text(element);
  return text;
}

void flatten(const std::string& prefix, const Json& object, std::vector<std::pair<std::string, std::string>>& config) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      flatten(prefix + key + ".", value, config);
    } else {
      config.emplace_back(prefix + key, value_text(value));
    }
  }
}

Json read_config(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), path.string(), ": cannot be opened");
  Json config;
  try {
    config = Json::parse(file);
  } catch (const Json::exception&) {
    fail(path.string(), ": is not JSON: the file is damaged");
  }
  require(config.is_object(), path.string(), ": is not a JSON object: the file is damaged");
  return config;
}

std::string written_at(const fs::path& path) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(path, error);
  if (error) return "";
  const auto since_1970 = std::chrono::file_clock::to_sys(time).time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since_1970).count();
  std::tm calendar{};
  if (::gmtime_r(&seconds, &calendar) == nullptr) return "";
  std::array<char, 64> text;
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &calendar)};
}

/// Last component of the path: "runs/first/" is "first"; "." resolves to the folder's name.
std::string name_of(const fs::path& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return printable(path.has_filename() ? path.filename().string() : folder.string());
}

}  // namespace

std::string Run::text(const std::string& key) const {
  for (const auto& [name_in_file, value] : config) {
    if (name_in_file == key) return value;
  }
  return "";
}

double Run::number(const std::string& key) const {
  const std::string value = text(key);
  const char* const end = value.data() + value.size();
  double result = kNotANumber;
  const auto [stop, error] = std::from_chars(value.data(), end, result);
  return error == std::errc() && stop == end ? result : kNotANumber;
}

double Run::steps_per_epoch() const {
  if (!metrics.epochs.empty() && metrics.epochs.back().epoch > 0) {
    return static_cast<double>(metrics.epochs.back().step) / static_cast<double>(metrics.epochs.back().epoch);
  }
  const double steps = std::ceil(number("train_images") / number("batch_size"));
  return std::isfinite(steps) ? steps : 0.0;
}

bool Run::tells_top5() const {
  return std::any_of(metrics.epochs.begin(), metrics.epochs.end(),
                     [](const EpochMetrics& epoch) { return epoch.eval_top5 > 0.0 && epoch.eval_top5 < 1.0; });
}

std::string Run::title() const {
  const std::string model = text("model"), data = text("data");
  return model.empty() || data.empty() ? name : model + " on " + data;
}

std::string part_name(std::span<const Run> runs) {
  bool validation = false, test = false;
  for (const Run& run : runs) (run.metrics.part() == Part::validation ? validation : test) = true;
  return validation && test ? "validation or test" : validation ? "validation" : "test";
}

Run read_run(const fs::path& folder) {
  std::error_code error;
  require(fs::exists(folder, error), folder.string(), ": no such folder; name the folder of a run");
  require(fs::is_directory(folder, error), folder.string(), ": is a file; name the folder of a run");
  const fs::path config = folder / "config.json", metrics = folder / "metrics.jsonl",
                 evaluation = folder / "evaluation.json";
  require(fs::exists(config, error), folder.string(),
          ": is not a run: it has no config.json; name the folder of a run");
  Run run{.name = name_of(folder), .date = {}, .config = {}, .metrics = {}, .evaluation = {}};
  flatten("", read_config(config), run.config);
  const bool has_metrics = fs::exists(metrics, error);
  run.date = written_at(has_metrics ? metrics : config);
  if (has_metrics) run.metrics = read_metrics(metrics);
  if (fs::exists(evaluation, error)) run.evaluation = read_evaluation_record(evaluation);
  run.has_best_weights = fs::exists(folder / "model_best.safetensors", error);
  return run;
}

}  // namespace minception::report
