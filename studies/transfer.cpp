/// Measures transfer learning: a network pretrained on some classes of a data set learns the other classes from
/// scratch, by fine-tuning the whole network, and by training a new head only; with all images of a class and with few.
/// Prints tables and writes the numbers as JSON.

#include "core/error.h"
#include "data/subset.h"
#include "models/registry.h"
#include "models/weights_file.h"
#include "studies/measure.h"
#include "studies/study.h"
#include "studies/study_training.h"
#include "tools/program.h"
#include "training/report/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace minception;
using report::fixed;
using report::grouped;
using Json = nlohmann::ordered_json;
using Weights = std::map<std::string, FileTensor>;

namespace {

struct Options : StudyOptions {
  std::string model = "googlenet_bn";
  std::vector<std::int32_t> first = {0, 1, 2, 3, 4};
  std::int64_t epochs = 2, pretrain_epochs = 2;
  double rate = 0.1, fine_tune_rate = 0.02, head_rate = 0.1;
  std::vector<std::string> limits = {"50", "500", "all"};
  std::int64_t least_steps = 100, tests = 8, timed_steps = 20;
};

constexpr const char* kNumbers = "transfer.json";

/// Ways to learn the second task.
enum Way : std::size_t { scratch, fine_tuned, head_only };
constexpr std::array<Way, 3> kWays = {scratch, fine_tuned, head_only};
constexpr std::array<const char*, 3> kNames = {"from scratch", "fine-tuned", "head only"};

double rate_of(const Options& o, Way way) {
  return way == scratch ? o.rate : way == fine_tuned ? o.fine_tune_rate : o.head_rate;
}

/// Cost of one way.
struct Cost {
  std::int64_t trained = 0;  ///< number of trained parameters
  double step_seconds = 0.0;
  std::size_t memory = 0;  ///< in bytes
};

/// The second task with a limited number of images per class.
struct Trial {
  std::optional<std::int64_t> per_class;  ///< nullopt: all images
  std::int64_t images = 0, epochs = 0;
  std::array<std::vector<TestPoint>, 3> points;  ///< indexed by Way

  double accuracy(Way way) const { return points[way].back().accuracy; }
  /// Images per class; the average if all images are used.
  double images_per_class(std::int64_t classes) const {
    return per_class ? static_cast<double>(*per_class) : static_cast<double>(images) / static_cast<double>(classes);
  }
};

struct Study {
  Dataset first, second;
  std::string device;
  std::int64_t parameters = 0;
  std::vector<TestPoint> pretraining;
  std::array<Cost, 3> costs;
  std::size_t planned = 0;  ///< number of planned trials
  std::vector<Trial> trials;

  std::int64_t classes() const { return static_cast<std::int64_t>(second.train.class_names.size()); }
};

std::string limit_name(const Trial& t) { return t.per_class ? grouped(*t.per_class) : "all"; }

/// Parses "50" or "all".
std::optional<std::int64_t> parse_limit(const std::string& text) {
  if (text == "all") return std::nullopt;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  require(error == std::errc() && end == text.data() + text.size() && count >= 1, "--limit-per-class ", text,
          ": must be 1 or more, or all");
  return count;
}

ImageDataset limited(const ImageDataset& dataset, std::optional<std::int64_t> per_class) {
  if (!per_class) return dataset;
  try {
    return keep_per_class(dataset, *per_class);
  } catch (const Error& error) {
    fail("--limit-per-class: ", error.what());
  }
}

/// Splits the data into two tasks: the classes of --first, and all others.
void split(Study& study, const Options& o, const Dataset& dataset) {
  std::vector<std::int32_t> others;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(dataset.train.class_names.size()); ++c) {
    if (std::find(o.first.begin(), o.first.end(), c) == o.first.end()) others.push_back(c);
  }
  try {
    study.first = {dataset.name, keep_classes(dataset.train, o.first), keep_classes(dataset.test, o.first)};
    require(o.first.size() >= 2 && others.size() >= 2, "leaves ", o.first.size(), " classes for the first task and ",
            others.size(), " for the second; each needs 2 or more");
    study.second = {dataset.name, keep_classes(dataset.train, others), keep_classes(dataset.test, others)};
  } catch (const Error& error) {
    fail("--first: ", error.what());
  }
  for (const ImageDataset* part : {&study.first.train, &study.first.test, &study.second.train, &study.second.test}) {
    require(part->size() > 0, "--first: one of the two tasks has no images left; raise --limit-train or --limit-test");
  }
}

