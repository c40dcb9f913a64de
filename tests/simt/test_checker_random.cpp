/// Compares the checker with the definition of a race on random programs of a few accesses, barriers and __syncwarps.
/// The expected result comes from comparing all pairs of accesses.

#include "core/random.h"

#include "tests/simt/planted.h"

#include <cstdint>
#include <vector>

namespace minception::cuda {
namespace {

enum class Act : std::uint8_t { nothing, read, write, atomic };

/// The action of a thread in one step.
struct Step {
  Act act = Act::nothing;
  std::uint8_t width = 0;  ///< bytes: 1, 2, 4, 8 or 16
  std::uint8_t offset = 0;
  std::uint8_t unused = 0;
};
enum class Then : std::uint8_t { nothing, barrier, warp_barrier };

constexpr int kBlocks = 3;
constexpr int kThreads = 48;  // the second warp is not full
constexpr int kSteps = 6;
constexpr int kBytes = 48;

struct alignas(16) Sixteen {
  std::uint64_t a, b;
};

template <class T>
__device__ std::uint64_t read_as(const char* from) {
  const T value = *reinterpret_cast<const T*>(from);
  if constexpr (sizeof(T) == 16) {
    return value.a + value.b;
  } else {
    return value;
  }
}
template <class T>
__device__ void write_as(char* to) {
  const T value{};
  *reinterpret_cast<T*>(to) = value;
}

__device__ std::uint64_t perform(Step step, char* memory) {
  char* at = memory + step.offset;
  const int width = step.width;
  if (step.act == Act::read) {
    if (width == 1) return read_as<std::uint8_t>(at);
    if (width == 2) return read_as<std::uint16_t>(at);
    if (width == 4) return read_as<std::uint32_t>(at);
    if (width == 8) return read_as<std::uint64_t>(at);
    return read_as<Sixteen>(at);
  }
  if (step.act == Act::write) {
    if (width == 1) write_as<std::uint8_t>(at);
    if (width == 2) write_as<std::uint16_t>(at);
    if (width == 4) write_as<std::uint32_t>(at);
    if (width == 8) write_as<std::uint64_t>(at);
    if (width == 16) write_as<Sixteen>(at);
  }
  if (step.act == Act::atomic) {
    if (width == 4) return atomicAdd(reinterpret_cast<unsigned*>(at), 1u);
    return atomicAdd(reinterpret_cast<unsigned long long*>(at), 1ull);
  }
  return 0;
}

}  // namespace

/// steps[block][step][thread]
template <bool Shared>
__global__ void random_program(const Step* steps, const Then* then, char* memory, std::uint64_t* out) {
  const int thread = static_cast<int>(threadIdx.x);
  const int block = static_cast<int>(blockIdx.x);
  if (Shared) {
    SHARED(Sixteen, tile, [kBytes / 16]);
    memory = reinterpret_cast<char*>(&tile[0]);
    if (thread < kBytes) memory[thread] = 0;
    __syncthreads();
  }
  std::uint64_t sum = 0;
  for (int step = 0; step < kSteps; ++step) {
    sum += perform(steps[(block * kSteps + step) * kThreads + thread], memory);
    if (then[step] == Then::barrier) __syncthreads();
    if (then[step] == Then::warp_barrier) __syncwarp();
  }
  out[block * kThreads + thread] = sum;
}

namespace {

struct Program {
  std::vector<Step> steps = std::vector<Step>(kBlocks * kSteps * kThreads);
  std::vector<Then> then = std::vector<Then>(kSteps);
};

Program random_program_of(std::uint64_t seed) {
  Program program;
  const Random random{seed, 0};
  std::uint64_t drawn = 0;
  const auto draw = [&](unsigned below) { return random.bits(drawn++) % below; };
  const unsigned accesses = 2 + draw(16);
  const unsigned writes_in_16 = draw(8);
  const unsigned atomics_in_16 = draw(5);
  for (unsigned i = 0; i < accesses; ++i) {
    const unsigned kind = draw(16);
    Step step;
    step.act = kind < writes_in_16 ? Act::write : kind < writes_in_16 + atomics_in_16 ? Act::atomic : Act::read;
    step.width = static_cast<std::uint8_t>(step.act == Act::atomic ? 4u << draw(2) : 1u << draw(5));
    step.offset = static_cast<std::uint8_t>(draw(kBytes / step.width) * step.width);
    program.steps[(draw(kBlocks) * kSteps + draw(kSteps)) * kThreads + draw(kThreads)] = step;
  }
  for (Then& then : program.then) {
    const unsigned kind = draw(4);
    then = kind == 0 ? Then::barrier : kind == 1 ? Then::warp_barrier : Then::nothing;
  }
  return program;
}

bool ordered(const Program& program, int first_step, int first, int second_step, int second) {
  if (first == second) return true;
  for (int step = first_step; step < second_step; ++step) {
    if (program.then[step] == Then::barrier) return true;
    if (program.then[step] == Then::warp_barrier && first / 32 == second / 32) return true;
  }
  return false;
}

bool has_race(const Program& program, bool shared) {
  struct At {
    int block, step, thread;
    Step what;
  };
  std::vector<At> accesses;
  for (int block = 0; block < kBlocks; ++block) {
    for (int step = 0; step < kSteps; ++step) {
      for (int thread = 0; thread < kThreads; ++thread) {
        const Step what = program.steps[(block * kSteps + step) * kThreads + thread];
        if (what.act != Act::nothing) accesses.push_back({block, step, thread, what});
      }
    }
  }
  for (const At& a : accesses) {
    for (const At& b : accesses) {
      if (&a == &b || a.step > b.step) continue;
      const bool harmless = a.what.act == b.what.act && a.what.act != Act::write;
      const bool overlap = a.what.offset < b.what.offset + b.what.width && b.what.offset < a.what.offset + a.what.width;
      if (harmless || !overlap) continue;
      if (a.block != b.block ? !shared : !ordered(program, a.step, a.thread, b.step, b.thread)) return true;
    }
  }
  return false;
}

template <bool Shared>
void compare(int programs) {
  DeviceArray<Step> steps(kBlocks * kSteps * kThreads);
  DeviceArray<Then> then(kSteps);
  DeviceArray<char> memory(kBytes);
  DeviceArray<std::uint64_t> out(kBlocks * kThreads);
  int races = 0;
  for (int seed = 0; seed < programs; ++seed) {
    const Program program = random_program_of(static_cast<std::uint64_t>(seed));
    std::copy(program.steps.begin(), program.steps.end(), steps.begin());
    std::copy(program.then.begin(), program.then.end(), then.begin());
    const bool race = has_race(program, Shared);
    races += race ? 1 : 0;
    for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
      const WithSettings with([&](simt::Settings& settings) {
        settings.order = order;
        settings.seed = static_cast<std::uint64_t>(seed);
      });
      const std::string report = error_of([&] {
        launch<random_program<Shared>>(kBlocks, kThreads, 0, nullptr, steps.data(), then.data(), memory.data(),
                                       out.data());
      });
      const bool reported = report.find(": race in ") != std::string::npos;
      if (reported == race && reported != report.empty()) continue;
      FAIL_CHECK("program " << seed << ", order " << static_cast<int>(order) << ": "
                            << (race ? "has a race" : "has none") << ", report: '" << report << "'");
    }
  }
  CHECK(races > programs / 5);
  CHECK(races < programs * 4 / 5);
}

}  // namespace

TEST_CASE("random programs in device memory: a race is reported exactly if there is one") { compare<false>(4000); }
TEST_CASE("random programs in shared memory: a race is reported exactly if there is one") { compare<true>(4000); }

}  // namespace minception::cuda
