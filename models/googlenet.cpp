#include "models/googlenet.h"
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

namespace minception {
namespace {

struct Block {
  const char* name;
  InceptionChannels channels;
};

// Szegedy et al. 2015, table 1.
constexpr Block kStage3[] = {{"inception3a", {192, 64, 96, 128, 16, 32, 32}},
                             {"inception3b", {256, 128, 128, 192, 32, 96, 64}}};
constexpr Block kStage4[] = {{"inception4a", {480, 192, 96, 208, 16, 48, 64}},
                             {"inception4b", {512, 160, 112, 224, 24, 64, 64}},
                             {"inception4c", {512, 128, 128, 256, 24, 64, 64}},
                             {"inception4d", {512, 112, 144, 288, 32, 64, 64}},
                             {"inception4e", {528, 256, 160, 320, 32, 128, 128}}};
constexpr Block kStage5[] = {{"inception5a", {832, 256, 160, 320, 32, 128, 128}},
                             {"inception5b", {832, 384, 192, 384, 48, 128, 128}}};

using Stem = GoogLeNetOptions::Stem;
using Auxiliary = GoogLeNetOptions::Auxiliary;

class Builder {
 public:
  Builder(const ModelConfig& config, const GoogLeNetOptions& options)
      : options_(options), shape_{1, config.input[0], config.input[1], config.input[2]} {
    model_.config = config;
    model_.body = std::make_unique<Sequential>();
  }

  void begin_stage(std::string name) {
    end_stage();
    model_.stages.push_back({.name = std::move(name), .begin = model_.body->size(), .end = 0});
  }
  void conv(const char* name, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    const Shape before = shape_;
    add<BasicConv2d>(name, unit(out / options_.channel_divisor, kernel, stride));
    if (stride > 1) check_halved(name, before);
  }
  void max_pool(const char* name, std::int64_t kernel = 3) {
    const std::int64_t padding = options_.ceil_pooling ? 0 : kernel / 2;
    const Shape before = shape_;
    add<MaxPool2d>(name, Pool2dAttributes{.kernel = {kernel, kernel},
                                          .stride = {2, 2},
                                          .padding = {padding, padding},
                                          .ceil_mode = options_.ceil_pooling});
    check_halved(name, before);
  }
  void local_response_norm(const char* name) {
    if (options_.local_response_norm) add<LocalResponseNorm>(name);
  }
  void inceptions(std::span<const Block> blocks, InceptionKind kind) {
    for (const Block& block : blocks) {
      const bool first = &block == &blocks.front();
      InceptionChannels channels = divided(options_.residual && first ? blocks.back().channels : block.channels);
      channels.in = 0;
      Inception::Options inception = {.channels = channels,
                                      .batch_norm = options_.batch_norm,
                                      .epsilon = options_.epsilon,
                                      .branch3_kernel = options_.branch3_kernel,
                                      .kind = kind};
      if (options_.residual && !first) {
        inception.channels.branch4 = 0;
        residual(block.name, inception);
      } else {
        add<Inception>(block.name, inception);
      }
      const std::string_view name = block.name;
      if (name == "inception4a") auxiliary("aux1");
      if (name == "inception4d") auxiliary("aux2");
    }
  }
  void classifier() {
    add<GlobalAvgPool>("avgpool");
    begin_stage("head");
    const double p = model_.config.dropout.value_or(options_.dropout);
    if (options_.dropout > 0.0 && p > 0.0) add<Dropout>("dropout", p, model_.config.seed);
    add<Linear>("fc", model_.config.classes);
  }
  Model finish() {
    end_stage();
    return std::move(model_);
  }

 private:
  template <class L, class... Args>
  void add(const char* name, Args&&... args) {
    auto layer = std::make_unique<L>(std::forward<Args>(args)...);
    layer->infer(name, shape_);
    shape_ = layer->output_shape(shape_);
    model_.body->add(name, std::move(layer));
  }
  /// Adds a warning if a pooling layer cannot halve its input: the model runs, but the layer has no effect.
  void check_halved(const char* name, const Shape& before) {
    if (shape_[2] < before[2] && shape_[3] < before[3]) return;
    const Shape& input = model_.config.input;
    if (model_.warnings.empty()) {
      model_.warnings.push_back(concat("an input of ", input[1], "x", input[2], " is very small: ", name,
                                       " cannot halve it any more; use a larger one"));
    }
  }
  InceptionChannels divided(InceptionChannels channels) const {
    for (std::int64_t* part : {&channels.branch1, &channels.branch2_reduce, &channels.branch2, &channels.branch3_reduce,
                               &channels.branch3, &channels.branch4}) {
      *part /= options_.channel_divisor;
    }
    return channels;
  }
  BasicConv2d::Options unit(std::int64_t out, std::int64_t kernel, std::int64_t stride) const {
    return {.out_channels = out,
            .kernel = {kernel, kernel},
            .stride = {stride, stride},
            .padding = {kernel / 2, kernel / 2},
            .batch_norm = options_.batch_norm,
            .epsilon = options_.epsilon};
  }
  void residual(const char* name, const Inception::Options& inception) {
    auto inner = std::make_unique<Sequential>();
    inner->add<Inception>("branches", inception);
    inner->add<Conv2d>("projection", Conv2d::Options{.out_channels = shape_[1]});
    add<Residual>(name, "residual", std::move(inner), options_.residual_scale, true);
  }
  void auxiliary(const char* name) {
    if (options_.auxiliary == Auxiliary::none) return;
    auto head = std::make_unique<Sequential>();
    if (options_.auxiliary == Auxiliary::paper) {
      head->add<AvgPool2d>("avgpool", Pool2dAttributes{.kernel = {5, 5}, .stride = {3, 3}});
    } else {
      head->add<AdaptiveAvgPool2d>("avgpool", Extent2d{4, 4});
    }
    head->add<BasicConv2d>("conv", unit(128, 1, 1));
    head->add<Flatten>("flatten");
    head->add<Linear>("fc1", 1024);
    head->add<ReLU>("relu");
    const double p = model_.config.dropout.value_or(0.7);
    if (p > 0.0) head->add<Dropout>("dropout", p, model_.config.seed);
    head->add<Linear>("fc2", model_.config.classes);
    head->infer(name, shape_);  // an image that is too small is an error here
    model_.auxiliary.push_back({name, model_.body->size() - 1, std::move(head), 0.3});
  }
  void end_stage() {
    if (!model_.stages.empty()) model_.stages.back().end = model_.body->size();
  }

