#include "benchmarks/verify_parts.h"
#include "benchmarks/timing.h"

#include <algorithm>

namespace minception {
namespace {

/// Whether `results` agree with `reference` in double for image `n` of the batch.
bool image_agrees(const Operation& described, DType storage, std::int64_t n,
                  const std::vector<std::vector<float>>& results, double allowed) {
  Operation part = described;
  std::vector<std::vector<double>> memory;
  std::vector<std::pair<std::size_t, std::size_t>> written;  // index in memory, and offset in the whole result
  memory.reserve(32);
  for_each_operand(part, [&](std::string_view role, Tensor& tensor, Access access) {
    const std::size_t k = memory.size();
    const bool batched = role != "w" && role != "bias";
    const bool narrow = dtype_in(storage, described, role, tensor) == DType::bf16;
    Shape shape = tensor.shape;
    if (batched) shape[0] = 1;
    const auto count = static_cast<std::size_t>(shape.elements());
    const std::size_t begin = batched ? static_cast<std::size_t>(n) * count : 0;
    memory.emplace_back(count);
    for (std::size_t i = 0; i < count && access != Access::write; ++i) {
      const double value = table_value(k, begin + i);
      memory[k][i] = narrow ? rounded(value, DType::bf16) : value;
    }
    if (access != Access::read) written.emplace_back(k, begin);
    tensor = Tensor(shape, DType::f64, memory[k].data());
  });
  make_reference_backend()->run(part);
  for (std::size_t j = 0; j < written.size(); ++j) {
    if (!agree(results[j].data() + written[j].second, memory[written[j].first], allowed)) return false;
  }
  return true;
}

/// The same for filter `o` of member `j`, for weight gradients.
bool filter_agrees(const Conv2dAttributes& attributes, const Tensor& x, const std::vector<Tensor>& dy, const Tensor& dw,
                   std::size_t j, std::int64_t o, DType storage, const std::vector<std::vector<float>>& results,
                   double allowed) {
  const auto value = [&](std::size_t k, std::int64_t i) {
    return rounded(table_value(k, static_cast<std::size_t>(i)), storage);
  };
  std::vector<double> pixels(static_cast<std::size_t>(x.elements())),
      gradient(static_cast<std::size_t>(dy[j].pixels()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = value(0, static_cast<std::int64_t>(i));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = value(1 + j, static_cast<std::int64_t>(i) * dy[j].c() + o);
  }
  std::vector<double> weights(static_cast<std::size_t>(dw.elements() / dw.n())), bias(1);
  Conv2dBackwardWeights op{attributes, Tensor(x.shape, DType::f64, pixels.data()),
                           Tensor({dy[j].n(), 1, dy[j].h(), dy[j].w()}, DType::f64, gradient.data()),
                           Tensor({1, dw.c(), dw.h(), dw.w()}, DType::f64, weights.data()),
                           Tensor({1}, DType::f64, bias.data())};
  make_reference_backend()->run(op);
  std::int64_t filter = o;
  for (std::size_t before = 0; before < j; ++before) filter += dy[before].c();
  const auto row = static_cast<std::size_t>(filter);
  // A sum over all pixels may be small by chance: the tolerance is relative to its expected magnitude.
  const double spread = std::sqrt(static_cast<double>(gradient.size()));
  return agree(results[0].data() + row * weights.size(), weights, allowed) &&
         std::abs(static_cast<double>(results[1][row]) - bias[0]) <= allowed * std::max(spread, std::abs(bias[0]));
}

}  // namespace

bool parts_agree(const Operation& operation, const Precision& precision, const std::vector<std::vector<float>>& results,
                 std::int64_t parts) {
  const double allowed = tolerance(precision);
  const auto every = [&](std::int64_t count, auto&& right) {
    const std::int64_t looks = std::min(parts, count);
    for (std::int64_t i = 0; i < looks; ++i) {
      if (!right(looks == 1 ? 0 : i * (count - 1) / (looks - 1))) return false;
    }
    return true;
  };
  const auto filters = [&](const Conv2dAttributes& attributes, const Tensor& x, const std::vector<Tensor>& dy,
                           const Tensor& dw) {
    return every(dw.n(), [&](std::int64_t filter) {
      std::size_t j = 0;
      while (filter >= dy[j].c()) filter -= dy[j++].c();
      return filter_agrees(attributes, x, dy, dw, j, filter, precision.storage, results, allowed);
    });
  };
  if (const auto* conv = std::get_if<Conv2dBackwardWeights>(&operation)) {
    return filters(conv->attributes, conv->x, {conv->dy}, conv->dw);
  }
  if (const auto* group = std::get_if<Conv2dFused1x1BackwardWeights>(&operation)) {
    return filters({}, group->x, group->dy, group->dw);
  }
  std::int64_t batch = 0;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access) {
    if (role == "x" || role == "dx") batch = tensor.n();
  });
  return every(batch,
               [&](std::int64_t image) { return image_agrees(operation, precision.storage, image, results, allowed); });
}

}  // namespace minception
