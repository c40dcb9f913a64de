/// Run reports: their contents, escaping of file contents, and no external requests.

#include "core/error.h"
#include "tests/core/temporary_folder.h"
#include "training/evaluation_record.h"
#include "training/metrics.h"
#include "training/report.h"

#include "tests/catch.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

using namespace minception;
using minception::testing::message_of;
using minception::testing::TemporaryFolder;
using minception::testing::write_file;
namespace fs = std::filesystem;

namespace {

std::string page_of(const std::vector<fs::path>& runs) { return report_html(runs); }
std::string page_of(const fs::path& run) { return page_of(std::vector<fs::path>{run}); }

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// First markup error: an unclosed element, mismatched closing tags, or a misplaced "<" or quote. "" if there is none.
std::string markup_error(const std::string& html) {
  const std::vector<std::string> empty_elements = {"meta", "input", "img", "br", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    const bool closing = html[at + 1] == '/';
    std::size_t end = at + 1 + closing;
    while (end < html.size() && (std::isalnum(static_cast<unsigned char>(html[end])) || html[end] == '!')) ++end;
    std::string name = html.substr(at + 1 + closing, end - at - 1 - closing);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    if (name.empty()) return "a bare < at \"" + html.substr(at, 40) + "\"";
    bool quoted = false;
    for (; end < html.size() && (quoted || html[end] != '>'); ++end) {
      if (html[end] == '"') quoted = !quoted;
      if (!quoted && html[end] == '<') return "a < in the tag \"" + html.substr(at, 40) + "\"";
    }
    if (end == html.size()) return "a tag without end: \"" + html.substr(at, 40) + "\"";
    const bool self_closing = html[end - 1] == '/';
    at = end + 1;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes <" + (open.empty() ? "" : open.back()) + ">";
      open.pop_back();
    } else if (name == "script" || name == "style") {
      const std::size_t close = html.find("</" + name, at);
      if (close == std::string::npos) return name + " without end";
      at = html.find('>', close) + 1;
    } else if (!self_closing && std::find(empty_elements.begin(), empty_elements.end(), name) == empty_elements.end()) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

/// Checks that a page makes no requests and that its markup is well-formed.
void check_page(const std::string& page) {
  CHECK(markup_error(page) == "");
  CHECK_FALSE(contains(page, "http:"));
  CHECK_FALSE(contains(page, "https:"));
  CHECK_FALSE(contains(page, "@import"));
  CHECK_FALSE(contains(page, "url("));
  CHECK_FALSE(contains(page, "<link"));
  CHECK(occurrences(page, "src=\"") == occurrences(page, "src=\"data:image/png;base64,"));
  CHECK(contains(page, "default-src 'none'"));
  CHECK(page.starts_with("<!DOCTYPE html>\n"));
}

constexpr const char* kConfig = R"({"model": "googlenet_bn", "input": [1, 32, 32], "classes": 3, "parameters": 5977530,
 "data": "fashion-mnist", "train_images": 64, "epochs": 4, "batch_size": 16, "learning_rate": 0.1,
 "processor": "A <fast> CPU & \"more\"", "surprise": {"deep": [1, null]}, "options": {"lr": 0.1, "note": "</script><b>"},
 "memory": {"parameters": 1048576, "gradients": 1048576, "optimizer": 0, "packed": 0, "arena": 6291456,
 "activations": 9000000, "activation_gradients": 8000000, "largest_workspace": 500000, "without_reuse": 25165824,
 "live": 6000000, "total": 8388608, "available": 16777216}})";

StepMetrics step_line(std::int64_t step, double loss) {
  return {.epoch = (step + 3) / 4,
          .step = step,
          .learning_rate = 0.1,
          .momentum = 0.9,
          .loss = loss,
          .accuracy = 0.5,
          .examples_per_second = 1000.0,
          .gradient_norm = 2.0,
          .gradient_norms = {{"conv1", 0.5}, {"fc</script>", 1.5}}};
}

EpochMetrics epoch_line(std::int64_t epoch, double accuracy) {
  return {.epoch = epoch,
          .step = 4 * epoch,
          .learning_rate = 0.1,
          .train_loss = 0.75,
          .train_accuracy = 0.6,
          .eval_loss = 0.8125,
          .eval_accuracy = accuracy,
          .eval_top5 = 1.0,
          .examples_per_second = 1234.0,
          .seconds = 65.0};
}

