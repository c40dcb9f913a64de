#pragma once
/// Cases of random attributes, shapes and layouts for every operation: 1 to 70 channels, batches of 1 to 9, odd sizes,
/// slices. They cover combinations that the tables in tests/cases do not list.

#include "tests/cases/case.h"

#include <cstdint>
#include <string_view>

namespace minception {

/// Case `index` of `seed`, drawn from the operations whose name contains `operation`; "" selects all.
Case random_case(std::uint64_t seed, std::uint64_t index, std::string_view operation = "");

}  // namespace minception
