#pragma once
/// The weights that a training starts from (--init), and the options that they decide.

#include <minception/data/image_dataset.h>
#include <minception/examples/train_options.h>
#include <minception/models/weights_file.h>

#include <optional>

namespace minception {

/// Reads the file of --init; nothing without that option. What the file says about itself takes the place of options that
/// neither the command line nor a recipe gives: model, image size, normalisation, transform of the input, and the size that
/// images of a folder are loaded in. Throws Error, naming the option, where one that is given says something else; another
/// image size gets a warning. A file of nothing but tensors is what the options say it is, and needs --model.
std::optional<WeightsFile> read_initial_weights(const CommandLine& command_line, TrainOptions& options);

/// Throws Error unless the weights are for images of as many channels and for the classes of the data set; classes do not
/// matter with --reset-head, which is named where it is missing.
void check_initial_weights(const WeightsFile& weights, const TrainOptions& options, const Dataset& dataset);

/// Loads them, but for the last layers where --reset-head says so.
void load_initial_weights(Network& network, const WeightsFile& weights, const TrainOptions& options);

}  // namespace minception
