#pragma once
/// Shared by the studies: tables for the terminal, and a folder for results. studies/draw.py draws them.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception {

/// Rows of text under headings. The first column is left-aligned, the others as `left` says.
class Table {
 public:
  struct Column {
    std::string heading;
    bool left = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Adds a row with one cell per column.
  void add(std::vector<std::string> row);

  /// Text for a terminal, columns two spaces apart.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// The folder of --out.
class ResultFolder {
 public:
  /// Creates the folder if needed, before the work begins, and locks it. Throws Error if that fails, if another study
  /// works in it, or if `file` exists in it and `overwrite` is not set.
  ResultFolder(std::filesystem::path path, std::string file, bool overwrite);
  /// Removes a folder that it created if the folder is still empty, as after a failure.
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file() const { return path_ / file_; }
  /// Writes the file atomically. Returns the error, or "".
  std::string write(const std::string& json) const;

 private:
  std::filesystem::path path_;
  std::string file_;
  bool made_ = false;
  int lock_ = -1;
};

/// End of a study: writes the JSON, prints the text and the name of the file, then throws Error if the file could not
/// be written.
void deliver(const ResultFolder* folder, const std::string& json, const std::string& text);

/// Bytes in MiB, "1.5"; a value in units of 10^9, "230.2".
std::string mib(double bytes);
std::string giga(double value);

/// Today's date, "2026-01-31".
std::string today();

/// This machine, "AMD EPYC 9654 96-Core Processor, 2 cores".
std::string machine_name();

/// Date, machine, backend and compiler of a measurement: "2026-11-25, AMD EPYC 9654 96-Core Processor, 2 cores; oneDNN
/// 2.6.3; GCC 12.2.0.". `device` is the backend's description.
std::string measured_on(const std::string& device);

}  // namespace minception
