#pragma once
/// GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions", table 1) and variants. `googlenet` follows "Dive
/// into Deep Learning", section 8.4: no local response normalisation, dropout or auxiliary heads, 3x3 max-pools with
/// padding 1 in floor mode, a 5x5 third branch. For a 1x96x96 input and 10 classes:
///
///   stage1  7x7 convolution, stride 2; max-pool            [1,64,24,24]
///   stage2  1x1 and 3x3 convolution; max-pool              [1,192,12,12]
///   stage3  inception3a, 3b; max-pool                      [1,480,6,6]
///   stage4  inception4a to 4e; max-pool                    [1,832,3,3]
///   stage5  inception5a, 5b; global average pool           [1,1024]
///   head    fully connected                                [1,10]

#include "layers/inception.h"
#include "models/model.h"

namespace minception {

/// Differences between the published GoogLeNets. The defaults build `googlenet`.
struct GoogLeNetOptions {
  enum class Stem : std::uint8_t {
    standard,  ///< 7x7 stride 2, pool, 1x1, 3x3, pool
    native,    ///< for 28x28: 5x5 stride 1 to 64 channels, 1x1, 3x3 to 192, no pool
    cifar,     ///< for 32x32: one 3x3 to 192 channels
  };
  enum class Auxiliary : std::uint8_t {
    none,
    paper,        ///< average pool 5x5 stride 3, 1x1 to 128, 1024, dropout 0.7, logits; after 4a and 4d, weight 0.3
    torchvision,  ///< the same with an adaptive pool to 4x4
  };
  Stem stem = Stem::standard;
  bool batch_norm = false;
  double epsilon = 1e-5;             ///< of BatchNorm
  std::int64_t channel_divisor = 1;  ///< 1, 2 or 4: divisor of all convolution channels outside the auxiliary heads
  std::int64_t branch3_kernel = 5;   ///< 5, or 3 as in torchvision
  bool ceil_pooling = false;  ///< pools without padding in ceil mode (Caffe, torchvision), else padding 1 in floor mode
  std::int64_t last_pool_kernel = 3;  ///< of the pool before stage 5; 2 in torchvision
  bool local_response_norm = false;   ///< after the first pool and before the second
  double dropout = 0.0;               ///< before the last fully connected layer
  Auxiliary auxiliary = Auxiliary::none;
  bool transform_input = false;  ///< see Model::input_scale; needs 3 channels
  /// Kinds of the blocks of stages 3, 4 and 5.
  InceptionKind stage3 = InceptionKind::paper, stage4 = InceptionKind::paper, stage5 = InceptionKind::paper;
  bool residual = false;  ///< see make_googlenet_residual
  double residual_scale = 0.2;
};

/// Throws Error, naming the layer, if the input leaves a layer without output.
Model build_googlenet(const ModelConfig& config, const GoogLeNetOptions& options);

/// 5,977,530 parameters for one input channel and 10 classes.
Model make_googlenet(const ModelConfig& config);

/// googlenet with BatchNorm after every convolution (Ioffe & Szegedy 2015): 5,984,810 parameters.
Model make_googlenet_bn(const ModelConfig& config);

/// googlenet_bn with a quarter of the channels: 379,298 parameters.
Model make_googlenet_small(const ModelConfig& config);

/// As in the paper: LRN, ceil pooling, dropout 0.4, two auxiliary classifiers. For 3x224x224 and 1000 classes:
/// 6,998,552 parameters without the auxiliary classifiers, which run in training only.
Model make_googlenet_v1(const ModelConfig& config);

/// torchvision.models.googlenet with aux_logits: same parameter names, same logits. With 3 channels it applies
/// transform_input unless the configuration disables it.
Model make_googlenet_torchvision(const ModelConfig& config);

/// With BatchNorm; GoogLeNet's stages and channels, each 5x5 replaced by two 3x3.
Model make_googlenet_v2(const ModelConfig& config);

/// With BatchNorm; stage 3 as in v2, stage 4 factorised with n = 7, stage 5 with expanded filter banks.
Model make_googlenet_v3(const ModelConfig& config);

/// With BatchNorm, each 5x5 replaced by two 3x3. The first block of a stage is a full Inception block with the channels
/// of the stage's last row in table 1, which sets the stage's final width (480, 832, 1024). The others are residual
/// blocks of that width (Szegedy et al. 2017, section 3.2): three branches with the channels of their row in table 1, a
/// linear 1x1 projection to the stage width, scaled by 0.2, added to the input, ReLU.
Model make_googlenet_residual(const ModelConfig& config);

/// With BatchNorm, for 28x28 without resizing.
Model make_googlenet_native(const ModelConfig& config);

/// With BatchNorm, for 3x32x32: the stem is one 3x3 convolution to 192 channels, dropout 0.4.
Model make_googlenet_cifar(const ModelConfig& config);

}  // namespace minception
