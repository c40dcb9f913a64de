#pragma once
/// What a run must have in common with the call of `fit` that resumes it.

#include "training/checkpoint.h"
#include "training/fit.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace minception {

/// The newest readable checkpoint of a run, with a warning for each that is not; nullopt if the run stopped
/// before its first one. Throws Error if none of them can be read.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run,
                                            const std::function<void(const std::string&)>& warn);

/// Throws Error, naming the fields with both values, for options that differ from those of the run: of its checkpoint or,
/// without one, of its config.json. `recorded`: the options as to_json gives them. Options that the run did not record
/// are not compared.
void check_same_options(const FitOptions& options, const Checkpoint* checkpoint, const std::string& recorded);

/// Throws Error, naming the first layer that differs, if the graph (models/graph.h) is not that of the checkpoint.
void check_same_network(const std::filesystem::path& run, const Checkpoint& checkpoint, const std::string& graph);

}  // namespace minception
