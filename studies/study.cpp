/// Tables, result folders, and the description of the machine that accompanies a measurement.

#include "studies/study.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "tools/program.h"
#include "training/report/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <span>
#include <system_error>
#include <thread>

namespace minception {
namespace fs = std::filesystem;
namespace {

/// Number of characters in UTF-8 text: counts all bytes except continuation bytes.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) >> 6) != 2; }));
}

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

void Table::add(std::vector<std::string> row) {
  require(row.size() == columns_.size(), "a row of ", row.size(), " cells in a table of ", columns_.size(), " columns");
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& content = cell(i);
      const std::string space(widths[i] - width_of(content), ' ');
      text += (i > 0 ? "  " : "") + (i == 0 || columns_[i].left ? content + space : space + content);
    }
    return without_trailing_spaces(std::move(text)) + "\n";
  };
  std::string table = line([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& row : rows_) table += line([&](std::size_t i) -> const std::string& { return row[i]; });
  return table;
}

ResultFolder::ResultFolder(fs::path path, std::string file, bool overwrite)
    : path_(std::move(path)), file_(std::move(file)) {
  require(!path_.empty(), "--out must name a folder");
  std::error_code ignored;
  require(!fs::exists(path_, ignored) || fs::is_directory(path_, ignored), path_.string(),
          ": is a file; --out names a folder");
  require(overwrite || !fs::exists(fs::symlink_status(path_ / file_, ignored)), (path_ / file_).string(),
          ": already exists; choose another folder or replace it with --overwrite");
  std::error_code error;
  made_ = fs::create_directories(path_, error);
  require(fs::is_directory(path_, ignored), path_.string(),
          ": cannot create this folder: ", error ? error.message() : "a file of this name exists");
  lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require(lock_ < 0 || ::flock(lock_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK, path_.string(),
          ": another study uses this folder; wait for it or choose another folder");
}

ResultFolder::~ResultFolder() {
  std::error_code ignored;
  if (made_ && fs::is_empty(path_, ignored)) fs::remove(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

std::string ResultFolder::write(const std::string& json) const {
  try {
    write_file_atomically(path_ / file_, std::as_bytes(std::span<const char>(json.data(), json.size())));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void deliver(const ResultFolder* folder, const std::string& json, const std::string& text) {
  const std::string problem = folder == nullptr ? "" : folder->write(json);
  std::printf("%s", text.c_str());
  require(problem.empty(), problem, "; the results were printed to stdout");
  if (folder != nullptr) std::printf("%s\n", folder->file().c_str());
}

std::string mib(double bytes) { return report::fixed(bytes / (1 << 20), 1); }
std::string giga(double value) { return report::fixed(value / 1e9, 1); }

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date = {};
  localtime_r(&now, &date);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &date)};
}

std::string machine_name() {
  const unsigned cores = std::thread::hardware_concurrency();
  return concat(processor_name(), ", ", cores, cores == 1 ? " core" : " cores");
}

std::string measured_on(const std::string& device) {
  return concat(today(), ", ", machine_name(), "; ", device, "; ", compiler_name(), ".");
}

}  // namespace minception
