#pragma once
/// Counters of emulated kernels as a table and as named values.

#include "simt/executor.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception::simt {

/// Sort keys of the table: "traffic", "mma", ...
std::vector<std::string> counter_orders();

/// A table with one line per kernel in descending order of `order`, their sum and a legend. Throws Error if `order` is
/// not one of `counter_orders`.
std::string counters_table(std::vector<KernelCounters> all, std::string_view order);

/// All counters of this build, with their names.
std::vector<std::pair<std::string, double>> named_counts(const KernelCounters& counters);

}  // namespace minception::simt
