#include "simt/ptx/lexer.h"
#include "core/error.h"

#include <cctype>
#include <charconv>

namespace minception::simt::ptx {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.';
}

}  // namespace

std::optional<std::uint64_t> bits_of_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int base = 10;
  bool is_float = false;
  if (text.size() > 1 && text[0] == '0') {
    const char kind = static_cast<char>(std::tolower(static_cast<unsigned char>(text[1])));
    is_float = kind == 'f' || kind == 'd';
    base = kind == 'x' || is_float ? 16 : kind == 'b' ? 2 : 8;
    if (is_float && (negative || text.size() != (kind == 'f' ? 10u : 18u))) return std::nullopt;
    text.remove_prefix(base == 8 ? 0 : 2);
  }
  if (!is_float && text.ends_with('U')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return negative ? 0 - value : value;
}

Lexer::Lexer(const Module& module, std::size_t begin, std::size_t end, int line) : module_(module) {
  const std::string_view text = std::string_view(module.text).substr(0, end);
  for (std::size_t i = begin; i < end;) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      ++i;
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
    } else if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), end);
    } else if (text.compare(i, 2, "/*") == 0) {
      const std::size_t found = text.find("*/", i + 2);
      if (found == std::string_view::npos) minception::fail(module.file, ':', line, ": the comment has no end");
      for (; i < found + 2; ++i) line += text[i] == '\n';
    } else if (c == '"') {
      const std::size_t close = text.find_first_of("\"\n", i + 1);
      if (close >= end || text[close] != '"') minception::fail(module.file, ':', line, ": the string has no end");
      tokens_.push_back({text.substr(i, close + 1 - i), line});
      i = close + 1;
    } else if (is_word(c)) {
      std::size_t close = i;
      // Modifiers may contain "::", for example .L2::128B.
      while (close < end && (is_word(text[close]) || text.compare(close, 2, "::") == 0)) {
        close += text[close] == ':' ? 2 : 1;
      }
      tokens_.push_back({text.substr(i, close - i), line});
      i = close;
    } else {
      tokens_.push_back({text.substr(i, 1), line});
      ++i;
    }
  }
}

void Lexer::fail(std::string_view what) const { minception::fail(module_.file, ':', line(), ": ", what); }

std::string_view Lexer::take() {
  if (at_end()) fail("the text ends too early");
  return tokens_[next_++].text;
}

bool Lexer::accept(std::string_view text) {
  if (peek() != text) return false;
  ++next_;
  return true;
}

void Lexer::expect(std::string_view text) {
  if (!accept(text)) fail(concat("expected '", text, "', not '", peek(), "'"));
}

std::uint64_t Lexer::integer() {
  const std::string_view token = take();
  const auto value = bits_of_number(token);
  const bool is_float = token.find_first_of("fFdD") == 1;
  if (!value || is_float) fail(concat("expected an integer, not '", token, "'"));
  return *value;
}

std::uint64_t Lexer::integer_up_to(std::uint64_t most) {
  const std::string_view token = peek();
  const std::uint64_t value = integer();
  if (value > most) fail(concat(token, " is too large: the limit is ", most));
  return value;
}

std::uint64_t Lexer::number() {
  const bool negative = accept("-");
  const std::string_view token = take();
  const auto value = bits_of_number(token);
  if (!value) fail(concat("expected a number, not '", token, "'"));
  return negative ? 0 - *value : *value;
}

void Lexer::skip_line() {
  const int here = line();
  while (!at_end() && tokens_[next_].line == here) ++next_;
}

void Lexer::skip_past(std::string_view text) {
  while (take() != text) {
  }
}

void Lexer::skip_block() {
  expect("{");
  for (int depth = 1; depth > 0;) {
    const std::string_view token = take();
    depth += token == "{" ? 1 : token == "}" ? -1 : 0;
  }
}

}  // namespace minception::simt::ptx
