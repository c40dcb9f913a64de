#include "models/resnet.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "layers/residual.h"

#include <array>

namespace minception {
namespace {

struct Kind {
  std::array<int, 4> blocks;  // of layer1 to layer4
  bool bottleneck;
};

Conv2d convolution(std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return Conv2d({.out_channels = out, .kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false});
}

BatchNorm2d norm(bool relu) { return BatchNorm2d({.relu = relu}); }

/// A block with `out` channels, in the middle of a bottleneck a quarter of them.
Residual make_block(bool bottleneck, std::int64_t out, std::int64_t stride, bool projects) {
  auto branch = std::make_unique<Sequential>();
  if (bottleneck) {
    branch->add("conv1", convolution(out / 4, 1, 1)).add("bn1", norm(true));
    branch->add("conv2", convolution(out / 4, 3, stride)).add("bn2", norm(true));
    branch->add("conv3", convolution(out, 1, 1)).add("bn3", norm(false));
  } else {
    branch->add("conv1", convolution(out, 3, stride)).add("bn1", norm(true));
    branch->add("conv2", convolution(out, 3, 1)).add("bn2", norm(false));
  }
  Residual block("", std::move(branch), 1.0, true);
  if (projects) {
    auto downsample = std::make_unique<Sequential>();
    downsample->add("0", convolution(out, 1, stride)).add("1", norm(false));
    block.project("downsample", std::move(downsample));
  }
  return block;
}

class Builder {
 public:
  explicit Builder(const ModelConfig& config) : shape_{1, config.input[0], config.input[1], config.input[2]} {
    model_.config = config;
    model_.body = std::make_unique<Sequential>();
  }

  template <class L>
  void add(const std::string& name, L layer, bool halves = false) {
    layer.infer(name, shape_);
    const Shape before = shape_;
    shape_ = layer.output_shape(shape_);
    if (halves && model_.warnings.empty() && (shape_[2] == before[2] || shape_[3] == before[3])) {
      const Shape& input = model_.config.input;
      model_.warnings.push_back(concat("an input of ", input[1], "x", input[2], " is very small: ", name,
                                       " cannot halve it any more; use a larger one"));
    }
    model_.body->add(name, std::move(layer));
  }
  /// A stage of the layers since the last one.
  void end_stage(std::string name) {
    const std::size_t begin = model_.stages.empty() ? 0 : model_.stages.back().end;
    model_.stages.push_back({.name = std::move(name), .begin = begin, .end = model_.body->size()});
  }
  std::int64_t channels() const { return shape_[1]; }
  Model finish() { return std::move(model_); }

 private:
  Shape shape_;
  Model model_;
};

Model make_resnet(const ModelConfig& config, const Kind& kind) {
  Builder net(config);
  net.add("conv1", convolution(64, 7, 2), true);
  net.add("bn1", norm(true));
  net.add("maxpool", MaxPool2d(Pool2dAttributes{.kernel = 3, .stride = 2, .padding = 1}), true);
  net.end_stage("stem");
  std::int64_t out = kind.bottleneck ? 256 : 64;
  for (std::size_t i = 0; i < kind.blocks.size(); ++i, out *= 2) {
    const std::string stage = concat("layer", i + 1);
    for (int block = 0; block < kind.blocks[i]; ++block) {
      const bool halves = i > 0 && block == 0;
      net.add(concat(stage, ".", block),
              make_block(kind.bottleneck, out, halves ? 2 : 1, halves || net.channels() != out), halves);
    }
    net.end_stage(stage);
  }
  net.add("avgpool", GlobalAvgPool());
  net.add("fc", Linear(config.classes));
  net.end_stage("head");
  return net.finish();
}

}  // namespace

Model make_resnet18(const ModelConfig& config) { return make_resnet(config, {{2, 2, 2, 2}, false}); }
Model make_resnet34(const ModelConfig& config) { return make_resnet(config, {{3, 4, 6, 3}, false}); }
Model make_resnet50(const ModelConfig& config) { return make_resnet(config, {{3, 4, 6, 3}, true}); }

}  // namespace minception
