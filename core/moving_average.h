#pragma once
/// One update of an exponential moving average, on host and device.

#include "core/host_device.h"

namespace minception {

/// kept * average + taken * value, for kept + taken = 1, computed as a step from the operand with the larger weight.
/// So kept == 0 gives exactly `value` for any finite average, and average == value does not change.
template <class T>
MINCEPTION_HOST_DEVICE T moving_average(T average, T value, T kept, T taken) {
  return taken < T(0.5) ? average + taken * (value - average) : value + kept * (average - value);
}

}  // namespace minception
