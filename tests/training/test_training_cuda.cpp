/// Training on the cuda backend as in `train --device cuda`: whole steps replayed, stopped and resumed.

#include "data/registry.h"
#include "models/registry.h"
#include "tests/models/drift.h"
#include "tests/skip_without_gpu.h"
#include "training/evaluation.h"
#include "training/trainer.h"

#ifdef MINCEPTION_EMULATED
#include "simt/runtime.h"
#endif

#include "tests/catch.h"

#include <cstdio>
#include <filesystem>

using namespace minception;

namespace {

constexpr std::int64_t kSteps = 40, kBatch = 16, kStop = 30;

/// The first images of Fashion-MNIST, enough for kSteps; noise cannot be learned.
ImageDataset real_images() {
  ImageDataset images = load_dataset("fashion-mnist").train;
  images.labels.resize(static_cast<std::size_t>(kSteps * kBatch));
  images.pixels.resize(images.labels.size() * static_cast<std::size_t>(images.image.elements()));
  return images;
}

struct Run {
  Run(Backend& backend, const ImageDataset& images, bool record)
      : dataset(make_resident(backend, images.image, images.pixels, images.labels)),
        network(make_model({.name = "googlenet_small", .input = {1, 32, 32}}), backend,
                {.max_batch = kBatch,
                 .optimizer = Sgd{.lr = 0.02, .momentum = 0.8},
                 .dataset_image = images.image,
                 .graph_capture = record}),
        trainer(network, feed, {.epochs = 1, .batch_size = kBatch, .steps_per_line = 1}) {
    network.initialize(Initialization::xavier_uniform, 1);
    hooks.line = [this](const StepMetrics& line) { losses.push_back(line.loss); };
  }

