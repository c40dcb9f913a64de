#pragma once
/// Progress of long work on stderr: a bar that redraws itself on a terminal, a plain line now and then elsewhere.

#include <chrono>
#include <cstdint>
#include <string>

namespace minception {

class Progress {
 public:
  /// `total` units of work, called `unit` ("images"), of which `begin` were done before; `label` goes in front.
  Progress(std::string label, std::int64_t total, std::string unit, std::int64_t begin = 0);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units are done; `note` is shown behind ("loss 0.532").
  void update(std::int64_t done, const std::string& note = {});
  /// Wipes the bar, so that something else can be printed; the next update draws it again.
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
