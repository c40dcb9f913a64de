#pragma once
/// TensorBoard event files: TFRecord frames (length, masked CRC-32C, data, masked CRC-32C) of `Event` messages, encoded
/// without TensorFlow (tensorflow/core/util/event.proto, tensorflow/core/lib/io/record_writer.h).

#include "training/metrics.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace minception {

/// Appends scalars to an event file. Every scalar is one write, so a kill leaves at most one torn record at the end,
/// which TensorBoard skips.
class EventFile {
 public:
  /// Creates `folder` if needed and a new file "events.out.tfevents.<seconds>.<host>.<process>.<n>" in it. Throws
  /// Error.
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(std::string_view tag, std::int64_t step, double value);
  /// loss/train, accuracy/train, learning_rate, momentum, gradient_norm/all, gradient_norm/LAYER, examples_per_second,
  /// and loss/HEAD and accuracy/HEAD per auxiliary head.
  void add(const StepMetrics& metrics);
  /// epoch/train_loss, epoch/train_accuracy, epoch/test_loss, epoch/test_accuracy, epoch/test_top5
  /// (epoch/validation_... in a run with validation images).
  void add(const EpochMetrics& metrics);

  const std::filesystem::path& path() const { return path_; }

 private:
  void record(const std::string& event);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Replaces the event files in `folder` by one new file with `metrics`, so that a resumed run shows no step twice.
void rewrite_events(const std::filesystem::path& folder, const Metrics& metrics);

/// CRC-32C (Castagnoli), RFC 3720 section B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace minception
