#pragma once
/// Cases of ema_update. tests/kernels/inputs.cpp derives the step number from the decay: 1 for 0.5, otherwise 12, which
/// is within the warm-up of decay 0.9.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> ema_cases() {
  using namespace cases;
  std::vector<Case> table;
  for (const std::int64_t length : {1, 63, 4096, 20'001}) {
    for (const double decay : {0.9, 0.5, 0.25}) {
      EmaUpdate op;
      op.decay = decay;
      op.step = dense(Shape{1}, DType::i64);
      op.w = op.average = dense(Shape{length});
      const char* when = decay == 0.9 ? ", warming up" : decay == 0.5 ? ", first" : ", short memory";
      table.push_back({std::to_string(length) + " values" + when, op});
    }
  }
  EmaUpdate op;
  op.decay = 0.9;
  op.step = dense(Shape{1}, DType::i64);
  op.w = op.average = unaligned(Shape{300});
  table.push_back({"unaligned", op});
  return table;
}

}  // namespace minception
