#pragma once
/// Execution orders of the emulated GPU: order of threads, completion of asynchronous copies, number of OS threads that
/// share the blocks. Results must not depend on them.

#if defined(MINCEPTION_EMULATED)
#include "simt/executor.h"
#endif

namespace minception {

#if defined(MINCEPTION_EMULATED)

struct EmulatedOrder {
  const char* name;
  simt::Order order;
  simt::CopyLanding copies;
  int os_threads;  ///< 0: one per core
  unsigned seed = 0;

  void apply() const {
    simt::Settings& settings = simt::settings();
    settings.order = order;
    settings.copies = copies;
    settings.os_threads = os_threads;
    settings.seed = seed;
  }
};
inline constexpr EmulatedOrder kEmulatedOrders[] = {
    {"forward", simt::Order::forward, simt::CopyLanding::lazy, 0},
    {"in reverse order with eager copies", simt::Order::reverse, simt::CopyLanding::eager, 0},
    {"in random order on one core", simt::Order::random, simt::CopyLanding::lazy, 1, 1},
    {"in random order on two cores with eager copies", simt::Order::random, simt::CopyLanding::eager, 2, 2},
};

/// The destructor restores the settings.
class EmulatedOrderScope {
 public:
  EmulatedOrderScope() : before_(simt::settings()) {}
  explicit EmulatedOrderScope(const EmulatedOrder& order) : EmulatedOrderScope() { order.apply(); }
  ~EmulatedOrderScope() { simt::settings() = before_; }
  EmulatedOrderScope(const EmulatedOrderScope&) = delete;
  EmulatedOrderScope& operator=(const EmulatedOrderScope&) = delete;

 private:
  simt::Settings before_;
};

#else

/// On a real GPU the order cannot be chosen: every case runs several times.
struct EmulatedOrder {
  const char* name;
  void apply() const {}
};
inline constexpr EmulatedOrder kEmulatedOrders[] = {{"first"}, {"again"}, {"a third time"}};

struct EmulatedOrderScope {
  EmulatedOrderScope() {}
  explicit EmulatedOrderScope(const EmulatedOrder&) {}
};

#endif

}  // namespace minception
