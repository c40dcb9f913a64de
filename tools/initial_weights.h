#pragma once
/// Initial weights of a run (--init), and the options that follow from them.

#include "data/image_dataset.h"
#include "models/weights_file.h"
#include "tools/train_options.h"

#include <optional>

namespace minception {

/// Reads the file of --init; nullopt without that option. The file's metadata sets options that neither the command
/// line nor a recipe gives: model, image size, normalisation, transform of the input, and how and in which size images
/// of a folder are loaded. Throws Error, naming the option, where a given one contradicts it; a different image size is
/// only a warning. A file without metadata is described by the options, and needs --model.
std::optional<WeightsFile> read_initial_weights(const CommandLine& command_line, TrainOptions& options);

/// Throws Error unless the weights match the channels of the images and the classes of the data set. With --reset-head
/// the classes may differ; the Error suggests it where that would help.
void check_initial_weights(const WeightsFile& weights, const TrainOptions& options, const Dataset& dataset);

/// Loads the weights; with --reset-head, all but the last layers.
void load_initial_weights(Network& network, const WeightsFile& weights, const TrainOptions& options);

}  // namespace minception
