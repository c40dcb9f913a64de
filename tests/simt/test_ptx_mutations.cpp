/// Damaged PTX must end in an error of one line, or run.

#include "core/random.h"
#include "tests/catch.h"

#include "tests/simt/ptx_program.h"

#include <string_view>
#include <vector>

namespace minception::cuda {
namespace {

constexpr unsigned kMutations = 300;

/// A kernel with shared, local and constant memory, copies, collectives and a loop.
std::string original() {
  return ptx_module(R"(.local .align 4 .b8 l[8];
mov.u64 %rd4, l; cvta.local.u64 %rd5, %rd4; st.local.u32 [l+4], %i1; ld.u32 %r7, [%rd5+4];
mov.u32 %r1, s; shl.b32 %r2, %i1, 3; add.u32 %r3, %r1, %r2;
cp.async.ca.shared.global [%r3], [%o3], 8, 4; cp.async.commit_group; cp.async.wait_group 0;
bar.sync 0;
mov.u32 %r4, 0;
LOOP: add.u32 %r4, %r4, 1;
setp.lt.u32 %p1, %r4, %i1;
@%p1 bra LOOP;
shfl.sync.bfly.b32 %r5|%p2, %r4, 1, 31, -1;
vote.sync.ballot.b32 %r6, %p2, -1;
mov.b64 %rd1, {%r5, %r6};
{
.reg .u32 x;
ld.const.u32 x, [c+4];
@!%p2 add.u32 x, x, 1;
atom.global.add.u32 %r8, [%o3+4], x;
}
ld.shared.v2.u32 {%r1, %r2}, [%r3];
cvt.rn.f32.u32 %f1, %r1; fma.rn.f32 %f2, %f1, 0f40000000, %f1;
st.global.f32 [%o3], %f2;)",
                    ".shared .align 16 .b8 s[512];\n.const .align 4 .u32 c[2] = {10, -11};");
}

/// [begin, end) of the words, numbers and signs of a text.
std::vector<std::string_view> tokens(std::string_view text) {
  std::vector<std::string_view> result;
  const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (in_word(text[at]) && end < text.size() && in_word(text[end])) ++end;
    if (text[at] != ' ' && text[at] != '\n') result.push_back(text.substr(at, end - at));
    at = end;
  }
  return result;
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t number) : random_{7, number} {}

  std::string damaged(const std::string& text) {
    std::string result = text;
    const std::vector<std::string_view> all = tokens(text);
    const std::string_view token = all[draw(all.size())];
    const auto at = static_cast<std::size_t>(token.data() - text.data());
    static constexpr std::string_view kInserted[] = {"0",
                                                     "-1",
                                                     "4294967296",
                                                     "18446744073709551615",
                                                     "9223372036854775808",
                                                     "999999999",
                                                     "33",
                                                     "}",
                                                     "{",
                                                     "[",
                                                     ";",
                                                     ":",
                                                     "/*",
                                                     "\"",
                                                     "|",
                                                     "!",
                                                     "@",
                                                     ".entry ",
                                                     ".shared",
                                                     ".align 0",
                                                     "ret;",
                                                     "%r1",
                                                     "<",
                                                     "bra LOOP;",
                                                     "::8",
                                                     ".func"};
    switch (draw(8)) {
      case 0:
        result[draw(result.size())] = static_cast<char>(draw(256));
        break;
      case 1:
        result.erase(at, token.size());
        break;
      case 2:
        result.replace(at, token.size(), all[draw(all.size())]);
        break;
      case 3:
        result.replace(at, token.size(), kInserted[draw(std::size(kInserted))]);
        break;
      case 4:
        result.insert(at, kInserted[draw(std::size(kInserted))]);
        break;
      case 5:
      case 6:
        // Another digit, which often leaves a program that runs.
        if (const std::size_t digit = text.find_first_of("0123456789", at); digit != std::string::npos) {
          result[digit] = static_cast<char>('0' + draw(10));
        }
        break;
      default:
        if (draw(3) == 0) {
          result.resize(draw(result.size()));
        } else {  // copies or moves a line
          const std::size_t begin = text.rfind('\n', at) + 1;
          const std::string line = text.substr(begin, text.find('\n', at) + 1 - begin);
          if (draw(2) == 0) result.erase(begin, line.size());
          result.insert(draw(result.size()), line);
        }
    }
    return result;
  }

 private:
  std::size_t draw(std::size_t count) { return random_.bits(draws_++) % count; }

  Random random_;
  std::uint64_t draws_ = 0;
};

}  // namespace

TEST_CASE("ptx: damaged text runs or ends in an error of one line") {
  REQUIRE_NOTHROW(run_ptx(original()));
  unsigned ran = 0, errors = 0;
  for (unsigned k = 0; k < kMutations; ++k) {
    const std::string text = Mutator(k).damaged(original());
    const WithSettings scope([&](simt::Settings& settings) {
      settings.order = k % 2 == 0 ? simt::Order::forward : simt::Order::random;
      settings.watchdog_seconds = 0.1;
    });
    INFO("mutation " << k << '\n' << text);
    const std::string error = error_of([&] { run_ptx(text); });
    CHECK(error.find('\n') == std::string::npos);
    ++(error.empty() ? ran : errors);
  }
  CHECK(ran > kMutations / 20);
  CHECK(errors > kMutations / 2);
}

}  // namespace minception::cuda
