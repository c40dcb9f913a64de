#include "training/profile.h"
#include "core/error.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace minception {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Category of an operation by name prefix; the first match wins.
std::string kind_of(std::string_view operation) {
  static constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"conv2d_fused_1x1_forward", "fused 1x1, forward"},
      {"conv2d_fused_1x1_backward_data", "fused 1x1, data gradient"},
      {"conv2d_fused_1x1_backward_weights", "fused 1x1, weight gradient"},
      {"conv2d_forward", "convolution, forward"},
      {"conv2d_backward_data", "convolution, data gradient"},
      {"conv2d_backward_weights", "convolution, weight gradient"},
      {"linear", "fully connected"},
      {"max_pool2d_forward", "pools, forward"},
      {"max_pool2d_backward", "pools, backward"},
      {"avg_pool2d_forward", "pools, forward"},
      {"avg_pool2d_backward", "pools, backward"},
      {"adaptive_avg_pool2d_forward", "pools, forward"},
      {"adaptive_avg_pool2d_backward", "pools, backward"},
      {"global_avg_pool_forward", "pools, forward"},
      {"global_avg_pool_backward", "pools, backward"},
      {"concat", "concat, split, mask, sums, copies"},
      {"split", "concat, split, mask, sums, copies"},
      {"flatten", "concat, split, mask, sums, copies"},
      {"add", "concat, split, mask, sums, copies"},
      {"fill", "concat, split, mask, sums, copies"},
      {"cast", "concat, split, mask, sums, copies"},
      {"batch_norm_backward", "BatchNorm, backward"},
      {"fold_batch_norm", "BatchNorm, folding"},
      {"batch_norm", "BatchNorm, forward"},
      {"relu", "activation"},
      {"local_response_norm", "local response norm"},
      {"dropout", "dropout"},
      {"softmax_cross_entropy", "loss"},
      {"sgd_step", "optimizer"},
      {"adam_step", "optimizer"},
      {"clip_coefficient", "optimizer"},
      {"ema_update", "optimizer"},
      {"load_batch", "data: gather, resize, normalise"},
  };
  for (const auto& [prefix, kind] : kKinds) {
    if (operation.starts_with(prefix)) return std::string(kind);
  }
  return "other";
}

/// Minimum memory traffic: every operand once per access. Of a data set, only the batch's samples count.
double bytes_of(const Operation& operation) {
  double sum = 0.0;
  for_each_operand(operation, [&](std::string_view, const Tensor& tensor, Access access) {
    const auto bytes = static_cast<double>(tensor.elements()) * static_cast<double>(size_of(tensor.dtype));
    sum += access == Access::read_write ? 2.0 * bytes : bytes;
  });
  if (const auto* load = std::get_if<LoadBatch>(&operation)) {
    for (const Tensor* whole : {&load->images, &load->labels}) {
      const double sample = static_cast<double>(whole->elements()) * static_cast<double>(size_of(whole->dtype)) /
                            static_cast<double>(whole->n());
      sum -= sample * static_cast<double>(whole->n() - load->indices.n());
    }
  }
  return sum;
}

/// Feeds full batches to a network, pass after pass.
class Batches {
 public:
  Batches(Network& network, BatchSource& feed, const ProfileOptions& options)
      : network_(network), feed_(feed), options_(options), batch_(std::min(options.batch_size, feed.size())) {
    start();
  }
  std::int64_t size() const { return batch_; }

  void next() {
    if (position_ + batch_ > feed_.size()) {
      ++epoch_;
      start();
    }
    feed_.next(batch_);
    network_.set_control(epoch_, position_, 0.0f, static_cast<float>(momentum_of(network_.options().optimizer)));
    position_ += batch_;
  }

 private:
  void start() {
    position_ = 0;
    feed_.start(network_, options_.mode,
                {.batch_size = batch_, .shuffle = options_.shuffle, .seed = options_.seed, .epoch = epoch_});
  }

  Network& network_;
  BatchSource& feed_;
  const ProfileOptions& options_;
  std::int64_t batch_, epoch_ = 1, position_ = 0;
};

void add(std::vector<ProfiledKernel>& kernels, const ProfiledKernel& one) {
  auto found = std::find_if(kernels.begin(), kernels.end(), [&](const auto& k) { return k.kernel == one.kernel; });
  if (found == kernels.end()) found = kernels.insert(kernels.end(), {.kernel = one.kernel});
  found->launches += one.launches;
  found->seconds += one.seconds;
  found->flops += one.flops;
  found->bytes += one.bytes;
  found->credited_seconds += one.credited_seconds;
}

