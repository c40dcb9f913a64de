/// Trains several models with one recipe under the same budget of time or epochs, and compares their accuracy.
/// Prints tables and writes the numbers as JSON.

#include "core/error.h"
#include "models/registry.h"
#include "studies/study.h"
#include "studies/study_training.h"
#include "tools/program.h"
#include "training/report/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace minception;
using report::fixed;
using report::grouped;
using Json = nlohmann::ordered_json;

namespace {

struct Options : StudyOptions {
  std::vector<std::string> models = {"googlenet", "googlenet_bn", "googlenet_v2", "googlenet_v3", "googlenet_residual"};
  double minutes = 0.0, epochs = 0.0;  // exactly one is above 0
  std::int64_t timed_steps = 20;
  std::vector<std::string> rates = {"0.1", "googlenet=0.02"};
  std::int64_t tests = 8;
};

constexpr const char* kNumbers = "compare_variants.json";

/// A model and the results of its training.
struct Variant {
  ModelConfig config;
  std::int64_t parameters = 0, macs = 0;  ///< macs: inference of one image
  std::size_t memory = 0;                 ///< bytes allocated for training
  double learning_rate = 0.0;
  std::optional<double> step_seconds;  ///< measured beforehand for a time budget
  std::vector<TestPoint> points;