EvaluationRecord a_record() {
  EvaluationRecord record;
  record.data = "fashion-mnist, test";
  record.epoch = 2;
  record.step = 8;
  record.class_names = {"T-shirt & top", "<i>Bag</i>", "\"Boot\""};
  record.evaluation.samples = 40;
  record.evaluation.loss = 0.8125;
  record.evaluation.top1 = 0.75;
  record.evaluation.top5 = 1.0;
  record.evaluation.classes = 3;
  record.evaluation.confusion = {17, 3, 0, 1, 9, 0, 6, 0, 4};
  record.evaluation.mistakes = {{.index = 1234, .label = 0, .predicted = 1, .probability = 0.9876},
                                {.index = 5, .label = 2, .predicted = 0, .probability = 0.5}};
  record.mistake_images = {{0x89, 'P', 'N', 'G', 1, 2, 3}, {0x89, 'P', 'N', 'G', 4, 5, 6}};
  return record;
}

/// A run after two epochs of four steps each.
fs::path write_run(const TemporaryFolder& folder, const std::string& name = "first") {
  const fs::path run = folder / name;
  fs::create_directories(run);
  write_file(run / "config.json", kConfig);
  std::string lines;
  for (std::int64_t step = 1; step <= 8; ++step) {
    lines += to_json_line(step_line(step, 1.0 / static_cast<double>(step))) + "\n";
    if (step == 3) lines += to_json_line(Notice{.epoch = 1, .step = 3, .text = "loss <stuck> & \"odd\""}) + "\n";
    if (step % 4 == 0) lines += to_json_line(epoch_line(step / 4, step == 4 ? 0.8765 : 0.75)) + "\n";
  }
  write_file(run / "metrics.jsonl", lines);
  write_file(run / "evaluation.json", to_json(a_record()));
  return run;
}

}  // namespace

