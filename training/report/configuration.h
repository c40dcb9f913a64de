#pragma once
/// Tables of a report: configuration, environment, memory, and differences between runs.

#include "training/report/run.h"

#include <span>
#include <string>

namespace minception::report {

/// Everything in config.json, grouped; unknown keys form a group of their own.
std::string configuration_of(const Run& run);
/// Bar and table of the memory plan; "" without one.
std::string memory_of(const Run& run);
/// Keys whose values differ between the runs, with a column per run.
std::string differences(std::span<const Run> runs);

}  // namespace minception::report
