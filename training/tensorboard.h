#pragma once
/// TensorBoard event files: TFRecord frames (length, masked CRC-32C, data, masked CRC-32C) of `Event` messages, written by
/// hand (tensorflow/core/util/event.proto, tensorflow/core/lib/io/record_writer.h).

#include <minception/training/metrics.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace minception {

/// Appends scalars to an event file. Every scalar is one write, so a kill leaves whole records or one torn at the end,
/// which TensorBoard skips.
class EventFile {
 public:
  /// Makes `folder` where needed and a new file in it, "events.out.tfevents.<seconds>.<host>.<process>.<n>". Throws Error.
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(std::string_view tag, std::int64_t step, double value);
  /// loss/train, accuracy/train, learning_rate, momentum, gradient_norm/all, gradient_norm/LAYER, examples_per_second.
  void add(const StepMetrics& metrics);
  /// epoch/train_loss, epoch/train_accuracy, epoch/test_loss, epoch/test_accuracy, epoch/test_top5 (epoch/validation_...
  /// in a run with validation images).
  void add(const EpochMetrics& metrics);

  const std::filesystem::path& path() const { return path_; }

 private:
  void record(const std::string& event);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A folder that holds what `metrics` say and nothing else: event files in it are removed, one new one is written. So a
/// resumed run shows no step twice.
void rewrite_events(const std::filesystem::path& folder, const Metrics& metrics);

/// CRC-32C (Castagnoli), as RFC 3720 B.4 has it.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace minception
