#include "training/evaluation_record.h"
#include "core/error.h"
#include "data/image_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes Base64; nullopt if the text is not valid Base64.
std::optional<std::vector<std::uint8_t>> from_base64(const std::string& text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::array<int, 256> value_of;
  value_of.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i)
    value_of[static_cast<unsigned char>(kBase64[i])] = static_cast<int>(i);
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t i = 0; i + padding < text.size(); ++i) {
    const int value = value_of[static_cast<unsigned char>(text[i])];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> count & 0xff));
  }
  return bytes;
}

/// Reads values of a record; errors name the file and the key.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  template <class... Args>
  void check(bool condition, const Args&... what) const {
    require(condition, file_, ": not an evaluation record: ", what...);
  }
  const Json& member(const Json& object, const char* key) const {
    check(object.is_object() && object.contains(key), "'", key, "' is missing");
    return object.at(key);
  }
  std::string text(const Json& value, const char* key) const {
    check(value.is_string(), "'", key, "' is not a string");
    return value.get<std::string>();
  }
  double number(const Json& value, const char* key) const {
    check(value.is_number() || value.is_null(), "'", key, "' is not a number");
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  }
  /// An integer in [0, end).
  std::int64_t count(const Json& value, const char* key,
                     std::int64_t end = std::numeric_limits<std::int64_t>::max()) const {
    check(value.is_number_unsigned() && value.get<std::uint64_t>() < static_cast<std::uint64_t>(end), "'", key,
          "' is not an integer from 0 to ", end - 1);
    return value.get<std::int64_t>();
  }
  const Json& list(const Json& value, const char* key) const {
    check(value.is_array(), "'", key, "' is not a list");
    return value;
  }

 private:
  std::string file_;
};

void read_confusion(const Reader& reader, const Json& rows, Evaluation& evaluation) {
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  reader.check(rows.size() == classes, "'confusion' has ", rows.size(), " rows for ", classes, " classes");
  std::int64_t samples = 0;
  for (const Json& row : rows) {
    reader.list(row, "confusion");
    reader.check(row.size() == classes, "a row of 'confusion' has ", row.size(), " columns for ", classes, " classes");
    for (const Json& cell : row) {
      const std::int64_t count = reader.count(cell, "confusion", evaluation.samples + 1);
      evaluation.confusion.push_back(count);
      reader.check(count <= evaluation.samples - samples, "'confusion' counts more than the ", evaluation.samples,
                   " samples");
      samples += count;
    }
  }
  reader.check(samples == evaluation.samples, "'confusion' counts ", samples, " of ", evaluation.samples, " samples");
}

std::vector<std::uint8_t> png_of(const Reader& reader, const Json& object, const char* key) {
  std::optional<std::vector<std::uint8_t>> png = from_base64(reader.text(reader.member(object, key), key));
  reader.check(png.has_value(), "'", key, "' is not Base64");
  return std::move(*png);
}

/// Appends the picture under `key`, if there is one.
void read_png(const Reader& reader, const Json& mistake, const char* key,
              std::vector<std::vector<std::uint8_t>>& pictures) {
  if (mistake.contains(key)) pictures.push_back(png_of(reader, mistake, key));
}

void read_mistakes(const Reader& reader, const Json& mistakes, EvaluationRecord& record) {
  const std::int64_t classes = record.evaluation.classes;
  for (const Json& entry : mistakes) {
    const std::int64_t index = reader.count(reader.member(entry, "index"), "index");
    const std::int64_t label = reader.count(reader.member(entry, "label"), "label", classes);
    const std::int64_t predicted = reader.count(reader.member(entry, "predicted"), "predicted", classes);
    record.evaluation.mistakes.push_back(
        {.index = index,
         .label = static_cast<std::int32_t>(label),
         .predicted = static_cast<std::int32_t>(predicted),
         .probability = reader.number(reader.member(entry, "probability"), "probability")});
    if (entry.contains("file")) record.mistake_files.push_back(reader.text(entry.at("file"), "file"));
    read_png(reader, entry, "image", record.mistake_images);
    read_png(reader, entry, "map", record.mistake_maps);
  }
  reader.check(record.mistake_images.empty() || record.mistake_images.size() == mistakes.size(),
               "some mistakes have an 'image' and some have none");
  reader.check(record.mistake_files.empty() || record.mistake_files.size() == mistakes.size(),
               "some mistakes have a 'file' and some have none");
  reader.check(record.mistake_maps.empty() || record.mistake_maps.size() == mistakes.size(),
               "some mistakes have a 'map' and some have none");
}

