/// The cases of all operations. Compiled once because the tables are long.

#include "tests/cases/adam.h"
#include "tests/cases/adaptive_avg_pool2d.h"
#include "tests/cases/add.h"
#include "tests/cases/avg_pool2d.h"
#include "tests/cases/batch_norm.h"
#include "tests/cases/cast.h"
#include "tests/cases/clip_coefficient.h"
#include "tests/cases/concat.h"
#include "tests/cases/conv2d.h"
#include "tests/cases/conv2d_fused_1x1.h"
#include "tests/cases/custom.h"
#include "tests/cases/dropout.h"
#include "tests/cases/ema.h"
#include "tests/cases/fill.h"
#include "tests/cases/flatten.h"
#include "tests/cases/fold_batch_norm.h"
#include "tests/cases/gelu.h"
#include "tests/cases/global_avg_pool.h"
#include "tests/cases/group_norms.h"
#include "tests/cases/linear.h"
#include "tests/cases/load_batch.h"
#include "tests/cases/local_response_norm.h"
#include "tests/cases/max_pool2d.h"
#include "tests/cases/relu.h"
#include "tests/cases/sgd.h"
#include "tests/cases/softmax_cross_entropy.h"

namespace minception {

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (auto* cases_of : {load_batch_cases,
                         conv2d_cases,
                         conv2d_fused_1x1_cases,
                         linear_cases,
                         relu_cases,
                         gelu_cases,
                         max_pool2d_cases,
                         avg_pool2d_cases,
                         adaptive_avg_pool2d_cases,
                         global_avg_pool_cases,
                         concat_cases,
                         flatten_cases,
                         add_cases,
                         fill_cases,
                         cast_cases,
                         batch_norm_cases,
                         fold_batch_norm_cases,
                         local_response_norm_cases,
                         dropout_cases,
                         softmax_cross_entropy_cases,
                         sgd_cases,
                         adam_cases,
                         clip_coefficient_cases,
                         ema_cases,
                         group_norms_cases,
                         custom_cases}) {
    const std::vector<Case> table = cases_of();
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace minception