TEST_CASE("a report shows the results of a run on one well-formed page without requests") {
  const TemporaryFolder folder;
  const std::string page = page_of(write_run(folder));
  check_page(page);
  for (const char* part :
       {"<title>googlenet_bn on fashion-mnist: first</title>",
        "<dd>75.00\u00a0%<small>best 87.65\u00a0% in epoch 1</small>", "<dd>2 of 4<small>8 steps</small>",
        "<dd>2 min 10 s<small>last epoch 1 min 05 s</small>", "<dd>1.23k<small>", "<dd>5.98M<small>5,977,530</small>",
        "epoch 1, step 3</b> loss &lt;stuck&gt; &amp; &quot;odd&quot;", "ln 3: chance level",
        "Momentum 0.9 throughout.", "40 samples of fashion-mnist, test, tested after epoch 2: 75.00", "<td>1, </td>",
        "memory", "8.00\u00a0MiB at the largest batch, 50.0\u00a0% of the 16.0\u00a0MiB that were free",
        "reuse saves 75\u00a0%", "A &lt;fast&gt; CPU &amp; &quot;more&quot;", "<td>&lt;/script&gt;&lt;b&gt;</td>"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  // Five plots, including the gradient norms.
  CHECK(occurrences(page, "<figure class=\"plot") == 5);
  CHECK(occurrences(page, "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"") == 5);
}

TEST_CASE("a report names beta1 for Adam and AdamW") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder);
  std::string config = kConfig;
  config.replace(config.find("\"options\": {"), 12, "\"options\": {\"optimizer\": \"adamw\", ");
  write_file(run / "config.json", config);
  const std::string page = page_of(run);
  CHECK(contains(page, "beta1 0.9 throughout."));
  CHECK(!contains(page, "Momentum"));
  CHECK(!contains(page, "command line"));
}

TEST_CASE("a report escapes the names of classes and layers") {
  const TemporaryFolder folder;
  const std::string page = page_of(write_run(folder));
  CHECK(contains(page, "<th scope=\"row\">T-shirt &amp; top</th>"));
  CHECK(contains(page, "<span>&lt;i&gt;Bag&lt;/i&gt;</span>"));
  CHECK(contains(page, "&quot;Boot&quot; predicted as T-shirt &amp; top: 6 of 10 (60.0\u00a0%)"));
  CHECK_FALSE(contains(page, "<i>Bag"));
  CHECK(contains(page, "\"name\":\"fc\\u003c/script>\""));
  CHECK(contains(page, "fc&lt;/script&gt;"));
  CHECK(occurrences(page, "</script>") == occurrences(page, "<script"));
}

TEST_CASE("a report shades errors and correct predictions on separate scales") {
  const TemporaryFolder folder;
  const std::string page = page_of(write_run(folder));
  CHECK(contains(page, "<td class=\"h8\" title=\"T-shirt &amp; top, correct: 17 of 20 (85.0\u00a0%)\">17</td>"));
  // The largest error share, 6 of 10, has the darkest shade; 3 of 20 is a quarter of it, so half as dark (square root).
  CHECK(contains(page, "<td class=\"e9\" title=\"&quot;Boot&quot; predicted as"));
  CHECK(contains(page,
                 "<td class=\"e5\" title=\"T-shirt &amp; top predicted as &lt;i&gt;Bag&lt;/i&gt;: 3 of 20 "
                 "(15.0\u00a0%)\">3</td>"));
  CHECK(contains(page, "<td class=\"side\">85.0\u00a0%</td>"));       // recall
  CHECK(contains(page, "<td>70.8</td><td>75.0</td><td>100.0</td>"));  // precision: 17/24, 9/12, 4/4
}

TEST_CASE("a report shows the mistakes with their images") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder);
  const std::string with = page_of(run);
  CHECK(occurrences(with, "<img class=\"pixels\"") == 2);
  CHECK(contains(with,
                 "src=\"data:image/png;base64,iVBORwECAw==\"><figcaption><b>T-shirt &amp; top</b><span>"
                 "<i>&lt;i&gt;Bag&lt;/i&gt;</i> 98.8\u00a0%</span>"));
  CHECK(contains(with, "alt=\"sample 1,234\""));

  EvaluationRecord record = a_record();
  record.mistake_files = {"/photos/my cat's \"best\".jpg", "/photos/2.png"};
  write_file(run / "evaluation.json", to_json(record));
  const std::string linked = page_of(run);
  check_page(linked);
  CHECK(contains(linked, "<a href=\"file:///photos/my%20cat%27s%20%22best%22.jpg\" title=\"/photos/my cat"));
  CHECK(occurrences(linked, "<a href=\"file:///photos/2.png\"") == 1);
  CHECK(read_evaluation_record(run / "evaluation.json").mistake_files == record.mistake_files);
  record.mistake_files.clear();
  CHECK(occurrences(with, "class=\"looks\"") == 0);
  record.mistake_maps = {{1, 2, 3}, {4, 5, 6}};
  write_file(run / "evaluation.json", to_json(record));
  const std::string with_maps = page_of(run);
  check_page(with_maps);
  CHECK(occurrences(with_maps, "<img class=\"map\" alt=\"map of ") == 2);
  CHECK(occurrences(with_maps, "src=\"data:image/png;base64,AQID\"") == 1);
  CHECK(occurrences(with_maps, "class=\"looks\"") == 1);
  record.mistake_maps.clear();
  record.mistake_images.clear();
  write_file(run / "evaluation.json", to_json(record));
  const std::string without = page_of(run);
  check_page(without);
  CHECK(occurrences(without, "<img") == 0);
  CHECK(occurrences(without, "<div class=\"blank\">sample") == 2);
}

