#pragma once
/// Occlusion maps, for networks without class activation maps: how much the logits fall when a part of an image is
/// hidden (M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2).

#include "models/classifier.h"
#include "models/explanation.h"

namespace minception {

/// One map per class of `positions` x `positions`: the fall of its logit when a square, a fifth of the image wide and
/// centred there, has the mean colour of the image. Runs positions^2 + 1 predictions.
Maps occlusion_maps(Classifier& classifier, const DecodedImage& image, std::int64_t positions = 12);

}  // namespace minception
