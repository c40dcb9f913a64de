/// An operation with a CUDA kernel of its own. The same file is compiled by nvcc, or by the host compiler for a build of
/// Minception with emulated kernels.

#include <minception/kernels/backend.h>
#include <minception/kernels/elements.h>
#include <minception/simt/launch.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

using namespace minception;

namespace {

/// Swish (Ramachandran et al. 2017).
template <class T>
MINCEPTION_HOST_DEVICE T swish(T x) {
  return x / (1 + std::exp(-x));
}

}  // namespace

/// One thread per element.
template <class T>
__global__ void swish_kernel(Elements<const T> x, Elements<T> y) {
  const std::int64_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < x.size()) y[i] = T(swish(float(x[i])));
}

namespace {

struct SwishForward : CustomOperation {
  const char* name() const override { return "swish_forward"; }
  bool supports(std::string_view) const override { return true; }
  void validate(const Custom& op) const override { op.require_alike("x", "y"); }

  void run(const Custom& op, const RunContext&) const override {
    for_floating(op["x"], [&]<class T>() {
      const Elements<const T> x(op["x"]);
      const Elements<T> y(op["y"]);
      for (std::int64_t i = 0; i < x.size(); ++i) y[i] = T(swish(Compute<T>(x[i])));
    });
  }

  void run_cuda(const Custom& op, const RunContext& context) const override {
    for_floating(op["x"], [&]<class T>() {
      if constexpr (!std::is_same_v<T, double>) {  // only reference computes in f64
        const Elements<const T> x(op["x"]);
        constexpr unsigned kBlock = 256;
        const auto blocks = static_cast<unsigned>((x.size() + kBlock - 1) / kBlock);
        simt::launch_kernel<swish_kernel<T>>(blocks, kBlock, 0, static_cast<cudaStream_t>(context.stream), x,
                                             Elements<T>(op["y"]));
      }
    });
  }
};

void run_on(Backend& backend) {
  const Shape shape = {1, 4, 1, 1};
  std::vector<float> values = {-2.0f, -0.5f, 0.5f, 2.0f};
  const std::size_t bytes = values.size() * sizeof(float);
  const Buffer x = backend.allocate(bytes), y = backend.allocate(bytes);
  backend.copy_to_device(x.data(), values.data(), bytes);
  backend.run(Custom{.operation = std::make_shared<SwishForward>(),
                     .inputs = {{"x", Tensor(shape, DType::f32, x.data(), backend.device())}},
                     .outputs = {{"y", Tensor(shape, DType::f32, y.data(), backend.device())}}});
  backend.copy_to_host(values.data(), y.data(), bytes);
  std::printf("%s: %.4f %.4f %.4f %.4f\n", std::string(backend.name()).c_str(), static_cast<double>(values[0]),
              static_cast<double>(values[1]), static_cast<double>(values[2]), static_cast<double>(values[3]));
}

}  // namespace

int main() {
  try {
    run_on(*make_reference_backend());
    run_on(*make_cuda_backend());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom_kernel: %s\n", error.what());
    return 1;
  }
}
