#pragma once
/// The tables of a report: what was chosen, where it ran, what memory it took, and in what runs differ.

#include <minception/training/report/run.h>

#include <span>
#include <string>

namespace minception::report {

/// Everything in config.json, grouped; keys that nobody knows stand in a group of their own.
std::string configuration_of(const Run& run);
/// The bar and the table of the memory plan; "" without one.
std::string memory_of(const Run& run);
/// The keys whose values are not the same in all runs, with a column per run.
std::string differences(std::span<const Run> runs);

}  // namespace minception::report
