/// Sections of a report and their order.

#include "training/report.h"
#include "core/error.h"
#include "training/report/configuration.h"
#include "training/report/confusion.h"
#include "training/report/curves.h"
#include "training/report/inside.h"
#include "training/report/page.h"
#include "training/report/run.h"
#include "training/report/summary.h"
#include "training/report/text.h"

#include <vector>

namespace minception {
namespace report {
namespace {

// Keeps the page below 2 MB, small enough for e-mail; most of it are images.
constexpr std::size_t kImageBytes = 1'000'000;

struct Section {
  std::string id, title, content;
};

std::vector<Section> sections_of(const Run& run, std::size_t image_bytes) {
  std::vector<Section> sections;
  const auto add = [&](std::string id, std::string title, std::string content) {
    if (!content.empty()) sections.push_back({std::move(id), std::move(title), std::move(content)});
  };
  add("gradients", "Gradients", gradients_of(run));
  if (run.evaluation) {
    add("confusion", "Confusion matrix", confusion_matrix(*run.evaluation));
    add("mistakes", "Mistakes", mistakes(*run.evaluation, image_bytes));
    add("inside", "Inside the network", inside_of(*run.evaluation, image_bytes / 2));
  }
  add("memory", "Memory", memory_of(run));
  add("configuration", "Configuration", configuration_of(run));
  return sections;
}

std::string html_of(const Section& section, const std::string& prefix = "") {
  return "<section aria-labelledby=\"" + prefix + section.id + "\">\n<h2 id=\"" + prefix + section.id + "\">" +
         section.title + "</h2>\n" + section.content + "</section>\n";
}

std::string footer() {
  return "<footer>Made by Minception from config.json, metrics.jsonl and evaluation.json of the run folder.</footer>\n";
}

std::string page_of(const Run& run) {
  std::vector<Section> sections = sections_of(run, kImageBytes);
  const std::string curves = curves_of(run);
  if (!curves.empty()) sections.insert(sections.begin(), {"curves", "Curves", curves + epoch_table(run)});
  std::string links, content;
  for (const Section& section : sections) {
    links += "<a href=\"#" + section.id + "\">" + section.title + "</a>\n";
    content += html_of(section);
  }
  std::string byline = "Run " + escaped(run.name);
  if (!run.date.empty()) byline += " · " + run.date;
  if (const std::string processor = run.text("processor"); !processor.empty()) byline += " · " + escaped(processor);
  return page(run.title() + ": " + run.name, "<header>\n<h1>" + escaped(run.title()) + "</h1>\n<p class=\"byline\">" +
                                                 byline + "</p>\n<nav aria-label=\"Parts of this page\">\n" + links +
                                                 "</nav>\n</header>\n<main>\n" + headline(run) + notices(run) +
                                                 content + "</main>\n" + footer());
}

std::string page_of(std::span<const Run> runs) {
  std::string details;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const std::string id = "run" + std::to_string(i + 1);
    details += "<details class=\"run\" id=\"" + id + "\"><summary>" + escaped(run.name) + "</summary>\n" +
               headline(run) + notices(run);
    for (const Section& section : sections_of(run, kImageBytes / runs.size())) details += html_of(section, id + "-");
    details += epoch_table(run) + "</details>\n";
  }
  const std::string count = std::to_string(runs.size()) + " runs";
  return page(count + " compared", "<header>\n<h1>" + count +
                                       " compared</h1>\n</header>\n<main>\n"
                                       "<section aria-labelledby=\"numbers\"><h2 id=\"numbers\">Numbers</h2>\n" +
                                       comparison(runs) + "</section>\n" +
                                       html_of({"differences", "Differences", differences(runs)}) +
                                       html_of({"curves", "Curves", curves_compared(runs)}) +
                                       "<section aria-labelledby=\"runs\"><h2 id=\"runs\">Each run</h2>\n" + details +
                                       "</section>\n</main>\n" + footer());
}

}  // namespace
}  // namespace report

std::string report_html(std::span<const std::filesystem::path> runs) {
  require(!runs.empty(), "a report needs a run folder");
  std::vector<report::Run> read;
  for (const std::filesystem::path& run : runs) read.push_back(report::read_run(run));
  return read.size() == 1 ? report::page_of(read.front()) : report::page_of(read);
}

}  // namespace minception
