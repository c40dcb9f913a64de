#include "core/error.h"
#include "data/loader.h"
#include "data/sampler.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace minception;
using namespace minception::testing;
using namespace std::chrono_literals;

namespace {

/// Samples whose content encodes their index. Counts reads and calls `before` in each.
class CountedSource final : public SampleSource {
 public:
  explicit CountedSource(
      std::int64_t size, std::function<void(std::int64_t)> before = [](std::int64_t) {})
      : size_(size), before_(std::move(before)) {}
  std::int64_t size() const override { return size_; }
  const Shape& image() const override { return image_; }
  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    ++reads;
    before_(index);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(index * 31 + i);
    return static_cast<std::int32_t>(index);
  }

  mutable std::atomic<std::int64_t> reads = 0;

 private:
  std::int64_t size_;
  std::function<void(std::int64_t)> before_;
  Shape image_{2, 1, 3};
};

/// Waits until `expected` samples are read, then 50 ms more; returns the number of reads.
std::int64_t settled_reads(const CountedSource& source, std::int64_t expected) {
  for (int i = 0; i < 1000 && source.reads < expected; ++i) std::this_thread::sleep_for(10ms);
  std::this_thread::sleep_for(50ms);
  return source.reads;
}

/// Reads a pass to its end and compares every batch with `order`.
void check_pass(const CountedSource& source, const Sampler& order, const LoaderOptions& options) {
  Loader loader(source, order, options);
  for (std::int64_t position = order.position; position < source.size();) {
    CAPTURE(position);
    const LoadedBatch* batch = loader.next();
    REQUIRE(batch != nullptr);
    REQUIRE(batch->position == position);
    REQUIRE(batch->size() == std::min(order.batch_size, source.size() - position));
    REQUIRE(batch->pixels.size() == static_cast<std::size_t>(batch->size() * 6));
    for (std::int64_t i = 0; i < batch->size(); ++i, ++position) {
      const std::int64_t index = sample_order(order.seed, order.epoch, source.size(), order.shuffle, position);
      REQUIRE(batch->labels[static_cast<std::size_t>(i)] == index);
      for (std::int64_t j = 0; j < 6; ++j) {
        REQUIRE(batch->pixels[static_cast<std::size_t>(i * 6 + j)] == static_cast<std::uint8_t>(index * 31 + j));
      }
    }
  }
  CHECK(loader.next() == nullptr);
  CHECK(loader.next() == nullptr);
  CHECK(loader.seconds_waited() >= 0.0);
}

}  // namespace

TEST_CASE("a pass follows the sampler for any number of threads and any queue length") {
  // Every fifth sample is slow, so that threads overtake each other.
  const CountedSource source(103, [](std::int64_t index) {
    if (index % 5 == 0) std::this_thread::sleep_for(200us);
  });
  for (int threads : {1, 2, 7}) {
    for (std::size_t most_ahead : {0u, 1u, 4u, 1000u}) {
      for (bool shuffle : {false, true}) {
        CAPTURE(threads, most_ahead, shuffle);
        check_pass(source, {.batch_size = 8, .shuffle = shuffle, .seed = 5, .epoch = 3}, {threads, most_ahead});
      }
    }
  }
}

TEST_CASE("a pass from a position reads the rest of the pass") {
  const CountedSource source(50);
  // 16 is a batch boundary of a pass in batches of 8, 13 is not; batches begin at the given position.
  for (std::int64_t position : {16, 13, 48, 49, 50}) {
    CAPTURE(position);
    const std::int64_t before = source.reads;
    check_pass(source, {.batch_size = 8, .shuffle = true, .seed = 2, .epoch = 1, .position = position}, {2, 4});
    CHECK(source.reads - before == 50 - position);
  }
}

TEST_CASE("the batch size may be one or the size of the pass or larger") {
  const CountedSource source(10);
  for (std::int64_t batch_size :
       {std::int64_t{1}, std::int64_t{9}, std::int64_t{10}, std::int64_t{11}, std::int64_t{0x7fffffffffffffff}}) {
    CAPTURE(batch_size);
    check_pass(source, {.batch_size = batch_size, .shuffle = true}, {3, 2});
  }
}