  GoogLeNetOptions options_;
  Shape shape_;
  Model model_;
};

}  // namespace

Model build_googlenet(const ModelConfig& config, const GoogLeNetOptions& options) {
  Builder net(config, options);
  net.begin_stage("stage1");
  if (options.stem == Stem::standard) {
    net.conv("conv1", 64, 7, 2);
    net.max_pool("maxpool1");
    net.local_response_norm("norm1");
    net.begin_stage("stage2");
    net.conv("conv2", 64, 1, 1);
    net.conv("conv3", 192, 3, 1);
    net.local_response_norm("norm2");
    net.max_pool("maxpool2");
  } else if (options.stem == Stem::native) {
    net.conv("conv1", 64, 5, 1);
    net.begin_stage("stage2");
    net.conv("conv2", 64, 1, 1);
    net.conv("conv3", 192, 3, 1);
  } else {
    net.conv("conv1", 192, 3, 1);
  }
  net.begin_stage("stage3");
  net.inceptions(kStage3, options.stage3);
  net.max_pool("maxpool3");
  net.begin_stage("stage4");
  net.inceptions(kStage4, options.stage4);
  net.max_pool("maxpool4", options.last_pool_kernel);
  net.begin_stage("stage5");
  net.inceptions(kStage5, options.stage5);
  net.classifier();
  Model model = net.finish();
  if (options.transform_input && config.input[0] == 3) {
    constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};
    for (std::size_t c = 0; c < 3; ++c) {
      model.input_scale.push_back(kDeviation[c] / 0.5);
      model.input_shift.push_back((kMean[c] - 0.5) / 0.5);
    }
  }
  return model;
}

Model make_googlenet(const ModelConfig& config) { return build_googlenet(config, {}); }
Model make_googlenet_bn(const ModelConfig& config) { return build_googlenet(config, {.batch_norm = true}); }

Model make_googlenet_small(const ModelConfig& config) {
  return build_googlenet(config, {.batch_norm = true, .channel_divisor = 4});
}

Model make_googlenet_v1(const ModelConfig& config) {
  return build_googlenet(
      config, {.ceil_pooling = true, .local_response_norm = true, .dropout = 0.4, .auxiliary = Auxiliary::paper});
}

Model make_googlenet_torchvision(const ModelConfig& config) {
  return build_googlenet(config, {.batch_norm = true,
                                  .epsilon = 1e-3,
                                  .branch3_kernel = 3,
                                  .ceil_pooling = true,
                                  .last_pool_kernel = 2,
                                  .dropout = 0.2,
                                  .auxiliary = Auxiliary::torchvision,
                                  .transform_input = config.transform_input});
}

Model make_googlenet_v2(const ModelConfig& config) {
  return build_googlenet(config, {.batch_norm = true,
                                  .stage3 = InceptionKind::two_3x3,
                                  .stage4 = InceptionKind::two_3x3,
                                  .stage5 = InceptionKind::two_3x3});
}

Model make_googlenet_v3(const ModelConfig& config) {
  return build_googlenet(config, {.batch_norm = true,
                                  .stage3 = InceptionKind::two_3x3,
                                  .stage4 = InceptionKind::factorised,
                                  .stage5 = InceptionKind::expanded});
}

Model make_googlenet_residual(const ModelConfig& config) {
  return build_googlenet(config, {.batch_norm = true,
                                  .stage3 = InceptionKind::two_3x3,
                                  .stage4 = InceptionKind::two_3x3,
                                  .stage5 = InceptionKind::two_3x3,
                                  .residual = true});
}

Model make_googlenet_native(const ModelConfig& config) {
  return build_googlenet(config, {.stem = Stem::native, .batch_norm = true});
}

Model make_googlenet_cifar(const ModelConfig& config) {
  return build_googlenet(config, {.stem = Stem::cifar, .batch_norm = true, .dropout = 0.4});
}

}  // namespace minception