/// Creates the network for one way. All ways start with the same initial head.
std::unique_ptr<Network> make_network(Way way, const Options& o, const Study& study, const Weights& pretrained,
                                      Backend& backend, double learning_rate) {
  const ModelConfig config = model_config(o, o.model, study.second);
  std::vector<std::string> frozen;
  if (way == head_only) {
    NetworkOptions options = network_options(o, study.second.train.image, learning_rate);
    options.plan_only = true;
    const Network planned(make_model(config), backend, options);
    const std::vector<std::string> head = head_parameters(planned);
    for (const Parameter& parameter : planned.parameters().all()) {
      const bool in_head = std::find(head.begin(), head.end(), parameter.name) != head.end();
      if (!in_head && parameter.trained()) frozen.push_back(parameter.name);
    }
  }
  auto network = std::make_unique<Network>(
      make_model(config), backend, network_options(o, study.second.train.image, learning_rate, std::move(frozen)));
  network->initialize(parse_initialization(o.initialization), static_cast<std::uint64_t>(o.seed));
  if (way != scratch) load_all_but_heads(*network, pretrained);
  return network;
}

/// Times steps of the three ways in alternating rounds, so that other load affects all of them; takes medians.
void measure_costs(Study& study, const Options& o, const Weights& pretrained, Backend& backend) {
  constexpr std::int64_t kRounds = 5, kWarmup = 3;
  const StudyData data(backend, study.second.train, study.second.test);
  const std::int64_t per_round = std::max<std::int64_t>(1, o.timed_steps / kRounds);
  std::vector<std::unique_ptr<Network>> networks;
  std::vector<std::unique_ptr<StudyTraining>> trainings;
  std::array<std::vector<double>, 3> times;
  for (const Way way : kWays) {
    networks.push_back(make_network(way, o, study, pretrained, backend, 0.0));
    study.costs[way] = {.trained = 0, .step_seconds = 0.0, .memory = networks.back()->memory().total};
    for (const Parameter& parameter : networks.back()->parameters().all()) {
      if (parameter.trained() && parameter.updates) study.costs[way].trained += parameter.shape.elements();
    }
    trainings.push_back(
        std::make_unique<StudyTraining>(kNames[way], o, *networks.back(), data, kWarmup + kRounds * per_round));
    trainings.back()->train_to(kWarmup);
  }
  for (std::int64_t round = 1; round <= kRounds; ++round) {
    for (const Way way : kWays) {
      const double before = trainings[way]->seconds();
      trainings[way]->train_to(kWarmup + round * per_round);
      times[way].push_back((trainings[way]->seconds() - before) / static_cast<double>(per_round));
    }
  }
  for (const Way way : kWays) study.costs[way].step_seconds = median(times[way]);
}

/// Step numbers at the ends of `count` evenly spaced epochs (at most all).
std::vector<std::int64_t> epoch_ends(std::int64_t epochs, std::int64_t count, std::int64_t per_epoch) {
  std::vector<std::int64_t> ends = evenly_spaced(epochs, count);
  for (std::int64_t& end : ends) end *= per_epoch;
  return ends;
}

Trial try_ways(const Study& study, const Options& o, std::optional<std::int64_t> per_class, const Weights& pretrained,
               Backend& backend) {
  const StudyData data(backend, limited(study.second.train, per_class), study.second.test);
  const std::int64_t per_epoch = steps_per_epoch(o, data.train_size);
  Trial trial = {.per_class = per_class, .images = data.train_size, .epochs = 0, .points = {}};
  trial.epochs = std::max(o.epochs, (o.least_steps + per_epoch - 1) / per_epoch);
  for (const Way way : kWays) {
    const auto network = make_network(way, o, study, pretrained, backend, rate_of(o, way));
    trial.points[way] = train_and_test(concat(kNames[way], ", ", limit_name(trial), " per class"), o, *network, data,
                                       epoch_ends(trial.epochs, o.tests, per_epoch));
  }
  return trial;
}

Table result_table(const Study& s) {
  Table table({{"images per class"}, {"images"}, {"epochs"}, {"steps"}, {kNames[0]}, {kNames[1]}, {kNames[2]}});
  for (const Trial& t : s.trials) {
    table.add({limit_name(t), grouped(t.images), grouped(t.epochs), grouped(t.points[scratch].back().step),
               accuracy_text(t.accuracy(scratch)), accuracy_text(t.accuracy(fine_tuned)),
               accuracy_text(t.accuracy(head_only))});
  }
  return table;
}

