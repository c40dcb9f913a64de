/// The emulated device: OS threads that share the blocks of a grid, their watchdog, counters per kernel, and settings.

#include "core/error.h"
#include "simt/observer.h"
#include "simt/ptx/execution.h"
#include "simt/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace minception::simt {

namespace {

constexpr int kInterrupt = SIGURG;  // ignored by default and otherwise unused

/// OS threads and counters per kernel.
class Device {
 public:
  ~Device() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : os_threads_) thread.join();
  }

  void execute(Grid& grid);
  std::vector<KernelCounters> counters() {
    const std::lock_guard lock(launching_);
    return counters_;
  }
  void reset_counters() {
    const std::lock_guard lock(launching_);
    counters_.clear();
    launches_ = 0;
  }

 private:
  void help(std::size_t place);
  void watch();
  void start(std::size_t helpers);
  void count(const Grid& grid, double seconds);

  std::mutex launching_;  // one grid at a time
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<std::unique_ptr<Worker>> workers_;  // workers_[0] belongs to the launching thread
  std::vector<std::thread> os_threads_;
  Grid* grid_ = nullptr;
  std::uint64_t generation_ = 0;
  std::size_t wanted_ = 0;  ///< helpers that may join
  std::size_t active_ = 0;
  bool ending_ = false;
  std::uint64_t launches_ = 0;
  std::vector<KernelCounters> counters_;
  bool watching_ = false;
};

Device& device() {
  static Device the_device;
  return the_device;
}

void on_interrupt(int) {
  if (worker_here != nullptr) worker_here->interrupt();
}

void Device::help(std::size_t place) {
  std::uint64_t seen = 0;
  for (;;) {
    Grid* grid = nullptr;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || (generation_ != seen && grid_ != nullptr && place < wanted_); });
      if (ending_) return;
      seen = generation_;
      grid = grid_;
      ++active_;
    }
    workers_[place + 1]->run(*grid);
    {
      const std::lock_guard lock(mutex_);
      --active_;
    }
    idle_.notify_all();
  }
}

/// Interrupts busy workers that make no progress; checks every 100 ms.
void Device::watch() {
  struct Seen {
    std::uint64_t progress = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::vector<Seen> seen;
  std::unique_lock lock(mutex_);
  while (!ending_) {
    wake_.wait_for(lock, std::chrono::milliseconds(100), [&] { return ending_; });
    const double limit = settings().watchdog_seconds;
    seen.resize(workers_.size(), {0, std::chrono::steady_clock::now()});
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const std::uint64_t progress = workers_[i]->progress.load();
      const auto now = std::chrono::steady_clock::now();
      if (!workers_[i]->busy.load() || progress != seen[i].progress) {
        seen[i] = {progress, now};
      } else if (limit > 0 && std::chrono::duration<double>(now - seen[i].since).count() > limit) {
        pthread_kill(workers_[i]->os_thread, kInterrupt);
        seen[i].since = now;
      }
    }
  }
}

void Device::start(std::size_t helpers) {
  if (workers_.empty()) workers_.push_back(std::make_unique<Worker>());
  if (!watching_) {
    struct sigaction action {};
    action.sa_handler = &on_interrupt;
    action.sa_flags = SA_NODEFER | SA_RESTART;  // the handler may not return
    sigaction(kInterrupt, &action, nullptr);
    os_threads_.emplace_back([this] { watch(); });
    watching_ = true;
  }
  const std::lock_guard lock(mutex_);
  while (workers_.size() < helpers + 1) {
    const std::size_t place = workers_.size() - 1;
    workers_.push_back(std::make_unique<Worker>());
    os_threads_.emplace_back([this, place] { help(place); });
  }
}

