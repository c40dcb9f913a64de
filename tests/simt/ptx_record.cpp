/// Prints the outputs of the wrappers of kernels/cuda/ptx.h on this machine as JSON with hexadecimal words. The output
/// of a GPU is golden/ptx.json, the reference for the emulation.

#include "tests/simt/ptx_outputs.h"

#include "kernels/backend.h"
#include "kernels/cuda/backend.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <iostream>

int main() {
  using namespace minception;
  try {
    nlohmann::ordered_json record;
    record["what"] = "outputs of the wrappers of kernels/cuda/ptx.h, printed by minception_ptx_record";
    record["device"] = CudaBackend().description();
    record["seed"] = cuda::kPtxSeed;
    for (const cuda::PtxOutput& output : cuda::ptx_outputs()) {
      std::string words;
      char word[16];
      for (const std::uint32_t bits : output.words) {
        std::snprintf(word, sizeof(word), words.empty() ? "%08x" : " %08x", bits);
        words += word;
      }
      record["outputs"][output.name] = words;
    }
    std::cout << record.dump(1) << '\n';
    return std::cout.flush() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "minception_ptx_record: " << error.what() << '\n';
    return 1;
  }
}
