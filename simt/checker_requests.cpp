#include "simt/checker_requests.h"

#include <algorithm>
#include <bit>

namespace minception::simt {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kBanks = 32;
constexpr std::size_t kRequestsKept = 256;

/// Calls f(lane) for each lane of a mask.
template <class F>
void for_lanes(std::uint32_t mask, F&& f) {
  for (; mask != 0; mask &= mask - 1) f(static_cast<unsigned>(std::countr_zero(mask)));
}

/// Number of distinct sectors that the lanes access.
unsigned sectors(std::uint32_t lanes, const std::uintptr_t* addresses) {
  std::uintptr_t found[kWarp];
  unsigned count = 0;
  bool ascending = true;
  for_lanes(lanes, [&](unsigned lane) {
    const std::uintptr_t sector = addresses[lane] / 32;
    if (count > 0 && found[count - 1] == sector) return;
    ascending = ascending && (count == 0 || found[count - 1] < sector);
    found[count++] = sector;
  });
  if (ascending) return count;
  std::sort(found, found + count);
  return static_cast<unsigned>(std::unique(found, found + count) - found);
}

/// Passes over the banks for these lanes: the largest number of distinct words in one bank.
unsigned passes(std::uint32_t lanes, const std::uintptr_t* addresses, unsigned words_per_lane) {
  std::uintptr_t in_bank[kBanks][kWarp];
  unsigned count[kBanks] = {};
  unsigned most = 0;
  for_lanes(lanes, [&](unsigned lane) {
    for (unsigned i = 0; i < words_per_lane; ++i) {
      const std::uintptr_t word = addresses[lane] / 4 + i;
      const unsigned bank = word % kBanks;
      const std::uintptr_t* end = in_bank[bank] + count[bank];
      if (std::find(static_cast<const std::uintptr_t*>(in_bank[bank]), end, word) != end) continue;
      in_bank[bank][count[bank]++] = word;
      most = std::max(most, count[bank]);
    }
  });
  return most;
}

}  // namespace

void Requests::clear() {
  used_ = 0;
  std::fill(std::begin(executions_), std::end(executions_), 0u);
  if (requests_.size() > kRequestsKept) std::vector<Request>().swap(requests_);
}

void Requests::count_global(KernelCounters& counters) {
  for (std::uint32_t i = 0; i < used_; ++i) {
    if (requests_[i].lanes == 0) continue;  // all lanes skipped it
    counters.global_sectors += sectors(requests_[i].lanes, requests_[i].address);
    ++counters.global_requests;
  }
  clear();
}

void Requests::count_shared(KernelCounters& counters) {
  for (std::uint32_t i = 0; i < used_; ++i) {
    const Request& request = requests_[i];
    const unsigned words = std::max(1u, request.bytes / 4);
    const unsigned lanes_at_once = kWarp / words;
    for (unsigned begin = 0; begin < kWarp; begin += lanes_at_once) {
      const std::uint32_t mask = lanes_at_once == kWarp ? ~0u : ((1u << lanes_at_once) - 1) << begin;
      const unsigned needed = passes(request.lanes & mask, request.address, words);
      counters.shared_wavefronts += needed;
      if (needed > 1) counters.shared_conflicts += needed - 1;
    }
  }
  counters.shared_requests += used_;
  clear();
}

}  // namespace minception::simt
