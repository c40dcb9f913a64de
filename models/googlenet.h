#pragma once
/// GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions", table 1) as trained in "Dive into Deep Learning",
/// section 8.4: no local response normalisation, dropout or auxiliary heads, 3x3 max-pools with padding 1 in floor mode,
/// a 5x5 third branch. For a 1x96x96 input and 10 classes:
///
///   stage1  7x7 convolution, stride 2; max-pool            [1,64,24,24]
///   stage2  1x1 and 3x3 convolution; max-pool              [1,192,12,12]
///   stage3  inception3a, 3b; max-pool                      [1,480,6,6]
///   stage4  inception4a to 4e; max-pool                    [1,832,3,3]
///   stage5  inception5a, 5b; global average pool           [1,1024]
///   head    fully connected                                [1,10]

#include <minception/models/model.h>

namespace minception {

/// 5,977,530 parameters for one input channel and 10 classes.
Model make_googlenet(const ModelConfig& config);

/// The same with BatchNorm after every convolution (Ioffe & Szegedy 2015): 5,984,810 parameters.
Model make_googlenet_bn(const ModelConfig& config);

}  // namespace minception