  ResidentDataset dataset;
  ResidentBatchSource feed{dataset};
  Network network;
  Trainer trainer;
  TrainerHooks hooks;
  std::vector<double> losses;
};

double mean(const std::vector<double>& values, std::size_t begin, std::size_t count) {
  double sum = 0.0;
  for (std::size_t i = begin; i < begin + count; ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

#ifdef MINCEPTION_HAVE_CPU
/// Repeats every step of the leader on the cpu backend from the leader's state. The last blocks normalise over 16
/// values here, so without the reset a difference in the last bit would grow a thousandfold within a few steps.
class Follower {
 public:
  Follower(Run& leader, const ImageDataset& images)
      : leader_(leader), cpu_(make_cpu_backend()), run_(*cpu_, images, false), before_(run_.network.state()) {
    run_.hooks.after_step = [] { return false; };
  }

  /// Call after each step of the leader.
  void step() {
    run_.trainer.train_epoch(run_.hooks);
    const double loss = run_.losses.back();
    loss_difference = std::max(loss_difference, std::abs(leader_.losses.back() - loss) / loss);
    update_differences.push_back(drift(leader_.network, run_.network, before_));
    before_ = leader_.network.state();
    run_.network.load_state(before_);
    run_.network.load_optimizer_state(leader_.network.optimizer_state());
    run_.trainer.set_state(leader_.trainer.state());
  }

  std::size_t steps() const { return run_.losses.size(); }
  double loss_difference = 0.0;            ///< the largest, relative to the loss
  std::vector<double> update_differences;  ///< relative to the length of the update

 private:
  Run& leader_;
  std::unique_ptr<Backend> cpu_;
  Run run_;
  std::map<std::string, FileTensor> before_;
};
#endif

}  // namespace

TEST_CASE("cuda: a BatchNorm GoogLeNet learns real images like the cpu backend and resumes with the same bits",
          "[network]") {
  if (!std::filesystem::is_directory(default_data_dir("fashion-mnist"))) {
    SKIP("Fashion-MNIST is not installed (Debian: dataset-fashion-mnist)");
  }
  const ImageDataset images = real_images();
  const auto backend = make_cuda_backend();
  Run whole(*backend, images, true);
  TrainerState state;
  std::map<std::string, FileTensor> weights, momentum;
#ifdef MINCEPTION_HAVE_CPU
  Follower follower(whole, images);
#endif
  whole.hooks.after_step = [&] {
#ifdef MINCEPTION_HAVE_CPU
    follower.step();
#endif
    if (whole.trainer.step() == kStop) {
      state = whole.trainer.state();
      weights = whole.network.state();
      momentum = whole.network.optimizer_state();
    }
    return true;
  };
  REQUIRE(whole.trainer.train_epoch(whole.hooks));
  REQUIRE(whole.losses.size() == kSteps);
  CHECK(whole.network.replays(kBatch));
  const double first = mean(whole.losses, 0, 8), last = mean(whole.losses, kSteps - 8, 8);
  std::printf(
      "googlenet_small on the cuda kernels, 32x32, batch 16: mean loss of the first 8 steps %.3f, of the last 8 %.3f\n",
      first, last);
  CHECK(last < 0.8 * first);
#ifdef MINCEPTION_HAVE_CPU
  CHECK(follower.steps() == kSteps);
  std::printf(
      "each of its steps compared with the cpu backend: losses differ by %.1e at most, updates by %.1e of their length "
      "(median) to %.1e\n",
      follower.loss_difference, median(follower.update_differences), largest(follower.update_differences));
  CHECK(follower.loss_difference <= kBatchNormStepOf16.loss);
  CHECK(median(follower.update_differences) <= kBatchNormStepOf16.median_weights);
  CHECK(largest(follower.update_differences) <= kBatchNormStepOf16.weights);
#endif

  // Resumed in another network without graphs.
  Run rest(*backend, images, false);
  rest.network.load_state(weights);
  rest.network.load_optimizer_state(momentum);
  rest.trainer.set_state(state);
  REQUIRE(rest.trainer.train_epoch(rest.hooks));
  CHECK(rest.losses == std::vector<double>(whole.losses.begin() + kStop, whole.losses.end()));
  CHECK(rest.network.state() == whole.network.state());
  CHECK(rest.network.optimizer_state() == whole.network.optimizer_state());
}

#ifdef MINCEPTION_EMULATED
TEST_CASE("cuda: streamed batches larger than a small staging buffer are copied without allocating", "[network]") {
  const auto backend = make_cuda_backend();
  const std::int64_t samples = 24 * kBatch, side = 40;  // 25 KB a batch; each of 16 buffers is used several times
  ImageDataset images;
  images.image = {1, side, side};
  for (std::int64_t i = 0; i < samples; ++i) {
    images.labels.push_back(static_cast<std::int32_t>(i % 10));
    images.pixels.insert(images.pixels.end(), static_cast<std::size_t>(side * side), static_cast<std::uint8_t>(i));
  }
  Network network(make_model({.name = "googlenet_small", .input = {1, 32, 32}}), *backend,
                  {.max_batch = kBatch, .dataset_image = images.image});
  network.initialize(Initialization::xavier_uniform, 1);
  const MemorySource source(images);
  StreamingBatchSource feed(source, 1);
  feed.start(network, Mode::training, {.batch_size = kBatch});
  const std::uint64_t before = simt::runtime_calls().allocations;
  for (std::int64_t i = 0; i < samples / kBatch; ++i) {
    feed.next(kBatch);
    network.set_control(0, i * kBatch, 0.001f, 0.0f);
  }
  CHECK(simt::runtime_calls().allocations == before);
}

TEST_CASE("cuda: a step neither allocates nor synchronizes", "[network]") {
  const auto backend = make_cuda_backend();
  ImageDataset images;
  images.image = {1, 28, 28};
  images.labels.assign(static_cast<std::size_t>(8 * kBatch), 3);
  images.pixels.assign(images.labels.size() * 28 * 28, 100);
  for (const bool record : {true, false}) {
    INFO("recorded: " << record);
    Run run(*backend, images, record);
    run.feed.start(run.network, Mode::training, {.batch_size = kBatch, .shuffle = true});
    const auto step = [&](std::int64_t i) {
      run.feed.next(kBatch);
      run.network.set_control(0, i * kBatch, 0.001f, 0.5f);
      run.network.train_step(kBatch);
    };
    for (std::int64_t i = 0; i < 3; ++i) step(i);  // the first step runs directly, the second is captured
    const simt::RuntimeCalls before = simt::runtime_calls();
    for (std::int64_t i = 3; i < 6; ++i) step(i);
    const simt::RuntimeCalls after = simt::runtime_calls();
    CHECK(after.allocations == before.allocations);
    CHECK(after.synchronizations == before.synchronizations);
    CHECK(after.graph_launches - before.graph_launches == (record ? 3 : 0));
    // Reading the metrics synchronizes.
    run.network.metrics();
    CHECK(simt::runtime_calls().synchronizations > after.synchronizations);
  }
}
#endif