TEST_CASE("a report shows the inside of the network") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder);
  CHECK_FALSE(contains(page_of(run), "Inside the network"));
  EvaluationRecord record = a_record();
  record.inside = InsidePictures{.index = 7,
                                 .label = 1,
                                 .predicted = 2,
                                 .probability = 0.75,
                                 .image = {1, 2, 3},
                                 .map = {4, 5, 6},
                                 .layers = {{"<conv>", 64, 24, 48, 47, {7}}, {"block", 3, 3, 6, 6, {8}}},
                                 .first_layer = "conv.0",
                                 .filters = {64, 3, 7, 5},
                                 .filters_png = {9}};
  const auto page = [&] {
    write_file(run / "evaluation.json", to_json(record));
    const std::string html = page_of(run);
    check_page(html);
    return html;
  };
  const std::string whole = page();
  CHECK(contains(whole, "<h2 id=\"inside\">Inside the network</h2>"));
  CHECK(
      contains(whole, "<figcaption>&lt;i&gt;Bag&lt;/i&gt;<small>taken for &quot;Boot&quot; with 75.0\u00a0%</small>"));
  CHECK(occurrences(whole, "src=\"data:image/png;base64,AQID\"") == 2);  // also under the map
  CHECK(occurrences(whole, "class=\"over\" alt=\"map of &quot;Boot&quot;\"") == 1);
  CHECK(contains(whole, "<figcaption>Filters of conv.0<small>64 of 7x5 in colour; grey is 0</small>"));
  CHECK(contains(whole, "<figcaption>&lt;conv&gt;<small>64 channels of 48x47, the 24 of most contrast</small>"));
  CHECK(contains(whole, "<figcaption>block<small>3 channels of 6x6</small>"));

  record.inside->label = 2;
  record.inside->map.clear();
  record.inside->filters_png.clear();
  record.inside->first_layer.clear();
  const std::string less = page();
  CHECK(contains(less, "recognised with 75.0"));
  CHECK(occurrences(less, "class=\"over\"") == 0);
  CHECK_FALSE(contains(less, "Filters of"));
  record.inside->layers[0].png.assign(500'000, 1);  // too large for the page
  CHECK_FALSE(contains(page(), "Inside the network"));
}

