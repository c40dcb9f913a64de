/// The faults of test_mutations.cpp on the emulated cuda backend, whose memory the host can access.

#include "tests/kernels/check_mutations.h"

#include "tests/catch.h"

namespace minception {
namespace {

std::unique_ptr<Backend> cuda() { return make_cuda_backend(); }
std::unique_ptr<Backend> tensor_cores() { return make_cuda_backend({.tf32 = true, .algorithm = Algorithm::tensor_op}); }

}  // namespace

TEST_CASE("cuda: mutations of convolutions and fully connected layers are caught in f32") {
  check_mutations(cuda, convolution_mutations());
}
TEST_CASE("cuda: mutations of convolutions and fully connected layers are caught in tf32") {
  check_mutations(tensor_cores, convolution_mutations(), kTf32);
}
TEST_CASE("cuda: mutations of convolutions and fully connected layers are caught in bf16") {
  check_mutations(cuda, convolution_mutations(), kBf16);
}
TEST_CASE("cuda: mutations of custom operations are caught") {
  for (const Precision& precision : {kF32, kBf16}) check_mutations(cuda, custom_mutations(), precision);
}
TEST_CASE("cuda: mutations of pools are caught") {
  for (const Precision& precision : {kF32, kBf16}) check_mutations(cuda, pooling_mutations(), precision);
}
TEST_CASE("cuda: mutations of element-wise operations are caught") {
  for (const Precision& precision : {kF32, kBf16}) check_mutations(cuda, elementwise_mutations(), precision);
}
TEST_CASE("cuda: mutations of normalisation and loss and optimizer are caught") {
  for (const Precision& precision : {kF32, kBf16}) check_mutations(cuda, normalization_mutations(), precision);
}

}  // namespace minception
