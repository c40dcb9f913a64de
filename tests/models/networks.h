#pragma once
/// Networks for tests.

#include "core/random.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/inception.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"
#include "layers/residual.h"
#include "models/network.h"

#include <memory>
#include <vector>

namespace minception {

/// A small GoogLeNet: a stem with a pool, two Inception blocks with a pool between them, global average pooling, a
/// classifier, and optionally an auxiliary head after the first block.
inline Model small_googlenet(bool batch_norm, bool auxiliary = false) {
  Model model;
  model.config = {.name = "small", .input = {2, 12, 10}, .classes = 4};
  model.body = std::make_unique<Sequential>();
  Sequential& body = *model.body;
  body.add<BasicConv2d>(
      "conv1", BasicConv2d::Options{
                   .in_channels = 2, .out_channels = 9, .kernel = {3, 3}, .padding = {1, 1}, .batch_norm = batch_norm});
  const Pool2dAttributes windows = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  body.add<MaxPool2d>("pool1", windows);
  body.add<Inception>("inception3a",
                      Inception::Options{.channels = {9, 16, 17, 18, 15, 16, 17}, .batch_norm = batch_norm});
  body.add<MaxPool2d>("pool2", windows);
  body.add<Inception>("inception3b",
                      Inception::Options{.channels = {67, 17, 16, 18, 16, 15, 16}, .batch_norm = batch_norm});
  body.add<GlobalAvgPool>("avgpool");
  body.add<Linear>("fc", Linear::Options{.in_features = 66, .out_features = 4});
  model.stages.push_back({"all", 0, body.size()});
  if (auxiliary) {
    auto head = std::make_unique<Sequential>();
    head->add<BasicConv2d>("conv",
                           BasicConv2d::Options{.in_channels = 67, .out_channels = 16, .batch_norm = batch_norm});
    head->add<GlobalAvgPool>("avgpool");
    head->add<Linear>("fc", Linear::Options{.in_features = 16, .out_features = 4});
    model.auxiliary.push_back({"aux1", 2, std::move(head), 0.3});
  }
  return model;
}

/// A small network with the parts of the GoogLeNet variants: local response normalisation, later kinds of Inception, a
/// residual block, dropout, and the auxiliary classifiers of the paper and of torchvision.
inline Model small_relative(bool batch_norm) {
  Model model;
  model.config = {.name = "small relative", .input = {2, 12, 10}, .classes = 4};
  model.body = std::make_unique<Sequential>();
  Sequential& body = *model.body;
  const auto unit = [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return BasicConv2d::Options{.in_channels = in,
                                .out_channels = out,
                                .kernel = {kernel, kernel},
                                .padding = {kernel / 2, kernel / 2},
                                .batch_norm = batch_norm};
  };
  const auto block = [&](InceptionKind kind, InceptionChannels channels) {
    return Inception::Options{.channels = channels, .batch_norm = batch_norm, .kind = kind, .factor = 3};
  };
  body.add<BasicConv2d>("conv1", unit(2, 9, 3));
  body.add<MaxPool2d>("pool1", Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true});
  body.add<LocalResponseNorm>("norm1", LocalResponseNormAttributes{.size = 5, .alpha = 0.7, .k = 1.5});
  body.add<Inception>("inception3a", block(InceptionKind::two_3x3, {9, 12, 12, 12, 16, 12, 8}));
  body.add<Inception>("inception4a", block(InceptionKind::factorised, {44, 12, 12, 12, 16, 12, 8}));
  auto residual = std::make_unique<Sequential>();
  residual->add<Inception>("branches", block(InceptionKind::two_3x3, {44, 12, 12, 12, 16, 12, 0}));
  residual->add<Conv2d>("projection", Conv2d::Options{.in_channels = 36, .out_channels = 44});
  body.add<Residual>("inception4b", "residual", std::move(residual), 0.3, true);
  body.add<Inception>("inception5a", block(InceptionKind::expanded, {44, 12, 12, 16, 16, 16, 8}));
  body.add<GlobalAvgPool>("avgpool");
  body.add<Dropout>("dropout", 0.4, std::uint64_t{3});
  body.add<Linear>("fc", Linear::Options{.in_features = 52, .out_features = 4});
  model.stages.push_back({"all", 0, body.size()});

  const auto head = [&](const char* name, std::size_t after, bool adaptive) {
    auto layers = std::make_unique<Sequential>();
    if (adaptive) {
      layers->add<AdaptiveAvgPool2d>("avgpool", Extent2d{2, 2});
    } else {
      layers->add<AvgPool2d>("avgpool", Pool2dAttributes{.kernel = {5, 5}, .stride = {3, 3}});
    }
    layers->add<BasicConv2d>("conv", unit(44, 16, 1));
    layers->add<Flatten>("flatten");
    layers->add<Linear>("fc1", Linear::Options{.in_features = adaptive ? 64 : 16, .out_features = 24});
    layers->add<ReLU>("relu");
    layers->add<Dropout>("dropout", 0.5, std::uint64_t{7});
    layers->add<Linear>("fc2", Linear::Options{.in_features = 24, .out_features = 4});
    model.auxiliary.push_back({name, after, std::move(layers), 0.3});
  };
  head("aux1", 4, false);
  head("aux2", 5, true);
  return model;
}

/// A small ResNet with the block of torchvision, a block without projection, and one whose branches end in ReLUs.
inline Model small_resnet() {
  Sequential body = {{"conv1", Conv2d(9, 3, {.padding = 1, .bias = false})},
                     {"bn1", BatchNorm2d({.relu = true})},
                     {"maxpool", MaxPool2d(2)}};
  const auto branch = [](std::int64_t stride) {
    return std::make_unique<Sequential>(
        Sequential{{"conv1", Conv2d(12, 3, {.stride = stride, .padding = 1, .bias = false})},
                   {"bn1", BatchNorm2d({.relu = true})},
                   {"conv2", Conv2d(12, 3, {.padding = 1, .bias = false})},
                   {"bn2", BatchNorm2d()}});
  };
  Residual first("", branch(2), 1.0, true);
  first.project("downsample",
                std::make_unique<Sequential>(Sequential{Conv2d(12, 1, {.stride = 2, .bias = false}), BatchNorm2d()}));
  const auto unit = [](std::int64_t kernel) {
    return BasicConv2d({.out_channels = 16, .kernel = kernel, .padding = kernel / 2});
  };
  body.add("layer1.0", std::move(first))
      .add("layer1.1", Residual("", branch(1), 1.0, true))
      .add("layer2.0", Residual({unit(3)}, {unit(1)}, 0.5))
      .add("avgpool", GlobalAvgPool())
      .add("fc", Linear(4));
  return {"small resnet", std::move(body), {2, 12, 10}, 4};
}

struct RandomBatch {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
};

inline RandomBatch random_batch(const ModelConfig& config, std::int64_t count, std::uint64_t seed = 5) {
  RandomBatch batch;
  const Random random{seed, 1};
  batch.images.resize(static_cast<std::size_t>(count * config.input.elements()));
  for (std::size_t i = 0; i < batch.images.size(); ++i) batch.images[i] = random.uniform(i);
  for (std::int64_t i = 0; i < count; ++i) {
    batch.labels.push_back(static_cast<std::int32_t>(Random{seed, 2}.bits(static_cast<std::uint64_t>(i)) %
                                                     static_cast<std::uint64_t>(config.classes)));
  }
  return batch;
}

}  // namespace minception
