#pragma once
/// One update of an exponential moving average, on host and device.

#include <minception/core/host_device.h>

namespace minception {

/// kept * average + taken * value, for kept + taken = 1, as a step from the one that weighs more to the other: where
/// nothing is kept the result is `value`, however large the average was; and an average that has arrived stays.
template <class T>
MINCEPTION_HOST_DEVICE T moving_average(T average, T value, T kept, T taken) {
  return taken < T(0.5) ? average + taken * (value - average) : value + kept * (average - value);
}

}  // namespace minception
