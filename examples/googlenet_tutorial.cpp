/// GoogLeNet learns Fashion-MNIST, from the layers up: the experiment of "Dive into Deep Learning", section 8.4. This
/// file shows all that it takes; `train --model googlenet` does the same and more.

#include <minception/data/registry.h>
#include <minception/examples/program.h>
#include <minception/layers/avg_pool2d.h>
#include <minception/layers/inception.h>
#include <minception/layers/linear.h>
#include <minception/training/evaluation.h>

#include <algorithm>
#include <cstdio>

using namespace minception;

// From grey images of 96x96 to ten logits, one per class. Shapes in comments are (channels, height, width).
Model googlenet() {
  auto net = std::make_unique<Sequential>();
  const Pool2dAttributes halve = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  // BasicConv2d is a convolution and a ReLU: input and output channels, then the kernel's size, its stride and padding.
  net->add<BasicConv2d>("conv1", {1, 64, {7, 7}, {2, 2}, {3, 3}});
  net->add<MaxPool2d>("maxpool1", halve);  // (64, 24, 24)
  net->add<BasicConv2d>("conv2", {64, 64, {1, 1}});
  net->add<BasicConv2d>("conv3", {64, 192, {3, 3}, {1, 1}, {1, 1}});
  net->add<MaxPool2d>("maxpool2", halve);  // (192, 12, 12)
  // An Inception block looks at its input through windows of 1x1, 3x3 and 5x5 and a max-pool, and lays the channels
  // that they find side by side: input channels, 1x1, reduce, 3x3, reduce, 5x5, after the pool. A reduce is a 1x1
  // convolution that leaves a larger window fewer channels to read.
  net->add<Inception>("inception3a", {{192, 64, 96, 128, 16, 32, 32}});
  net->add<Inception>("inception3b", {{256, 128, 128, 192, 32, 96, 64}});
  net->add<MaxPool2d>("maxpool3", halve);  // (480, 6, 6)
  net->add<Inception>("inception4a", {{480, 192, 96, 208, 16, 48, 64}});
  net->add<Inception>("inception4b", {{512, 160, 112, 224, 24, 64, 64}});
  net->add<Inception>("inception4c", {{512, 128, 128, 256, 24, 64, 64}});
  net->add<Inception>("inception4d", {{512, 112, 144, 288, 32, 64, 64}});
  net->add<Inception>("inception4e", {{528, 256, 160, 320, 32, 128, 128}});
  net->add<MaxPool2d>("maxpool4", halve);  // (832, 3, 3)
  net->add<Inception>("inception5a", {{832, 256, 160, 320, 32, 128, 128}});
  net->add<Inception>("inception5b", {{832, 384, 192, 384, 48, 128, 128}});
  net->add<GlobalAvgPool>("avgpool");  // (1024): the mean of each channel
  net->add<Linear>("fc", {.in_features = 1024, .out_features = 10});
  return {.config = {.name = "googlenet", .input = {1, 96, 96}, .classes = 10}, .body = std::move(net)};
}

int main(int argc, char** argv) {
  std::int64_t epochs = 10, limit = 0;
  std::string data_dir;
  CommandLine command_line("Trains GoogLeNet on Fashion-MNIST, step by step.", "googlenet_tutorial");
  command_line.add_option("EPOCHS", epochs, "passes over the training images").range(1, 1'000'000);
  command_line.add_option("DATA_DIR", data_dir, "folder of the data set (default: where its package puts it)");
  command_line.add_option("LIMIT", limit, "use the first so many images of each kind (0: all)");
  return command_line.run(argc, argv, [&] {
    Dataset data = load_dataset("fashion-mnist", data_dir);
    for (ImageDataset* part : {&data.train, &data.test}) keep_first(*part, limit, "LIMIT");
    const std::unique_ptr<Backend> cpu = make_backend("cpu");  // carries out all operations, and owns the memory
    const ResidentDataset train = make_resident(*cpu, data.train.image, data.train.pixels, data.train.labels);
    const ResidentDataset test = make_resident(*cpu, data.test.image, data.test.pixels, data.test.labels);
    ResidentFeed train_feed(train), test_feed(test);
    constexpr std::int64_t kBatch = 128;  // images per step; loading them resizes them to 96x96 and maps bytes to 0...1
    Network network(googlenet(), *cpu, {.max_batch = kBatch, .dataset_image = data.train.image});
    network.initialize(Initialization::xavier_uniform, 1);
    std::printf("%lld parameters\n", static_cast<long long>(network.parameters().trained_values()));
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
      network.reset_totals();
      train_feed.start(network, Mode::training, {.batch_size = kBatch, .shuffle = true, .seed = 1, .epoch = epoch});
      for (std::int64_t done = 0, batch = 0; done < train_feed.size(); done += batch) {
        batch = std::min(kBatch, train_feed.size() - done);  // the last one is smaller
        train_feed.next(batch);
        network.set_control(epoch, done, /*learning_rate=*/0.1f, /*momentum=*/0.0f);
        network.train_step(batch);  // logits, loss, gradients by backpropagation, weights -= 0.1 * gradients
      }
      const double train_loss = network.totals().loss / static_cast<double>(train_feed.size());
      const Evaluation result = evaluate(network, test_feed, data.test.labels);
      std::printf("epoch %lld: train loss %.4f, test loss %.4f, test accuracy %.4f\n", static_cast<long long>(epoch),
                  train_loss, result.loss, result.top1);
    }
  });
}
