/// Makes a page about a run, or one that compares several: curves, confusion matrix, mistakes, memory, configuration.

#include <minception/core/error.h>
#include <minception/core/safetensors.h>
#include <minception/examples/program.h>
#include <minception/training/report.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

using namespace minception;

int main(int argc, char** argv) {
  std::vector<std::string> runs;
  std::string out;
  CLI::App app("Makes a page about a run, or one that compares several, and prints its path.", "report");
  app.add_option("RUN", runs, "folders of runs")->required()->type_name("");
  app.add_option("--out", out,
                 "file to write (default: report.html in the folder of the run; for several runs it must be named)")
      ->type_name("FILE");
  ignore_output_signals();
  return run_program(app, argc, argv, [&] {
    require(!out.empty() || runs.size() == 1, "--out is needed for several runs: name the file to write");
    const std::vector<std::filesystem::path> folders(runs.begin(), runs.end());
    const std::string page = report_html(folders);
    const std::filesystem::path path = out.empty() ? folders.front() / "report.html" : std::filesystem::path(out);
    write_file_atomically(path, std::as_bytes(std::span<const char>(page.data(), page.size())));
    std::printf("%s\n", path.c_str());
  });
}
