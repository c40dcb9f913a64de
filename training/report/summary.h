#pragma once
/// The numbers of a report: the headline, what training noticed, a table of the epochs, a table of several runs.

#include <minception/training/report/run.h>

#include <span>
#include <string>

namespace minception::report {

/// Tiles with the numbers that are asked for first.
std::string headline(const Run& run);
/// What training noticed about itself, and which parts of the report are missing.
std::string notices(const Run& run);
/// A row per epoch, folded in; of very many epochs an even selection.
std::string epoch_table(const Run& run);
/// A row per run with its last and best numbers.
std::string comparison(std::span<const Run> runs);

}  // namespace minception::report
