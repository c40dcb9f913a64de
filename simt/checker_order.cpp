#include "simt/checker_order.h"

#include <algorithm>

namespace minception::simt {

void Ordering::launch_begins() {
  stamp_ = block_ = interval_ = 1;
  blocks_.clear();
  releases_.clear();
}

void Ordering::block_begins(const Index3& index, std::size_t threads) {
  block_ = interval_ = ++stamp_;
  blocks_.push_back({stamp_, index});
  threads_.assign(threads, {});
  fences_.clear();
  fenced_ = false;
  acquires_.clear();
}

void Ordering::barrier() {
  interval_ = ++stamp_;
  if (!fenced_) return;
  fenced_ = false;
  fences_.resize(threads_.size());
  for (std::size_t i = 0; i < threads_.size(); ++i) fences_[i] = threads_[i].fence.stamp;
}

void Ordering::warp_barrier(const Lanes& lanes) {
  ++stamp_;
  for (const Thread* thread : lanes.thread) {
    if (thread != nullptr) threads_[thread->number].warp_barrier = stamp_;
  }
}

void Ordering::fence(const Thread& thread) {
  ++stamp_;
  ThreadOrder& order = threads_[thread.number];
  order.fence = {stamp_, interval_, order.warp_barrier};
  fenced_ = true;
}

void Ordering::runs(const Thread& thread) {
  thread_ = thread.number;
  warp_barrier_ = threads_[thread_].warp_barrier;
}

void Ordering::atomic(const Thread& thread, const void* address) {
  const Fence& fence = threads_[thread.number].fence;
  const bool releases = fence.stamp > 0 || !fences_.empty();
  const auto found = releases_.find(address);
  if (!releases && found == releases_.end()) return;

  Releases& list = found != releases_.end() ? found->second : releases_[address];
  if (!list.empty()) acquires_.push_back({&list, list.size(), thread.number, stamp_});
  if (releases) list.push_back({blocks_.size() - 1, thread.number, stamp_, fence, fences_});
  ++stamp_;
}

bool Ordering::Release::covers(const Record& record) const {
  if (record.stamp < fence.barrier) return true;
  if (!fences.empty() && record.stamp < fences[record.thread]) return true;
  if (record.thread / 32 == thread / 32 && record.stamp < fence.warp_barrier) return true;
  if (record.thread != thread) return false;
  return record.stamp < fence.stamp || (record.atomic && record.stamp <= stamp);
}

std::size_t Ordering::block_number(std::uint32_t stamp) const {
  const auto next = std::upper_bound(blocks_.begin(), blocks_.end(), stamp,
                                     [](std::uint32_t value, const BlockBegin& block) { return value < block.stamp; });
  return static_cast<std::size_t>(next - blocks_.begin()) - 1;
}

bool Ordering::covered(const Releases& releases, std::size_t count, std::size_t block, const Record& record) {
  const auto end = releases.begin() + static_cast<std::ptrdiff_t>(count);
  auto release = std::lower_bound(releases.begin(), end, block,
                                  [](const Release& candidate, std::size_t value) { return candidate.block < value; });
  for (; release != end && release->block == block; ++release) {
    if (release->covers(record)) return true;
  }
  return false;
}

bool Ordering::acquired(const Record& record) const {
  if (acquires_.empty()) return false;
  const std::size_t block = block_number(record.stamp);
  return std::any_of(acquires_.begin(), acquires_.end(), [&](const Acquire& acquire) {
    const bool visible = acquire.thread == thread_ || acquire.stamp < interval_ ||
                         (acquire.thread / 32 == thread_ / 32 && acquire.stamp < warp_barrier_);
    return visible && covered(*acquire.releases, acquire.count, block, record);
  });
}

bool Ordering::released(const Record& record) const {
  if (releases_.empty()) return false;
  const std::size_t block = block_number(record.stamp);
  return std::any_of(releases_.begin(), releases_.end(),
                     [&](const auto& entry) { return covered(entry.second, entry.second.size(), block, record); });
}

}  // namespace minception::simt
