#pragma once
/// What the costs of models say to someone who chooses or builds a chip for them.

#include <minception/examples/model_costs.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace minception {

/// Paragraphs of Markdown about memory and bandwidth and, with times, cache and software. `batch`: of the costs.
std::string conclusions(std::span<const ModelCosts> models, const std::optional<Ceilings>& ceilings,
                        std::int64_t batch);

}  // namespace minception
