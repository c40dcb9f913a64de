#pragma once
/// Numbers that are not finite, and the operation that made them.

#include <minception/models/network.h>

#include <cstdint>
#include <string>

namespace minception {

/// What an operation that has just run wrote: "inception3a.branch2.0.conv (conv2d_forward): 3 of 73728 values of y are not
/// finite"; "" if all are finite.
std::string not_finite_output(Backend& backend, const Step& step, const Operation& operation);

/// Infers the batch that the network was given, step by step, and returns the first output that is not finite, as above.
/// oneDNN's fused ReLU makes 0 of NaN, so that weights which overflow may have finite logits; the infinity that a NaN comes
/// from is seen here. Slower than Network::infer, which it stands for where it returns "".
std::string find_overflow(Network& network, std::int64_t batch);

}  // namespace minception
