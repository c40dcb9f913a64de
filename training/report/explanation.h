#pragma once
/// Page of the tool `explain`: what a network looks at in pictures.

#include "core/safetensors.h"
#include "data/image_file.h"
#include "models/classifier.h"
#include "models/explanation.h"

#include <cstdint>
#include <string>
#include <vector>

namespace minception::report {

/// A training image with features like those of a picture.
struct Neighbour {
  DecodedImage image;
  std::string name;         ///< file, or "sample 123"
  std::string class_name;   ///< its label
  double similarity = 0.0;  ///< cosine of the angle between the features
};

struct ExplainedPicture {
  std::string name;   ///< file, or "sample 123"
  std::string label;  ///< its true class; "": unknown
  DecodedImage image;
  Prediction prediction;
  std::vector<std::size_t> shown;  ///< classes whose maps are shown
  Maps classes;                    ///< a map per class
  Maps layer = {};                 ///< output of the chosen layer
  std::vector<Neighbour> neighbours = {};
};

struct ExplanationPage {
  std::string weights, model;
  std::vector<std::string> class_names;
  bool exact = true;  ///< class activation maps; false: occlusion maps
  std::string layer;  ///< name of the chosen layer; "": none
  FirstFilters first;
  std::vector<ExplainedPicture> pictures;
};

std::string explanation_html(const ExplanationPage& page);

}  // namespace minception::report
