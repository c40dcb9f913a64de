#include <minception/layers/avg_pool2d.h>
#include <minception/layers/basic_conv2d.h>
#include <minception/layers/inception.h>
#include <minception/layers/linear.h>
#include <minception/layers/max_pool2d.h>
#include <minception/models/googlenet.h>

#include <algorithm>

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

class Builder {
 public:
  Builder(const ModelConfig& config, bool batch_norm) : batch_norm_(batch_norm) {
    model_.config = config;
    model_.body = std::make_unique<Sequential>();
  }

  void begin_stage(std::string name) {
    end_stage();
    model_.stages.push_back({.name = std::move(name), .begin = model_.body->size(), .end = 0});
  }
  void conv(const char* name, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    model_.body->add<BasicConv2d>(name, BasicConv2d::Options{.in_channels = in,
                                                             .out_channels = out,
                                                             .kernel = {kernel, kernel},
                                                             .stride = {stride, stride},
                                                             .padding = {kernel / 2, kernel / 2},
                                                             .batch_norm = batch_norm_});
  }
  void max_pool(const char* name) {
    model_.body->add<MaxPool2d>(name, Pool2dAttributes{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
  }
  void inceptions(std::span<const Block> blocks) {
    for (const Block& block : blocks) {
      model_.body->add<Inception>(block.name,
                                  Inception::Options{.channels = block.channels, .batch_norm = batch_norm_});
    }
  }
  void classifier(std::int64_t features, std::int64_t classes) {
    model_.body->add<GlobalAvgPool>("avgpool");
    begin_stage("head");
    model_.body->add<Linear>("fc", Linear::Options{.in_features = features, .out_features = classes});
  }
  Model finish() {
    end_stage();
    return std::move(model_);
  }

 private:
  void end_stage() {
    if (!model_.stages.empty()) model_.stages.back().end = model_.body->size();
  }

  bool batch_norm_;
  Model model_;
};

Model build(const ModelConfig& config, bool batch_norm) {
  Builder net(config, batch_norm);
  net.begin_stage("stage1");
  net.conv("conv1", config.input[0], 64, 7, 2);
  net.max_pool("maxpool1");
  net.begin_stage("stage2");
  net.conv("conv2", 64, 64, 1, 1);
  net.conv("conv3", 64, 192, 3, 1);
  net.max_pool("maxpool2");
  net.begin_stage("stage3");
  net.inceptions(kStage3);
  net.max_pool("maxpool3");
  net.begin_stage("stage4");
  net.inceptions(kStage4);
  net.max_pool("maxpool4");
  net.begin_stage("stage5");
  net.inceptions(kStage5);
  net.classifier(1024, config.classes);
  Model model = net.finish();

  constexpr std::int64_t kSmallest = 17;  // 17 -> 9 -> 5 -> 3 -> 2 -> 1; 16 reaches 1 one halving earlier
  if (std::min(config.input[1], config.input[2]) < kSmallest) {
    model.warnings.push_back(concat("an input of ", config.input[1], "x", config.input[2], " is smaller than ",
                                    kSmallest, "x", kSmallest,
                                    ": one of the five halvings of GoogLeNet has nothing left to halve"));
  }
  return model;
}

}  // namespace

Model make_googlenet(const ModelConfig& config) { return build(config, false); }
Model make_googlenet_bn(const ModelConfig& config) { return build(config, true); }

}  // namespace minception
