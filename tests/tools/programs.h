#pragma once
/// Shared by the tests of the tools: running a tool, small data sets, snapshots of folders.

#include "tests/core/temporary_folder.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace minception::testing {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

inline std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A command or its options. Appended options replace those of the same name, since the tools take each only once.
class Command {
 public:
  Command(const char* text) : Command(std::string(text)) {}  // NOLINT: implicit conversion
  Command(const std::string& text) {                         // NOLINT
    ends_in_space_ = text.ends_with(' ');
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (word.starts_with("--") || parts_.empty()) {
        parts_.push_back(word);
      } else {
        parts_.back() += " " + word;
      }
    }
  }
  operator std::string() const {  // NOLINT
    std::string text;
    for (const std::string& part : parts_) text += (text.empty() ? "" : " ") + part;
    return ends_in_space_ ? text + " " : text;
  }
  friend Command operator+(Command command, const std::string& options) {
    const Command added(options);
    std::erase_if(command.parts_, [&](const std::string& part) {
      return part.starts_with("--") &&
             std::any_of(added.parts_.begin(), added.parts_.end(), [&](const std::string& other) {
               return part.substr(0, part.find(' ')) == other.substr(0, other.find(' '));
             });
    });
    command.parts_.insert(command.parts_.end(), added.parts_.begin(), added.parts_.end());
    command.ends_in_space_ = added.ends_in_space_;
    return command;
  }
  friend Command operator+(const std::string& before, const Command& command) {
    return Command(before) + std::string(command);
  }

 private:
  bool ends_in_space_ = false;      // more text may follow
  std::vector<std::string> parts_;  // the tool, then each option with its values
};

/// Runs a tool in the shell, so that options are written as on the command line.
inline Outcome run(const fs::path& folder, const std::string& command, const std::string& before = "true") {
  const fs::path out = folder / "stdout.txt", err = folder / "stderr.txt";
  const std::string line = "cd '" + folder.string() + "' && " + before + " && " + PROGRAM_FOLDER + "/" + command +
                           " > '" + out.string() + "' 2> '" + err.string() + "'";
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, text_of(out), text_of(err)};
}

inline void write(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// A data set in Fashion-MNIST's format: `count` images of 28x28 in each part, with the label as brightness.
inline void write_dataset(const fs::path& folder, std::uint32_t count) {
  for (const char* split : {"train", "t10k"}) {
    std::string images = big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28);
    std::string labels = big_endian(0x801) + big_endian(count);
    for (std::uint32_t n = 0; n < count; ++n) {
      labels += static_cast<char>(n % 10);
      images += std::string(784, static_cast<char>(25 * (n % 10)));
    }
    write(folder / (std::string(split) + "-images-idx3-ubyte"), images);
    write(folder / (std::string(split) + "-labels-idx1-ubyte"), labels);
  }
}

/// All files below a folder, by name, with content.
inline std::vector<std::pair<std::string, std::string>> snapshot(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "stdout.txt" || name == "stderr.txt") continue;
    files.emplace_back(entry.path().string(), entry.is_regular_file() ? text_of(entry.path()) : "");
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace minception::testing
