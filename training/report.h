#pragma once
/// report.html: one self-contained page about one or several runs: curves, confusion matrix, most confident mistakes,
/// configuration, memory plan, speed. It makes no external requests.

#include <filesystem>
#include <span>
#include <string>

namespace minception {

/// Returns the page. Reads config.json, metrics.jsonl and evaluation.json of each run folder. Missing parts (of a run
/// that has just started or stopped before its first evaluation) are left out with a note. Throws Error, naming the
/// file, for a folder without a run or a damaged file.
std::string report_html(std::span<const std::filesystem::path> runs);

}  // namespace minception
