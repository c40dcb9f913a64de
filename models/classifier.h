#pragma once
/// From an image of any size to the probabilities of the classes, with nothing but a weights file: what programs that
/// use a trained model call.

#include <minception/data/image_file.h>
#include <minception/models/network.h>
#include <minception/models/weights_file.h>

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
  /// The class with the largest logit, the lowest of equal ones; NaN counts as larger than every number.
  std::size_t class_index = 0;
};

class Classifier {
 public:
  /// Loads the model that `weights` names. Images are worked on in batches of up to `max_batch`. Throws Error with the
  /// name of the file if it cannot. `backend` outlives the classifier. `described`: as for read_weights_file.
  Classifier(const std::filesystem::path& weights, Backend& backend, std::int64_t max_batch = 32,
             const WeightsDescription& described = {});

  const ModelConfig& config() const { return network_->model().config; }
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// The image with the channels and the size of those that the model was trained on, before the model resizes them to its
  /// input. `predict` does this itself; who holds many large images does it early to save memory.
  DecodedImage prepare(DecodedImage image) const;
  /// The same of a file: load_image with the options that the weights name. Throws Error as that does.
  DecodedImage read(const std::filesystem::path& path) const;

  /// One prediction per image. With the first images every operation is looked at: throws Error, naming the file and the
  /// layer, where the weights overflow (find_overflow). Prepared images are resized to the model's input and scaled by the same operation as in
  /// training: an image of the data set is seen as training saw it.
  std::vector<Prediction> predict(std::span<const DecodedImage> images);

 private:
  void load(std::span<const DecodedImage> images);

  Backend& backend_;
  std::string weights_file_;
  bool looked_at_ = false;
  std::vector<std::string> class_names_;
  Shape image_;  // (C, H, W) of the images that training resized
  ImageOptions image_options_;
  std::unique_ptr<Network> network_;
};

}  // namespace minception
