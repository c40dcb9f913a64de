/// Compares the kernels of this program with those that its tests launched. Run after them, by CTest.

#include "simt/launch.h"

#include "tests/catch.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

using namespace minception;

TEST_CASE("cuda: every compiled kernel is launched by a test", "[.launches]") {
  const char* const folder = std::getenv("MINCEPTION_LAUNCHES");
  REQUIRE(folder != nullptr);
  std::set<std::string> launched;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    for (std::string name; std::getline(file, name);) launched.insert(name);
  }
  const std::vector<std::string> compiled = simt::compiled_kernels();
  REQUIRE(!compiled.empty());
  CHECK(std::includes(compiled.begin(), compiled.end(), launched.begin(), launched.end()));
  for (const std::string& kernel : compiled) {
    INFO(kernel);
    CHECK(launched.contains(kernel));
  }
}
