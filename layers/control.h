#pragma once
/// Per-step values live in one small block of device memory, so that a captured CUDA graph of a step can be replayed.

#include "layers/plan.h"

#include <cstddef>
#include <cstdint>

namespace minception {

/// Layout of Region::control; the metrics of the heads follow it.
struct ControlBlock {
  std::int64_t position[2] = {0, 0};  ///< epoch; position of the batch's first sample in the epoch
  std::int64_t step = 1;              ///< optimizer step, counted from 1
  float schedule[2] = {0.0f, 0.0f};   ///< learning rate; momentum, or Adam's beta1
};

/// Offset in bytes of the metrics of head `head` in Region::control (two values of at most 8 bytes).
constexpr std::size_t metrics_offset(std::size_t head) { return sizeof(ControlBlock) + head * 16; }

inline Tensor position_tensor(Plan& plan) { return plan.external(Region::control, 0, Shape{2}, DType::i64); }
inline Tensor step_tensor(Plan& plan) {
  return plan.external(Region::control, offsetof(ControlBlock, step), Shape{1}, DType::i64);
}
inline Tensor schedule_tensor(Plan& plan) {
  return plan.external(Region::control, offsetof(ControlBlock, schedule), Shape{2}, DType::f32);
}
inline Tensor metrics_tensor(Plan& plan, std::size_t head) {
  return plan.external(Region::control, metrics_offset(head), Shape{2}, plan.master_dtype());
}

}  // namespace minception