void Device::execute(Grid& grid) {
  const std::lock_guard launching(launching_);
  const auto begin = std::chrono::steady_clock::now();
  grid.settings = settings();
  grid.number = launches_++;
  if (grid.settings.execution == Execution::none) return count(grid, 0.0);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::size_t threads = static_cast<std::size_t>(grid.settings.os_threads > 0 ? grid.settings.os_threads : cores);
  if (observer != nullptr) threads = 1;  // reports must be deterministic
  threads = std::min(threads, grid.grid.count());
  if (grid.grid.count() * grid.block.count() < 4096) threads = 1;  // too little work to wake helpers
  start(threads - 1);
  if (observer != nullptr) observer->launch_begins(grid.argument, grid.argument_bytes);
  if (threads > 1) {
    {
      const std::lock_guard lock(mutex_);
      grid_ = &grid;
      ++generation_;
      wanted_ = threads - 1;
    }
    wake_.notify_all();
  }
  workers_[0]->run(grid);
  if (threads > 1) {
    std::unique_lock lock(mutex_);
    grid_ = nullptr;
    idle_.wait(lock, [&] { return active_ == 0; });
  }
  count(grid, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  if (grid.failed) throw Error(grid.error);
}

void Device::count(const Grid& grid, double seconds) {
  auto found = std::find_if(counters_.begin(), counters_.end(),
                            [&](const KernelCounters& counters) { return counters.kernel == grid.kernel; });
  if (found == counters_.end()) {
    found = counters_.emplace(counters_.end());
    found->kernel = grid.kernel;
  }
  found->shapes.insert({grid.block.count(), grid.shared_bytes});
  ++found->launches;
  found->blocks += grid.grid.count();
  found->threads += grid.grid.count() * grid.block.count();
  found->barriers += grid.barriers;
  found->collectives += grid.collectives;
  found->mma += grid.mma;
  found->mma_flops += grid.mma_flops;
  found->instructions += grid.instructions;
  found->seconds += seconds;
  if (observer != nullptr && grid.settings.execution != Execution::none) observer->launch_ends(*found);
}

Settings from_environment() {
  Settings result;
  if (ptx::is_default()) result.execution = Execution::ptx;
  if (const char* trace = std::getenv("MINCEPTION_SIMT_TRACE")) result.trace = trace;
  const char* text = std::getenv("MINCEPTION_SIMT");
  if (text == nullptr) return result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::string_view name = item.substr(0, item.find('='));
    const std::string value(item.substr(std::min(item.size(), name.size() + 1)));
    const auto number = [&] {
      char* end = nullptr;
      const double parsed = std::strtod(value.c_str(), &end);
      require(!value.empty() && *end == '\0' && parsed >= 0, "MINCEPTION_SIMT: ", name, " must be a number, not '",
              value, "'");
      return parsed;
    };
    if (name == "order" && (value == "forward" || value == "reverse" || value == "random")) {
      result.order = value == "forward" ? Order::forward : value == "reverse" ? Order::reverse : Order::random;
    } else if (name == "copies" && (value == "lazy" || value == "eager")) {
      result.copies = value == "lazy" ? CopyLanding::lazy : CopyLanding::eager;
    } else if (name == "check" && (value == "on" || value == "off")) {
      result.check = value == "on";
    } else if (name == "run" && (value == "host" || value == "ptx" || value == "compare")) {
      result.execution = value == "host" ? Execution::host : value == "ptx" ? Execution::ptx : Execution::compare;
    } else if (name == "ptx" && !value.empty()) {
      result.ptx_folder = value;
    } else if (name == "report" && !value.empty()) {
      result.report = value;
    } else if (name == "seed") {
      result.seed = static_cast<std::uint64_t>(number());
    } else if (name == "threads") {
      result.os_threads = static_cast<int>(number());
    } else if (name == "watchdog") {
      result.watchdog_seconds = number();
    } else if (name == "memory") {
      result.device_memory = static_cast<std::size_t>(number());
    } else {
      fail("MINCEPTION_SIMT: '", item,
           "' is not one of order=forward|reverse|random, seed=N, copies=lazy|eager, check=on|off, "
           "threads=N, watchdog=SECONDS, memory=BYTES, run=host|ptx|compare, ptx=FOLDER, report=FILE");
    }
  }
  return result;
}

}  // namespace

