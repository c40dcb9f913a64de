/// Runs one operation on user-provided memory, without layers or networks.

#include <minception/kernels/backend.h>

#include <cstdio>
#include <memory>
#include <vector>

using namespace minception;

int main() {
  std::vector<float> x = {-1.0f, 2.0f, -3.0f, 4.0f}, y(4);
  const Shape shape = {1, 4, 1, 1};  // one pixel with four channels
  const std::unique_ptr<Backend> backend = make_reference_backend();
  backend->run(ReluForward{.x = Tensor(shape, DType::f32, x.data()), .y = Tensor(shape, DType::f32, y.data())});
  std::printf("relu: %g %g %g %g\n", y[0], y[1], y[2], y[3]);
}