Table epoch_table(const Trial& t) {
  Table table({{"epoch"}, {kNames[0]}, {kNames[1]}, {kNames[2]}});
  for (std::size_t i = 0; i < t.points[scratch].size(); ++i) {
    table.add({report::decimal(t.points[scratch][i].epochs, 2), accuracy_text(t.points[scratch][i].accuracy),
               accuracy_text(t.points[fine_tuned][i].accuracy), accuracy_text(t.points[head_only][i].accuracy)});
  }
  return table;
}

Table cost_table(const Study& s, const Options& o) {
  Table table({{"way"},
               {"learning rate"},
               {"trained parameters"},
               {"ms per step"},
               {"relative to from scratch"},
               {"images/s"},
               {"training memory, MiB"}});
  for (const Way way : kWays) {
    const Cost& cost = s.costs[way];
    table.add({kNames[way], concat(rate_of(o, way)), grouped(cost.trained), fixed(1e3 * cost.step_seconds, 1),
               report::percent(cost.step_seconds / s.costs[scratch].step_seconds, 0),
               fixed(static_cast<double>(std::min(o.batch_size, s.second.train.size())) / cost.step_seconds, 0),
               mib(static_cast<double>(cost.memory))});
  }
  return table;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string command(const Options& o) {
  std::string first, limits;
  for (const std::int32_t c : o.first) first += concat(first.empty() ? "" : ",", c);
  for (const std::string& limit : o.limits) limits += (limits.empty() ? "" : ",") + limit;
  return concat(o.program, " --model ", o.model, " --first ", first, " --pretrain-epochs ", o.pretrain_epochs,
                " --epochs ", o.epochs, " --lr ", o.rate, " --fine-tune-lr ", o.fine_tune_rate, " --head-lr ",
                o.head_rate, " --limit-per-class ", limits, " --least-steps ", o.least_steps, " --tests ", o.tests,
                " --timed-steps ", o.timed_steps, words_of(o));
}

std::string setting(const Study& s, const Options& o) {
  const Shape size = parse_image_size(o.image_size);
  const TestPoint& end = s.pretraining.back();
  return concat(o.model, ", ", s.first.name, " at ", size[0], "x", size[1],
                ". First task: ", listed(s.first.train.class_names), " (", grouped(s.first.train.size()), " images, ",
                o.pretrain_epochs, " epochs; ", accuracy_text(end.accuracy), " of ", grouped(s.first.test.size()),
                o.hold_out > 0 ? " held-out" : " test",
                " images correct after them). Second task: ", listed(s.second.train.class_names), " (",
                grouped(s.second.train.size()), " images, tested on ", grouped(s.second.test.size()), ").",
                s.trials.size() < s.planned ? concat(" Incomplete: ", s.planned - s.trials.size(), " of ", s.planned,
                                                     " values of --limit-per-class are missing.")
                                            : "");
}

std::string text_of(const Study& s, const Options& o) {
  std::string text = concat(measured_on(s.device), "\n", setting(s, o), "\n\nTest accuracy on the second task\n",
                            result_table(s).text());
  for (const Trial& t : s.trials) {
    text += concat("\nTest accuracy by epoch, ", limit_name(t), " images per class\n", epoch_table(t).text());
  }
  return text + "\n" + cost_table(s, o).text();
}

Json json_of(const Study& s, const Options& o) {
  Json trials = Json::array(), costs = Json::array();
  for (const Trial& t : s.trials) {
    Json ways = Json::array();
    for (const Way way : kWays) ways.push_back({{"way", kNames[way]}, {"tests", to_json(t.points[way])}});
    trials.push_back({{"images_per_class", t.per_class ? Json(*t.per_class) : Json("all")},
                      {"images", t.images},
                      {"epochs", t.epochs},
                      {"ways", std::move(ways)}});
  }
  for (const Way way : kWays) {
    costs.push_back({{"way", kNames[way]},
                     {"learning_rate", rate_of(o, way)},
                     {"trained_parameters", s.costs[way].trained},
                     {"step_seconds", s.costs[way].step_seconds},
                     {"training_bytes", s.costs[way].memory}});
  }
  return {{"what", "transfer"},
          {"command", command(o)},
          {"date", today()},
          {"machine", machine_name()},
          {"device", s.device},
          {"compiler", compiler_name()},
          {"complete", s.trials.size() == s.planned},
          {"model", o.model},
          {"recipe", to_json(static_cast<const StudyOptions&>(o))},
          {"first", {{"classes", s.first.train.class_names}, {"tests", to_json(s.pretraining)}}},
          {"second", {{"classes", s.second.train.class_names}, {"trials", std::move(trials)}}},
          {"costs", std::move(costs)}};
}

std::string json_text(const Study& s, const Options& o) { return json_of(s, o).dump(1) + "\n"; }

void run(const Options& o) {
  const Initialization initialization = parse_initialization(o.initialization);
  std::vector<std::optional<std::int64_t>> limits;
  for (const std::string& limit : o.limits) limits.push_back(parse_limit(limit));
  Study study;
  split(study, o, load_dataset(o));
  // Sorted from few to many without duplicates; invalid limits are reported before any training.
  std::sort(limits.begin(), limits.end(), [](const auto& a, const auto& b) { return a && (!b || *a < *b); });
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  for (const auto& limit : limits) limited(study.second.train, limit);
  study.planned = limits.size();
  const std::unique_ptr<Backend> backend = make_device(o.device, o.threads);
  study.device = backend->description();
  Model model = make_model(model_config(o, o.model, study.first));
  for (const std::string& warning : model.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  stop_between_steps();
  std::optional<ResultFolder> folder;
  if (!o.out.empty()) folder.emplace(o.out, kNumbers, o.overwrite);

  const ResultFolder* const out = folder ? &*folder : nullptr;
  std::string problem;
  try {
    Weights pretrained;
    {
      Network network(std::move(model), *backend, network_options(o, study.first.train.image, o.rate));
      network.initialize(initialization, static_cast<std::uint64_t>(o.seed));
      // Times steps first: they do not depend on the values of the weights, and the machine is still idle.
      measure_costs(study, o, network.state(), *backend);
      const StudyData data(*backend, study.first.train, study.first.test);
      study.pretraining = train_and_test("first task", o, network, data,
                                         epoch_ends(o.pretrain_epochs, o.tests, steps_per_epoch(o, data.train_size)));
      pretrained = network.state();
    }
    for (const auto& limit : limits) {
      study.trials.push_back(try_ways(study, o, limit, pretrained, *backend));
      // Saves finished results even if a later run fails. Errors are reported at the end.
      if (folder && study.trials.size() < limits.size()) folder->write(json_text(study, o));
    }
  } catch (const Error& error) {
    problem = error.what();
  }
  if (!study.trials.empty()) deliver(out, json_text(study, o), o.json ? json_text(study, o) : text_of(study, o));
  if (problem.empty()) return;
  std::string left;
  for (std::size_t i = study.trials.size(); i < limits.size(); ++i) {
    left += concat(left.empty() ? "" : ",", limits[i] ? concat(*limits[i]) : "all");
  }
  fail_unfinished(problem, study.trials.size(), "values of --limit-per-class", out, "--limit-per-class " + left);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.program = argv[0];
  CommandLine command_line(
      "Trains on some classes, then on the others: from scratch, fine-tuned and with a new head only.", "transfer");
  declare(command_line, o);
  ignore_output_signals();
  const auto list = [&](const char* name, auto& member, const char* what, const char* default_text) {
    return command_line.add_option(name, member, what).list().default_text(default_text);
  };
  const auto number = [&](const char* name, auto& member, const char* what, std::int64_t least) {
    command_line.add_option(name, member, what).range(least, std::int64_t{1'000'000});
  };
  const auto rate = [&](const char* name, double& member, const char* what) {
    command_line.add_option(name, member, what).range(1e-12, 1e6);
  };
  command_line.add_option("--model", o.model, "model name: docs/models.md");
  list("--first", o.first, "classes of the first task; the second has all others", "0,1,2,3,4");
  number("--pretrain-epochs", o.pretrain_epochs, "passes over the images of the first task", 1);
  number("--epochs", o.epochs, "passes over the images of the second task", 1);
  rate("--lr", o.rate, "learning rate (with one-cycle the maximum) of the first task and of training from scratch");
  rate("--fine-tune-lr", o.fine_tune_rate, "learning rate of fine-tuning");
  rate("--head-lr", o.head_rate, "learning rate of training only a new head");
  list("--limit-per-class", o.limits, "images per class in the second task: numbers, or all", "50,500,all");
  number("--least-steps", o.least_steps,
         "minimum number of steps; with few images the number of epochs is raised to reach it", 0);
  number("--tests", o.tests, "maximum number of tests, each after an epoch", 1);
  number("--timed-steps", o.timed_steps, "number of steps to time for each way", 1);
  return exit_code(command_line.run(argc, argv, [&] { run(o); }));
}
