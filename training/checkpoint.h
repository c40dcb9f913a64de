#pragma once
/// A checkpoint: everything that a training needs to go on with the same bits, in one safetensors file. Its tensors are
/// those of the network as it trains, the optimizer's state with the prefix "optimizer." and, where weights are averaged,
/// the averages, which are those of model.safetensors, with the prefix "average."; the metadata hold those of a weights file,
/// "training" (the TrainerState) and "options" (what the training was asked for), as JSON. So it serves as a weights file too.

#include <minception/core/safetensors.h>
#include <minception/models/network.h>
#include <minception/training/trainer.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace minception {

struct Checkpoint {
  TrainerState state;
  std::string options;  ///< JSON text
  std::map<std::string, FileTensor> parameters, optimizer, averages;
};

/// Writes the file as a whole (write_safetensors). Throws Error when it cannot.
void write_checkpoint(const std::filesystem::path& path, const Network& network, const TrainerState& state,
                      const std::string& options, const std::vector<std::string>& class_names);

/// Throws Error with the file name for a file that is damaged or no checkpoint, and for weights that are not finite: a
/// training that begins with them ends at its first step. Statistics and the optimizer's state may be what they are.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Loads the tensors; an Error says which does not fit, or that the network averages and the checkpoint does not.
void load_checkpoint(Network& network, const Checkpoint& checkpoint);

}  // namespace minception
