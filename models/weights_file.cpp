#include "models/weights_file.h"
#include "core/error.h"
#include "models/graph.h"
#include "models/registry.h"
#include "models/state_dict.h"
#include "models/weights.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kModel = "model";
constexpr const char* kPreprocessing = "preprocessing";
constexpr const char* kClassNames = "class_names";
constexpr const char* kResize = "bilinear";
constexpr const char* kTransformInput = "transform_input";
// Keys in "preprocessing", present when they differ from the defaults of ImageOptions.
constexpr const char* kFit = "fit";
constexpr const char* kExifOrientation = "exif_orientation";
constexpr const char* kBackground = "background";

/// File text, escaped for a terminal.
std::string printable(const std::string& text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json to_json(const Shape& shape) {
  Json extents = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
  return extents;
}

/// Metadata of one file; errors name the file, the entry and the key.
class Metadata {
 public:
  Metadata(std::string file, const std::map<std::string, std::string>& entries)
      : file_(std::move(file)), entries_(entries) {}

  /// The JSON of an entry.
  Json entry(const char* name) const {
    const auto found = entries_.find(name);
    require(found != entries_.end(), file_, ": its metadata have no entry '", name,
            "', which train writes; use the model.safetensors or a checkpoint of a run");
    Json json = Json::parse(found->second, nullptr, false);
    require(!json.is_discarded(), file_, ": '", name, "' in its metadata is not JSON; was the file edited by hand?");
    return json;
  }

  template <class... Args>
  void check(bool condition, const char* entry, const Args&... what) const {
    require(condition, file_, ": '", entry, "' in its metadata ", what...);
  }

  const Json& member(const Json& object, const char* entry, const char* key) const {
    check(object.is_object() && object.contains(key), entry, "lacks '", key, "'");
    return object.at(key);
  }

  std::string text(const Json& object, const char* entry, const char* key) const {
    const Json& value = member(object, entry, key);
    check(value.is_string(), entry, "has a '", key, "' that is not a string");
    return value.get<std::string>();
  }

  std::int64_t extent(const Json& value, const char* entry, const char* key) const {
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
                      value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kLargestExtent);
    check(fits, entry, "has a '", key, "' that is not a number from 1 to ", kLargestExtent);
    return value.get<std::int64_t>();
  }

  /// (C, H, W)
  Shape image(const Json& object, const char* entry, const char* key) const {
    const Json& value = member(object, entry, key);
    check(value.is_array() && value.size() == 3, entry, "has an '", key, "' that is not (channels, height, width)");
    const Shape shape = {extent(value[0], entry, key), extent(value[1], entry, key), extent(value[2], entry, key)};
    check(shape.elements() <= kLargestImage, entry, "has an '", key, "' of ", shape, ": more than 2^28 values");
    return shape;
  }

  std::vector<float> per_channel(const Json& object, const char* entry, const char* key, std::int64_t channels) const {
    const Json& value = member(object, entry, key);
    check(value.is_array(), entry, "has a '", key, "' that is not a list");
    const auto count = static_cast<std::int64_t>(value.size());
    check(count == 1 || count == channels, entry, "has ", count, " values of '", key,
          "': expected one for all channels or one for each of ", channels);
    std::vector<float> values;
    for (const Json& element : value) {
      check(element.is_number() && std::abs(element.get<double>()) <= std::numeric_limits<float>::max(), entry,
            "has a value of '", key, "' that is not an f32 number");
      values.push_back(element.get<float>());
    }
    return values;
  }

  ImageOptions image_options(const Json& object, const char* entry) const {
    ImageOptions options;
    if (object.contains(kFit)) {
      const std::string name = text(object, entry, kFit);
      try {
        options.resize = parse_resize(name);
      } catch (const Error&) {
        check(false, entry, "fits images by ", printable(name), ": use stretch, crop or letterbox");
      }
    }
    if (object.contains(kExifOrientation)) {
      check(object[kExifOrientation].is_boolean(), entry, "has an '", kExifOrientation,
            "' that is neither true nor false");
      options.exif_orientation = object[kExifOrientation].get<bool>();
    }
    if (object.contains(kBackground)) {
      const Json& colour = object[kBackground];
      bool fits = colour.is_array() && colour.size() == options.background.size();
      for (std::size_t c = 0; fits && c < colour.size(); ++c) {
        fits = colour[c].is_number_unsigned() && colour[c].get<std::uint64_t>() <= 255;
        if (fits) options.background[c] = colour[c].get<std::uint8_t>();
      }
      check(fits, entry, "has a '", kBackground, "' that is not a list of three numbers from 0 to 255");
    }
    return options;
  }

 private:
  static constexpr std::int64_t kLargestExtent = 1'000'000;
  static constexpr std::int64_t kLargestImage = std::int64_t{1} << 28;

  std::string file_;
  const std::map<std::string, std::string>& entries_;
};

