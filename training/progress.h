#pragma once
/// Progress on stderr: a redrawn bar on a terminal, otherwise a plain line at intervals.

#include <chrono>
#include <cstdint>
#include <string>

namespace minception {

class Progress {
 public:
  /// `total` units of work named `unit` ("images"), `begin` of them already done; `label` is the line's prefix.
  Progress(std::string label, std::int64_t total, std::string unit, std::int64_t begin = 0);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Reports `done` completed units; `note` is appended ("loss 0.532").
  void update(std::int64_t done, const std::string& note = {});
  /// Erases the bar so that other text can be printed; the next update redraws it.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  std::int64_t total_;
  std::string unit_;
  std::int64_t begin_;
  bool terminal_;
  Clock::time_point start_;
  Clock::time_point shown_;
};

/// "0:07", "12:34", "1:02:03"
std::string clock_time(double seconds);

}  // namespace minception
