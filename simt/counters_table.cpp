#include "simt/counters_table.h"
#include "core/error.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace minception::simt {
namespace {

std::uint64_t distinct_bytes(const KernelCounters& counters) {
  return 32 * (counters.distinct_read_sectors + counters.distinct_write_sectors);
}
std::uint64_t requested_bytes(const KernelCounters& counters) { return 32 * counters.global_sectors; }

double ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}
double mega(std::uint64_t count) { return static_cast<double>(count) * 1e-6; }

const std::vector<std::pair<std::string, std::uint64_t (*)(const KernelCounters&)>> kOrders = {
    {"traffic", &distinct_bytes},
    {"requested", &requested_bytes},
    {"launches", [](const KernelCounters& c) { return c.launches; }},
    {"conflicts", [](const KernelCounters& c) { return c.shared_conflicts; }},
    {"mma", [](const KernelCounters& c) { return c.mma; }},
    {"barriers", [](const KernelCounters& c) { return c.barriers; }},
    {"threads", [](const KernelCounters& c) { return c.threads; }},
    {"seconds", [](const KernelCounters& c) { return static_cast<std::uint64_t>(c.seconds * 1e9); }},
};

template <class... Arguments>
std::string print(const char* format, Arguments... arguments) {
  char text[1024];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

}  // namespace

std::vector<std::string> counter_orders() {
  std::vector<std::string> names;
  for (const auto& [name, key] : kOrders) names.push_back(name);
  return names;
}

std::vector<std::pair<std::string, double>> named_counts(const KernelCounters& c) {
  std::vector<std::pair<std::string, double>> named;
  const auto add = [&](const char* name, auto value) { named.emplace_back(name, static_cast<double>(value)); };
  add("launches", c.launches);
  add("blocks", c.blocks);
  add("threads", c.threads);
  add("barriers", c.barriers);
  add("collectives", c.collectives);
  add("mma", c.mma);
  add("mma_flops", c.mma_flops);
  add("emulation_seconds", c.seconds);
  if (!checker_built()) return named;
  add("read_bytes", c.global_read_bytes);
  add("write_bytes", c.global_write_bytes);
  add("global_requests", c.global_requests);
  add("global_sectors", c.global_sectors);
  add("distinct_bytes", distinct_bytes(c));
  add("shared_requests", c.shared_requests);
  add("shared_conflicts", c.shared_conflicts);
  return named;
}

std::string counters_table(std::vector<KernelCounters> all, std::string_view order) {
  std::string text;
  const auto key = std::find_if(kOrders.begin(), kOrders.end(), [&](const auto& o) { return o.first == order; });
  require(key != kOrders.end(), "counters cannot be sorted by '", order, "'");
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return key->second(a) > key->second(b); });
  KernelCounters sum;
  sum.kernel = "all kernels";
  for (const KernelCounters& c : all) {
    sum.launches += c.launches;
    sum.blocks += c.blocks;
    sum.threads += c.threads;
    sum.barriers += c.barriers;
    sum.mma += c.mma;
    sum.seconds += c.seconds;
    sum.global_read_bytes += c.global_read_bytes;
    sum.global_write_bytes += c.global_write_bytes;
    sum.global_requests += c.global_requests;
    sum.global_sectors += c.global_sectors;
    sum.distinct_read_sectors += c.distinct_read_sectors;
    sum.distinct_write_sectors += c.distinct_write_sectors;
    sum.shared_requests += c.shared_requests;
    sum.shared_conflicts += c.shared_conflicts;
  }
  all.push_back(sum);
  const bool memory = checker_built();
  text += print("%-64s %8s %8s %10s %9s %9s", "kernel", "launches", "blocks", "threads", "barriers", "mma");
  if (memory) {
    text += print(" %9s %9s %9s %9s %9s %9s", "read MB", "write MB", "sectors/", "requested", "distinct", "bank");
  }
  text += print(" %8s\n", "seconds");
  if (memory) {
    text += print("%-64s %8s %8s %10s %9s %9s %9s %9s %9s %9s %9s %9s\n", "", "", "", "", "", "", "", "", "request",
                  "MB", "MB", "conflicts");
  }
  for (const KernelCounters& c : all) {
    std::string name = c.kernel;
    if (name.size() > 64) name = name.substr(0, 61) + "...";
    text += print("%-64s %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %9" PRIu64 " %9" PRIu64, name.c_str(), c.launches,
                  c.blocks, c.threads, c.barriers, c.mma);
    if (memory) {
      text += print(" %9.3f %9.3f %9.2f %9.3f %9.3f %9" PRIu64, mega(c.global_read_bytes), mega(c.global_write_bytes),
                    ratio(c.global_sectors, c.global_requests), mega(requested_bytes(c)), mega(distinct_bytes(c)),
                    c.shared_conflicts);
    }
    text += print(" %8.3f\n", c.seconds);
  }
  if (!memory) {
    text += "\nBytes, sectors and bank conflicts are counted in a build with the checker (cmake --preset checker).\n";
  } else {
    text +=
        "\nCounted from the host compiler's code for the kernels: an estimate of GPU traffic without an L2 "
        "cache.\nread, write: bytes that threads access; requested: 32-byte sectors of all warp-wide requests; "
        "distinct: sectors that each launch\ntouches, once for reading and once for writing: the traffic with a "
        "perfect cache. seconds: time of the emulation.\n";
  }
  return text;
}

}  // namespace minception::simt
