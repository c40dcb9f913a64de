/// One operation on tensors in memory of one's own, without the floors above.

#include <minception/kernels/backend.h>

#include <cstdio>
#include <vector>

using namespace minception;

int main() {
  std::vector<float> x = {-1.0f, 2.0f, -3.0f, 4.0f}, y(4);
  const Shape shape = {1, 4, 1, 1};
  make_reference_backend()->run(
      ReluForward{.x = Tensor(shape, DType::f32, x.data()), .y = Tensor(shape, DType::f32, y.data())});
  if (y != std::vector<float>{0.0f, 2.0f, 0.0f, 4.0f}) {
    std::fprintf(stderr, "operations: relu gave %g %g %g %g\n", y[0], y[1], y[2], y[3]);
    return 1;
  }
}
