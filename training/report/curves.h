#pragma once
/// Plots of a report: one run, or several runs compared.

#include "training/report/run.h"

#include <span>
#include <string>

namespace minception::report {

/// Loss, accuracy, learning rate, momentum and speed; "" without recorded metrics.
std::string curves_of(const Run& run);
/// Gradient norms per layer.
std::string gradients_of(const Run& run);
/// A plot per quantity with a curve per run.
std::string curves_compared(std::span<const Run> runs);

}  // namespace minception::report
