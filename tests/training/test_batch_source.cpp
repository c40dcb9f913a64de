/// Resident and streaming batch sources give a network the same batches for any number of threads.

#include "core/error.h"
#include "tests/models/networks.h"
#include "training/batch_source.h"
#include "training/trainer.h"

#include "tests/catch.h"

#include <chrono>
#include <optional>

using namespace minception;

namespace {

ImageDataset make_noise(std::int64_t count) {
  ImageDataset dataset;
  dataset.image = Shape{2, 8, 8};
  dataset.class_names = {"a", "b", "c", "d"};
  const Random random{3, 9};
  for (std::int64_t n = 0; n < count; ++n) dataset.labels.push_back(static_cast<std::int32_t>(n % 4));
  for (std::int64_t i = 0; i < count * dataset.image.elements(); ++i) {
    dataset.pixels.push_back(static_cast<std::uint8_t>(random.bits(static_cast<std::uint64_t>(i))));
  }
  return dataset;
}

}  // namespace

TEST_CASE("streamed and resident samples give the same weights") {
  const ImageDataset dataset = make_noise(21);
  const MemorySource source(dataset);
  const auto backend = make_reference_backend();
  const ResidentDataset resident = make_resident(*backend, dataset.image, dataset.pixels, dataset.labels);
  const auto trained = [&](BatchSource& feed) {
    Network network(small_googlenet(true), *backend,
                    {.max_batch = 8,
                     .optimizer = Sgd{.lr = 0.05},
                     .dataset_image = dataset.image,
                     .augmentation = {.padding = {1, 1}, .flip = true}});
    network.initialize(Initialization::xavier_uniform, 1);
    Trainer trainer(network, feed, {.epochs = 2, .batch_size = 8});
    for (; !trainer.finished(); trainer.finish_epoch()) trainer.train_epoch();
    return network.state();
  };
  ResidentBatchSource on_device(resident);
  const auto expected = trained(on_device);
  for (const int threads : {1, 3}) {
    StreamingBatchSource streamed(source, threads);
    CHECK(streamed.size() == 21);
    CHECK(trained(streamed) == expected);
  }
}

TEST_CASE("a pass that starts in the middle delivers its remaining batches") {
  const ImageDataset dataset = make_noise(21);
  const MemorySource source(dataset);
  const auto backend = make_reference_backend();
  const ResidentDataset resident = make_resident(*backend, dataset.image, dataset.pixels, dataset.labels);
  Network network(small_googlenet(false), *backend, {.max_batch = 8, .dataset_image = dataset.image});
  network.initialize(Initialization::xavier_uniform, 1);
  const auto logits = [&](BatchSource& feed, std::int64_t position) {
    feed.start(network, Mode::inference,
               {.batch_size = 5, .shuffle = true, .seed = 7, .epoch = 3, .position = position});
    std::vector<double> all;
    for (; position < 21; position += 5) {
      const std::int64_t batch = std::min<std::int64_t>(5, 21 - position);
      feed.next(batch);
      network.infer(batch);
      const std::vector<double> part = network.logits(Mode::inference, batch);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  ResidentBatchSource on_device(resident);
  StreamingBatchSource streamed(source, 2);
  const std::vector<double> whole = logits(on_device, 0);
  CHECK(logits(streamed, 0) == whole);
  const std::vector<double> rest(whole.begin() + 10 * 4, whole.end());
  CHECK(logits(on_device, 10) == rest);
  CHECK(logits(streamed, 10) == rest);
  CHECK_THROWS_AS(streamed.next(1), Error);
}

TEST_CASE("streamed training does not wait for samples after the first batch") {
  const ImageDataset dataset = make_noise(160);
  const MemorySource source(dataset);
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true), *backend, {.max_batch = 8, .dataset_image = dataset.image});
  network.initialize(Initialization::xavier_uniform, 1);
  StreamingBatchSource feed(source, 1);
  Trainer trainer(network, feed, {.epochs = 2, .batch_size = 8});
  double waited = 0.0;  // without the first batch of each epoch
  const auto start = std::chrono::steady_clock::now();
  for (; !trainer.finished(); trainer.finish_epoch()) {
    std::optional<double> first;
    TrainerHooks hooks;
    hooks.after_step = [&] {
      if (!first) first = feed.seconds_waited();
      return true;
    };
    trainer.train_epoch(hooks);
    waited += feed.seconds_waited() - *first;
  }
  const std::chrono::duration<double> trained = std::chrono::steady_clock::now() - start;
  INFO(waited << " of " << trained.count() << " seconds");
  CHECK(waited <= 0.02 * trained.count());
}
