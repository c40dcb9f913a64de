#pragma once
/// The inside of the network: what its layers compute for one image, and the filters of the first.

#include "training/evaluation_record.h"

#include <cstddef>
#include <string>

namespace minception::report {

/// "" without such pictures, and if they take more than `most_bytes` of HTML.
std::string inside_of(const EvaluationRecord& record, std::size_t most_bytes);

}  // namespace minception::report
