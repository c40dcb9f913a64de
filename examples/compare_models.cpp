/// What models cost beside one another: parameters, arithmetic, memory, traffic, and the time of steps under the ceilings of
/// this machine. Leaves a page of tables, the numbers as JSON, and two roofline pictures.

#include <minception/core/error.h>
#include <minception/examples/model_conclusions.h>
#include <minception/examples/model_costs.h>
#include <minception/examples/program.h>
#include <minception/examples/roofline.h>
#include <minception/examples/study.h>
#include <minception/models/registry.h>
#include <minception/training/report/text.h>

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

constexpr const char* kPage = "compare_models.md";
constexpr const char* kNumbers = "compare_models.json";
constexpr const char* kInferencePicture = "compare_models_inference.svg";
constexpr const char* kTrainingPicture = "compare_models_training.svg";

struct Comparison {
  std::vector<ModelCosts> models;
  std::optional<Ceilings> ceilings;  ///< with times
  std::string device;                ///< the backend's description
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
  if (c.ceilings) columns.push_back({"batch for the ridge"});
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

Table layer_table(const ModelCosts& m, const std::optional<Ceilings>& ceilings) {
  std::vector<Table::Column> columns = {{"layer"}};
  for (const char* mode : {"inference", "training"}) {
    for (const char* what : {"GFLOP", "MiB", "FLOP/byte"}) columns.push_back({concat(mode, ", ", what)});
    if (ceilings) columns.insert(columns.end(), {{"ms"}, {"GFLOP/s"}});
  }
  Table table(columns);
  for (const LayerCosts& layer : m.layers) {
    std::vector<std::string> row = {layer.name};
    for (const Work* work : {&layer.inference, &layer.training}) {
      if (work->bytes == 0.0) {
        row.insert(row.end(), ceilings ? 5 : 3, "");
        continue;
      }
      const bool counted = work->flops > 0.0;  // an empty cell: none is counted
      row.insert(row.end(), {counted ? fixed(work->flops / 1e9, 3) : "", mib(work->bytes),
                             counted ? fixed(work->intensity(), 1) : ""});
      if (ceilings) {
        row.insert(row.end(), {fixed(1e3 * work->seconds, 2), counted ? giga(work->flops / work->seconds) : ""});
      }
    }
    table.add(std::move(row));
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
                   kConvolution.channels, "x", kConvolution.size, "x", kConvolution.size, " to as many channels at ",
                   giga(roof.convolution), " GFLOP/s, and the faster of them is the roof");
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

std::string page_of(const Comparison& c, const Options& o) {
  std::string page = "# What the models cost\n\n```sh\n" + command(o) + "\n```\n\n" + measured_on(c.device) + "\n\n";
  if (c.ceilings) page += ceilings_text(c, o) + "\n\n";
  page +=
      "## Parameters and arithmetic\n\nMultiply-accumulates (MAC) of convolutions and fully connected layers for one "
      "image; training: forward and backward.\n\n" +
      count_table(c).markdown();
  page += concat(
      "\n## Memory\n\nIn MiB, f32. \"One image\": the most that is alive at once in the inference of one image, "
      "activations alone. \"Largest operation\": everything that the largest operation of it reads and writes. "
      "The others are for a batch of ",
      o.cost.batch,
      ": the arena holds activations, their gradients and workspace and uses memory again; \"all activations\" "
      "is the sum of those of a training step, without that.\n\n",
      memory_table(c).markdown());
  page +=
      "\n## Arithmetic intensity\n\nFLOP per byte (a MAC is two FLOP) of all operations together. Each operand counts "
      "once per reading and once per writing, as if a cache held all of one operation and nothing from one to the "
      "next." +
      std::string(c.ceilings ? " The last column is the smallest power of two at which the model as a whole reaches "
                               "this machine's ridge."
                             : "") +
      "\n\n" + intensity_table(c).markdown();
  if (c.ceilings) {
    page += concat(
        "\n## Time\n\nWhole steps with a batch of ", o.cost.batch,
        ", medians. \"Roof\": what the step would take if each operation ran at the ceiling above it; GB/s "
        "counts bytes as above.\n\n",
        time_table(c, o.cost.batch).markdown(),
        "\n## Rooflines\n\nEach point is a layer, with all operations of it together. Arithmetic is counted as that "
        "of direct convolutions: where 3x3 filters go in tiles, with fewer multiplications, a layer can lie above "
        "the roof.\n\n![Layers of the models in inference under the roofline of this machine](",
        kInferencePicture, ")\n\n![Layers of the models in training under the roofline of this machine](",
        kTrainingPicture, ")\n");
  }
  page += "\n## What it means for a chip\n\n" + conclusions(c.models, c.ceilings, o.cost.batch) + "\n## By layer\n\n" +
          concat("Batch ", o.cost.batch, ".\n");
  for (const ModelCosts& m : c.models)
    page += "\n### " + m.config.name + "\n\n" + layer_table(m, c.ceilings).markdown();
  return page;
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

std::string picture(const Comparison& c, const Options& o, Work LayerCosts::*mode, const char* name) {
  Roofline roofline = {.title = concat("Layers in ", name, ", batch ", o.cost.batch),
                       .note = concat(machine_name(), ", ", c.device),
                       .copy = c.ceilings->copy,
                       .arithmetic = c.ceilings->arithmetic(),
                       .panels = {}};
  for (const ModelCosts& m : c.models) {
    const Work& all = mode == &LayerCosts::training ? m.training : m.inference;
    RooflinePanel panel = {.title = m.config.name,
                           .note = concat(fixed(1e3 * all.seconds, 0), " ms per step, ",
                                          report::compact(all.flops / all.seconds / 1e9), " GFLOP/s"),
                           .points = {}};
    for (const LayerCosts& layer : m.layers) {
      const Work& work = layer.*mode;
      panel.points.push_back({layer.name, work.intensity(), work.flops / work.seconds});
    }
    roofline.panels.push_back(std::move(panel));
  }
  return roofline_svg(roofline);
}

void run(const Options& o) {
  const Shape size = parse_image_size(o.image_size);
  std::vector<ModelConfig> configs;
  for (const std::string& name : o.models) {
    configs.push_back({.name = name, .input = {o.channels, size[0], size[1]}, .classes = o.classes});
    make_model(configs.back());  // what is wrong with one is said before the others are measured
  }
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads);
  std::optional<ResultFolder> folder;
  if (!o.out.empty()) {
    std::vector<std::string> files = {kPage, kNumbers};
    if (!o.count_only) files.insert(files.end(), {kInferencePicture, kTrainingPicture});
    folder.emplace(o.out, files, o.overwrite);
  }

  Comparison comparison = {.models = {}, .ceilings = std::nullopt, .device = backend->description()};
  if (!o.count_only) comparison.ceilings = measure_ceilings(*backend, o.cost);
  for (const ModelConfig& config : configs) {
    comparison.models.push_back(count_costs(config, *backend, o.cost));
    if (comparison.ceilings) measure_costs(comparison.models.back(), *backend, *comparison.ceilings, o.cost);
  }
  const std::string json = json_of(comparison, o).dump(1) + "\n";
  std::vector<ResultFile> files = {{kPage, page_of(comparison, o)}, {kNumbers, json}};
  if (comparison.ceilings) {
    files.push_back({kInferencePicture, picture(comparison, o, &LayerCosts::inference, "inference")});
    files.push_back({kTrainingPicture, picture(comparison, o, &LayerCosts::training, "training")});
  }
  deliver(folder ? &*folder : nullptr, files, o.json ? json : text_of(comparison, o));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.program = argv[0];
  CommandLine command_line("Compares what models cost: parameters, arithmetic, memory, traffic, time.",
                           "compare_models");
  command_line.add_option("--models", o.models, "names, separated by commas")
      .list()
      .default_text("alexnet,vgg11,nin,googlenet");
  command_line.add_option("--image-size", o.image_size, "of all models: 224, or 224x192 (height x width)");
  command_line.add_option("--channels", o.channels, "of the images").range(1, 1024);
  command_line.add_option("--classes", o.classes, "outputs of the classifiers").range(1, 1'000'000);
  command_line.add_option("--device", o.device, "cpu, cuda or reference");
  command_line.add_option("--threads", o.threads, "cpu: threads (0: all cores)").default_text("0");
  command_line.add_option("--batch", o.cost.batch, "images per step").range(1, 1'000'000);
  command_line.add_option("--seconds", o.cost.seconds, "how long each thing is repeated, three times at least")
      .range(0.0, 600.0);
  command_line.add_option("--product", o.cost.extent, "rows and columns of the matrices whose product is a ceiling")
      .range(1, 65'536);
  command_line.add_option("--copy", o.cost.copied, "f32 values whose copy is a ceiling; more than the caches hold")
      .range(1, 1 << 30);
  command_line.add_flag("--count-only", o.count_only, "measure no times");
  command_line.add_flag("--json", o.json, "print JSON instead of tables");
  command_line
      .add_option("--out", o.out, "folder for tables (Markdown), numbers (JSON) and, with times, pictures (SVG)")
      .default_text("");
  command_line.add_flag("--overwrite", o.overwrite, "replace files that are there already");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] { run(o); });
}
