/// Selection of kernels at run time. With MINCEPTION_NATIVE=OFF on x86-64 all kernels exist for three levels of the
/// x86-64 psABI: baseline, v3 (AVX2) and v4 (AVX-512). Other builds have one level. MINCEPTION_CPU selects a lower one.

#include "core/error.h"
#include "kernels/cpu/backend.h"

#include <cstdlib>

#ifdef MINCEPTION_CPU_LEVELS
// The only symbols of the kernels for a higher level (levels.cmake).
extern "C" {
minception::Backend* minception_make_cpu_backend_v3(int threads);
minception::Backend* minception_make_cpu_backend_v4(int threads);
}
#endif

namespace minception {
namespace {

struct Level {
  std::string_view name;
  bool supported;  ///< by this processor and operating system
  Backend* (*make)(int threads);
};

/// Highest first; the last one is always supported.
std::vector<Level> levels() {
  std::vector<Level> levels;
#ifdef MINCEPTION_CPU_LEVELS
  // Processors with these features have all others of the level, which GCC 11 and Clang cannot test by name.
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  levels.push_back({"v4", v4, minception_make_cpu_backend_v4});
  levels.push_back({"v3", v3, minception_make_cpu_backend_v3});
#endif
  levels.push_back({MINCEPTION_CPU_LEVEL, true, [](int threads) -> Backend* { return new CpuBackend(threads); }});
  return levels;
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  const char* setting = std::getenv("MINCEPTION_CPU");
  const std::string_view wanted = setting == nullptr ? "" : setting;
  std::string names;
  for (const Level& level : levels()) {
    if (level.name == wanted || (wanted.empty() && level.supported)) {
      require(level.supported, "MINCEPTION_CPU=", wanted, ": this processor lacks that level; choose a lower one");
      return std::unique_ptr<Backend>(level.make(threads));
    }
    names += concat(names.empty() ? "" : ", ", level.name);
  }
  fail("MINCEPTION_CPU=", wanted, ": not a level of this build; choose from ", names);
}

}  // namespace minception