TEST_CASE("a report limits the size of the images of mistakes") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder);
  EvaluationRecord record = a_record();
  record.evaluation.mistakes.assign(100, record.evaluation.mistakes.front());
  record.mistake_images.assign(100, std::vector<std::uint8_t>(100'000, 7));
  write_file(run / "evaluation.json", to_json(record));
  const std::string page = page_of(run);
  CHECK(page.size() < 1'500'000);
  CHECK(contains(page, "The 8 most confident mistakes"));
}

TEST_CASE("a report of many classes shows a picture with tables") {
  const TemporaryFolder folder;
  const fs::path run = write_run(folder);
  EvaluationRecord record = a_record();
  record.class_names.clear();
  for (int i = 0; i < 100; ++i) record.class_names.push_back(concat("<", i, ">"));
  record.evaluation.classes = 100;
  record.evaluation.samples = 100 * 101;
  record.evaluation.confusion.assign(10000, 1);
  for (std::size_t i = 0; i < 100; ++i) record.evaluation.confusion[i * 101] = 2;
  record.evaluation.confusion[7 * 100 + 8] = 0;
  record.evaluation.confusion[7 * 100 + 9] = 2;
  write_file(run / "evaluation.json", to_json(record));
  const std::string page = page_of(run);
  check_page(page);
  CHECK(page.size() < 500'000);
  CHECK(contains(page, "<figure class=\"matrix\"><svg viewBox=\"0 0 100 100\""));
  CHECK(contains(page, "<tbody>\n<tr><th scope=\"row\">&lt;7&gt;</th><td>&lt;9&gt;</td><td class=\"n\">2</td>"));
  CHECK(contains(page, "Recall and precision of all classes"));
}

TEST_CASE("a report of a run without metrics lists what is missing") {
  const TemporaryFolder folder;
  write_file(folder / "config.json", "{}");
  for (const bool empty_metrics : {false, true}) {
    if (empty_metrics) write_file(folder / "metrics.jsonl", "");
    const std::string page = page_of(folder.path());
    check_page(page);
    CHECK(contains(page, "Nothing is recorded yet"));
    CHECK(contains(page, "No evaluation.json yet"));
    CHECK(contains(page, "<h1>" + folder.path().filename().string() + "</h1>"));
    CHECK_FALSE(contains(page, "<figure"));
  }
}

TEST_CASE("a report of one line or one epoch is complete") {
  const TemporaryFolder folder;
  write_file(folder / "config.json", kConfig);
  write_file(folder / "metrics.jsonl", to_json_line(step_line(2, 1.5)) + "\n");
  const std::string one_step = page_of(folder.path());
  check_page(one_step);
  CHECK(contains(one_step, "<dt>Training loss</dt><dd>1.5<small>step 2</small>"));
  CHECK(contains(one_step, "h0\"/>"));  // a single point is drawn as a dot

  write_file(folder / "metrics.jsonl", to_json_line(epoch_line(1, 0.5)) + "\n");
  const std::string one_epoch = page_of(folder.path());
  check_page(one_epoch);
  CHECK(contains(one_epoch, "<dd>50.00\u00a0%<small>best so far</small>"));
}

TEST_CASE("a report of a run without finite values is complete") {
  const TemporaryFolder folder;
  write_file(folder / "config.json", kConfig);
  EpochMetrics epoch = epoch_line(1, std::nan(""));
  epoch.eval_loss = epoch.train_loss = epoch.train_accuracy = epoch.eval_top5 = std::nan("");
  StepMetrics step = step_line(1, std::nan(""));
  step.gradient_norm = step.accuracy = std::nan("");
  step.gradient_norms = {{"conv1", std::nan("")}};
  write_file(folder / "metrics.jsonl", to_json_line(step) + "\n" + to_json_line(epoch) + "\n");
  const std::string page = page_of(folder.path());
  check_page(page);
  CHECK_FALSE(contains(page, ">nan"));
  CHECK_FALSE(contains(page, "null%"));
  CHECK(occurrences(page, "<figure class=\"plot") == 2);  // learning rate and speed
}

TEST_CASE("a report compares the numbers and configurations of runs") {
  const TemporaryFolder folder;
  const fs::path first = write_run(folder, "first"), second = write_run(folder, "second <b>");
  std::string config = kConfig;
  config.replace(config.find("0.1"), 3, "0.025");
  write_file(second / "config.json", config);
  write_file(second / "metrics.jsonl", to_json_line(epoch_line(1, 0.9)) + "\n");
  fs::remove(second / "evaluation.json");
  const std::string page = page_of(std::vector<fs::path>{first, second});
  check_page(page);
  CHECK(contains(page, "<title>2 runs compared</title>"));
  CHECK(contains(page, "<td class=\"n\">75.00\u00a0%</td><td class=\"n\">87.65\u00a0%</td><td class=\"n\">1</td>"));
  CHECK(contains(page, "<td class=\"n\">90.00\u00a0%</td><td class=\"n\"><b>90.00\u00a0%</b></td>"));
  CHECK(contains(page, "<th scope=\"row\">learning_rate</th><td>0.1</td><td>0.025</td>"));
  CHECK_FALSE(contains(page, "<th scope=\"row\">batch_size</th><td>16</td><td>16</td>"));
  CHECK(contains(page, "<details class=\"run\" id=\"run2\"><summary>second &lt;b&gt;</summary>"));
  CHECK(contains(page, "id=\"run1-confusion\""));
  CHECK(contains(page, "No evaluation.json"));
}

TEST_CASE("a report of 100000 lines is below 2 MB") {
  const TemporaryFolder folder;
  write_file(folder / "config.json", kConfig);
  std::string lines;
  for (std::int64_t step = 1; step <= 100'000; ++step) {
    lines += to_json_line(step_line(step, 1.0 + 0.9 * std::sin(static_cast<double>(step * step % 1000)))) + "\n";
  }
  write_file(folder / "metrics.jsonl", lines);
  const std::string page = page_of(folder.path());
  CHECK(page.size() < 500'000);
  check_page(page);
}

TEST_CASE("report errors name the file") {
  const TemporaryFolder folder;
  const std::string run = write_run(folder).string();
  const auto message = [&] { return message_of([&] { page_of(fs::path(run)); }); };
  CHECK(message_of([&] { page_of(folder / "none"); }) ==
        (folder / "none").string() + ": no such folder; name the folder of a run");
  CHECK(message_of([&] { page_of(run + "/config.json"); }) ==
        run + "/config.json: is a file; name the folder of a run");
  CHECK(message_of([&] { page_of(folder.path()); }) ==
        folder.path().string() + ": is not a run: it has no config.json; name the folder of a run");
  CHECK(message_of([] { report_html({}); }) == "a report needs a run folder");

  write_file(run + "/evaluation.json", "{");
  CHECK(contains(message(), run + "/evaluation.json"));
  write_file(run + "/metrics.jsonl", "{}\n");
  CHECK(message() == run + "/metrics.jsonl: line 1 has no \"event\"");
  write_file(run + "/config.json", "{\"model\": \"goo");
  CHECK(message() == run + "/config.json: is not JSON: the file is damaged");
  write_file(run + "/config.json", "[]");
  CHECK(message() == run + "/config.json: is not a JSON object: the file is damaged");
}
