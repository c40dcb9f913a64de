#pragma once
/// Classic networks as in "Dive into Deep Learning" (chapter 8), for the input sizes given there:
///
///   alexnet      section 8.1 (Krizhevsky et al. 2012): 1x224x224, 10 classes: 46,764,746 parameters
///   vgg11        section 8.2 (Simonyan & Zisserman 2015, configuration A): 128,806,154 parameters
///   vgg11_small  vgg11 with a quarter of the convolution channels, as trained in section 8.2
///   nin          section 8.3 (Lin et al. 2014): 1,992,166 parameters
///
/// Fully connected layers tie the weights to one input size. Throws Error, naming the layer, if an input leaves a layer
/// without output.

#include "models/model.h"

namespace minception {

Model make_alexnet(const ModelConfig& config);
Model make_vgg11(const ModelConfig& config);
Model make_vgg11_small(const ModelConfig& config);
Model make_nin(const ModelConfig& config);

}  // namespace minception