void read_model(const Metadata& metadata, const std::string& file, ModelConfig& config) {
  const Json model = metadata.entry(kModel);
  config.name = metadata.text(model, kModel, "name");
  std::string known;
  bool found = model.contains("layers");
  if (found) {
    config.graph = model.dump();
    const bool is_printable =
        std::all_of(config.name.begin(), config.name.end(), [](char c) { return c >= ' ' || c < 0; });
    metadata.check(is_printable && config.name.size() <= 100, kModel,
                   "has a 'name' with control characters or of more than 100 characters");
  }
  for (const std::string& name : model_names()) {
    known += (known.empty() ? "" : ", ") + name;
    found = found || name == config.name;
  }
  require(found, file, ": its metadata name the unknown model ", printable(config.name), "; the known models are ",
          known);
  config.input = metadata.image(model, kModel, "input");
  config.classes = metadata.extent(metadata.member(model, kModel, "classes"), kModel, "classes");
  if (!model.contains(kTransformInput)) return;
  metadata.check(model[kTransformInput].is_boolean(), kModel, "has a '", kTransformInput,
                 "' that is neither true nor false");
  config.transform_input = model[kTransformInput].get<bool>();
}

void read_preprocessing(const Metadata& metadata, WeightsFile& weights) {
  const Json preprocessing = metadata.entry(kPreprocessing);
  const std::string resize = metadata.text(preprocessing, kPreprocessing, "resize");
  metadata.check(resize == kResize, kPreprocessing, "resizes by ", printable(resize), ": only '", kResize,
                 "' is supported");
  const std::int64_t channels = weights.config.input[0];
  weights.scale = metadata.per_channel(preprocessing, kPreprocessing, "scale", channels);
  weights.shift = metadata.per_channel(preprocessing, kPreprocessing, "shift", channels);
  weights.image_options = metadata.image_options(preprocessing, kPreprocessing);
  weights.image = weights.config.input;
  if (preprocessing.contains("image")) {
    weights.image = metadata.image(preprocessing, kPreprocessing, "image");
    metadata.check(weights.image[0] == channels, kPreprocessing, "has an 'image' of ", weights.image[0],
                   " channels but the model expects ", channels);
  }
}

void read_class_names(const Metadata& metadata, WeightsFile& weights) {
  const Json names = metadata.entry(kClassNames);
  metadata.check(names.is_array(), kClassNames, "is not a list");
  metadata.check(static_cast<std::int64_t>(names.size()) == weights.config.classes, kClassNames, "lists ", names.size(),
                 " names but the model has ", weights.config.classes, " classes");
  for (const Json& name : names) {
    metadata.check(name.is_string(), kClassNames, "has a name that is not a string");
    weights.class_names.push_back(name.get<std::string>());
  }
}

/// Finds the tensor and checks that its rank is at least 2.
const FileTensor& weight_named(const WeightsFile& weights, const std::string& name, const std::string& file) {
  const auto found = weights.tensors.find(name);
  if (found == weights.tensors.end()) {
    std::vector<std::string> names;
    for (const auto& [key, tensor] : weights.tensors) names.push_back(key);
    fail(file, ": has no tensor ", name, ": not weights of ", weights.config.name,
         names.empty() ? "" : ", but " + list_tensors(names));
  }
  require(found->second.shape.rank() >= 2, file, ": ", name, " has the shape ", found->second.shape,
          ": not the weights of a layer of ", weights.config.name);
  return found->second;
}

/// Fills everything but the tensors for a file without metadata.
void describe(WeightsFile& weights, const WeightsDescription& described, const std::string& file) {
  weights.described = true;
  weights.config = default_config(described.model);
  weights.config.transform_input = described.transform_input;
  Shape& input = weights.config.input;
  if (described.size.rank() == 2) input = {input[0], described.size[0], described.size[1]};
  const auto backend = make_reference_backend();
  const Network usual(make_model(weights.config), *backend, {.max_batch = 1, .training = false, .plan_only = true});
  const std::span<const Parameter> all = usual.parameters().all();
  const std::vector<std::string> heads = head_parameters(usual);
  // Body parameters come before those of the auxiliary heads.
  const auto last = std::find_if(all.begin(), all.end(), [&](const Parameter& parameter) {
    return parameter.shape.rank() >= 2 && std::find(heads.begin(), heads.end(), parameter.name) != heads.end();
  });
  require(last != all.end(), described.model, " has no layer that outputs logits");
  try {
    strip_prefix(weights.tensors, {all.front().name, last->name});
  } catch (const Error& error) {
    fail(file, ": ", error.what());
  }
  input[0] = weight_named(weights, all.front().name, file).shape[1];
  weights.config.classes = weight_named(weights, last->name, file).shape[0];

  const Normalization& normalization = described.normalization;
  for (const auto& [what, values] :
       {std::pair{"means", &normalization.mean}, {"deviations", &normalization.deviation}}) {
    require(values->size() == 1 || static_cast<std::int64_t>(values->size()) == input[0], file, ": ", values->size(),
            " ", what, " are given; one is needed, or one for each of ", input[0], " channels");
  }
  weights.scale = normalization.scale();
  weights.shift = normalization.shift();
  weights.image = input;
  weights.image_options = described.image_options;
  for (std::int64_t c = 0; c < weights.config.classes; ++c) weights.class_names.push_back(std::to_string(c));
}

