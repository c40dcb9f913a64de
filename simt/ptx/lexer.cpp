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
      const std::size_t close = std::min(text.find("*/", i), end - std::min<std::size_t>(end, 2)) + 2;
      for (; i < close; ++i) line += text[i] == '\n';
    } else if (c == '"') {
      const std::size_t close = std::min(text.find('"', i + 1), end - 1) + 1;
      tokens_.push_back({text.substr(i, close - i), line});
      i = close;
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
  const bool hex = token.starts_with("0x") || token.starts_with("0X");
  const std::string_view digits = token.substr(hex ? 2 : 0);
  std::uint64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  const std::string_view rest(result.ptr, static_cast<std::size_t>(digits.data() + digits.size() - result.ptr));
  if (result.ec != std::errc() || (!rest.empty() && rest != "U"))
    fail(concat("expected an integer, not '", token, "'"));
  return value;
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