InsidePictures read_inside(const Reader& reader, const Json& json, std::int64_t classes) {
  const auto count = [&](const Json& object, const char* key, std::int64_t end = INT64_MAX) {
    return reader.count(reader.member(object, key), key, end);
  };
  InsidePictures inside;
  inside.index = count(json, "index");
  inside.label = static_cast<std::int32_t>(count(json, "label", classes));
  inside.predicted = static_cast<std::int32_t>(count(json, "predicted", classes));
  inside.probability = reader.number(reader.member(json, "probability"), "probability");
  inside.image = png_of(reader, json, "image");
  if (json.contains("file")) inside.file = reader.text(json.at("file"), "file");
  if (json.contains("map")) inside.map = png_of(reader, json, "map");
  for (const Json& layer : reader.list(reader.member(json, "layers"), "layers")) {
    inside.layers.push_back({.layer = reader.text(reader.member(layer, "layer"), "layer"),
                             .channels = count(layer, "channels"),
                             .shown = count(layer, "shown"),
                             .height = count(layer, "height"),
                             .width = count(layer, "width"),
                             .png = png_of(reader, layer, "image")});
  }
  if (!json.contains("first_layer")) return inside;
  inside.first_layer = reader.text(json.at("first_layer"), "first_layer");
  for (const Json& extent : reader.list(reader.member(json, "filters"), "filters")) {
    inside.filters.push_back(reader.count(extent, "filters"));
  }
  reader.check(inside.filters.size() == 4, "'filters' is no list of four numbers");
  inside.filters_png = png_of(reader, json, "filters_image");
  return inside;
}

Json to_json(const InsidePictures& inside) {
  Json json = {{"index", inside.index},
               {"label", inside.label},
               {"predicted", inside.predicted},
               {"probability", inside.probability},
               {"image", base64(inside.image)}};
  if (!inside.file.empty()) json["file"] = inside.file;
  if (!inside.map.empty()) json["map"] = base64(inside.map);
  json["layers"] = Json::array();
  for (const LayerPicture& layer : inside.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"channels", layer.channels},
                              {"shown", layer.shown},
                              {"height", layer.height},
                              {"width", layer.width},
                              {"image", base64(layer.png)}});
  }
  if (inside.first_layer.empty()) return json;
  json["first_layer"] = inside.first_layer;
  json["filters"] = inside.filters;
  json["filters_image"] = base64(inside.filters_png);
  return json;
}

}  // namespace

