/// Classifies and checks accesses. checker_shadow.h has the state of memory, checker_order.h the order of accesses,
/// checker_requests.h the counters.

#include "simt/checker.h"
#include "core/error.h"
#include "simt/checker_order.h"
#include "simt/checker_shadow.h"
#include "simt/checker_sites.h"
#include "simt/memory.h"
#include "simt/observer.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// Linker-defined bounds of the program image, which includes constants.
extern "C" const char __executable_start;
extern "C" const char _end;

namespace minception::simt {

constinit Running running;

namespace {

std::uintptr_t address_of(const volatile void* data) { return reinterpret_cast<std::uintptr_t>(data); }
std::string in_words(const Index3& index) { return concat('(', index.x, ',', index.y, ',', index.z, ')'); }

/// A shared variable or an allocation of device memory.
struct Range {
  std::uintptr_t begin = 0, end = 0;
  std::string name = {};  ///< of the variable; empty: dynamic shared memory
  bool holds(std::uintptr_t address, std::size_t bytes) const { return address >= begin && address + bytes <= end; }
};

class Checker final : public Observer {
 public:
  void launch_begins(const void* argument, std::size_t argument_bytes) override;
  void launch_ends(KernelCounters& counters) override;
  void block_begins(const Block& block, const void* shared, std::size_t shared_bytes) override;
  void block_ends(const Block&) override { count_requests(); }  // all threads are done
  void shared_declared(const void* data, std::size_t bytes, std::string_view name) override;
  void barrier_passed(const Block&) override;
  void collective_begins(const Lanes& lanes) override;
  void warp_barrier_passed(const Lanes& lanes) override;
  void reads(Thread& thread, const void* data, unsigned bytes, const Position& where) override;
  void copy_issued(Thread& thread, const PendingCopy& copy) override;
  void copy_landed(Thread& thread, const PendingCopy& copy) override;
  void atomic(Thread& thread, const void* data, unsigned bytes, const Position& where) override;
  void fence(Thread& thread) override;
  void accesses(Thread& thread, Access access, const void* data, unsigned bytes, const void* code) override;
  void stopping() override;
  bool postpones_interrupt() override { return Busy::postpones_interrupt(); }
  void allocated(const void* data, std::size_t bytes) override;
  void freed(const void* data, std::size_t bytes) override;

  void switch_to(const Thread& thread);
  void see(Access access, std::uintptr_t address, unsigned bytes, std::uintptr_t return_address) {
    if (!in_shared(address) && !in_device(address) && is_of_emulation(access, address, bytes)) return;
    see(access, address, bytes, sites_.of(return_address));
  }

 private:
  /// The current access. Most fields are used only in reports.
  struct Event {
    Access access;
    std::uintptr_t address;
    unsigned bytes;
    Site& site;
    bool by_copy = false;  ///< written by a cp.async
  };

  void see(Access access, std::uintptr_t address, unsigned bytes, Site& site);
  void see_shared(const Event& event);
  void see_device(const Event& event);
  bool is_of_emulation(Access access, std::uintptr_t address, unsigned bytes) const;
  bool in_shared(std::uintptr_t address) const { return address - shared_ < shared_bytes_; }
  bool in_device(std::uintptr_t address) const { return address - device_ < device_bytes_; }

  template <bool Shared>
  void check(Shadow& shadow, Chunk& chunk, std::size_t offset, const Event& event);
  template <bool Shared>
  void check_cell(Cell& cell, Sharers* atomics, std::uintptr_t address, const Event& event);
  void check_sharers(const Sharers& sharers, std::uintptr_t address, const Event& event);
  void remember(Sharers& sharers, const Record& mine);
  Record record(const Site& site, bool atomic = false, bool on_its_way = false) const {
    Record result;
    result.stamp = order_.now();
    result.thread = me_->number & 1023;
    result.atomic = atomic;
    result.on_its_way = on_its_way;
    result.site = site.number & (Record::kMostSites - 1);
    return result;
  }

  Site& site_of(const PendingCopy& copy) {
    return copy.code != nullptr ? sites_.of_code(copy.code) : sites_.of(copy.where);
  }
  void locate(const std::vector<Range>& ranges, const Event& event);
  void count_requests();
  void catch_up();

