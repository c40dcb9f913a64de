#pragma once
/// Checkpoints: everything needed to resume a training with the same bits, in one safetensors file. Tensors: the
/// network's parameters and statistics, the optimizer state with the prefix "optimizer.", and, if enabled, the moving
/// averages (the weights in model.safetensors) with the prefix "average.". Metadata as JSON: those of a weights file,
/// "training" (the TrainerState) and "options" (the command-line options). A checkpoint is also a valid weights file.

#include "core/safetensors.h"
#include "models/network.h"
#include "training/trainer.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace minception {

struct Checkpoint {
  TrainerState state;
  std::string options;  ///< JSON text
  std::string graph;    ///< the network's layers (models/graph.h); "" before version 0.2.0
  std::map<std::string, FileTensor> parameters, optimizer, averages;
};

/// Writes the file atomically (write_safetensors). Throws Error on failure.
void write_checkpoint(const std::filesystem::path& path, const Network& network, const TrainerState& state,
                      const std::string& options, const std::vector<std::string>& class_names);

/// Throws Error, naming the file, if it is damaged or not a checkpoint, or if its weights are not finite, since
/// training would fail at the first step. Running statistics and optimizer state are not checked.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Loads the tensors. Throws Error if one does not fit, or if only one of checkpoint and network has averages.
void load_checkpoint(Network& network, const Checkpoint& checkpoint);

}  // namespace minception
