/// Trains GoogLeNet on Fashion-MNIST as in "Dive into Deep Learning", section 8.4. Computes the same as
/// `train --model googlenet`.

#include <minception/core/error.h>
#include <minception/data/registry.h>
#include <minception/layers/avg_pool2d.h>
#include <minception/layers/inception.h>
#include <minception/layers/linear.h>
#include <minception/models/network.h>
#include <minception/training/evaluation.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

using namespace minception;

// Maps grey images of 96x96 to ten logits. Shapes in comments are (channels, height, width).
Model googlenet() {
  const PoolOptions halve = {.stride = 2, .padding = 1};
  // An Inception block concatenates the channels of four branches: 1x1, 3x3 and 5x5 convolutions and a max-pool. The
  // numbers are channels: input (0: those of the layer before), 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
  // A reduce is a 1x1 convolution that lowers the cost of the larger convolution after it.
  const auto inception = [](const InceptionChannels& channels) { return Inception({.channels = channels}); };
  Sequential net = {// BasicConv2d is a convolution with a ReLU.
                    {"conv1", BasicConv2d({.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3})},
                    {"maxpool1", MaxPool2d(3, halve)},  // (64, 24, 24)
                    {"conv2", BasicConv2d({.out_channels = 64})},
                    {"conv3", BasicConv2d({.out_channels = 192, .kernel = 3, .padding = 1})},
                    {"maxpool2", MaxPool2d(3, halve)},  // (192, 12, 12)
                    {"inception3a", inception({0, 64, 96, 128, 16, 32, 32})},
                    {"inception3b", inception({0, 128, 128, 192, 32, 96, 64})},
                    {"maxpool3", MaxPool2d(3, halve)},  // (480, 6, 6)
                    {"inception4a", inception({0, 192, 96, 208, 16, 48, 64})},
                    {"inception4b", inception({0, 160, 112, 224, 24, 64, 64})},
                    {"inception4c", inception({0, 128, 128, 256, 24, 64, 64})},
                    {"inception4d", inception({0, 112, 144, 288, 32, 64, 64})},
                    {"inception4e", inception({0, 256, 160, 320, 32, 128, 128})},
                    {"maxpool4", MaxPool2d(3, halve)},  // (832, 3, 3)
                    {"inception5a", inception({0, 256, 160, 320, 32, 128, 128})},
                    {"inception5b", inception({0, 384, 192, 384, 48, 128, 128})},
                    {"avgpool", GlobalAvgPool()},  // (1024): mean of each channel
                    {"fc", Linear(10)}};
  return Model("googlenet", std::move(net), {1, 96, 96}, 10);
}

int main(int argc, char** argv) {
  try {
    require(argc <= 4, "usage: googlenet_fashion_mnist [EPOCHS [DATA_DIR [LIMIT]]]");
    const std::int64_t epochs = argc > 1 ? std::stoll(argv[1]) : 10;
    const std::string data_dir = argc > 2 ? argv[2] : "";           // default: location of Debian's package
    const std::int64_t limit = argc > 3 ? std::stoll(argv[3]) : 0;  // number of images used of each part; 0: all
    const Dataset data = load_dataset("fashion-mnist", data_dir, {}, {.train = limit, .test = limit});
    const std::unique_ptr<Backend> cpu = make_backend("cpu");  // computes all operations and allocates memory
    const ResidentDataset train = make_resident(*cpu, data.train.image, data.train.pixels, data.train.labels);
    const ResidentDataset test = make_resident(*cpu, data.test.image, data.test.pixels, data.test.labels);
    ResidentBatchSource train_source(train), test_source(test);
    constexpr std::int64_t kBatch = 128;  // images per step; resized to 96x96, bytes scaled to [0, 1]
    Network network(googlenet(), *cpu, {.max_batch = kBatch, .dataset_image = data.train.image});
    network.initialize(Initialization::xavier_uniform, 1);
    std::printf("%lld parameters\n", static_cast<long long>(network.parameters().trained_values()));
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
      network.reset_metrics();
      train_source.start(network, Mode::training, {.batch_size = kBatch, .shuffle = true, .seed = 1, .epoch = epoch});
      for (std::int64_t done = 0, batch = 0; done < train_source.size(); done += batch) {
        batch = std::min(kBatch, train_source.size() - done);  // the last batch is smaller
        train_source.next(batch);
        network.set_control(epoch, done, /*learning_rate=*/0.1f, /*momentum=*/0.0f);
        network.train_step(batch);  // forward, loss, backward, weights -= 0.1 * gradients
      }
      const double train_loss = network.metrics().loss / static_cast<double>(train_source.size());
      const Evaluation result = evaluate(network, test_source, data.test.labels);
      std::printf("epoch %lld: train loss %.4f, test loss %.4f, test accuracy %.4f\n", static_cast<long long>(epoch),
                  train_loss, result.loss, result.top1);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "googlenet_fashion_mnist: %s\n", error.what());
    return 1;
  }
}
