/// The instructions of kernels/cuda/ptx.h as nvcc compiles them, compared with their host twins.

#include "kernels/cuda/ptx.h"
#include "tests/catch.h"

#include "tests/simt/emulation.h"
#include "tests/simt/ptx_outputs.h"

namespace minception::cuda {

TEST_CASE("ptx: the wrappers of ptx.h and their host twins agree") {
  const auto outputs = [](simt::Execution execution) {
    const WithSettings scope([&](simt::Settings& settings) { settings.execution = execution; });
    return ptx_outputs();
  };
  const std::vector<PtxOutput> host = outputs(simt::Execution::host);
  const std::vector<PtxOutput> ptx = outputs(simt::Execution::ptx);
  REQUIRE(ptx.size() == host.size());
  for (std::size_t k = 0; k < host.size(); ++k) {
    INFO(host[k].name);
    CHECK(disagreements(host[k], ptx[k].words) == 0);
  }
}

}  // namespace minception::cuda
