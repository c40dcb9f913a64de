#pragma once
/// The neighbours of GoogLeNet as in "Dive into Deep Learning" (chapter 8), without resizing tricks of their own:
///
///   alexnet      section 8.1 (Krizhevsky et al. 2012): 1x224x224, 10 classes: 46,764,746 parameters
///   vgg11        section 8.2 (Simonyan & Zisserman 2015, configuration A): 128,806,154 parameters
///   vgg11_small  the same with a quarter of the convolutions' channels, as section 8.2 trains it
///   nin          section 8.3 (Lin et al. 2014): 1,992,166 parameters
///
/// Fully connected layers fix the number of pixels that reach them: the weights of one input size do not fit another.
/// An input that leaves a layer without output is an Error that names the layer.

#include <minception/models/model.h>

namespace minception {

Model make_alexnet(const ModelConfig& config);
Model make_vgg11(const ModelConfig& config);
Model make_vgg11_small(const ModelConfig& config);
Model make_nin(const ModelConfig& config);

}  // namespace minception
