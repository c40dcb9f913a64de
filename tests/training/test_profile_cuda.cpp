/// Profiles on the cuda backend: kernels of each operation, replayed and separate steps.

#include "tests/models/networks.h"
#include "tests/skip_without_gpu.h"
#include "training/profile.h"

#include "tests/catch.h"

using namespace minception;

TEST_CASE("cuda: a profile names the kernels of every operation", "[network][profile]") {
  const auto backend = make_cuda_backend();
  const ResidentDataset dataset =
      make_resident(*backend, {2, 8, 8}, std::vector<std::uint8_t>(22 * 128, 100), std::vector<std::int32_t>(22, 1));
  ResidentBatchSource feed(dataset);
  Network network(small_googlenet(true), *backend,
                  {.max_batch = 8, .optimizer = Sgd{.momentum = 0.9}, .dataset_image = Shape{2, 8, 8}});
  network.initialize(Initialization::xavier_uniform, 1);
  const Profile found = profile(network, feed, {.batch_size = 8, .steps = 2});

  CHECK(found.replayed);
  CHECK(found.emulated == cuda_is_emulated());
  std::int64_t launches = 0;
  double bytes = 0.0, all_bytes = 0.0;
  for (const ProfiledOperation& operation : found.operations) {
    INFO(operation.layer << " " << operation.operation);
    CHECK(!operation.kernels.empty());
    double of_kernels = 0.0;
    for (const ProfiledKernel& kernel : operation.kernels) {
      of_kernels += kernel.seconds;
      launches += kernel.launches;
    }
    CHECK(of_kernels <= operation.seconds * 1.001 + 1e-6);  // event times are float milliseconds
    all_bytes += operation.bytes;
  }
  std::int64_t summed = 0;
  for (const ProfiledKernel& kernel : found.kernels) {
    summed += kernel.launches;
    bytes += kernel.bytes;
  }
  CHECK(summed == launches);
  CHECK(bytes == Approx(all_bytes));
  CHECK(found.operation_seconds() <= found.profiled_seconds);
  if (!found.emulated) return;

  // The emulation's launch count of one step equals the number of timed kernels.
  double counted = 0.0;
  for (const KernelCounts& kernel : found.counts) {
    REQUIRE(kernel.counts.front().first == "launches");
    counted += kernel.counts.front().second;
  }
  CHECK(counted == static_cast<double>(launches));
  const std::string text = profile_text(found);
  CHECK(text.find("Kernels are emulated: all times below are those of the emulation") != std::string::npos);
  CHECK(text.find("replayed as one graph") != std::string::npos);
  CHECK(text.find("all kernels") != std::string::npos);
}
