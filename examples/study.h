#pragma once
/// What the programs that study models share: tables for the terminal and for Markdown, and a folder for results.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Rows of text under headings. The first column is flushed left, the others as `left` says.
class Table {
 public:
  struct Column {
    std::string heading;
    bool left = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// A cell per column.
  void add(std::vector<std::string> row);

  /// Lines for a terminal, columns two spaces apart.
  std::string text() const;
  std::string markdown() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

struct ResultFile {
  std::string name, text;
};

/// The folder of --out.
class ResultFolder {
 public:
  /// Makes the folder where needed, before the work begins, and locks it. Throws Error if that fails, if another study works
  /// in it, or if one of the files is there already and `overwrite` is not set.
  ResultFolder(std::filesystem::path path, const std::vector<std::string>& files, bool overwrite);
  /// Takes an empty folder that it made away again: the work has failed.
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Writes the files, each as a whole, and tries all of them. Returns what was wrong with the first that failed, or "".
  std::string write(const std::vector<ResultFile>& files) const;

 private:
  std::filesystem::path path_;
  bool made_ = false;
  int lock_ = -1;
};

/// The end of a study: writes the files, then prints the text and the names of the files, then throws Error if one of them
/// could not be written.
void deliver(const ResultFolder* folder, const std::vector<ResultFile>& files, const std::string& text);

/// In MiB, "1.5"; in units of 10^9, "230.2".
std::string mib(double bytes);
std::string giga(double value);

/// "2026-01-31", of today.
std::string today();

/// "AMD EPYC 9654 96-Core Processor, 2 cores": the machine that this runs on.
std::string machine_name();

/// "2026-11-25, AMD EPYC 9654 96-Core Processor, 2 cores; oneDNN 2.6.3; GCC 12.2.0.": when, where and on which backend
/// (its description) a study is made.
std::string measured_on(const std::string& device);

}  // namespace minception