/// Auxiliary heads without any tensor in the file.
std::vector<std::string> absent_heads(const Network& network, const std::map<std::string, FileTensor>& tensors) {
  std::vector<std::string> absent;
  for (const Head& head : network.model().auxiliary) {
    const std::string prefix = head.name + ".";
    const auto first = tensors.lower_bound(prefix);
    if (first == tensors.end() || !first->first.starts_with(prefix)) absent.push_back(head.name);
  }
  return absent;
}

/// The value rounded to the fewest digits for which `same` holds; `value` itself if none do.
template <class F>
double shortest_decimal(double value, F&& same) {
  for (int digits = 1; digits < std::numeric_limits<double>::max_digits10; ++digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    const double candidate = std::strtod(text, nullptr);
    if (same(candidate)) return candidate;
  }
  return value;
}

/// Says what to do with ONNX files; read_safetensors does for those of torch.save.
Safetensors read_weights(const std::filesystem::path& path) {
  try {
    return read_safetensors(path);
  } catch (const Error&) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) throw;
    const std::string file = path.string();
    require(path.extension() != ".onnx", file,
            ": not a safetensors file; make one of an ONNX file with: import --onnx ", file,
            " --out weights.safetensors");
    throw;
  }
}

}  // namespace

// (pixel / 255 - mean) / deviation
std::vector<float> Normalization::scale() const {
  std::vector<float> values;
  for (const double d : deviation) values.push_back(static_cast<float>(1.0 / (255.0 * d)));
  return values;
}

std::vector<float> Normalization::shift() const {
  std::vector<float> values;
  for (std::size_t c = 0; c < std::max(mean.size(), deviation.size()); ++c) {
    values.push_back(static_cast<float>(-mean[mean.size() == 1 ? 0 : c] / deviation[deviation.size() == 1 ? 0 : c]));
  }
  return values;
}

std::optional<Normalization> normalization_of(std::span<const float> scale, std::span<const float> shift) {
  Normalization found{{}, {}};
  for (std::size_t c = 0; c < std::max(scale.size(), shift.size()); ++c) {
    const float a = scale[scale.size() == 1 ? 0 : c], b = shift[shift.size() == 1 ? 0 : c];
    const auto deviation_fits = [&](double d) { return static_cast<float>(1.0 / (255.0 * d)) == a; };
    const double deviation = shortest_decimal(1.0 / (255.0 * static_cast<double>(a)), deviation_fits);
    const auto mean_fits = [&](double m) { return static_cast<float>(-m / deviation) == b; };
    const double mean = shortest_decimal(-static_cast<double>(b) * deviation, mean_fits);
    if (!(deviation > 0.0) || !deviation_fits(deviation) || !mean_fits(mean)) return std::nullopt;
    found.deviation.push_back(deviation);
    found.mean.push_back(mean);
  }
  for (std::vector<double>* values : {&found.mean, &found.deviation}) {
    if (std::equal(values->begin() + 1, values->end(), values->begin())) values->resize(1);
  }
  return found;
}

std::map<std::string, FileTensor> weights_among(std::map<std::string, FileTensor> tensors) {
  std::erase_if(tensors, [](const auto& item) { return item.first.starts_with(kOptimizerPrefix); });
  const std::string prefix = kAveragePrefix;
  for (auto item = tensors.lower_bound(prefix); item != tensors.end() && item->first.starts_with(prefix);) {
    tensors[item->first.substr(prefix.size())] = std::move(item->second);
    item = tensors.erase(item);
  }
  return tensors;
}

std::vector<std::string> head_parameters(const Network& network) {
  const Model& model = network.model();
  const std::span<const Parameter> all = network.parameters().all();
  std::vector<std::string> names;
  std::size_t begin = all.size();
  // Body parameters come first, then those of each head.
  for (std::size_t j = model.auxiliary.size() + 1; j-- > 0;) {
    const std::size_t end = begin;
    if (j == 0) {
      begin = 0;
    } else {
      const std::string prefix = model.auxiliary[j - 1].name + ".";
      while (begin > 0 && all[begin - 1].name.starts_with(prefix)) --begin;
    }
    const std::string& last = all[end - 1].name;
    const std::string layer = last.substr(0, last.rfind('.') + 1);
    for (std::size_t i = begin; i < end; ++i) {
      if (all[i].name.starts_with(layer)) names.push_back(all[i].name);
    }
  }
  return names;
}

