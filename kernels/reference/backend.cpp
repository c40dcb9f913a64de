/// The reference backend: runs plain loops in float or double on host memory.

#include "kernels/backend.h"
#include "core/host_memory.h"

#include "kernels/reference/adam.h"
#include "kernels/reference/adaptive_avg_pool2d.h"
#include "kernels/reference/add.h"
#include "kernels/reference/avg_pool2d.h"
#include "kernels/reference/batch_norm.h"
#include "kernels/reference/cast.h"
#include "kernels/reference/clip_coefficient.h"
#include "kernels/reference/concat.h"
#include "kernels/reference/conv2d.h"
#include "kernels/reference/conv2d_fused_1x1.h"
#include "kernels/reference/custom.h"
#include "kernels/reference/dropout.h"
#include "kernels/reference/ema.h"
#include "kernels/reference/fill.h"
#include "kernels/reference/flatten.h"
#include "kernels/reference/gelu.h"
#include "kernels/reference/global_avg_pool.h"
#include "kernels/reference/group_norms.h"
#include "kernels/reference/linear.h"
#include "kernels/reference/load_batch.h"
#include "kernels/reference/local_response_norm.h"
#include "kernels/reference/max_pool2d.h"
#include "kernels/reference/relu.h"
#include "kernels/reference/sgd.h"
#include "kernels/reference/softmax_cross_entropy.h"

#include <algorithm>

namespace minception {
namespace {

/// Calls f<T>() with the compute dtype of the operation: f64 if any operand has it.
template <class Op, class F>
void in_compute_dtype(const Op& op, F&& f) {
  DType dtype = DType::f32;
  Op::each_operand(op, [&](std::string_view, const Tensor& tensor, Access) {
    if (tensor.defined() && (tensor.dtype == DType::f64 || tensor.dtype == DType::bf16)) dtype = tensor.dtype;
  });
  require(dtype != DType::bf16,
          "the reference backend computes in f32 and f64, not in bf16: choose one of these, or "
          "another backend");
  dtype == DType::f64 ? f.template operator()<double>() : f.template operator()<float>();
}

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  std::string description() const override { return "plain loops in the dtype of the operands, sums in double"; }
  Device device() const override { return {}; }

  Buffer allocate(std::size_t bytes) override { return allocate_host(bytes); }
  std::size_t available_memory() const override { return available_host_memory(); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override { copy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override { copy(host, device, bytes); }
  void fill_zero(void* device, std::size_t bytes) override {
    std::fill_n(static_cast<std::byte*>(device), bytes, std::byte{0});
  }
  void synchronize() override {}

#define MINCEPTION_CALL_REFERENCE(Struct, name)                                      \
  void name(const Struct& operation, Workspace workspace) override {                 \
    [workspace](const auto& op) {                                                    \
      if constexpr (requires { reference::name(op); }) {                             \
        reference::name(op);                                                         \
      } else if constexpr (requires { reference::name<float>(op); }) {               \
        in_compute_dtype(op, [&]<class T>() { reference::name<T>(op); });            \
      } else {                                                                       \
        in_compute_dtype(op, [&]<class T>() { reference::name<T>(op, workspace); }); \
      }                                                                              \
    }(operation);                                                                    \
  }
  MINCEPTION_OPERATIONS(MINCEPTION_CALL_REFERENCE)
#undef MINCEPTION_CALL_REFERENCE

 private:
  /// Allows null pointers for 0 bytes, unlike std::memcpy.
  static void copy(void* to, const void* from, std::size_t bytes) {
    std::copy_n(static_cast<const std::byte*>(from), bytes, static_cast<std::byte*>(to));
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace minception