  const TestPoint& last() const { return points.back(); }
  double images_per_second() const { return static_cast<double>(last().images) / last().seconds; }
};

struct Comparison {
  std::vector<Variant> variants;
  std::string dataset, device;
  std::int64_t train_size = 0, test_size = 0;
};

/// Learning rate of each model. "0.1" applies to all models, "googlenet=0.02" to one.
std::map<std::string, double> rates_by_model(const Options& o) {
  std::map<std::string, double> rates;
  std::optional<double> general;
  for (const std::string& text : o.rates) {
    const std::size_t equals = text.find('=');
    const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
    char* end = nullptr;
    const double rate = std::strtod(number.c_str(), &end);
    require(end != number.c_str() && *end == '\0' && rate > 0.0 && std::isfinite(static_cast<float>(rate)), "--lr ",
            text, ": use a number above 0 for all models, or NAME=NUMBER for one model");
    if (equals == std::string::npos) {
      general = rate;
    } else {
      default_config(text.substr(0, equals));  // throws Error that lists the known names
      rates[text.substr(0, equals)] = rate;
    }
  }
  for (const std::string& model : o.models) {
    if (rates.contains(model)) continue;
    require(general.has_value(), "--lr: has no rate for ", model, "; add a number for all models not listed");
    rates[model] = *general;
  }
  return rates;
}

/// Costs that are known without training. Throws Error if the model does not accept the images.
Variant describe(const Options& o, const ModelConfig& config, double rate, const Shape& image, Backend& backend) {
  NetworkOptions options = network_options(o, image, rate);
  options.plan_only = true;
  Model model = make_model(config);
  for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  const Network network(std::move(model), backend, options);
  const auto reference = make_reference_backend();
  const Network one_image(make_model(config), *reference, {.max_batch = 1, .training = false, .plan_only = true});
  std::int64_t macs = 0;
  for (const Step& step : one_image.plan(Mode::inference).steps()) macs += multiply_accumulates(step.operation);
  return {.config = config,
          .parameters = network.parameters().trained_values(),
          .macs = macs,
          .memory = network.memory().total,
          .learning_rate = rate,
          .step_seconds = std::nullopt,
          .points = {}};
}

void train(Variant& v, const std::string& name, const Options& o, Backend& backend, const StudyData& data) {
  std::int64_t steps = std::llround(o.epochs * static_cast<double>(steps_per_epoch(o, data.train_size)));
  if (o.minutes > 0.0) {
    v.step_seconds = measure_step_seconds(o, v.config, backend, data, o.timed_steps);
    steps = std::llround(60.0 * o.minutes / *v.step_seconds);
  }
  Network network(make_model(v.config), backend, network_options(o, data.image, v.learning_rate));
  network.initialize(parse_initialization(o.initialization), static_cast<std::uint64_t>(o.seed));
  v.points = train_and_test(name, o, network, data, evenly_spaced(std::max<std::int64_t>(steps, 1), o.tests));
}

std::string budget_text(const Options& o) {
  return o.minutes > 0.0 ? concat(o.minutes, o.minutes == 1.0 ? " minute" : " minutes", " of training steps")
                         : concat(o.epochs, o.epochs == 1.0 ? " epoch" : " epochs");
}

Table model_table(const Comparison& c) {
  Table table({{"model"},
               {"parameters"},
               {"MMAC, inference"},
               {"training memory, MiB"},
               {"learning rate"},
               {"images/s"},
               {"seconds"},
               {"steps"},
               {"epochs"},
               {"test accuracy"},
               {"test loss"}});
  for (const Variant& v : c.variants) {
    table.add({v.config.name, grouped(v.parameters), fixed(static_cast<double>(v.macs) / 1e6, 1),
               mib(static_cast<double>(v.memory)), concat(v.learning_rate), fixed(v.images_per_second(), 0),
               fixed(v.last().seconds, 1), grouped(v.last().step), fixed(v.last().epochs, 2),
               accuracy_text(v.last().accuracy), fixed(v.last().loss, 4)});
  }
  return table;
}

/// Accuracy at every test. Models that run very few steps have fewer tests: their remaining cells stay empty.
Table accuracy_table(const Comparison& c) {
  std::size_t most = 0;
  for (const Variant& v : c.variants) most = std::max(most, v.points.size());
  std::vector<Table::Column> columns = {{"model"}};
  for (std::size_t i = 1; i <= most; ++i) {
    columns.push_back({report::percent(static_cast<double>(i) / static_cast<double>(most), 0)});
  }
  Table table(columns);
  for (const Variant& v : c.variants) {
    std::vector<std::string> row = {v.config.name};
    for (const TestPoint& at : v.points) row.push_back(accuracy_text(at.accuracy));
    row.resize(columns.size());
    table.add(std::move(row));
  }
  return table;
}

std::string command(const Options& o) {
  std::string models, rates;
  for (const std::string& model : o.models) models += (models.empty() ? "" : ",") + model;
  for (const std::string& rate : o.rates) rates += (rates.empty() ? "" : ",") + rate;
  return concat(o.program, " --models ", models,
                o.minutes > 0.0 ? concat(" --minutes ", o.minutes, " --timed-steps ", o.timed_steps)
                                : concat(" --epochs ", o.epochs),
                " --lr ", rates, " --tests ", o.tests, words_of(o));
}

/// Requested models that are not in the results; "" if none is missing.
std::string missing(const Comparison& c, const Options& o, const char* separator) {
  std::string names;
  for (std::size_t i = c.variants.size(); i < o.models.size(); ++i) {
    names += (names.empty() ? "" : separator) + o.models[i];
  }
  return names;
}

std::string setting(const Comparison& c, const Options& o) {
  const std::string unfinished = missing(c, o, ", ");
  return concat(c.dataset, ", ", grouped(c.train_size), " training images at ", c.variants.front().config.input[1], "x",
                c.variants.front().config.input[2], ", tested on ", grouped(c.test_size),
                o.hold_out > 0 ? " held-out images" : "", "; ", budget_text(o), " for each model.",
                unfinished.empty() ? "" : concat(" Incomplete: missing ", unfinished, "."));
}

std::string text_of(const Comparison& c, const Options& o) {
  return concat(measured_on(c.device), "\n", setting(c, o), "\n\n", model_table(c).text(),
                "\nTest accuracy over the budget\n", accuracy_table(c).text());
}

Json json_of(const Comparison& c, const Options& o) {
  Json models = Json::array();
  for (const Variant& v : c.variants) {
    const Shape& x = v.config.input;
    models.push_back({{"model", v.config.name},
                      {"input", {x[0], x[1], x[2]}},
                      {"classes", v.config.classes},
                      {"parameters", v.parameters},
                      {"inference_macs", v.macs},
                      {"training_bytes", v.memory},
                      {"learning_rate", v.learning_rate},
                      {"step_seconds_before", v.step_seconds ? Json(*v.step_seconds) : Json()},
                      {"images_per_second", v.images_per_second()},
                      {"tests", to_json(v.points)}});
  }
  return {{"what", "compare_variants"},
          {"command", command(o)},
          {"date", today()},
          {"machine", machine_name()},
          {"device", c.device},
          {"compiler", compiler_name()},
          {"complete", c.variants.size() == o.models.size()},
          {"budget", o.minutes > 0.0 ? Json({{"minutes", o.minutes}}) : Json({{"epochs", o.epochs}})},
          {"recipe", to_json(static_cast<const StudyOptions&>(o))},
          {"train_images", c.train_size},
          {"test_images", c.test_size},
          {"models", std::move(models)}};
}

std::string json_text(const Comparison& c, const Options& o) { return json_of(c, o).dump(1) + "\n"; }

void run(const Options& o) {
  require((o.minutes > 0.0) != (o.epochs > 0.0), "give either --minutes or --epochs, above 0");
  require(std::set<std::string>(o.models.begin(), o.models.end()).size() == o.models.size(),
          "--models: a model is listed twice");
  const std::map<std::string, double> rates = rates_by_model(o);
  parse_initialization(o.initialization);
  const Dataset dataset = load_dataset(o);
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads);
  Comparison c = {.variants = {},
                  .dataset = dataset.name,
                  .device = backend->description(),
                  .train_size = dataset.train.size(),
                  .test_size = dataset.test.size()};
  std::vector<Variant> variants;
  for (const std::string& model : o.models) {
    variants.push_back(describe(o, model_config(o, model, dataset), rates.at(model), dataset.train.image, *backend));
  }
  stop_between_steps();
  std::optional<ResultFolder> folder;
  if (!o.out.empty()) folder.emplace(o.out, kNumbers, o.overwrite);
  const ResultFolder* const out = folder ? &*folder : nullptr;
  const StudyData data(*backend, dataset.train, dataset.test);
  std::string problem;
  for (Variant& v : variants) {
    const std::string name = concat(v.config.name, " (", c.variants.size() + 1, "/", variants.size(), ")");
    try {
      train(v, name, o, *backend, data);
    } catch (const Error& error) {
      problem = error.what();
      break;
    }
    c.variants.push_back(std::move(v));
    // Saves finished results even if a later run fails. Errors are reported at the end.
    if (folder && c.variants.size() < variants.size()) folder->write(json_text(c, o));
  }
  if (!c.variants.empty()) deliver(out, json_text(c, o), o.json ? json_text(c, o) : text_of(c, o));
  if (problem.empty()) return;
  fail_unfinished(problem, c.variants.size(), "models", out, "--models " + missing(c, o, ","));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.program = argv[0];
  CommandLine command_line("Trains models with the same budget and compares their accuracy.", "compare_variants");
  declare(command_line, o);
  ignore_output_signals();
  command_line.add_option("--models", o.models, "comma-separated model names: docs/models.md")
      .list()
      .default_text("googlenet,googlenet_bn,googlenet_v2,googlenet_v3,googlenet_residual");
  command_line.add_option("--minutes", o.minutes, "training time budget per model, without tests")
      .range(1e-6, 1e5)
      .default_text("");
  command_line.add_option("--epochs", o.epochs, "instead of --minutes: passes over the training images, such as 0.5")
      .range(1e-6, 1e5)
      .default_text("");
  command_line
      .add_option("--timed-steps", o.timed_steps, "with --minutes: steps to time to find how many fit the budget")
      .range(1, 100'000);
  command_line
      .add_option("--lr", o.rates,
                  "learning rates (with one-cycle the maximum): a number for all models, NAME=NUMBER for one")
      .list()
      .default_text("0.1,googlenet=0.02");
  command_line.add_option("--tests", o.tests, "number of tests per model, evenly spaced over its budget")
      .range(1, 10'000);
  return exit_code(command_line.run(argc, argv, [&] { run(o); }));
}