TEST_CASE("a pass over no samples has no batches") {
  const CountedSource source(0);
  check_pass(source, {.batch_size = 4}, {});
}

TEST_CASE("threads read ahead exactly as far as the queue allows") {
  for (int threads : {1, 3}) {
    for (std::size_t most_ahead : {0u, 1u, 4u}) {
      CAPTURE(threads, most_ahead);
      const CountedSource source(1000);
      Loader loader(source, {.batch_size = 5}, {threads, most_ahead});
      const auto buffers = static_cast<std::int64_t>(most_ahead) + threads;
      CHECK(settled_reads(source, 5 * buffers) == 5 * buffers);
      REQUIRE(loader.next() != nullptr);
      CHECK(settled_reads(source, 5 * buffers) == 5 * buffers);  // the batch in use still occupies its slot
      REQUIRE(loader.next() != nullptr);
      CHECK(settled_reads(source, 5 * (buffers + 1)) == 5 * (buffers + 1));
    }
  }
}

TEST_CASE("batch buffers are reused") {
  const CountedSource source(1000);
  Loader loader(source, {.batch_size = 4}, {2, 3});
  std::set<const void*> addresses;
  while (const LoadedBatch* batch = loader.next()) addresses.insert(batch->pixels.data());
  CHECK(addresses.size() == 5);
}

TEST_CASE("next throws the error of a sample at the batch of that sample") {
  const CountedSource source(40, [](std::int64_t index) {
    require(index != 13, "sample 13 is damaged");
    require(index != 14, "sample 14 is damaged too");
    require(index != 27, "sample 27 is damaged");
  });
  // Without a queue the batch after a damaged one uses the same buffer.
  for (const LoaderOptions& options :
       {LoaderOptions{1, 0}, LoaderOptions{1, 6}, LoaderOptions{2, 1}, LoaderOptions{7, 6}}) {
    CAPTURE(options.threads, options.most_ahead);
    Loader loader(source, {.batch_size = 4}, options);
    for (std::int64_t batch = 0; batch < 10; ++batch) {
      CAPTURE(batch);
      const LoadedBatch* loaded = nullptr;
      const std::string message = message_of([&] { loaded = loader.next(); });
      CHECK(message == (batch == 3 ? "sample 13 is damaged" : batch == 6 ? "sample 27 is damaged" : ""));
      CHECK((loaded == nullptr) == (batch == 3 || batch == 6));
      if (loaded != nullptr) CHECK(loaded->position == 4 * batch);
    }
    CHECK(loader.next() == nullptr);
  }
}

TEST_CASE("next rethrows exceptions of other types") {
  const CountedSource source(4, [](std::int64_t) { throw std::out_of_range("no such thing"); });
  Loader loader(source, {.batch_size = 4}, {});
  CHECK_THROWS_AS(loader.next(), std::out_of_range);
  CHECK(loader.next() == nullptr);
}

TEST_CASE("destroying a loader waits for at most one sample per thread") {
  const CountedSource source(100000, [](std::int64_t) { std::this_thread::sleep_for(20ms); });
  for (bool after_a_batch : {false, true}) {
    CAPTURE(after_a_batch);
    const auto start = [&] {
      Loader loader(source, {.batch_size = after_a_batch ? 2 : 50000}, {3, 2});
      if (after_a_batch) REQUIRE(loader.next() != nullptr);
      while (source.reads == 0) std::this_thread::yield();
      return std::chrono::steady_clock::now();
    }();
    // A whole batch would take 1000 s; in the other case the queue would take 10 samples.
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    const std::int64_t reads = source.reads;
    std::this_thread::sleep_for(50ms);
    CHECK(source.reads == reads);
  }
}

