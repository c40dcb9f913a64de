/// The cases of all operations, in the order of operations.h. Compiled once: the tables are long.

#include <minception/tests/cases/adam.h>
#include <minception/tests/cases/adaptive_avg_pool2d.h>
#include <minception/tests/cases/add.h>
#include <minception/tests/cases/avg_pool2d.h>
#include <minception/tests/cases/batch_norm.h>
#include <minception/tests/cases/cast.h>
#include <minception/tests/cases/clip_factor.h>
#include <minception/tests/cases/concat.h>
#include <minception/tests/cases/conv2d.h>
#include <minception/tests/cases/conv2d_1x1_group.h>
#include <minception/tests/cases/dropout.h>
#include <minception/tests/cases/ema.h>
#include <minception/tests/cases/fill.h>
#include <minception/tests/cases/flatten.h>
#include <minception/tests/cases/fold_batch_norm.h>
#include <minception/tests/cases/global_avg_pool.h>
#include <minception/tests/cases/linear.h>
#include <minception/tests/cases/load_batch.h>
#include <minception/tests/cases/local_response_norm.h>
#include <minception/tests/cases/max_pool2d.h>
#include <minception/tests/cases/relu.h>
#include <minception/tests/cases/segment_norms.h>
#include <minception/tests/cases/sgd.h>
#include <minception/tests/cases/softmax_cross_entropy.h>

namespace minception {

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (auto* cases_of : {load_batch_cases,
                         conv2d_cases,
                         conv2d_1x1_group_cases,
                         linear_cases,
                         relu_cases,
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
                         clip_factor_cases,
                         ema_cases,
                         segment_norms_cases}) {
    const std::vector<Case> table = cases_of();
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace minception
