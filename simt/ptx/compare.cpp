/// Each launch by both executions from the same memory.

#include "core/error.h"
#include "simt/memory.h"
#include "simt/ptx/execution.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <vector>

namespace minception::simt::ptx {
namespace {

/// Sums over the launches of a kernel. A word is 4 bytes that either execution changed.
struct Comparison {
  std::uint64_t launches = 0, different_launches = 0;
  std::uint64_t words = 0, different_words = 0;
  double largest = 0;  ///< difference of two words as floats, divided by the largest float that the launch wrote
};

std::mutex mutex;
std::map<std::string, Comparison, std::less<>>& comparisons() {
  static auto& all = *new std::map<std::string, Comparison, std::less<>>;
  return all;
}

struct Saved {
  char* begin;
  std::vector<char> bytes;
};

std::vector<Saved> save() {
  std::vector<Saved> result;
  for (const DeviceRange& range : device_allocations()) {
    result.push_back({const_cast<char*>(range.begin), {range.begin, range.begin + range.bytes}});
  }
  return result;
}

template <class T>
T read(const char* data) {
  T value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

void add_differences(const std::vector<Saved>& before, const std::vector<Saved>& host, Comparison& result) {
  double scale = 0, largest = 0;
  std::uint64_t different = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    const char* const now = before[k].begin;
    for (std::size_t i = 0; i + 4 <= before[k].bytes.size(); i += 4) {
      const auto old_word = read<std::uint32_t>(before[k].bytes.data() + i);
      const auto host_word = read<std::uint32_t>(host[k].bytes.data() + i);
      const auto ptx_word = read<std::uint32_t>(now + i);
      if (host_word == old_word && ptx_word == old_word) continue;
      ++result.words;
      const double a = read<float>(host[k].bytes.data() + i);
      const double b = read<float>(now + i);
      if (std::isfinite(a)) scale = std::max(scale, std::fabs(a));
      if (host_word == ptx_word || (std::isnan(a) && std::isnan(b))) continue;
      ++different;
      const double distance = std::fabs(a - b);
      largest = std::max(largest, std::isfinite(distance) ? distance : std::numeric_limits<double>::infinity());
    }
  }
  ++result.launches;
  if (different == 0) return;
  ++result.different_launches;
  result.different_words += different;
  result.largest = std::max(result.largest, scale > 0 ? largest / scale : largest);
}

}  // namespace

void compare(std::string_view kernel, const std::function<void()>& host, const std::function<void()>& ptx) {
  const std::lock_guard lock(mutex);
  const std::vector<Saved> before = save();
  host();
  const std::vector<Saved> after_host = save();
  for (const Saved& saved : before) std::memcpy(saved.begin, saved.bytes.data(), saved.bytes.size());
  ptx();
  add_differences(before, after_host, comparisons()[std::string(kernel)]);
}

std::string comparison_table() {
  const std::lock_guard lock(mutex);
  std::string text;
  const auto line = [&](const char* name, const Comparison& c) {
    char buffer[256];
    std::snprintf(buffer, sizeof(buffer), "%-72s %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %9.2g\n", name,
                  c.launches, c.different_launches, c.words, c.different_words, c.largest);
    text += buffer;
  };
  if (!comparisons().empty()) {
    char header[256];
    std::snprintf(header, sizeof(header), "%-72s %8s %8s %10s %10s %9s\n", "kernel", "launches", "differ", "words",
                  "differ", "largest");
    text += header;
  }
  for (const auto& [name, comparison] : comparisons()) line(name.c_str(), comparison);
  for (const std::string& name : library().never_launched()) text += concat("never launched: ", name, '\n');
  return text;
}

}  // namespace minception::simt::ptx
