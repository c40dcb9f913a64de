#include "models/classic.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"

namespace minception {
namespace {

/// Appends layers and tracks the current output shape.
class Chain {
 public:
  explicit Chain(const ModelConfig& config) : shape_{1, config.input[0], config.input[1], config.input[2]} {
    model_.config = config;
    model_.body = std::make_unique<Sequential>();
  }

  void begin_stage(std::string name) {
    end_stage();
    model_.stages.push_back({.name = std::move(name), .begin = model_.body->size(), .end = 0});
  }
  void conv(std::string name, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    add<Conv2d>(std::move(name), Conv2d::Options{.out_channels = out,
                                                 .kernel = {kernel, kernel},
                                                 .stride = {stride, stride},
                                                 .padding = {padding, padding},
                                                 .relu = true});
  }
  void max_pool(std::string name, std::int64_t kernel) {
    add<MaxPool2d>(std::move(name), Pool2dAttributes{.kernel = {kernel, kernel}, .stride = {2, 2}});
  }
  void dropout(std::string name) {
    const double p = model_.config.dropout.value_or(0.5);
    if (p > 0.0) add<Dropout>(std::move(name), p, model_.config.seed);
  }
  /// Two hidden layers of 4096 units with dropout, then the logits.
  void dense_head() {
    begin_stage("head");
    add<Flatten>("flatten");
    for (const char* number : {"1", "2"}) {
      linear(concat("fc", number), 4096);
      add<ReLU>(concat("relu", number));
      dropout(concat("dropout", number));
    }
    linear("fc", model_.config.classes);
  }
  void global_average() { add<GlobalAvgPool>("avgpool"); }
  Model finish() {
    end_stage();
    return std::move(model_);
  }

 private:
  template <class L, class... Args>
  void add(std::string name, Args&&... args) {
    auto layer = std::make_unique<L>(std::forward<Args>(args)...);
    layer->infer(name, shape_);
    shape_ = layer->output_shape(shape_);
    model_.body->add(std::move(name), std::move(layer));
  }
  void linear(std::string name, std::int64_t out) { add<Linear>(std::move(name), out); }
  void end_stage() {
    if (!model_.stages.empty()) model_.stages.back().end = model_.body->size();
  }

  Shape shape_;
  Model model_;
};

Model make_vgg(const ModelConfig& config, std::int64_t divisor) {
  struct Block {
    int convolutions;
    std::int64_t channels;
  };
  constexpr Block kBlocks[] = {{1, 64}, {1, 128}, {2, 256}, {2, 512}, {2, 512}};
  Chain net(config);
  int number = 0;
  for (const Block& block : kBlocks) {
    ++number;
    net.begin_stage(concat("block", number));
    for (int i = 1; i <= block.convolutions; ++i) {
      net.conv(concat("conv", number, "_", i), block.channels / divisor, 3, 1, 1);
    }
    net.max_pool(concat("maxpool", number), 2);
  }
  net.dense_head();
  return net.finish();
}

}  // namespace

Model make_alexnet(const ModelConfig& config) {
  Chain net(config);
  net.begin_stage("features");
  net.conv("conv1", 96, 11, 4, 1);
  net.max_pool("maxpool1", 3);
  net.conv("conv2", 256, 5, 1, 2);
  net.max_pool("maxpool2", 3);
  net.conv("conv3", 384, 3, 1, 1);
  net.conv("conv4", 384, 3, 1, 1);
  net.conv("conv5", 256, 3, 1, 1);
  net.max_pool("maxpool5", 3);
  net.dense_head();
  return net.finish();
}

Model make_vgg11(const ModelConfig& config) { return make_vgg(config, 1); }
Model make_vgg11_small(const ModelConfig& config) { return make_vgg(config, 4); }

Model make_nin(const ModelConfig& config) {
  Chain net(config);
  const auto block = [&](int number, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    net.begin_stage(concat("block", number));
    net.conv(concat("conv", number, "_1"), out, kernel, stride, padding);
    net.conv(concat("conv", number, "_2"), out, 1, 1, 0);
    net.conv(concat("conv", number, "_3"), out, 1, 1, 0);
  };
  block(1, 96, 11, 4, 0);
  net.max_pool("maxpool1", 3);
  block(2, 256, 5, 1, 2);
  net.max_pool("maxpool2", 3);
  block(3, 384, 3, 1, 1);
  net.max_pool("maxpool3", 3);
  net.dropout("dropout");
  block(4, config.classes, 3, 1, 1);
  net.global_average();
  return net.finish();
}

}  // namespace minception
