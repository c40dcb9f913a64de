#pragma once
/// Optimizer steps, gradient clipping, weight averaging and norms, on flat buffers.

#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// A contiguous range of the flat parameter buffer with its own settings.
struct ParameterGroup {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  double learning_rate_scale = 1.0;
  double weight_decay = 0.0;
  bool trains = true;  ///< false: not updated
};

/// One step of stochastic gradient descent over flat buffers, as in PyTorch's SGD with dampening 0. With f = factor[0]
/// (from ClipCoefficient) if defined, else 1:
///   g' = f * g + weight_decay * w,   v = momentum * v + g',
///   w -= learning_rate * scale * (nesterov ? g' + momentum*v : v).
/// w, g, v: flat, the same length, master. v starts at zero; it is optional if momentum is 0.
/// schedule: (2) f32 = {learning rate, momentum}, both 0 or more; in device memory so that a captured step can be
/// replayed with other values.
/// factor: (1), master, optional.
/// groups: ordered, disjoint, inside the buffer. Elements outside the groups are not changed.
struct SgdStep {
  bool nesterov = false;
  std::vector<ParameterGroup> groups;
  Tensor schedule, g, w, v, factor = {};

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("schedule", self.schedule, Access::read);
    f("g", self.g, Access::read);
    f("w", self.w, Access::read_write);
    f("v", self.v, Access::read_write);
    f("factor", self.factor, Access::read);
  }
};

/// One step of Adam (Kingma & Ba 2015, algorithm 1) over flat buffers or, with `decoupled`, of AdamW (Loshchilov &
/// Hutter 2019, algorithm 2), as in PyTorch. With f as in SgdStep, t = step[0], r = learning_rate * scale:
///   decoupled ?   g' = f * g,   w -= r * weight_decay * w   :   g' = f * g + weight_decay * w,
///   m = beta1 * m + (1 - beta1) * g',   v = beta2 * v + (1 - beta2) * g'^2   (core/moving_average.h),
///   w -= r / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
/// w, g, m, v: flat, the same length, master; m and v start at zero.
/// step: (1) i64, the number of this step, from 1.  schedule: (2) f32 = {learning rate (0 or more), beta1 in [0, 1)}.
/// step and schedule are in device memory, as in SgdStep. factor and groups are as in SgdStep.
struct AdamStep {
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled = false;
  std::vector<ParameterGroup> groups;
  Tensor step, schedule, g, w, m, v, factor = {};

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("step", self.step, Access::read);
    f("schedule", self.schedule, Access::read);
    f("g", self.g, Access::read);
    f("w", self.w, Access::read_write);
    f("m", self.m, Access::read_write);
    f("v", self.v, Access::read_write);
    f("factor", self.factor, Access::read);
  }
};

/// Clip coefficient for gradient clipping by global norm (Pascanu et al. 2013, algorithm 1; PyTorch's clip_grad_norm_):
///   factor = min(1, max_norm / (norm + 1e-6)),   norm = sqrt(sum of g^2 over all groups that train).
/// If one of these elements is NaN or infinite, the factor is NaN, and the next step makes all trained weights NaN.
/// With max_norm / infinity = 0 only some weights would be wrong, which is easily missed.
/// g: one flat buffer, master.  factor: (1), g's dtype.  groups: as in SgdStep. Squares are summed in double.
struct ClipCoefficient {
  double max_norm = 1.0;
  std::vector<ParameterGroup> groups;
  Tensor g, factor;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("g", self.g, Access::read);
    f("factor", self.factor, Access::write);
  }
};

/// Exponential moving average of weights (Polyak & Juditsky 1992; used by Szegedy et al. 2016, section 8), with
/// TensorFlow's warm-up: decay_t = min(decay, (1 + t) / (10 + t)), where t = step[0] counts updates from 1.
///   average = t <= 1 ? w : decay_t * average + (1 - decay_t) * w   (core/moving_average.h).
/// w, average: flat, the same length, master.  step: (1) i64, in device memory.
struct EmaUpdate {
  double decay = 0.999;
  Tensor step, w, average;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("step", self.step, Access::read);
    f("w", self.w, Access::read);
    f("average", self.average, Access::read_write);
  }
};

/// Monitors parameters and gradients. For each group k of a flat buffer, trained or not:
///   y[k] = {sqrt(sum of x^2), number of NaN or infinite elements}.
/// The norm is NaN or infinite if an element is.
/// x: flat, master.  y: (K, 2), dense, x's dtype, for K groups as in SgdStep.
/// Squares are summed in double: an f32 norm overflows only if its value exceeds the range of f32.
struct GroupNorms {
  std::vector<ParameterGroup> groups;
  Tensor x, y;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("x", self.x, Access::read);
    f("y", self.y, Access::write);
  }
};

}  // namespace minception

#define MINCEPTION_OPTIMIZER_OPERATIONS(F) \
  F(SgdStep, sgd_step)                     \
  F(AdamStep, adam_step)                   \
  F(ClipCoefficient, clip_coefficient)     \
  F(EmaUpdate, ema_update)                 \
  F(GroupNorms, group_norms)
