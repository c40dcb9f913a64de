#pragma once
/// Key numbers of a report: headline, notices, table of epochs, comparison of runs.

#include "training/report/run.h"

#include <span>
#include <string>

namespace minception::report {

/// Tiles with the most important numbers.
std::string headline(const Run& run);
/// Notices of the training, and the missing parts of the report.
std::string notices(const Run& run);
/// A collapsible table with a row per epoch; with very many epochs an even selection.
std::string epoch_table(const Run& run);
/// A row per run with its last and best values.
std::string comparison(std::span<const Run> runs);

}  // namespace minception::report
