/// Writing and reading of metrics.jsonl.

#include "training/metrics.h"
#include "core/error.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <limits>
#include <sstream>

namespace minception {
namespace {

using Json = nlohmann::ordered_json;

/// nlohmann/json writes NaN and infinity as null; invalid UTF-8 becomes replacement characters.
std::string one_line(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json& member(const Json& line, const char* name) {
  const auto found = line.find(name);
  require(found != line.end(), "has no \"", name, "\"");
  return *found;
}

double number_of(const Json& value, const std::string& name) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  require(value.is_number(), "\"", name, "\" is ", one_line(value), ", not a number");
  return value.get<double>();
}

double number(const Json& line, const char* name) { return number_of(member(line, name), name); }

std::int64_t count(const Json& line, const char* name) {
  const Json& value = member(line, name);
  // A count beyond the range of int64 would convert to a negative number.
  require(value.is_number_integer() && value.get<std::int64_t>() >= 0, "\"", name, "\" is ", one_line(value),
          ", not a count");
  return value.get<std::int64_t>();
}

StepMetrics step_of(const Json& line) {
  StepMetrics metrics = {.epoch = count(line, "epoch"),
                         .step = count(line, "step"),
                         .learning_rate = number(line, "learning_rate"),
                         .momentum = number(line, "momentum"),
                         .loss = number(line, "loss"),
                         .accuracy = number(line, "accuracy"),
                         .examples_per_second = number(line, "examples_per_second"),
                         .gradient_norm = number(line, "gradient_norm")};
  const Json& norms = member(line, "gradient_norms");
  require(norms.is_object(), "\"gradient_norms\" is not an object");
  for (const auto& [layer, norm] : norms.items()) metrics.gradient_norms.emplace_back(layer, number_of(norm, layer));
  const auto auxiliary = line.find("auxiliary");
  if (auxiliary == line.end()) return metrics;
  require(auxiliary->is_object(), "\"auxiliary\" is not an object");
  for (const auto& [head, values] : auxiliary->items()) {
    require(values.is_object(), "\"", head, "\" in \"auxiliary\" is not an object");
    metrics.auxiliary.push_back({head, number(values, "loss"), number(values, "accuracy")});
  }
  return metrics;
}

EpochMetrics epoch_of(const Json& line) {
  const Part part = line.contains("validation_loss") ? Part::validation : Part::test;
  const std::string prefix = to_string(part);
  return {.epoch = count(line, "epoch"),
          .step = count(line, "step"),
          .learning_rate = number(line, "learning_rate"),
          .train_loss = number(line, "train_loss"),
          .train_accuracy = number(line, "train_accuracy"),
          .part = part,
          .eval_loss = number(line, (prefix + "_loss").c_str()),
          .eval_accuracy = number(line, (prefix + "_accuracy").c_str()),
          .eval_top5 = number(line, (prefix + "_top5").c_str()),
          .examples_per_second = number(line, "examples_per_second"),
          .seconds = number(line, "seconds")};
}

TestMetrics test_of(const Json& line) {
  return {.epoch = count(line, "epoch"),
          .step = count(line, "step"),
          .validation_accuracy = number(line, "validation_accuracy"),
          .test_loss = number(line, "test_loss"),
          .test_accuracy = number(line, "test_accuracy"),
          .test_top5 = number(line, "test_top5")};
}

Notice notice_of(const Json& line) {
  const Json& text = member(line, "text");
  require(text.is_string(), "\"text\" is not a string");
  return {.epoch = count(line, "epoch"), .step = count(line, "step"), .text = text.get<std::string>()};
}

void add_line(Metrics& metrics, const std::string& text) {
  Json line;
  try {
    line = Json::parse(text);
  } catch (const Json::exception&) {
    fail("is not JSON");
  }
  require(line.is_object(), "is not a JSON object");
  const Json& event = member(line, "event");
  if (event == "step") {
    metrics.steps.push_back(step_of(line));
  } else if (event == "epoch") {
    metrics.epochs.push_back(epoch_of(line));
  } else if (event == "test") {
    metrics.tests.push_back(test_of(line));
  } else if (event == "notice") {
    metrics.notices.push_back(notice_of(line));
  } else {
    fail("has the event ", one_line(event), "; use \"step\", \"epoch\", \"test\" or \"notice\"");
  }
}

}  // namespace

std::string to_json_line(const StepMetrics& metrics) {
  Json norms = Json::object();
  for (const auto& [layer, norm] : metrics.gradient_norms) norms[layer] = norm;
  Json json = {{"event", "step"},
               {"epoch", metrics.epoch},
               {"step", metrics.step},
               {"learning_rate", metrics.learning_rate},
               {"momentum", metrics.momentum},
               {"loss", metrics.loss},
               {"accuracy", metrics.accuracy},
               {"examples_per_second", metrics.examples_per_second},
               {"gradient_norm", metrics.gradient_norm},
               {"gradient_norms", std::move(norms)}};
  for (const StepMetrics::Auxiliary& head : metrics.auxiliary) {
    json["auxiliary"][head.head] = {{"loss", head.loss}, {"accuracy", head.accuracy}};
  }
  return one_line(json);
}

std::string to_json_line(const EpochMetrics& metrics) {
  const std::string prefix = to_string(metrics.part);
  return one_line({{"event", "epoch"},
                   {"epoch", metrics.epoch},
                   {"step", metrics.step},
                   {"learning_rate", metrics.learning_rate},
                   {"train_loss", metrics.train_loss},
                   {"train_accuracy", metrics.train_accuracy},
                   {prefix + "_loss", metrics.eval_loss},
                   {prefix + "_accuracy", metrics.eval_accuracy},
                   {prefix + "_top5", metrics.eval_top5},
                   {"examples_per_second", metrics.examples_per_second},
                   {"seconds", metrics.seconds}});
}

std::string to_json_line(const TestMetrics& metrics) {
  return one_line({{"event", "test"},
                   {"epoch", metrics.epoch},
                   {"step", metrics.step},
                   {"validation_accuracy", metrics.validation_accuracy},
                   {"test_loss", metrics.test_loss},
                   {"test_accuracy", metrics.test_accuracy},
                   {"test_top5", metrics.test_top5}});
}

std::string to_json_line(const Notice& notice) {
  return one_line({{"event", "notice"}, {"epoch", notice.epoch}, {"step", notice.step}, {"text", notice.text}});
}

const EpochMetrics* Metrics::best_epoch() const {
  const EpochMetrics* best = nullptr;
  for (const EpochMetrics& epoch : epochs) {
    if (best == nullptr || is_better(epoch, *best)) best = &epoch;
  }
  return best;
}

Metrics read_metrics(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), path.string(), ": cannot be opened: is it the metrics.jsonl of a run folder?");
  std::ostringstream bytes;
  if (file.peek() != std::ifstream::traits_type::eof()) bytes << file.rdbuf();
  require(!file.bad() && !bytes.bad(), path.string(), ": cannot be read");
  const std::string content = bytes.str();

  Metrics metrics;
  std::size_t begin = 0;
  for (std::int64_t number = 1; begin < content.size(); ++number) {
    const std::size_t end = content.find('\n', begin);
    if (end == std::string::npos) break;
    try {
      add_line(metrics, content.substr(begin, end - begin));
    } catch (const Error& error) {
      fail(path.string(), ": line ", number, " ", error.what());
    }
    begin = end + 1;
  }
  return metrics;
}

}  // namespace minception
