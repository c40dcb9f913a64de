#pragma once
/// Small CIFAR-10 data sets, byte-compatible with the published binary files, and tar archives of them.

#include "tests/data/idx_files.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace minception::testing {

/// File names and contents, in archive order.
using Files = std::vector<std::pair<std::string, std::string>>;

inline std::string& content_of(Files& files, const std::string& name) {
  for (auto& [file, content] : files) {
    if (file == name) return content;
  }
  throw std::runtime_error("there is no file " + name);
}

inline int cifar_label(int batch, int image) { return (3 * batch + image) % 10; }

/// Byte `at` of the three planes of an image. Batches are counted from 0; batch 5 is the test batch.
inline std::uint8_t cifar_byte(int batch, int image, int at) {
  return static_cast<std::uint8_t>(batch * 67 + image * 29 + at % 1024 * 7 + at / 1024 * 101);
}

inline const std::vector<std::string>& cifar_names() {
  static const std::vector<std::string> names = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

inline std::string cifar_batch_name(int batch) {
  return batch == 5 ? "test_batch" : "data_batch_" + std::to_string(batch + 1);
}

/// Files of the binary version, `images` per batch (10,000 in the published files).
inline Files cifar10_binary(int images = 3) {
  std::string meta;
  for (const std::string& name : cifar_names()) meta += name + '\n';
  Files files = {{"batches.meta.txt", meta + '\n'}};
  for (int batch = 0; batch < 6; ++batch) {
    std::string content;
    for (int image = 0; image < images; ++image) {
      content += static_cast<char>(cifar_label(batch, image));
      for (int at = 0; at < 3072; ++at) content += static_cast<char>(cifar_byte(batch, image, at));
    }
    files.emplace_back(cifar_batch_name(batch) + ".bin", content);
  }
  return files;
}

/// Writes the checksum of a header: the sum of its bytes, with the checksum field as eight spaces.
inline void seal_tar_header(std::string& header) {
  header.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  char octal[8];
  std::snprintf(octal, sizeof octal, "%06o", sum & 0777777u);
  header.replace(148, 7, octal, 7);
}

/// A member of a tar archive: header, content and padding. Type '5' is a folder.
inline std::string tar_member(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  char octal[16];
  std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(content.size()));
  put(0, name);
  put(100, "0000644");
  put(108, "0001750");
  put(116, "0001750");
  put(124, octal);
  put(136, "11130472350");
  header[156] = type;
  put(257, "ustar  ");
  put(265, "kriz");
  seal_tar_header(header);
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

inline std::string tar(const std::string& folder, const Files& files) {
  std::string archive = tar_member(folder + "/", "", '5');
  for (const auto& [name, content] : files) archive += tar_member(folder + "/" + name, content);
  archive.resize((archive.size() + 1024 + 10239) / 10240 * 10240, '\0');  // at least two zero blocks, in records
  return archive;
}

inline void write_files(const std::filesystem::path& folder, const Files& files) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, content] : files) write_file(folder / name, content);
}

}  // namespace minception::testing
