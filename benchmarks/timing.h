#pragma once
/// Timing of single operations, and the peak rates of a device.

#include "kernels/backend.h"
#include "studies/measure.h"

#include <vector>

namespace minception {

/// Copies of an operation whose operands together exceed the caches: more than twice the last-level cache of an H100 or
/// of most CPUs. One copy if kernels are emulated.
std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage);

/// Microseconds of one run: the median over passes through all copies, by device events if passes can be captured,
/// otherwise by the host's clock. Takes about `seconds`.
double median_microseconds(Backend& backend, std::vector<Staged>& copies, double seconds);

// Ceilings: peak rates of a device.

/// Bandwidth (read and written) of a copy larger than the caches, in 1e9 bytes per second.
double copy_gigabytes_per_second(Backend& backend);
/// Speed of a large matrix product or a large 5x5 convolution, whichever is faster, in 1e12 operations per second. (A
/// 3x3 convolution may need fewer multiplications than are counted.)
double product_teraflops(Backend& backend, DType storage);

}  // namespace minception
