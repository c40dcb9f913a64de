#include "data/loader.h"
#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace minception {

std::int32_t MemorySource::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  require(0 <= index && index < size(), "sample ", index, " does not exist: the data set has ", size());
  const std::span<const std::uint8_t> stored = dataset_.pixels_of(index);
  require(pixels.size() == stored.size(), "an image of ", image(), " does not fit into ", pixels.size(), " bytes");
  std::memcpy(pixels.data(), stored.data(), stored.size());
  return dataset_.labels[static_cast<std::size_t>(index)];
}

/// Batch k of the pass uses slot k modulo the number of slots. A thread claims the next batch as soon as its slot is
/// free, fills it without holding the lock and marks it ready. The slots are the only memory of the pass; their buffers
/// are allocated when first filled.
struct Loader::Shared {
  struct Slot {
    LoadedBatch batch;
    std::exception_ptr error;
    bool ready = false;
  };

  Shared(const SampleSource& samples, const Sampler& pass, const LoaderOptions& options)
      : source(samples), order(pass), sample_count(pass.size(samples.size())) {
    require(options.threads >= 1 && options.threads <= 1024, "a loader needs 1 to 1024 threads, not ", options.threads);
    require(order.batch_size >= 1, "batch size ", order.batch_size, ": must be at least 1");
    require(0 <= order.position && order.position <= sample_count, "a pass over ", sample_count,
            " samples cannot begin at position ", order.position);
    const Shape& image = source.image();
    require(image.rank() == 3 && image.elements() > 0, "images of shape ", image,
            ": a loader reads (C, H, W) with extents of at least 1");
    image_bytes = static_cast<std::size_t>(image.elements());
    const std::int64_t left = sample_count - order.position;
    if (left == 0) return;
    (void)sample_index(order.position);  // report an invalid order here instead of in a thread
    const std::int64_t largest = std::min(order.batch_size, left);
    std::int64_t batch_bytes = 0;
    require(!__builtin_mul_overflow(largest, image.elements(), &batch_bytes), "a batch of ", largest, " images of ",
            image, " is larger than memory; use a smaller batch");
    batches = (left - 1) / order.batch_size + 1;

    // One slot per waiting batch and one per thread. The batch in use by the caller takes one of them, so a single
    // thread is at most `most_ahead` batches ahead.
    const auto threads_used = std::min<std::int64_t>(options.threads, batches);
    const auto waiting = static_cast<std::int64_t>(std::min(options.most_ahead, static_cast<std::size_t>(batches)));
    slots.resize(static_cast<std::size_t>(std::min(waiting + threads_used, batches)));
    threads.reserve(static_cast<std::size_t>(threads_used));
    try {
      for (std::int64_t i = 0; i < threads_used; ++i) threads.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      stop_and_join();
      fail("cannot start ", threads_used, " reader threads: ", error.code().message(), "; use fewer");
    } catch (...) {
      stop_and_join();
      throw;
    }
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { stop_and_join(); }

  void stop_and_join() {
    {
      const std::lock_guard lock(mutex);
      stopped = true;
    }
    slot_freed.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  std::int64_t sample_index(std::int64_t position) const { return order.sample(source.size(), position); }

  Slot& slot_of(std::int64_t batch) { return slots[static_cast<std::size_t>(batch) % slots.size()]; }

  /// Loop of each thread.
  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      slot_freed.wait(lock, [this] {
        return stopped || claimed == batches || claimed < given + static_cast<std::int64_t>(slots.size());
      });
      if (stopped || claimed == batches) return;
      const std::int64_t index = claimed++;
      Slot& slot = slot_of(index);
      lock.unlock();
      try {
        fill(slot.batch, index);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      slot.ready = true;
      batch_ready.notify_one();
    }
  }

  void fill(LoadedBatch& batch, std::int64_t index) {
    batch.position = order.position + index * order.batch_size;
    const auto size = static_cast<std::size_t>(std::min(order.batch_size, sample_count - batch.position));
    batch.pixels.resize(size * image_bytes);
    batch.labels.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      if (stopped) return;  // stopping waits for one sample per thread, not for a batch
      batch.labels[i] = source.read(sample_index(batch.position + static_cast<std::int64_t>(i)),
                                    std::span(batch.pixels).subspan(i * image_bytes, image_bytes));
    }
  }

  const LoadedBatch* next() {
    std::unique_lock lock(mutex);
    if (held) {
      // The batch of the previous call was valid until now.
      slot_of(given).ready = false;
      held = false;
      ++given;
      slot_freed.notify_all();
    }
    if (given == batches) return nullptr;
    Slot& slot = slot_of(given);
    if (!slot.ready) {
      const auto start = std::chrono::steady_clock::now();
      batch_ready.wait(lock, [&] { return slot.ready; });
      waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    held = true;
    if (slot.error) std::rethrow_exception(std::exchange(slot.error, nullptr));
    return &slot.batch;
  }

  const SampleSource& source;
  const Sampler order;
  const std::int64_t sample_count;  // in the pass
  std::size_t image_bytes = 0;
  std::int64_t batches = 0;  // in the pass

  std::mutex mutex;  // guards the members below; until a slot is ready, one thread owns its batch
  std::condition_variable slot_freed;
  std::condition_variable batch_ready;
  std::vector<Slot> slots;
  std::int64_t claimed = 0;  // batches being read or already read
  std::int64_t given = 0;    // batches released by the caller; the next one is held while in use
  bool held = false;
  double waited = 0.0;
  std::atomic<bool> stopped = false;  // atomic: fill() reads it without the lock

  std::vector<std::thread> threads;
};

Loader::Loader(const SampleSource& source, const Sampler& order, const LoaderOptions& options)
    : shared_(std::make_unique<Shared>(source, order, options)) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

const LoadedBatch* Loader::next() { return shared_->next(); }

double Loader::seconds_waited() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->waited;
}

}  // namespace minception
