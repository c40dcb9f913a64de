#pragma once
/// What tests of the programs share: running one as a person does, small data sets, snapshots of folders.

#include <minception/tests/core/temporary_folder.h>

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

/// Runs a program of ours by the shell, so that options are written as a person types them.
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

/// A data set in Fashion-MNIST's files: `count` images of 28x28 each, the label shown as brightness.
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

/// Everything below a folder, by name, with its content.
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
