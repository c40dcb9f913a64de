/// Compares the costs of models: parameters, arithmetic, memory, traffic, and step times relative to the ceilings of
/// this machine. Prints tables and writes the numbers as JSON.

#include "core/error.h"
#include "models/registry.h"
#include "studies/model_costs.h"
#include "studies/study.h"
#include "tools/program.h"
#include "training/report/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace minception;
using report::decimal;
using report::fixed;
using report::grouped;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::vector<std::string> models = {"alexnet", "vgg11", "nin", "googlenet"};
  std::string image_size = "224";
  std::int64_t channels = 1, classes = 10;
  std::string device = "cpu";
  int threads = 0;
  CostOptions cost;
  bool count_only = false, json = false, overwrite = false;
  std::string out, program;
};

constexpr const char* kNumbers = "compare_models.json";

struct Comparison {
  std::vector<ModelCosts> models;
  std::optional<Ceilings> ceilings;  ///< set if times were measured
  std::string device;                ///< description of the backend
};

std::string mega(std::int64_t count) { return grouped((count + 500'000) / 1'000'000); }

Table count_table(const Comparison& c) {
  Table table({{"model"},
               {"input", true},
               {"parameters"},
               {"MiB"},
               {"MMAC, inference"},
               {"MMAC, training"},
               {"MAC per parameter"}});
  for (const ModelCosts& m : c.models) {
    const Shape& x = m.config.input;
    table.add({m.config.name, concat(x[0], "x", x[1], "x", x[2]), grouped(m.parameters), mib(m.weight_bytes()),
               mega(m.inference_macs), mega(m.training_macs), grouped(m.inference_macs / m.parameters)});
  }
  return table;
}

Table memory_table(const Comparison& c) {
  Table table(
      {{"model"}, {"one image"}, {"largest operation"}, {"inference arena"}, {"training arena"}, {"all activations"}});
  for (const ModelCosts& m : c.models) {
    table.add({m.config.name, mib(static_cast<double>(m.one_image)), mib(static_cast<double>(m.largest_operation)),
               mib(static_cast<double>(m.inference_arena)), mib(static_cast<double>(m.training_arena)),
               mib(static_cast<double>(m.activations))});
  }
  return table;
}

Table intensity_table(const Comparison& c) {
  std::vector<Table::Column> columns = {{"model"}, {"mode", true}};
  const auto shown = [](std::int64_t batch) { return batch == 1 || batch == 8 || batch == 32 || batch == 128; };
  for (const BatchIntensity& at : c.models.front().intensities) {
    if (shown(at.batch)) columns.push_back({concat("batch ", at.batch)});
  }
  if (c.ceilings) columns.push_back({"batch at the ridge"});
  Table table(columns);
  for (const ModelCosts& m : c.models) {
    for (const auto& [name, intensity] :
         {std::pair{"inference", &BatchIntensity::inference}, std::pair{"training", &BatchIntensity::training}}) {
      std::vector<std::string> row = {m.config.name, name};
      for (const BatchIntensity& at : m.intensities) {
        if (shown(at.batch)) row.push_back(fixed(at.*intensity, 1));
      }
      if (c.ceilings) {
        const std::int64_t batch = m.batch_for(c.ceilings->ridge(), intensity);
        row.push_back(batch > 0 ? std::to_string(batch) : concat("over ", m.intensities.back().batch));
      }
      table.add(std::move(row));
    }
  }
  return table;
}

Table time_table(const Comparison& c, std::int64_t batch) {
  Table table({{"model"},
               {"mode", true},
               {"ms per step"},
               {"images/s"},
               {"GFLOP/s"},
               {"GB/s"},
               {"roof, ms"},
               {"roof / measured"}});
  for (const ModelCosts& m : c.models) {
    const auto add = [&](const char* mode, const Work& work, double least) {
      table.add({m.config.name, mode, fixed(1e3 * work.seconds, 1), fixed(static_cast<double>(batch) / work.seconds, 1),
                 giga(work.flops / work.seconds), giga(work.bytes / work.seconds), fixed(1e3 * least, 1),
                 fixed(100.0 * least / work.seconds, 0) + " %"});
    };
    add("inference", m.inference, m.inference_least_seconds);
    add("training", m.training, m.training_least_seconds);
  }
  return table;
}

std::string command(const Options& o) {
  std::string models;
  for (const std::string& model : o.models) models += (models.empty() ? "" : ",") + model;
  return concat(o.program, " --models ", models, " --image-size ", o.image_size, " --channels ", o.channels,
                " --classes ", o.classes, " --device ", o.device, " --threads ", o.threads, " --batch ", o.cost.batch,
                o.count_only ? " --count-only" : concat(" --seconds ", o.cost.seconds));
}

std::string ceilings_text(const Comparison& c, const Options& o) {
  const Ceilings& roof = *c.ceilings;
  std::string text = concat("Ceilings, measured in the same run: a copy of ", (o.cost.copied * 4) >> 20, " MiB moves ",
                            giga(roof.copy), " GB/s (read and written); an f32 product of ", o.cost.extent, "x",
                            o.cost.extent, " matrices runs at ", giga(roof.product), " GFLOP/s");
  if (roof.convolution > 0.0) {
    text += concat(", a ", kConvolution.kernel, "x", kConvolution.kernel, " convolution of ", kConvolution.images, "x",
                   kConvolution.channels, "x", kConvolution.size, "x", kConvolution.size,
                   " to the same number of channels at ", giga(roof.convolution),
                   " GFLOP/s; the faster of the two is the roof");
  }
  return text + concat("; the ridge is at ", fixed(roof.ridge(), 1), " FLOP per byte.");
}

std::string text_of(const Comparison& c, const Options& o) {
  std::string text = measured_on(c.device) + "\n\n" + count_table(c).text() +
                     concat("\nMiB, batch ", o.cost.batch, "\n") + memory_table(c).text() + "\nFLOP per byte\n" +
                     intensity_table(c).text();
  if (c.ceilings) text += "\n" + ceilings_text(c, o) + "\n" + time_table(c, o.cost.batch).text();
  return text;
}

Json json_of(const Work& work, bool timed) {
  Json json = {{"flops", work.flops}, {"bytes", work.bytes}};
  if (timed) json["seconds"] = work.seconds;
  return json;
}

Json json_of(const Comparison& c, const Options& o) {
  const bool timed = c.ceilings.has_value();
  Json models = Json::array();
  for (const ModelCosts& m : c.models) {
    Json intensities = Json::array(), layers = Json::array();
    for (const BatchIntensity& at : m.intensities) {
      intensities.push_back({{"batch", at.batch}, {"inference", at.inference}, {"training", at.training}});
    }
    for (const LayerCosts& layer : m.layers) {
      layers.push_back({{"layer", layer.name},
                        {"inference", json_of(layer.inference, timed)},
                        {"training", json_of(layer.training, timed)}});
    }
    const Shape& x = m.config.input;
    models.push_back({{"model", m.config.name},
                      {"input", {x[0], x[1], x[2]}},
                      {"classes", m.config.classes},
                      {"parameters", m.parameters},
                      {"macs", {{"inference", m.inference_macs}, {"training", m.training_macs}}},
                      {"bytes",
                       {{"one_image", m.one_image},
                        {"largest_operation", m.largest_operation},
                        {"inference_arena", m.inference_arena},
                        {"training_arena", m.training_arena},
                        {"activations", m.activations}}},
                      {"flop_per_byte", std::move(intensities)},
                      {"inference", json_of(m.inference, timed)},
                      {"training", json_of(m.training, timed)},
                      {"layers", std::move(layers)}});
    if (timed) {
      models.back()["inference"]["roof_seconds"] = m.inference_least_seconds;
      models.back()["training"]["roof_seconds"] = m.training_least_seconds;
    }
  }
  Json json = {{"what", "compare_models"},  {"command", command(o)}, {"date", today()},
               {"machine", machine_name()}, {"device", c.device},    {"compiler", compiler_name()},
               {"batch", o.cost.batch},     {"ceilings", Json()},    {"models", std::move(models)}};
  if (timed) {
    json["ceilings"] = {{"copy_bytes_per_s", c.ceilings->copy},
                        {"product_flop_per_s", c.ceilings->product},
                        {"convolution_flop_per_s", c.ceilings->convolution}};
  }
  return json;
}

void run(const Options& o) {
  const Shape size = parse_image_size(o.image_size);
  std::vector<ModelConfig> configs;
  for (const std::string& name : o.models) {
    configs.push_back({.name = name, .input = {o.channels, size[0], size[1]}, .classes = o.classes});
    make_model(configs.back());  // reports an invalid configuration before any measurement
  }
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads);
  std::optional<ResultFolder> folder;
  if (!o.out.empty()) {
    folder.emplace(o.out, kNumbers, o.overwrite);
  }

  Comparison comparison = {.models = {}, .ceilings = std::nullopt, .device = backend->description()};
  if (!o.count_only) comparison.ceilings = measure_ceilings(*backend, o.cost);
  for (const ModelConfig& config : configs) {
    comparison.models.push_back(count_costs(config, *backend, o.cost));
    if (comparison.ceilings) measure_costs(comparison.models.back(), *backend, *comparison.ceilings, o.cost);
  }
  const std::string json = json_of(comparison, o).dump(1) + "\n";
  deliver(folder ? &*folder : nullptr, json, o.json ? json : text_of(comparison, o));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.program = argv[0];
  CommandLine command_line("Compares the costs of models: parameters, arithmetic, memory, traffic and time.",
                           "compare_models");
  command_line.add_option("--models", o.models, "comma-separated model names")
      .list()
      .default_text("alexnet,vgg11,nin,googlenet");
  command_line.add_option("--image-size", o.image_size, "image size for all models: 224, or 224x192 (height x width)");
  command_line.add_option("--channels", o.channels, "channels of the images").range(1, 1024);
  command_line.add_option("--classes", o.classes, "number of classifier outputs").range(1, 1'000'000);
  command_line.add_option("--device", o.device, "cpu, cuda or reference");
  command_line.add_option("--threads", o.threads, "cpu: threads (0: all cores)").default_text("0");
  command_line.add_option("--batch", o.cost.batch, "images per step").range(1, 1'000'000);
  command_line.add_option("--seconds", o.cost.seconds, "duration of each measurement, with at least three repetitions")
      .range(0.0, 600.0);
  command_line
      .add_option("--product", o.cost.extent, "size of the square matrices whose product gives the compute ceiling")
      .range(1, 65'536);
  command_line
      .add_option("--copy", o.cost.copied,
                  "number of f32 values whose copy gives the bandwidth ceiling; must exceed the caches")
      .range(1, 1 << 30);
  command_line.add_flag("--count-only", o.count_only, "only count; do not measure times");
  command_line.add_flag("--json", o.json, "print JSON instead of tables");
  command_line.add_option("--out", o.out, "folder for compare_models.json, the input of studies/draw.py")
      .default_text("");
  command_line.add_flag("--overwrite", o.overwrite, "replace existing files");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { run(o); });
}
