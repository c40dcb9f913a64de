#pragma once
/// Tokens of PTX text.

#include "simt/ptx/module.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt::ptx {

struct Token {
  std::string_view text;
  int line = 0;
};

/// The bits of a number: 12, -5, 0x1F, 017, 0b11, 0f3F800000 or 0d3FF0000000000000. Nothing if it is malformed.
std::optional<std::uint64_t> bits_of_number(std::string_view text);

/// Reads the tokens of text[begin, end), the first of them in line `line`. All errors name file and line.
class Lexer {
 public:
  Lexer(const Module& module, std::size_t begin, std::size_t end, int line);

  bool at_end() const { return next_ >= tokens_.size(); }
  std::string_view peek(std::size_t ahead = 0) const {
    return next_ + ahead < tokens_.size() ? tokens_[next_ + ahead].text : std::string_view();
  }
  int line() const { return tokens_.empty() ? 0 : tokens_[std::min(next_, tokens_.size() - 1)].line; }
  std::string_view take();
  bool accept(std::string_view text);
  void expect(std::string_view text);
  std::uint64_t integer();
  /// An integer from 0 to `most`, for counts and sizes.
  std::uint64_t integer_up_to(std::uint64_t most);
  /// The bits of a number that may have a sign, for example -5 or 0f3F800000.
  std::uint64_t number();
  void skip_line();
  /// Skips until after `text`.
  void skip_past(std::string_view text);
  /// Skips {...} with everything in it.
  void skip_block();
  [[noreturn]] void fail(std::string_view what) const;

 private:
  const Module& module_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
};

}  // namespace minception::simt::ptx
