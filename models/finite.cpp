#include "models/finite.h"
#include "core/error.h"
#include "models/weights.h"

#include <cmath>

namespace minception {
namespace {

/// Number of elements of a floating-point device tensor that are NaN or infinite.
std::int64_t count_not_finite(Backend& backend, const Tensor& tensor) {
  if (tensor.dtype != DType::f32 && tensor.dtype != DType::f64 && tensor.dtype != DType::bf16) return 0;
  const std::int64_t elements = tensor.shape.elements();
  if (elements == 0) return 0;
  const std::int64_t channels = tensor.dense() ? elements : tensor.shape[1];
  const std::int64_t pixels = elements / channels;
  const std::int64_t stride = tensor.dense() ? channels : tensor.pixel_stride;
  FileTensor copy{tensor.dtype, tensor.shape, std::vector<std::byte>(tensor.bytes())};
  backend.synchronize();
  backend.copy_to_host(copy.bytes.data(), tensor.data, copy.bytes.size());
  const std::vector<double> values = to_doubles(copy);
  std::int64_t count = 0;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      count += !std::isfinite(values[static_cast<std::size_t>(pixel * stride + channel)]);
    }
  }
  return count;
}

}  // namespace

std::string not_finite_output(Backend& backend, const Step& step, const Operation& operation) {
  std::string found;
  for_each_operand(operation, [&](std::string_view role, const Tensor& tensor, Access access) {
    if (access == Access::read || !found.empty() || !tensor.defined()) return;
    const std::int64_t count = count_not_finite(backend, tensor);
    if (count == 0) return;
    found = concat(step.layer, " (", name_of(operation), "): ", count, " of ", tensor.elements(), " values of ", role,
                   " are not finite");
  });
  return found;
}

std::string find_overflow(Network& network, std::int64_t batch) {
  std::string found;
  network.infer_watched(batch, [&](const Step& step, const Operation& operation) {
    if (step.phase != Phase::loss) found = not_finite_output(network.backend(), step, operation);
    return found.empty();
  });
  return found;
}

}  // namespace minception
