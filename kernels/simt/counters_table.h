#pragma once
/// What the counters of emulated kernels look like to people and in files.

#include <minception/kernels/simt/executor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception::simt {

/// What a table can be sorted by: "traffic", "mma", ...
std::vector<std::string> counter_orders();

/// A line per kernel, the largest of `order` first, then their sum and what the columns are. Throws Error for an order that
/// is not one of `counter_orders`.
std::string counters_table(std::vector<KernelCounters> all, std::string_view order);

/// All that this build counts, by name.
std::vector<std::pair<std::string, double>> named_counts(const KernelCounters& counters);

}  // namespace minception::simt
