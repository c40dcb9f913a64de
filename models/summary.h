#pragma once
/// Text tables of a network's layers and memory.

#include "models/network.h"

#include <string>

namespace minception {

/// A row per top-level layer (kind of operations, output shape for a batch of `max_batch`, parameters,
/// multiply-accumulates, activation memory), a line per stage, and the totals.
std::string layer_table(const Network& network);

/// Parameters, activations, workspace, arena and peak, in MiB.
std::string memory_table(const Network& network);

}  // namespace minception
