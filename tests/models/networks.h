#pragma once
/// Networks for tests.

#include <minception/core/random.h>
#include <minception/layers/avg_pool2d.h>
#include <minception/layers/basic_conv2d.h>
#include <minception/layers/inception.h>
#include <minception/layers/linear.h>
#include <minception/layers/max_pool2d.h>
#include <minception/models/network.h>

#include <memory>
#include <vector>

namespace minception {

/// A GoogLeNet in the small: a stem with a pool, two Inception blocks with a pool between them, global average pooling,
/// a classifier; optionally an auxiliary head behind the first block.
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
