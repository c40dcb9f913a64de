/// Tests of the tool report.

#include "tests/tools/programs.h"

#include "tests/catch.h"

using namespace minception::testing;

namespace {

void write_run(const fs::path& folder) {
  fs::create_directories(folder);
  write(folder / "config.json", R"({"model": "googlenet", "data": "fashion-mnist", "epochs": 2})");
  write(folder / "metrics.jsonl",
        R"({"event":"epoch","epoch":1,"step":5,"learning_rate":0.1,"train_loss":1.5,"train_accuracy":0.5,)"
        R"("test_loss":1.25,"test_accuracy":0.625,"test_top5":0.9,"examples_per_second":100.0,"seconds":3.0})"
        "\n");
}

}  // namespace

TEST_CASE("report writes report.html into the run folder and prints its path") {
  const TemporaryFolder folder;
  write_run(folder / "first");
  const Outcome made = run(folder.path(), "report first");
  CHECK(made.err.empty());
  CHECK(made.out == "first/report.html\n");
  CHECK(made.code == 0);
  CHECK(text_of(folder / "first/report.html").find("<dd>62.50") != std::string::npos);

  const Outcome named = run(folder.path(), "report first --out named.html");
  CHECK(named.out == "named.html\n");
  CHECK(text_of(folder / "named.html") == text_of(folder / "first/report.html"));
}

TEST_CASE("report compares several runs in the file of --out") {
  const TemporaryFolder folder;
  write_run(folder / "first");
  write_run(folder / "second");
  CHECK(run(folder.path(), "report first second --out both.html").out == "both.html\n");
  CHECK(text_of(folder / "both.html").find("2 runs compared") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "first/report.html"));
}

TEST_CASE("report prints errors in one line and writes nothing") {
  const TemporaryFolder folder;
  write_run(folder / "first");
  write_run(folder / "damaged");
  write(folder / "damaged/metrics.jsonl", "{\n");
  fs::create_directories(folder / "empty");
  const auto before = snapshot(folder.path());
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"report none", "report: none: no such folder; name the folder of a run\n"},
      {"report empty", "report: empty: is not a run: it has no config.json; name the folder of a run\n"},
      {"report first/config.json", "report: first/config.json: is a file; name the folder of a run\n"},
      {"report damaged", "report: damaged/metrics.jsonl: line 1 is not JSON\n"},
      {"report first damaged --out both.html", "report: damaged/metrics.jsonl: line 1 is not JSON\n"},
      {"report first first", "report: --out is required for several runs: name the file to write\n"}};
  for (const auto& [command, message] : wrong) {
    CAPTURE(command);
    const Outcome outcome = run(folder.path(), command);
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == message);
  }
  const Outcome no_folder = run(folder.path(), "report first --out none/page.html");
  CHECK(no_folder.code == 1);
  CHECK(no_folder.err.find("none/page.html") != std::string::npos);
  for (const char* command : {"report", "report first --colour", "report first --out"}) {
    CAPTURE(command);
    const Outcome outcome = run(folder.path(), command);
    CHECK(outcome.code == 2);
    CHECK(outcome.err.starts_with("report: "));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
  CHECK(snapshot(folder.path()) == before);
}