std::string base64(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < present ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += j <= present ? kBase64[bits >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

EvaluationRecord make_evaluation_record(std::string data, std::int64_t epoch, std::int64_t step, Evaluation evaluation,
                                        const ImageDataset& dataset) {
  require(static_cast<std::int64_t>(dataset.class_names.size()) == evaluation.classes, "an evaluation of ",
          evaluation.classes, " classes does not match a data set of ", dataset.class_names.size());
  EvaluationRecord record{.data = std::move(data),
                          .epoch = epoch,
                          .step = step,
                          .class_names = dataset.class_names,
                          .evaluation = std::move(evaluation),
                          .mistake_images = {}};
  for (const Mistake& mistake : record.evaluation.mistakes) {
    require(mistake.index < dataset.size(), "sample ", mistake.index, " is not in a data set of ", dataset.size());
    if (dataset.files.empty()) continue;
    record.mistake_files.push_back(
        std::filesystem::absolute(dataset.files[static_cast<std::size_t>(mistake.index)]).lexically_normal().string());
  }
  if (!has_png()) return record;
  for (const Mistake& mistake : record.evaluation.mistakes) {
    record.mistake_images.push_back(encode_png(dataset.image, dataset.pixels_of(mistake.index)));
  }
  return record;
}

std::string to_json(const EvaluationRecord& record) {
  const Evaluation& evaluation = record.evaluation;
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  Json confusion = Json::array();
  for (std::size_t label = 0; label < classes; ++label) {
    const auto row = evaluation.confusion.begin() + static_cast<std::ptrdiff_t>(label * classes);
    confusion.push_back(std::vector<std::int64_t>(row, row + static_cast<std::ptrdiff_t>(classes)));
  }
  Json mistakes = Json::array();
  for (std::size_t i = 0; i < evaluation.mistakes.size(); ++i) {
    const Mistake& mistake = evaluation.mistakes[i];
    mistakes.push_back({{"index", mistake.index},
                        {"label", mistake.label},
                        {"predicted", mistake.predicted},
                        {"probability", mistake.probability}});
    if (!record.mistake_images.empty()) mistakes.back()["image"] = base64(record.mistake_images[i]);
    if (!record.mistake_files.empty()) mistakes.back()["file"] = record.mistake_files[i];
    if (!record.mistake_maps.empty()) mistakes.back()["map"] = base64(record.mistake_maps[i]);
  }
  Json json = {{"data", record.data},
               {"epoch", record.epoch},
               {"step", record.step},
               {"samples", evaluation.samples},
               {"loss", evaluation.loss},
               {"top1", evaluation.top1},
               {"top5", evaluation.top5},
               {"class_names", record.class_names},
               {"confusion", std::move(confusion)},
               {"mistakes", std::move(mistakes)}};
  if (record.inside) json["inside"] = to_json(*record.inside);
  // One line per key keeps lines short enough for editors; nlohmann/json writes NaN and infinity as null.
  std::string text = "{";
  for (const auto& [key, value] : json.items()) {
    text += text.size() > 1 ? ",\n" : "\n";
    text += Json(key).dump() + ": " + value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text + "\n}\n";
}

EvaluationRecord read_evaluation_record(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  std::error_code error;
  require(std::filesystem::is_regular_file(path, error) && file, path.string(),
          ": cannot be read; train writes it to the run folder");
  const Reader reader(path.string());
  const Json json = Json::parse(content.str(), nullptr, false);
  reader.check(json.is_object(), "it is not a JSON object");

  EvaluationRecord record;
  record.data = reader.text(reader.member(json, "data"), "data");
  record.epoch = reader.count(reader.member(json, "epoch"), "epoch");
  record.step = reader.count(reader.member(json, "step"), "step");
  for (const Json& name : reader.list(reader.member(json, "class_names"), "class_names")) {
    record.class_names.push_back(reader.text(name, "class_names"));
  }
  Evaluation& evaluation = record.evaluation;
  evaluation.classes = static_cast<std::int64_t>(record.class_names.size());
  evaluation.samples = reader.count(reader.member(json, "samples"), "samples");
  evaluation.loss = reader.number(reader.member(json, "loss"), "loss");
  evaluation.top1 = reader.number(reader.member(json, "top1"), "top1");
  evaluation.top5 = reader.number(reader.member(json, "top5"), "top5");
  read_confusion(reader, reader.list(reader.member(json, "confusion"), "confusion"), evaluation);
  read_mistakes(reader, reader.list(reader.member(json, "mistakes"), "mistakes"), record);
  if (json.contains("inside")) record.inside = read_inside(reader, json.at("inside"), evaluation.classes);
  return record;
}

}  // namespace minception
