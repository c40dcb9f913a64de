#include "tests/kernels/guarded_memory.h"
#include "core/error.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace minception {
namespace {

std::array<const GuardedMemory*, 64> live_memory = {};  // read by the signal handler
char reported_label[800];
struct sigaction handler_before;

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

void report_stray_access(int, siginfo_t* info, void*) {
  char line[1024];
  int length = std::snprintf(line, sizeof line, "%s: stray access", reported_label);
  for (const GuardedMemory* memory : live_memory) {
    const std::ptrdiff_t distance = memory == nullptr ? 0 : memory->distance(info->si_addr);
    if (distance == 0) continue;
    const bool behind = distance > 0;
    length = std::snprintf(line, sizeof line, "%s: stray access, %td bytes %s %s", reported_label,
                           behind ? distance - 1 : -distance, behind ? "past the end of" : "before the beginning of",
                           memory->name().c_str());
  }
  line[std::min<std::size_t>(static_cast<std::size_t>(length), sizeof line - 1)] = '\n';
  const std::size_t bytes = std::min<std::size_t>(static_cast<std::size_t>(length) + 1, sizeof line);
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line, bytes);
  sigaction(SIGSEGV, &handler_before, nullptr);  // the repeated access goes to the previous handler
}

}  // namespace

GuardedMemory::GuardedMemory(std::string name, std::size_t bytes, Placement placement, std::size_t alignment)
    : name_(std::move(name)), bytes_(bytes) {
  const std::size_t page = page_bytes();
  const std::size_t inside = round_up(std::max<std::size_t>(bytes, 1), page);
  mapped_ = inside + 2 * page;
  void* mapping = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(mapping != MAP_FAILED, "cannot map ", mapped_, " bytes");
  mapping_ = static_cast<std::byte*>(mapping);
  require(mprotect(mapping_ + page, inside, PROT_READ | PROT_WRITE) == 0, "cannot open ", inside, " mapped bytes");
  data_ = mapping_ + page;
  if (placement == Placement::ends_at_page) data_ += inside - round_up(bytes, alignment);
  const auto slot = std::find(live_memory.begin(), live_memory.end(), nullptr);
  if (slot != live_memory.end()) *slot = this;
}

GuardedMemory::~GuardedMemory() {
  std::replace(live_memory.begin(), live_memory.end(), static_cast<const GuardedMemory*>(this),
               static_cast<const GuardedMemory*>(nullptr));
  munmap(mapping_, mapped_);
}

std::ptrdiff_t GuardedMemory::distance(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  if (at < mapping_ || at >= mapping_ + mapped_) return 0;
  if (at < data_) return at - data_;
  return at >= data_ + bytes_ ? at - (data_ + bytes_) + 1 : 0;
}

StrayAccessReport::StrayAccessReport(const std::string& label) {
  std::snprintf(reported_label, sizeof reported_label, "%s", label.c_str());
  struct sigaction action = {};
  action.sa_sigaction = report_stray_access;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &handler_before);
}

StrayAccessReport::~StrayAccessReport() { sigaction(SIGSEGV, &handler_before, nullptr); }

}  // namespace minception
