/// Compares the host twins of kernels/cuda/ptx.h with the outputs of a GPU. Built if golden/ptx.json exists.

#include "tests/simt/ptx_outputs.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include <fstream>
#include <sstream>
#include <string>

using namespace minception::cuda;

TEST_CASE("the host twins of ptx.h match the recorded outputs of a GPU") {
  std::ifstream file(MINCEPTION_PTX_GOLDEN);
  REQUIRE(file);
  const nlohmann::json record = nlohmann::json::parse(file);
  REQUIRE(record.at("seed").get<std::uint64_t>() == kPtxSeed);
  REQUIRE_THAT(record.at("device").get<std::string>(), !Catch::Contains("emulated"));
  const std::vector<PtxOutput> outputs = ptx_outputs();
  CHECK(record.at("outputs").size() == outputs.size());
  for (const PtxOutput& output : outputs) {
    INFO(output.name << ", recorded on " << record.at("device"));
    REQUIRE(record.at("outputs").contains(output.name));
    std::istringstream text(record.at("outputs").at(output.name).get<std::string>());
    std::vector<std::uint32_t> words;
    for (std::uint32_t word = 0; text >> std::hex >> word;) words.push_back(word);
    CHECK(words.size() == output.words.size());
    CHECK(disagreements(output, words) == 0);
  }
}