void load_all_but_heads(Network& network, std::map<std::string, FileTensor> weights) {
  const std::map<std::string, FileTensor> own = network.state();
  for (const std::string& name : head_parameters(network)) weights[name] = own.at(name);
  network.load_state(weights);
}

std::map<std::string, std::string> weights_metadata(const Network& network,
                                                    const std::vector<std::string>& class_names) {
  const ModelConfig& config = network.model().config;
  const NetworkOptions& options = network.options();
  require(static_cast<std::int64_t>(class_names.size()) == config.classes, class_names.size(), " class names for ",
          config.classes, " classes of ", config.name);
  Json model = {{"name", config.name}, {"input", to_json(config.input)}, {"classes", config.classes}};
  if (!config.transform_input || !network.model().input_scale.empty()) model[kTransformInput] = config.transform_input;
  model.update(Json::parse(to_graph(network.model())));
  Json preprocessing = {{"resize", kResize}, {"scale", options.scale}, {"shift", options.shift}};
  if (options.dataset_image) preprocessing["image"] = to_json(*options.dataset_image);
  if (options.image_options != ImageOptions()) {
    preprocessing[kFit] = to_string(options.image_options.resize);
    preprocessing[kExifOrientation] = options.image_options.exif_orientation;
    preprocessing[kBackground] = options.image_options.background;
  }
  try {
    return {{kModel, model.dump()}, {kPreprocessing, preprocessing.dump()}, {kClassNames, Json(class_names).dump()}};
  } catch (const Json::exception&) {
    fail("the name of a class is not valid UTF-8 and cannot be written to a weights file; rename the class");
  }
}

void read_weights_metadata(const std::map<std::string, std::string>& entries, const std::string& file,
                           WeightsFile& weights) {
  const Metadata metadata(file, entries);
  read_model(metadata, file, weights.config);
  read_preprocessing(metadata, weights);
  read_class_names(metadata, weights);
  try {
    if (!weights.config.graph.empty()) (void)model_from_graph(weights.config);  // its errors name the file here
  } catch (const Error& error) {
    fail(file, ": ", error.message());
  }
}

WeightsFile read_weights_file(const std::filesystem::path& path, const WeightsDescription& described) {
  const std::string file = path.string();
  Safetensors content = read_weights(path);
  const bool labelled = content.metadata.contains(kModel);
  require(!labelled || described.model.empty() || described.if_needed, file, ": already names its model; leave out ",
          Field{"model"});
  require(labelled || !described.model.empty(), file,
          ": its metadata name no model, so it was not written by train; use the model.safetensors or a checkpoint of "
          "a run, or name its model with ",
          Field{"model"});
  WeightsFile weights;
  weights.tensors = weights_among(std::move(content.tensors));
  try {
    convert_to_f32(weights.tensors);
    check_numbers(weights.tensors);
  } catch (const Error& error) {
    fail(file, ": ", error.what());
  }
  if (!labelled) {
    describe(weights, described, file);
    return weights;
  }
  read_weights_metadata(content.metadata, file, weights);
  return weights;
}

std::vector<std::string> load_weights(Network& network, const WeightsFile& weights, const std::filesystem::path& path,
                                      Heads heads) {
  const std::vector<std::string> absent = absent_heads(network, weights.tensors);
  try {
    if (absent.empty() && heads == Heads::load) {
      network.load_state(weights.tensors);
      return absent;
    }
    std::map<std::string, FileTensor> tensors = weights.tensors;
    for (auto& [name, tensor] : network.state()) {
      const bool is_absent = std::any_of(absent.begin(), absent.end(),
                                         [&](const std::string& head) { return name.starts_with(head + "."); });
      if (is_absent) tensors[name] = std::move(tensor);
    }
    if (heads == Heads::keep) {
      load_all_but_heads(network, std::move(tensors));
    } else {
      network.load_state(tensors);
    }
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  return absent;
}

void check_class_names(const std::string& weights, const std::vector<std::string>& of_weights, const std::string& data,
                       const std::vector<std::string>& of_data) {
  require(of_weights.size() == of_data.size(), weights, ": was trained for ", of_weights.size(), " classes but ", data,
          " has ", of_data.size());
  for (std::size_t i = 0; i < of_data.size(); ++i) {
    require(of_weights[i] == of_data[i], weights, ": class ", i, " is '", of_weights[i], "' but in ", data, " it is '",
            of_data[i], "': the model was trained on other classes");
  }
}

}  // namespace minception
