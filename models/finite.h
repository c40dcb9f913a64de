#pragma once
/// Detection of NaN and infinity, with the operation that produced them.

#include "models/network.h"

#include <cstdint>
#include <string>

namespace minception {

/// Checks the outputs of an operation that has just run. Returns for example "inception3a.branch2.0.conv
/// (conv2d_forward): 3 of 73728 values of y are not finite", or "" if all are finite.
std::string not_finite_output(Backend& backend, const Step& step, const Operation& operation);

/// Runs inference on the current input one operation at a time and returns the first output that is not finite, in the
/// format above, or "". oneDNN's fused ReLU maps NaN to 0, so overflowing weights can yield finite logits; this check
/// finds the infinity that precedes the NaN. Slower than Network::infer; after "", the logits are valid.
std::string find_overflow(Network& network, std::int64_t batch);

}  // namespace minception
