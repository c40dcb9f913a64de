#pragma once
/// report.html: one self-contained page about one run or several: curves, confusion matrix, the most confident mistakes, the
/// configuration, the memory plan, the speed. No external request.

#include <filesystem>
#include <span>
#include <string>

namespace minception {

/// The page as text. Reads config.json, metrics.jsonl and evaluation.json of each run folder; what a run does not have
/// (it was just started, or stopped before its first test) is left out, and said. Throws Error, naming the file, for a
/// folder that holds no run or a file that is damaged.
std::string report_html(std::span<const std::filesystem::path> runs);

}  // namespace minception