/// Credits the operation's floating-point operations and bytes to its longest kernel.
void credit(ProfiledOperation& operation) {
  if (operation.kernels.empty()) return;
  ProfiledKernel& longest = *std::max_element(operation.kernels.begin(), operation.kernels.end(),
                                              [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  longest.flops = operation.flops;
  longest.bytes = operation.bytes;
  longest.credited_seconds = longest.seconds;
}

}  // namespace

double Profile::operation_seconds() const {
  double sum = 0.0;
  for (const ProfiledOperation& operation : operations) sum += operation.seconds;
  return sum;
}

Profile profile(Network& network, BatchSource& feed, const ProfileOptions& options) {
  require(options.steps >= 1 && options.warmup >= 2, "a profile of ", options.steps, " steps after ", options.warmup,
          " warm-up steps: at least 1 after 2 is needed");
  require(options.batch_size >= 1 && options.batch_size <= network.options().max_batch, "a batch size of ",
          options.batch_size, ": the network was planned for 1 to ", network.options().max_batch);
  const bool training = options.mode == Mode::training;
  Backend& backend = network.backend();
  Batches batches(network, feed, options);
  const std::int64_t batch = batches.size();
  const auto step = [&] { training ? network.train_step(batch) : network.infer(batch); };
  const auto timed = [&](double& sum, const auto& work) {
    backend.synchronize();
    const auto start = Clock::now();
    batches.next();
    const double feed_seconds = seconds_since(start);
    work();
    backend.synchronize();
    sum += seconds_since(start);
    return feed_seconds;
  };

  double ignored = 0.0;
  for (std::int64_t i = 0; i < options.warmup; ++i) timed(ignored, step);
  timed(ignored, [&] { network.run_timed(options.mode, batch); });

  Profile result = {.mode = options.mode,
                    .model = network.model().config.name,
                    .device = std::string(backend.name()),
                    .description = backend.description(),
                    .batch_size = batch,
                    .steps = options.steps,
                    .emulated = backend.device().kind == DeviceKind::cuda && cuda_is_emulated(),
                    .replayed = training && network.replays(batch)};
  const std::vector<Operation>& operations = network.operations(options.mode, batch);
  const std::span<const Step> steps = network.plan(options.mode).steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string_view name = name_of(operations[i]);
    result.operations.push_back({.phase = steps[i].phase,
                                 .layer = steps[i].layer,
                                 .operation = std::string(name),
                                 .kind = kind_of(name),
                                 .flops = 2.0 * static_cast<double>(multiply_accumulates(operations[i])),
                                 .bytes = bytes_of(operations[i])});
  }

  const auto count = static_cast<double>(options.steps);
  for (std::int64_t i = 0; i < options.steps; ++i) {
    timed(result.step_seconds, step);
    if (result.replayed) timed(result.eager_seconds, [&] { network.run(options.mode, batch); });
    if (result.emulated) reset_kernel_counts();
    std::vector<OperationTime> times;
    const double waited_before = feed.seconds_waited();
    result.feed_seconds +=
        timed(result.profiled_seconds, [&] { times = network.run_timed(options.mode, batch); }) / count;
    result.waited_seconds += (feed.seconds_waited() - waited_before) / count;
    if (result.emulated) {
      result.counts = kernel_counts();
      result.counts_table = kernel_counts_table();
    }
    for (std::size_t n = 0; n < times.size(); ++n) {
      ProfiledOperation& operation = result.operations[n];
      operation.seconds += times[n].seconds / count;
      for (const KernelTime& kernel : times[n].kernels) {
        add(operation.kernels,
            {.kernel = kernel.kernel, .launches = i == 0 ? 1 : 0, .seconds = kernel.seconds / count});
      }
    }
  }
  for (ProfiledOperation& operation : result.operations) {
    credit(operation);
    for (const ProfiledKernel& kernel : operation.kernels) add(result.kernels, kernel);
  }
  std::stable_sort(result.kernels.begin(), result.kernels.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  result.step_seconds /= count;
  result.profiled_seconds /= count;
  result.eager_seconds = result.replayed ? result.eager_seconds / count : result.step_seconds;
  return result;
}

}  // namespace minception
