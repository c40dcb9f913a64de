#pragma once
/// Class probabilities for images of any size from a weights file alone. Tools that use a trained model call this.

#include "data/image_file.h"
#include "models/network.h"
#include "models/weights_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace minception {

struct Prediction {
  std::vector<double> logits;         ///< one per class
  std::vector<double> probabilities;  ///< their softmax
  /// Class with the largest logit; ties go to the lowest index; NaN counts as larger than every number.
  std::size_t class_index = 0;
  std::string class_name;

  double probability() const { return probabilities[class_index]; }  ///< of that class
  /// Up to `most` class indices, most probable first; ties in the order of the classes.
  std::vector<std::size_t> ranked(std::size_t most) const;
};

/// The prediction of these logits, one per class.
Prediction make_prediction(std::span<const double> logits, const std::vector<std::string>& class_names);

class Classifier {
 public:
  /// Loads the model that the weights file names and predicts in batches of up to `max_batch`. `described`: see
  /// read_weights_file. `backend` must outlive the classifier. Throws Error with the file name on failure.
  Classifier(const std::filesystem::path& weights, Backend& backend, std::int64_t max_batch = 32,
             const WeightsDescription& described = {});
  /// The same with a backend of its own, by the name of its device (make_backend).
  explicit Classifier(const std::filesystem::path& weights, const std::string& device = "auto");

  const ModelConfig& config() const { return network_->model().config; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const std::string& weights_file() const { return weights_file_; }
  const Network& network() const { return *network_; }
  Backend& backend() const { return backend_; }
  /// For inspection. After `predict`, its input is the last batch of images.
  Network& network() { return *network_; }

  /// Converts an image to the channels and size of the training images, before the resize to the model's input.
  /// `predict` does this itself; call it early to save memory when holding many large images.
  DecodedImage prepare(DecodedImage image) const;
  /// Reads and prepares a file: load_image with the options from the weights file. Throws the Errors of load_image.
  DecodedImage read(const std::filesystem::path& path) const;
  /// The same from the bytes of a file. Messages begin with `name`.
  DecodedImage read(std::span<const std::uint8_t> file, const std::string& name) const;

  /// One prediction per image. Resize and scaling use the same operation as training, so an image of the data set gets
  /// the same input as in training. The first batch is checked operation by operation: throws Error, naming file and
  /// layer, if the weights overflow (find_overflow).
  std::vector<Prediction> predict(std::span<const DecodedImage> images);
  /// Of one image file. Throws Error like `read`.
  Prediction predict(const std::filesystem::path& image);

 private:
  Classifier(const std::filesystem::path& weights, std::unique_ptr<Backend> owned);
  void load(std::span<const DecodedImage> images);

  std::unique_ptr<Backend> owned_;  // destroyed after everything that uses it
  Backend& backend_;
  std::string weights_file_;
  bool looked_at_ = false;
  std::vector<std::string> class_names_;
  Shape image_;  // (C, H, W) of the training images before the resize
  ImageOptions image_options_;
  std::unique_ptr<Network> network_;
};

}  // namespace minception
