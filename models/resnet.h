#pragma once
/// ResNet (He et al. 2016, "Deep residual learning for image recognition", table 1), with the layers, parameter names
/// and logits of torchvision's models. For a 3x224x224 input and 1000 classes:
///
///   stem    7x7 convolution, stride 2; 3x3 max-pool, stride 2       [1,64,56,56]
///   layer1  2, 3, 3 blocks (resnet18, 34, 50)                       [1,64,56,56], resnet50 [1,256,56,56]
///   layer2  2, 4, 4 blocks, the first with stride 2                 [1,128,28,28],         [1,512,28,28]
///   layer3  2, 6, 6                                                 [1,256,14,14],         [1,1024,14,14]
///   layer4  2, 3, 3                                                 [1,512,7,7],           [1,2048,7,7]
///   head    global average pool, fully connected                    [1,1000]
///
/// A block of resnet18 and resnet34 has two 3x3 convolutions, one of resnet50 is a bottleneck of 1x1, 3x3 and 1x1
/// (figure 5), each with BatchNorm (section 3.4). The shortcut is the input, or where the shape changes a 1x1
/// convolution and BatchNorm (section 3.3, option B). In the first bottleneck of a stage the stride is that of the 3x3,
/// not of the first 1x1 as in the paper: torchvision's "V1.5".
///
/// Every layer is padded, so any input of at least 1x1 works; images below 33x33 are 1x1 at the end.

#include "models/model.h"

namespace minception {

/// 11,689,512 parameters for 3 input channels and 1000 classes.
Model make_resnet18(const ModelConfig& config);
/// 21,797,672 parameters.
Model make_resnet34(const ModelConfig& config);
/// 25,557,032 parameters.
Model make_resnet50(const ModelConfig& config);

}  // namespace minception
