#include "training/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace minception {

Progress::Progress(std::string label, std::int64_t total, std::string unit, std::int64_t begin)
    : label_(std::move(label)),
      total_(total),
      unit_(std::move(unit)),
      begin_(begin),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      shown_(start_) {}

void Progress::clear() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  const Clock::time_point now = Clock::now();
  const double interval = terminal_ ? 0.1 : 10.0;
  if (std::chrono::duration<double>(now - shown_).count() < interval) return;
  shown_ = now;

  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done - begin_) / seconds;
  const double fraction = static_cast<double>(done) / static_cast<double>(total_);
  const double left = rate > 0.0 ? static_cast<double>(total_ - done) / rate : 0.0;
  constexpr int kWidth = 24;
  std::string bar(kWidth, ' ');
  for (int i = 0; i < static_cast<int>(fraction * kWidth); ++i) bar[static_cast<std::size_t>(i)] = '=';
  std::fprintf(stderr, "%s%s [%s] %3.0f%%  %.0f %s/s  %s left  %s%s", terminal_ ? "\r\033[K" : "", label_.c_str(),
               bar.c_str(), 100.0 * fraction, rate, unit_.c_str(), clock_time(left).c_str(), note.c_str(),
               terminal_ ? "" : "\n");
  std::fflush(stderr);
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  }
  return text;
}

}  // namespace minception
