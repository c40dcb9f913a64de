#pragma once
/// Expected reports for kernels with planted mistakes.

#include "core/error.h"

#include "tests/simt/emulation.h"

#include "tests/catch.h"

#include <cctype>
#include <cstddef>
#include <fstream>
#include <initializer_list>
#include <string>

namespace minception::cuda {

/// The number of the line of `file` that ends with the comment "<- marker".
inline int line_of(const std::string& marker, const char* file) {
  // Use the name in TEST_SOURCES: tools such as ccache make __FILE__ relative to the folder of the compiler run.
  const std::string path = file;
  std::ifstream source(std::string(TEST_SOURCES) + "/" + path.substr(path.rfind('/') + 1));
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    if (line.ends_with("// <- " + marker)) return number;
  }
  FAIL("no line of " << file << " is marked " << marker);
  return 0;
}

/// Whether the report names the marked line of the file.
inline bool names_line(const std::string& report, const std::string& marker, const char* file) {
  const std::string path = file;
  const std::string position = concat(path.substr(path.rfind('/') + 1), ':', line_of(marker, file));
  const std::size_t at = report.find(position);
  if (at == std::string::npos) return false;
  const std::size_t behind = at + position.size();
  return behind == report.size() || std::isdigit(static_cast<unsigned char>(report[behind])) == 0;
}

/// Calls f in every order of threads and blocks.
template <class F>
void in_every_order(F&& f) {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    INFO("order " << static_cast<int>(order));
    f();
  }
}

/// Checks that the launch fails in every order with one line that names the kernel, contains the texts and names the
/// marked lines.
template <class F>
void expect_report(const char* file, const std::string& kernel, std::initializer_list<std::string> texts,
                   std::initializer_list<std::string> markers, F&& launch_it) {
  in_every_order([&] {
    const std::string report = error_of(launch_it);
    INFO("report: " << report);
    CHECK(report.starts_with("the kernel " + kernel));
    CHECK(report.find(", block (") != std::string::npos);
    CHECK(report.find('\n') == std::string::npos);
    for (const std::string& text : texts) {
      INFO("expected: " << text);
      CHECK(report.find(text) != std::string::npos);
    }
    for (const std::string& marker : markers) {
      INFO("expected: line " << line_of(marker, file) << ", marked " << marker);
      CHECK(names_line(report, marker, file));
    }
  });
}

template <class F>
void expect_no_report(F&& launch_it) {
  in_every_order([&] { CHECK(error_of(launch_it) == ""); });
}

}  // namespace minception::cuda
