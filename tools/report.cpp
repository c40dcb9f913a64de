/// Writes an HTML page about a run, or one that compares several runs: curves, confusion matrix, mistakes, memory,
/// configuration.

#include "training/report.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "tools/program.h"

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

using namespace minception;

int main(int argc, char** argv) {
  std::vector<std::string> runs;
  std::string out;
  CommandLine command_line("Writes an HTML report of one run, or a comparison of several, and prints its path.",
                           "report");
  command_line.add_arguments("RUN", runs, "run folders").value_name("");
  command_line
      .add_option("--out", out, "file to write (default: report.html in the run folder; required for several runs)")
      .value_name("FILE");
  ignore_output_signals();
  return command_line.run(argc, argv, [&] {
    require(!out.empty() || runs.size() == 1, "--out is required for several runs: name the file to write");
    const std::vector<std::filesystem::path> folders(runs.begin(), runs.end());
    const std::string page = report_html(folders);
    const std::filesystem::path path = out.empty() ? folders.front() / "report.html" : std::filesystem::path(out);
    write_file_atomically(path, std::as_bytes(std::span<const char>(page.data(), page.size())));
    std::printf("%s\n", path.c_str());
  });
}