TEST_CASE("a loader can be moved and assigned while its threads read") {
  const CountedSource first(40), second(1000, [](std::int64_t) { std::this_thread::sleep_for(1ms); });
  Loader loader(second, {.batch_size = 3}, {2, 2});
  REQUIRE(loader.next() != nullptr);
  loader = Loader(first, {.batch_size = 30}, {2, 2});
  Loader moved(std::move(loader));
  REQUIRE(moved.next() != nullptr);
  const LoadedBatch* last = moved.next();
  REQUIRE(last != nullptr);
  CHECK(last->position == 30);
  CHECK(last->size() == 10);
  CHECK(moved.next() == nullptr);
}

TEST_CASE("seconds_waited measures the time spent waiting for batches") {
  const CountedSource slow(6, [](std::int64_t) { std::this_thread::sleep_for(20ms); });
  Loader waiting(slow, {.batch_size = 2}, {1, 2});
  std::chrono::duration<double> in_next{};
  for (bool more = true; more;) {
    const auto start = std::chrono::steady_clock::now();
    more = waiting.next() != nullptr;
    in_next += std::chrono::steady_clock::now() - start;
  }
  CHECK(waiting.seconds_waited() <= in_next.count());
  CHECK(waiting.seconds_waited() > 0.5 * in_next.count());  // three waits of about equal length
  const CountedSource fast(6);
  Loader ready(fast, {.batch_size = 2}, {1, 4});
  settled_reads(fast, 6);
  while (ready.next() != nullptr) {
  }
  CHECK(ready.seconds_waited() == 0.0);
}

TEST_CASE("MemorySource returns pixels and labels") {
  ImageDataset dataset;
  dataset.image = Shape{3, 1, 2};
  dataset.labels = {4, 2, 7};
  for (int i = 0; i < 18; ++i) dataset.pixels.push_back(static_cast<std::uint8_t>(i));
  const MemorySource source(dataset);
  CHECK(source.size() == 3);
  CHECK(source.image() == Shape{3, 1, 2});
  std::vector<std::uint8_t> pixels(6);
  CHECK(source.read(2, pixels) == 7);
  CHECK(pixels == std::vector<std::uint8_t>{12, 13, 14, 15, 16, 17});
  CHECK(message_of([&] { source.read(3, pixels); }) == "sample 3 does not exist: the data set has 3");
  CHECK(message_of([&] { source.read(-1, pixels); }) == "sample -1 does not exist: the data set has 3");
  pixels.resize(5);
  CHECK(message_of([&] { source.read(0, pixels); }) == "an image of [3,1,2] does not fit into 5 bytes");

  Loader loader(source, {.batch_size = 2}, {2, 2});
  CHECK(loader.next()->labels == std::vector<std::int32_t>{4, 2});
  const LoadedBatch* last = loader.next();
  CHECK(last->labels == std::vector<std::int32_t>{7});
  CHECK(last->pixels == std::vector<std::uint8_t>{12, 13, 14, 15, 16, 17});
}

TEST_CASE("Loader rejects invalid arguments") {
  const CountedSource source(10);
  const auto message = [&](const Sampler& order, const LoaderOptions& options) {
    return message_of([&] { Loader loader(source, order, options); });
  };
  CHECK(message({.batch_size = 0}, {}) == "batch size 0: must be at least 1");
  CHECK(message({.batch_size = -4}, {}) == "batch size -4: must be at least 1");
  CHECK(message({.position = 11}, {}) == "a pass over 10 samples cannot begin at position 11");
  CHECK(message({.position = -1}, {}) == "a pass over 10 samples cannot begin at position -1");
  CHECK(message({}, {.threads = 0}) == "a loader needs 1 to 1024 threads, not 0");
  CHECK(message({}, {.threads = 1025}) == "a loader needs 1 to 1024 threads, not 1025");
  CHECK_THAT(message({.shuffle = true, .epoch = -1}, {}), Catch::Contains("epoch -1 does not exist"));
  CHECK(source.reads == 0);

  ImageDataset dataset;
  dataset.labels = {0};
  for (const Shape& shape : {Shape{}, Shape{2, 3}, Shape{1, 0, 3}}) {
    dataset.image = shape;
    const MemorySource without_pixels(dataset);
    CHECK_THAT(message_of([&] { Loader loader(without_pixels, {}); }),
               Catch::Contains("a loader reads (C, H, W) with extents of at least 1"));
  }
}
