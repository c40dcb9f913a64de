#pragma once
/// What changes from step to step lives in one small block of device memory, so that a captured step can be replayed.

#include <minception/layers/plan.h>

#include <cstddef>
#include <cstdint>

namespace minception {

/// The content of Region::control.
struct ControlBlock {
  std::int64_t position[2] = {0, 0};  ///< epoch, position in the epoch of the batch's first sample
  std::int64_t step = 1;              ///< number of the optimizer's step, from 1
  float schedule[2] = {0.0f, 0.0f};   ///< learning rate; momentum, or Adam's beta1
};

/// Bytes from the start of Region::control to the totals of head `head` (two values of 8 bytes at most).
constexpr std::size_t totals_offset(std::size_t head) { return sizeof(ControlBlock) + head * 16; }

inline Tensor position_tensor(Plan& plan) { return plan.external(Region::control, 0, Shape{2}, DType::i64); }
inline Tensor step_tensor(Plan& plan) {
  return plan.external(Region::control, offsetof(ControlBlock, step), Shape{1}, DType::i64);
}
inline Tensor schedule_tensor(Plan& plan) {
  return plan.external(Region::control, offsetof(ControlBlock, schedule), Shape{2}, DType::f32);
}
inline Tensor totals_tensor(Plan& plan, std::size_t head) {
  return plan.external(Region::control, totals_offset(head), Shape{2}, plan.master_dtype());
}

}  // namespace minception
