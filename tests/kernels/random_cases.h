#pragma once
/// Cases of random attributes, shapes and layouts for every operation: 1 to 70 channels, batches of 1 to 9, odd sizes,
/// slices. The tables in tests/cases hold what is known to be awkward; these find the others.

#include <minception/tests/cases/case.h>

#include <cstdint>
#include <string_view>

namespace minception {

/// Case `index` of a seed. `operation`: a part of the name of the operations to draw from; "" is all of them.
Case random_case(std::uint64_t seed, std::uint64_t index, std::string_view operation = "");

}  // namespace minception
