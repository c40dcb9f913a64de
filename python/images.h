#pragma once
/// Images as Python users have them: paths, bytes, arrays and PIL images.

#include "data/image_file.h"
#include "models/classifier.h"
#include "python/arrays.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace minception::python {

/// Arrays of floats, image by image. f32 is read in place.
struct FloatImages {
  std::vector<ImageView> views;
  std::vector<Array> arrays;                 ///< hold the memory of views
  std::deque<std::vector<float>> converted;  ///< from other dtypes
};

/// Inputs of one call: images, or values for the network.
struct Inputs {
  std::vector<DecodedImage> images;
  FloatImages values;
  bool single = false;  ///< one sample rather than a list or batch
  bool torch = false;   ///< a PyTorch tensor: results are tensors, too
};

/// Reads `value`, a sample, a batch, or a list of samples. Files and bytes are read as the classifier reads them.
/// Raises TypeError with what is accepted.
Inputs read_inputs(nb::handle value, const Classifier& classifier, const std::string& what);

/// Appends an array of floats (C, H, W) or (N, C, H, W); the size of an image must be `input`.
void append_values(FloatImages& images, const Array& array, const Shape& input, const std::string& what);

/// The images of an array of bytes: (H, W), (H, W, C), or with `batches` (N, H, W, C); C is 1 or 3.
std::vector<DecodedImage> images_from(const Array& array, bool batches, const std::string& what);

}  // namespace minception::python
