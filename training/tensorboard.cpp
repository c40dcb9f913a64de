/// An event file is a sequence of frames (record_writer.h), each containing one `Event` message in protobuf's wire
/// format (protobuf.dev/programming-guides/encoding). Only five fields are needed, so they are encoded here by hand.

#include "training/tensorboard.h"
#include "core/error.h"
#include "core/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <limits>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {
namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";

// Wire types: encoding of a field's value.
constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

template <class T>
void put_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

/// Seven bits per byte, lowest first; the top bit marks that more bytes follow.
void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void put_field(std::string& out, unsigned number, unsigned wire_type) { put_varint(out, number << 3 | wire_type); }

void put_bytes(std::string& out, unsigned number, std::string_view bytes) {
  put_field(out, number, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

/// Event{double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5} with the time set.
std::string event_now() {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  put_field(event, 1, kFixed64);
  put_little_endian(event, std::bit_cast<std::uint64_t>(now.count()));
  return event;
}

/// First record of a file: its format version, which TensorBoard checks.
std::string version_event() {
  std::string event = event_now();
  put_bytes(event, 3, "brain.Event:2");
  return event;
}

/// Converting a double out of float's range would be undefined behaviour.
float to_float(double value) {
  if (std::abs(value) > std::numeric_limits<float>::max()) {
    return std::copysign(std::numeric_limits<float>::infinity(), value > 0.0 ? 1.0f : -1.0f);
  }
  return static_cast<float>(value);
}

/// Summary{repeated Value value = 1}, Value{string tag = 1; float simple_value = 2}.
std::string scalar_event(std::string_view tag, std::int64_t step, double scalar) {
  std::string value;
  put_bytes(value, 1, tag);
  put_field(value, 2, kFixed32);
  put_little_endian(value, std::bit_cast<std::uint32_t>(to_float(scalar)));
  std::string summary;
  put_bytes(summary, 1, value);

  std::string event = event_now();
  put_field(event, 2, kVarint);
  put_varint(event, static_cast<std::uint64_t>(step));
  put_bytes(event, 5, summary);
  return event;
}

/// Masked CRC of the TFRecord format: a CRC over data that contains its own CRC is degenerate.
std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; }

std::string framed(std::string_view event) {
  std::string frame;
  put_little_endian(frame, std::uint64_t{event.size()});
  put_little_endian(frame, masked_crc32c(frame));
  frame += event;
  put_little_endian(frame, masked_crc32c(event));
  return frame;
}

using Scalars = std::vector<std::pair<std::string, double>>;

Scalars scalars_of(const StepMetrics& metrics) {
  Scalars scalars = {{"loss/train", metrics.loss},
                     {"accuracy/train", metrics.accuracy},
                     {"learning_rate", metrics.learning_rate},
                     {"momentum", metrics.momentum},
                     {"gradient_norm/all", metrics.gradient_norm},
                     {"examples_per_second", metrics.examples_per_second}};
  for (const auto& [layer, norm] : metrics.gradient_norms) scalars.emplace_back(concat("gradient_norm/", layer), norm);
  for (const StepMetrics::Auxiliary& head : metrics.auxiliary) {
    scalars.emplace_back(concat("loss/", head.head), head.loss);
    scalars.emplace_back(concat("accuracy/", head.head), head.accuracy);
  }
  return scalars;
}

Scalars scalars_of(const EpochMetrics& metrics) {
  const std::string prefix = concat("epoch/", to_string(metrics.part));
  return {{"epoch/train_loss", metrics.train_loss},
          {"epoch/train_accuracy", metrics.train_accuracy},
          {prefix + "_loss", metrics.eval_loss},
          {prefix + "_accuracy", metrics.eval_accuracy},
          {prefix + "_top5", metrics.eval_top5}};
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, folder.string(), ": cannot make a folder for TensorBoard events: ", error.message(),
          "; choose another folder");
}

/// TensorBoard reads files in the order of their names, so names start with the time.
std::filesystem::path new_name(const std::filesystem::path& folder) {
  static std::atomic<unsigned> counter{0};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {"localhost"};
  for (char& c : host) {
    if (c != '\0' && std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '_';
  }
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return folder / concat(kPrefix, seconds, '.', host.data(), '.', ::getpid(), '.', counter++);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ ((remainder & 1) != 0 ? 0x82f63b78u : 0u);
      table[i] = remainder;
    }
    return table;
  }();
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder) {
  make_folder(folder);
  do {
    path_ = new_name(folder);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  const int reason = errno;
  require(descriptor_ >= 0, path_.string(), ": cannot create this event file: ", system_message(reason),
          "; choose another folder");
  try {
    record(version_event());
  } catch (...) {
    ::close(descriptor_);
    ::unlink(path_.c_str());
    throw;
  }
}

EventFile::~EventFile() { ::close(descriptor_); }

void EventFile::scalar(std::string_view tag, std::int64_t step, double value) {
  record(scalar_event(tag, step, value));
}

void EventFile::add(const StepMetrics& metrics) {
  for (const auto& [tag, value] : scalars_of(metrics)) scalar(tag, metrics.step, value);
}

void EventFile::add(const EpochMetrics& metrics) {
  for (const auto& [tag, value] : scalars_of(metrics)) scalar(tag, metrics.step, value);
}

void EventFile::record(const std::string& event) {
  const std::string frame = framed(event);
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, frame.data(), frame.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(frame.size())) return;

  // A short write sets no errno: the disk was full after part of the frame.
  const int reason = written < 0 ? errno : ENOSPC;
  // Records after a torn one would be lost, so the part is removed; if that fails, TensorBoard stops reading there.
  struct stat status {};
  if (written > 0 && ::fstat(descriptor_, &status) == 0) {
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, status.st_size - written);
  }
  fail(path_.string(), ": cannot write an event: ", system_message(reason),
       "; free space on the disk or choose another folder");
}

void rewrite_events(const std::filesystem::path& folder, const Metrics& metrics) {
  make_folder(folder);
  std::vector<std::filesystem::path> old_files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with(kPrefix) && entry->is_regular_file()) {
      old_files.push_back(entry->path());
    }
  }
  require(!error, folder.string(), ": cannot be listed: ", error.message());

  std::string frames = framed(version_event());
  const auto append = [&frames](const auto& lines) {
    for (const auto& line : lines) {
      for (const auto& [tag, value] : scalars_of(line)) frames += framed(scalar_event(tag, line.step, value));
    }
  };
  append(metrics.steps);
  append(metrics.epochs);

  std::filesystem::path path;
  do path = new_name(folder);
  while (std::filesystem::exists(path, error));
  // Write the new file first, so that a full disk does not lose the old ones.
  write_file_atomically(path, std::as_bytes(std::span(frames)));
  for (const std::filesystem::path& old_file : old_files) {
    std::filesystem::remove(old_file, error);
    require(!error, old_file.string(), ": cannot remove this old event file: ", error.message(),
            "; remove it, or TensorBoard shows its steps twice");
  }
}

}  // namespace minception