  // Reports, which end the kernel, and their texts.
  [[noreturn]] void race(const Record& record, bool wrote, std::uintptr_t address, const Event& event) {
    stop_block([&] { return race_in_words(record, wrote, address, event); });
  }
  std::string race_in_words(const Record& record, bool wrote, std::uintptr_t address, const Event& event) const;
  [[noreturn]] void uninitialised(std::uintptr_t address, const Event& event);
  [[noreturn]] void on_its_way(const Record& copy, std::uintptr_t address, const Event& event);
  [[noreturn]] void out_of_bounds(const Event& event) {
    stop_block([&] { return out_of_bounds_in_words(event); });
  }
  std::string out_of_bounds_in_words(const Event& event) const;
  [[noreturn]] void neither_memory(const Event& event);
  [[noreturn]] void misaligned(const Event& event);
  std::string thread_name(unsigned number) const;
  std::string place(std::uintptr_t address) const;
  std::string what_it_does(const Event& event) const;
  std::string at(const Site& site) const { return concat(" at ", to_string(site, me_->block->kernel)); }

  Sites sites_;
  std::vector<Requests*> open_global_, open_shared_;  ///< with requests of the running warp
  KernelCounters counts_;                             ///< of the current launch
  bool checks_ = true;

  const Thread* me_ = nullptr;  ///< the running thread
  unsigned requests_warp_ = 0;  ///< warp of the open requests
  Ordering order_;

  std::uintptr_t shared_ = 0;
  std::size_t shared_bytes_ = 0;
  std::vector<Range> variables_;
  std::unique_ptr<Shadow> shared_shadow_;

  std::uintptr_t device_ = 0;
  std::size_t device_bytes_ = 0;
  std::vector<Range> allocations_;  ///< in ascending order
  std::vector<Range> freed_;        ///< latest freed ranges that no allocation reuses
  std::unique_ptr<Shadow> device_shadow_;
  std::uint32_t generation_ = 1;  ///< changes with variables_ and allocations_

  std::uintptr_t argument_ = 0;  ///< the kernel's arguments
  std::size_t argument_bytes_ = 0;