Settings& settings() {
  static Settings the_settings = from_environment();
  return the_settings;
}

std::vector<KernelCounters> counters() { return device().counters(); }
void reset_counters() { device().reset_counters(); }
bool checker_built() { return observer != nullptr; }

namespace {

void check_extents(std::string_view kernel, const Extent3& grid, const Extent3& block, DynamicShared shared) {
  require(current == nullptr, "the kernel ", kernel, " cannot be launched from a kernel");
  require(block.count() >= 1 && block.count() <= kMostThreads && block.z <= 64, "the kernel ", kernel,
          " is launched with blocks of ", block.x, " x ", block.y, " x ", block.z, " threads; the limit is ",
          kMostThreads);
  require(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535, "the kernel ", kernel,
          " is launched with a grid of ", grid.x, " x ", grid.y, " x ", grid.z,
          " blocks; the limit is 2147483647 x 65535 x 65535");
  require(shared.bytes <= kMostShared, "the kernel ", kernel, " needs ", shared.bytes,
          " bytes of shared memory; the limit is ", kMostShared);
  require(shared.bytes <= std::max(shared.limit, kDefaultShared), "the kernel ", kernel, " needs ", shared.bytes,
          " bytes of dynamic shared memory; the limit is ", kDefaultShared,
          " unless cudaFuncAttributeMaxDynamicSharedMemorySize is set");
}

void set_extents(Grid& work, std::string_view kernel, Extent3 grid, Extent3 block, DynamicShared shared) {
  work.kernel = kernel;
  work.grid = grid;
  work.block = block;
  work.shared_bytes = shared.bytes;
  work.shared_limit = shared.limit;
}

}  // namespace

void execute(const ptx::Launch& launch, std::string_view kernel, Extent3 grid, Extent3 block, DynamicShared shared) {
  check_extents(kernel, grid, block, shared);
  Grid work;
  set_extents(work, kernel, grid, block, shared);
  work.ptx = &launch;
  device().execute(work);
}

void execute(const KernelCall& call, Extent3 grid, Extent3 block, DynamicShared shared) {
  check_extents(call.name, grid, block, shared);
  const auto host = [&] {
    Grid work;
    set_extents(work, call.name, grid, block, shared);
    work.body = call.body;
    work.argument = call.body_argument;
    work.argument_bytes = call.body_argument_bytes;
    device().execute(work);
  };
  const auto from_ptx = [&] {
    execute(ptx::make_launch(ptx::find_program(call), call.name, grid, block, shared, call.arguments), call.name, grid,
            block, shared);
  };
  switch (settings().execution) {
    case Execution::host:
    case Execution::none:
      return host();
    case Execution::ptx:
      return from_ptx();
    case Execution::compare:
      return ptx::compare(call.name, host, from_ptx);
  }
}

void barrier(const Position& where) { current->block->worker->barrier(where); }
void collective(void (*run)(Lanes&), void* argument, unsigned mask, const Position& where) {
  current->block->worker->collective(run, argument, mask, where);
}
void* shared_variable(const void* site, std::string_view name, std::size_t bytes, std::size_t alignment) {
  return current->block->worker->shared_variable(site, name, bytes, alignment);
}
void* dynamic_shared() { return current->block->worker->dynamic_shared(); }
void interrupt_block() { current->block->worker->interrupt(); }
void stopping() {
  if (observer != nullptr) observer->stopping();
}
void stop_with(std::string message, bool names_thread) {
  current->block->worker->stop_with(std::move(message), names_thread);
}
Stack stack_of(const Thread& thread) { return Worker::stack_of(thread); }

void count_mma(unsigned instructions, unsigned flops_each) {
  Worker& worker = *current->block->worker;
  worker.mma += instructions;
  worker.mma_flops += std::uint64_t{instructions} * flops_each;
}

}  // namespace minception::simt