  // Allocations and frees since the last launch: other OS threads may allocate while kernels run.
  struct Change {
    bool allocated;
    std::uintptr_t begin, end;
  };
  std::mutex mutex_;
  std::vector<Change> changes_;
};

// ---- callbacks from the executor ------------------------------------------------------------------------------------

void Checker::launch_begins(const void* argument, std::size_t argument_bytes) {
  catch_up();
  checks_ = settings().check;
  if (device_shadow_ == nullptr) {
    device_ = address_of(device_memory_begin());
    device_bytes_ = static_cast<std::size_t>(device_memory_end() - device_memory_begin());
    device_shadow_ = std::make_unique<Shadow>(device_bytes_);
  }
  device_shadow_->forget();
  order_.launch_begins();
  counts_ = {};
  argument_ = address_of(argument);
  argument_bytes_ = argument_bytes;
}

void Checker::launch_ends(KernelCounters& counters) {
  count_requests();  // of a block that failed
  counters.global_read_bytes += counts_.global_read_bytes;
  counters.global_write_bytes += counts_.global_write_bytes;
  counters.global_requests += counts_.global_requests;
  counters.global_sectors += counts_.global_sectors;
  counters.distinct_read_sectors += counts_.distinct_read_sectors;
  counters.distinct_write_sectors += counts_.distinct_write_sectors;
  counters.shared_requests += counts_.shared_requests;
  counters.shared_wavefronts += counts_.shared_wavefronts;
  counters.shared_conflicts += counts_.shared_conflicts;
  running = {};
}

void Checker::block_begins(const Block& block, const void* shared, std::size_t shared_bytes) {
  Busy::reset();
  running = {};
  me_ = nullptr;
  shared_ = address_of(shared);
  if (shared_bytes_ != shared_bytes) {
    shared_bytes_ = shared_bytes;
    shared_shadow_ = std::make_unique<Shadow>(shared_bytes);
  }
  shared_shadow_->forget();
  variables_.clear();
  ++generation_;
  order_.block_begins(block.index, block.dim.count());
}

void Checker::shared_declared(const void* data, std::size_t bytes, std::string_view name) {
  const Busy busy;
  variables_.push_back({address_of(data), address_of(data) + bytes, std::string(name)});
}

void Checker::barrier_passed(const Block&) {
  const Busy busy;
  count_requests();
  order_.barrier();
}

void Checker::collective_begins(const Lanes& lanes) {
  const Busy busy;
  const Thread* other = nullptr;
  for (const Thread* thread : lanes.thread) {
    if (thread != nullptr) other = thread;
  }
  const std::size_t threads = other->block->dim.count();
  const std::size_t in_warp = std::min<std::size_t>(32, threads - other->warp * std::size_t{32});
  if (lanes.mask == (in_warp == 32 ? ~0u : (1u << in_warp) - 1)) count_requests();
}

void Checker::warp_barrier_passed(const Lanes& lanes) {
  const Busy busy;
  order_.warp_barrier(lanes);
  running = {};  // the next access calls switch_to, which updates the order
}

void Checker::reads(Thread& thread, const void* data, unsigned bytes, const Position& where) {
  const Busy busy;
  switch_to(thread);
  see(Access::read, address_of(data), bytes, sites_.of(where));
}

void Checker::atomic(Thread& thread, const void* data, unsigned bytes, const Position& where) {
  const Busy busy;
  switch_to(thread);
  see(Access::atomic, address_of(data), bytes, sites_.of(where));
  if (in_device(address_of(data))) order_.atomic(thread, data);
}

void Checker::fence(Thread& thread) {
  const Busy busy;
  order_.fence(thread);
}

void Checker::accesses(Thread& thread, Access access, const void* data, unsigned bytes, const void* code) {
  const Busy busy;
  switch_to(thread);
  see(access, address_of(data), bytes, sites_.of_code(code));
  if (access == Access::atomic && in_device(address_of(data))) order_.atomic(thread, data);
}

/// Disables checking: treats all addresses as the thread's own stack.
void Checker::stopping() {
  Busy::for_good();
  running = {current, 0, ~std::size_t{0}};
}

void Checker::copy_issued(Thread& thread, const PendingCopy& copy) {
  const Busy busy;
  switch_to(thread);
  Site& site = site_of(copy);
  if (copy.valid) {
    if (!in_device(address_of(copy.from))) {
      stop_block([&] {
        return concat(thread_name(thread.number), " copies", at(site), " by cp.async from outside device memory");
      });
    }
    see(Access::read, address_of(copy.from), copy.bytes, site);
  } else {
    if (site.global_requests.empty()) open_global_.push_back(&site.global_requests);
    site.global_requests.skip(me_->lane, copy.bytes);
  }
  if (!in_shared(address_of(copy.to))) {
    stop_block([&] {
      return concat(thread_name(thread.number), " copies", at(site), " by cp.async to outside shared memory");
    });
  }
  see_shared({Access::write, address_of(copy.to), copy.bytes, site, true});
}

void Checker::copy_landed(Thread& thread, const PendingCopy& copy) {
  const Busy busy;
  if (!checks_) return;
  switch_to(thread);
  const std::size_t offset = address_of(copy.to) - shared_;
  const Record landed = record(site_of(copy));
  shared_shadow_->for_cells(shared_shadow_->chunk(offset), offset, copy.bytes,
                            [&](Cell& cell, Sharers*, std::size_t) { cell.write = landed; });
}

void Checker::allocated(const void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  changes_.push_back({true, address_of(data), address_of(data) + bytes});
}

void Checker::freed(const void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  changes_.push_back({false, address_of(data), address_of(data) + bytes});
}

/// Applies the allocations and frees since the last launch.
void Checker::catch_up() {
  const std::lock_guard lock(mutex_);
  for (const Change& change : changes_) {
    const auto place = std::lower_bound(allocations_.begin(), allocations_.end(), change.begin,
                                        [](const Range& range, std::uintptr_t begin) { return range.begin < begin; });
    if (change.allocated) {
      allocations_.insert(place, {change.begin, change.end});
      std::erase_if(freed_, [&](const Range& range) { return range.begin < change.end && change.begin < range.end; });
    } else {
      allocations_.erase(place);
      constexpr std::size_t kFreedKept = 256;
      if (freed_.size() == kFreedKept) freed_.erase(freed_.begin());
      freed_.push_back({change.begin, change.end});
    }
  }
  if (!changes_.empty()) ++generation_;
  changes_.clear();
}

void Checker::switch_to(const Thread& thread) {
  const auto [stack, bytes] = stack_of(thread);
  running = {&thread, address_of(stack), bytes};
  if (me_ != nullptr && thread.warp != requests_warp_) count_requests();
  requests_warp_ = thread.warp;
  me_ = &thread;
  order_.runs(thread);
}

void Checker::count_requests() {
  for (Requests* requests : open_global_) requests->count_global(counts_);
  for (Requests* requests : open_shared_) requests->count_shared(counts_);
  open_global_.clear();
  open_shared_.clear();
}

// ---- accesses -------------------------------------------------------------------------------------------------------

void Checker::see(Access access, std::uintptr_t address, unsigned bytes, Site& site) {
  const Event event{access, address, bytes, site};
  if (in_shared(address)) {
    see_shared(event);
  } else if (in_device(address)) {
    see_device(event);
  } else {
    neither_memory(event);
  }
}

/// Reports the event unless it is aligned and one of `ranges` (in ascending order) contains all its bytes.
void Checker::locate(const std::vector<Range>& ranges, const Event& event) {
  Site& site = event.site;
  const std::uintptr_t end = event.address + event.bytes;
  if (site.generation != generation_ || event.address < site.begin || end > site.end) {
    const auto next =
        std::upper_bound(ranges.begin(), ranges.end(), event.address,
                         [](std::uintptr_t address, const Range& range) { return address < range.begin; });
    if (next == ranges.begin() || end > (next - 1)->end) out_of_bounds(event);
    site.begin = (next - 1)->begin;
    site.end = (next - 1)->end;
    site.generation = generation_;
  }
  if (event.address % event.bytes != 0) misaligned(event);
}

void Checker::see_shared(const Event& event) {
  locate(variables_, event);
  Site& site = event.site;
  if (site.shared_requests.empty()) open_shared_.push_back(&site.shared_requests);
  site.shared_requests.add(me_->lane, event.address, event.bytes);
  if (!checks_) return;
  const std::size_t offset = event.address - shared_;
  check<true>(*shared_shadow_, shared_shadow_->chunk(offset), offset, event);
}

void Checker::see_device(const Event& event) {
  locate(allocations_, event);
  Site& site = event.site;
  if (site.global_requests.empty()) open_global_.push_back(&site.global_requests);
  site.global_requests.add(me_->lane, event.address, event.bytes);
  const std::size_t offset = event.address - device_;
  Chunk& chunk = device_shadow_->chunk(offset);
  const auto sector = static_cast<std::uint8_t>(1u << offset / 32 % 8);
  if (event.access != Access::write) {
    counts_.global_read_bytes += event.bytes;
    if ((chunk.sectors_read & sector) == 0) ++counts_.distinct_read_sectors;
    chunk.sectors_read |= sector;
  }
  if (event.access != Access::read) {
    counts_.global_write_bytes += event.bytes;
    if ((chunk.sectors_written & sector) == 0) ++counts_.distinct_write_sectors;
    chunk.sectors_written |= sector;
  }
  if (checks_) check<false>(*device_shadow_, chunk, offset, event);
}

/// Whether the access is a permitted read of host memory: kernel arguments, thread and block indices, constants.
bool Checker::is_of_emulation(Access access, std::uintptr_t address, unsigned bytes) const {
  if (access != Access::read) return false;
  const auto inside = [&](std::uintptr_t begin, std::size_t size) {
    return address - begin < size && address + bytes <= begin + size;
  };
  const std::uintptr_t program = address_of(&__executable_start);
  return inside(address_of(&current), sizeof(current)) || inside(address_of(me_), sizeof(Thread)) ||
         inside(address_of(me_->block), sizeof(Block)) || inside(argument_, argument_bytes_) ||
         inside(program, address_of(&_end) - program);
}

template <bool Shared>
void Checker::check(Shadow& shadow, Chunk& chunk, std::size_t offset, const Event& event) {
  const auto check_one = [&](Cell& cell, Sharers* atomics, std::size_t at) {
    check_cell<Shared>(cell, atomics, event.address + (at - offset), event);
  };
  shadow.for_cells(chunk, offset, event.bytes, check_one);
  if (event.access != Access::atomic) return;
  shadow.prepare_atomics(chunk);
  shadow.for_cells(chunk, offset, event.bytes,
                   [&](Cell&, Sharers* atomics, std::size_t) { remember(*atomics, record(event.site, true)); });
}

/// An atomic and a read race with each other. Two atomics or two reads do not.
template <bool Shared>
inline void Checker::check_cell(Cell& cell, Sharers* atomics, std::uintptr_t address, const Event& event) {
  if (cell.write.stamp != 0) {
    if (Shared && cell.write.on_its_way) on_its_way(cell.write, address, event);
    if (!order_.ordered(cell.write)) race(cell.write, true, address, event);
  } else if (Shared && event.access != Access::write) {
    uninitialised(address, event);
  }
  if (event.access != Access::read) check_sharers(cell.readers, address, event);
  if (event.access != Access::atomic && atomics != nullptr) check_sharers(*atomics, address, event);
  if (event.access == Access::read) {
    remember(cell.readers, record(event.site));
  } else if (event.access == Access::write) {
    cell.write = record(event.site, false, event.by_copy);
    cell.readers = {};
    if (atomics != nullptr) *atomics = {};
  }
}

inline void Checker::check_sharers(const Sharers& sharers, std::uintptr_t address, const Event& event) {
  for (const Record& sharer : {sharers.own[0], sharers.own[1], sharers.other}) {
    if (sharer.stamp != 0 && !order_.ordered(sharer)) race(sharer, false, address, event);
  }
}

/// Keeps two accesses of the running block since the last barrier: of different warps if possible (no thread is in
/// both), otherwise the latest of two threads (a __syncwarp after these is after all). Keeps one of earlier blocks.
inline void Checker::remember(Sharers& sharers, const Record& mine) {
  auto& [latest, second] = sharers.own;
  if (latest.stamp == 0) {
    latest = mine;
  } else if (!order_.since_barrier(latest)) {
    // Prefer an access that was not released: blocks that acquire a ticket still race with it.
    if (!order_.of_this_block(latest) && (sharers.other.stamp == 0 || order_.released(sharers.other))) {
      sharers.other = latest;
    }
    latest = mine;
    second = {};
  } else if (latest.thread == mine.thread) {
    latest = mine;
  } else if (second.stamp == 0 || second.thread / 32 == latest.thread / 32) {
    second = latest;
    latest = mine;
  }
}

// ---- reports --------------------------------------------------------------------------------------------------------

std::string Checker::thread_name(unsigned number) const {
  const Extent3& dim = me_->block->dim;
  return concat("thread ", in_words({number % dim.x, number / dim.x % dim.y, number / dim.x / dim.y}));
}

/// "shared memory variable tile, byte 16"
std::string Checker::place(std::uintptr_t address) const {
  for (const Range& range : in_shared(address) ? variables_ : allocations_) {
    if (!range.holds(address, 1)) continue;
    if (in_shared(address)) {
      return concat(range.name.empty() ? "dynamic shared memory" : "shared memory variable ", range.name, ", byte ",
                    address - range.begin);
    }
    return concat("device memory, byte ", address - range.begin, " of an allocation of ", range.end - range.begin,
                  " bytes");
  }
  return "memory";
}

std::string Checker::what_it_does(const Event& event) const {
  const char* verb = event.access == Access::read    ? " reads"
                     : event.access == Access::write ? " writes"
                                                     : " updates atomically";
  return concat(thread_name(me_->number), verb, at(event.site));
}

std::string Checker::race_in_words(const Record& record, bool wrote, std::uintptr_t address, const Event& event) const {
  const char* before = wrote ? " wrote" : record.atomic ? " updated atomically" : " read";
  const char* now = event.access == Access::read     ? " reads"
                    : event.access == Access::atomic ? " updates atomically"
                    : event.by_copy                  ? " overwrites by cp.async"
                                                     : " overwrites";
  const bool same_block = order_.of_this_block(record);
  std::string text = concat("race in ", place(address), ": ", thread_name(record.thread));
  if (!same_block) text += concat(" of block ", in_words(order_.block_of(record)));
  text += concat(before, at(sites_[record.site]), " what ", thread_name(me_->number));
  if (!same_block) text += concat(" of block ", in_words(me_->block->index));
  text += concat(now, at(event.site));
  if (!same_block) {
    text += "; blocks are not ordered, unless by a ticket: __threadfence, then an integer atomic";
  } else if (record.thread / 32 == me_->warp) {
    text += " without a barrier or __syncwarp between";
  } else {
    text += " without a barrier between";
  }
  return text;
}

void Checker::uninitialised(std::uintptr_t address, const Event& event) {
  stop_block([&] {
    return concat("uninitialised ", place(address), ": ", what_it_does(event),
                  " what no thread of the block has written");
  });
}

void Checker::on_its_way(const Record& copy, std::uintptr_t address, const Event& event) {
  stop_block([&] {
    return concat("missing wait in ", place(address), ": ", what_it_does(event), " what the cp.async of ",
                  thread_name(copy.thread), at(sites_[copy.site]), " is still writing");
  });
}

void Checker::misaligned(const Event& event) {
  stop_block([&] {
    return concat("misaligned: ", what_it_does(event), ' ', event.bytes, " bytes in ", place(event.address),
                  ", which is not a multiple of ", event.bytes, " (address 0x", std::hex, event.address, ')');
  });
}

void Checker::neither_memory(const Event& event) {
  const Thread* threads = me_ - me_->number;
  for (std::size_t i = 0; i < me_->block->dim.count(); ++i) {
    if (threads[i].fiber == nullptr) continue;
    const auto [stack, bytes] = stack_of(threads[i]);
    if (event.address - address_of(stack) < bytes) {
      stop_block([&] {
        return concat(what_it_does(event), " a local variable of ", thread_name(threads[i].number),
                      ": no other thread can reach it");
      });
    }
  }
  stop_block([&] {
    return concat(what_it_does(event), event.address < 4096 ? " through a null pointer" : " host memory",
                  ", not device memory (address 0x", std::hex, event.address, ')');
  });
}

std::string Checker::out_of_bounds_in_words(const Event& event) const {
  const bool shared = in_shared(event.address);
  const std::uintptr_t begin = event.address;
  const std::uintptr_t end = begin + event.bytes;
  for (const Range& range : freed_) {
    if (!shared && range.begin < end && begin < range.end) {
      return concat("use after free: ", what_it_does(event), " byte ", begin - range.begin,
                    " of device memory, an allocation of ", range.end - range.begin, " bytes that was freed");
    }
  }
  const Range* nearest = nullptr;
  std::uintptr_t distance = 0;
  for (const Range& range : shared ? variables_ : allocations_) {
    const std::uintptr_t away = begin >= range.end ? begin - range.end : end <= range.begin ? range.begin - end : 0;
    if (nearest == nullptr || away < distance) {
      nearest = &range;
      distance = away;
    }
  }
  std::string text = concat("out of bounds in ", shared ? "shared" : "device", " memory: ", what_it_does(event), ' ',
                            event.bytes, " bytes");
  if (nearest != nullptr) {
    if (begin >= nearest->end) {
      text += concat(' ', distance, " bytes past the end of ");
    } else if (end <= nearest->begin) {
      text += concat(' ', nearest->begin - begin, " bytes before the beginning of ");
    } else {
      text += begin < nearest->begin ? " across the beginning of " : " across the end of ";
    }
    const std::size_t size = nearest->end - nearest->begin;
    text += !shared                 ? concat("an allocation of ", size, " bytes")
            : nearest->name.empty() ? concat("the dynamic shared memory (", size, " bytes)")
                                    : concat("the variable ", nearest->name, " (", size, " bytes)");
  }
  return text;
}

// ---- registration ---------------------------------------------------------------------------------------------------

Checker* the_checker = nullptr;

/// Created before main, to see early allocations. Never destroyed: kernels may run during exit.
const bool registered = [] {
  the_checker = new Checker;
  observer = the_checker;
  return true;
}();

}  // namespace

void checker_switches_to(const Thread& thread) {
  const Busy busy;
  the_checker->switch_to(thread);
}

void checker_sees(Access access, std::uintptr_t address, unsigned bytes, std::uintptr_t return_address) {
  const Busy busy;
  the_checker->see(access, address, bytes, return_address);
}

}  // namespace minception::simt
