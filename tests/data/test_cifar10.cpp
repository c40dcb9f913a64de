#include "core/random.h"
#include "data/cifar10.h"
#include "data/registry.h"
#include "tests/data/cifar10_files.h"

#include "tests/catch.h"

#include <functional>

using namespace minception;
using namespace minception::testing;

namespace {

/// Checks that the part contains the images of these batches, channels-last.
void check_part(const ImageDataset& part, int first_batch, int end_batch, int images) {
  CHECK(part.image == Shape{3, 32, 32});
  CHECK(part.class_names == cifar_names());
  REQUIRE(part.size() == (end_batch - first_batch) * images);
  REQUIRE(part.pixels.size() == static_cast<std::size_t>(part.size()) * 3072);
  std::size_t place = 0, wrong = 0;
  for (int n = 0; n < part.size(); ++n) {
    const int batch = first_batch + n / images, image = n % images;
    wrong += part.labels[static_cast<std::size_t>(n)] != cifar_label(batch, image);
    for (int at = 0; at < 1024; ++at) {
      for (int c = 0; c < 3; ++c) wrong += part.pixels[place++] != cifar_byte(batch, image, c * 1024 + at);
    }
  }
  CHECK(wrong == 0);
}

void check_dataset(const std::filesystem::path& path, int images = 3) {
  const Dataset dataset = load_cifar10(path);
  CHECK(dataset.name == "cifar10");
  check_part(dataset.train, 0, 5, images);
  check_part(dataset.test, 5, 6, images);
}

std::string message_for(const std::filesystem::path& path) {
  const std::string message = message_of([&] { load_cifar10(path); });
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

const std::string kWay =
    "; get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html (no Debian package has it) and pass "
    "it or its folder as dir";
const std::string kAgain = "; copy or download it again";

}  // namespace

TEST_CASE("CIFAR-10 is read from folders and archives") {
  const TemporaryFolder folder;
  const std::string bin = "cifar-10-batches-bin";
  write_files(folder / "bin" / bin, cifar10_binary());
  write_files(folder / "one", cifar10_binary(1));
  std::filesystem::create_directory(folder / "packed");
  write_file(folder / "packed/cifar-10-binary.tar.gz", gzipped(tar(bin, cifar10_binary())));
  write_file(folder / "renamed", tar(".", cifar10_binary()));

  check_dataset(folder / "bin");
  check_dataset(folder / "bin" / bin);
  check_dataset(folder / "one", 1);
  check_dataset(folder / "packed");
  check_dataset(folder / "packed/cifar-10-binary.tar.gz");
  check_dataset(folder / "renamed");
}

TEST_CASE("the Python version of CIFAR-10 is rejected unless the binary version is present") {
  const TemporaryFolder folder;
  const Files files = {{"batches.meta", "x"}, {"data_batch_1", "x"}, {"test_batch", "x"}};
  const std::string py = "cifar-10-batches-py", archive = "cifar-10-python.tar.gz";
  write_files(folder / "unpacked" / py, files);
  std::filesystem::create_directory(folder / "packed");
  write_file(folder / "packed" / archive, gzipped(tar(py, files)));
  write_file(folder / "renamed", tar(".", files));
  const std::string says =
      ": this is the Python version of CIFAR-10, which is not supported; get cifar-10-binary.tar.gz from "
      "https://www.cs.toronto.edu/~kriz/cifar.html and pass it as dir";
  const std::string unpacked = (folder / "unpacked" / py).string(), packed = (folder / "packed" / archive).string();
  CHECK(message_for(folder / "unpacked") == unpacked + says);
  CHECK(message_for(folder / "unpacked" / py) == unpacked + says);
  CHECK(message_for(folder / "packed") == packed + says);
  CHECK(message_for(folder / "packed" / archive) == packed + says);
  CHECK(message_for(folder / "renamed") == (folder / "renamed").string() + says);

  write_file(folder / "unpacked/cifar-10-binary.tar.gz", gzipped(tar("x", cifar10_binary())));
  check_dataset(folder / "unpacked");
  write_files(folder / "packed", cifar10_binary());
  check_dataset(folder / "packed");
  write_file(folder / "renamed", tar_member("y/data_batch_1", "x") + tar("x", cifar10_binary()));
  check_dataset(folder / "renamed");
}

TEST_CASE("archives may contain attributes and links and long names and other files") {
  const TemporaryFolder folder;
  const std::string long_name(150, 'n');
  std::string archive = tar_member("././@LongLink", long_name, 'L') + tar_member(long_name.substr(0, 100), "content");
  archive += tar_member("PaxHeader", "27 mtime=1243890541.5000000\n", 'x');
  archive += tar_member("x/link", "", '2') + tar_member("x/readme.html", std::string(2000, 'r'));
  archive += tar_member("x/empty", "") + tar_member("x/._data_batch_1.bin", "of a Mac");
  write_file(folder / "archive", gzipped(archive + tar("y", cifar10_binary())));
  check_dataset(folder / "archive");
}

TEST_CASE("load_dataset reads CIFAR-10 and the error without a folder explains how to get it") {
  const TemporaryFolder folder;
  write_files(folder.path(), cifar10_binary());
  CHECK(load_dataset("cifar10", folder.path()).train.size() == 15);
  if (!std::filesystem::exists(default_data_dir("cifar10"))) {
    CHECK(message_of([] { load_dataset("cifar10"); }) == "/usr/share/datasets/cifar10: no such file or folder" + kWay);
  }
}

TEST_CASE("errors distinguish missing CIFAR-10 from a missing file or a duplicate") {
  const TemporaryFolder folder;
  const std::string name = folder.path().string();
  CHECK(message_for(folder / "absent") == name + "/absent: no such file or folder" + kWay);
  CHECK(message_for(folder.path()) == name + ": contains neither the CIFAR-10 files nor cifar-10-binary.tar.gz" + kWay);
  write_file(folder / "archive", tar("cifar-100-binary", {{"train.bin", "x"}, {"test.bin", "y"}}));
  CHECK(message_for(folder / "archive") == name + "/archive: the archive contains no CIFAR-10 file" + kWay);

  const Files files = cifar10_binary();
  for (const auto& [missing, content] : files) {
    write_files(folder / "parts", files);
    std::filesystem::remove(folder / "parts" / missing);
    CHECK(message_for(folder / "parts") == name + "/parts: " + missing + " is missing" + kAgain);
    std::filesystem::remove_all(folder / "parts");
    Files others;
    for (const auto& file : files) {
      if (file.first != missing) others.push_back(file);
    }
    write_file(folder / "archive", tar("x", others));
    CHECK(message_for(folder / "archive") == name + "/archive: " + missing + " is missing" + kAgain);
    write_file(folder / "archive", tar("x", files) + tar("x", files));
    check_dataset(folder / "archive");  // data after the end-of-archive blocks are ignored
    others.push_back(others.front());
    write_file(folder / "archive", tar("x", others));
    CHECK(message_for(folder / "archive") ==
          name + "/archive: x/" + others.front().first + ": is in the archive twice" + kAgain);
  }
}

TEST_CASE("damaged files are rejected with their names") {
  struct Damage {
    std::string file;
    std::function<void(std::string&)> change;
    std::string says;
  };
  const std::vector<Damage> damages = {
      {"data_batch_2.bin", [](std::string& content) { content.pop_back(); },
       "data_batch_2.bin: 9218 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the "
       "file is truncated or not a CIFAR-10 file" +
           kAgain},
      {"test_batch.bin", [](std::string& content) { content += 'x'; },
       "test_batch.bin: 9220 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the file "
       "is truncated or not a CIFAR-10 file" +
           kAgain},
      {"data_batch_4.bin", [](std::string& content) { content.clear(); },
       "data_batch_4.bin: 0 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the file "
       "is truncated or not a CIFAR-10 file" +
           kAgain},
      {"data_batch_5.bin", [](std::string& content) { content.resize(2 * 3073); },
       ": data_batch_5.bin holds 2 images but data_batch_1.bin holds 3: one of them is truncated" + kAgain},
      {"data_batch_1.bin", [](std::string& content) { content[3073] = 10; },
       "data_batch_1.bin: offset 3073: label 10 of image 1: the classes are 0 to 9"},
      {"test_batch.bin", [](std::string& content) { content[0] = '\xff'; },
       "test_batch.bin: offset 0: label 255 of image 0: the classes are 0 to 9"},
      {"batches.meta.txt", [](std::string& content) { content.resize(content.size() - 8); },
       "batches.meta.txt: names 9 classes, not 10" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.clear(); },
       "batches.meta.txt: names 0 classes, not 10" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content[0] = '\x07'; },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.replace(0, 19, "\nautomobile"); },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.replace(0, 8, "truck"); },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
  };
  for (const Damage& damage : damages) {
    const TemporaryFolder folder;
    Files files = cifar10_binary();
    damage.change(content_of(files, damage.file));
    write_files(folder / "files", files);
    write_file(folder / "archive", gzipped(tar("cifar", files)));
    const bool whole = damage.says[0] == ':';  // messages about several files name the folder or archive
    CHECK(message_for(folder / "files") == (folder / "files").string() + (whole ? "" : "/") + damage.says);
    CHECK(message_for(folder / "archive") == (folder / "archive").string() + (whole ? "" : ": cifar/") + damage.says);
  }
}

TEST_CASE("damaged archives are rejected with their names") {
  const TemporaryFolder folder;
  const std::string name = (folder / "archive").string();
  const std::string archive = tar("x", cifar10_binary(1)), compressed = gzipped(archive);
  const auto message = [&](const std::string& content) {
    write_file(folder / "archive", content);
    return message_for(folder / "archive");
  };
  const std::string no_tar = name + ": not a tar archive, compressed with gzip or not" + kAgain;
  CHECK(message("") == no_tar);
  CHECK(message("text") == no_tar);
  CHECK(message(std::string(20'000, 'x')) == no_tar);
  CHECK(message(std::string(1024, '\0')) == no_tar);
  CHECK(message(gzipped("text")) == no_tar);
  const std::string truncated = name + ": the archive ends too early: the file is truncated" + kAgain;
  const std::size_t end = archive.find_last_not_of('\0') / 512 * 512 + 512;
  for (const std::size_t length :
       {std::size_t{512}, std::size_t{513}, std::size_t{1024}, std::size_t{1100}, end - 1000, end - 1, end}) {
    CAPTURE(length);
    CHECK(message(archive.substr(0, length)) == truncated);
    CHECK(message(gzipped(archive.substr(0, length))) == truncated);
  }
  for (std::size_t length = 20; length < compressed.size(); length += 97) {
    CAPTURE(length);
    CHECK(message(compressed.substr(0, length)) ==
          name + ": the compressed data end too early: the file is truncated" + kAgain);
  }
  std::string wrong = compressed;
  wrong[wrong.size() - 6] ^= 1;  // in the gzip checksum, which follows the data
  CHECK(message(wrong) == name + ": the compressed data are damaged (incorrect data check)" + kAgain);
  wrong = compressed;
  for (std::size_t at = 100; at < 140; ++at) wrong[at] = '\xff';
  CHECK_THAT(message(wrong), Catch::StartsWith(name + ": the compressed data are damaged ("));
  wrong = archive;
  wrong[512 + 3] ^= 1;  // in the name in the second header
  CHECK(message(wrong) == name + ": the archive is damaged after 'x/': a header has a wrong checksum" + kAgain);

  const auto with_size = [](const std::string& size) {
    std::string header = tar_member("x/test_batch.bin", "").replace(124, 12, size);
    seal_tar_header(header);
    return header;
  };
  CHECK(message(with_size("zzzzzzzzzzzz") + archive) ==
        name + ": 'x/test_batch.bin' in the archive has an unreadable size" + kAgain);
  CHECK(message(with_size("77777777777 ") + archive) ==
        name + ": x/test_batch.bin: is larger than 268435456 bytes: not a CIFAR-10 file");
}

TEST_CASE("CIFAR-10 archives with corrupted bytes give a data set or a one-line error message") {
  const TemporaryFolder folder;
  int refused = 0, tries = 0;
  const auto attempt = [&](const std::string& content) {
    const std::filesystem::path path = folder / "archive";
    std::filesystem::remove(path);  // some file systems flush overwritten files, which is slow
    write_file(path, content);
    const std::string message = message_of([&] {
      const Dataset dataset = load_cifar10(path);
      REQUIRE(dataset.train.pixels.size() == static_cast<std::size_t>(dataset.train.size()) * 3072);
      REQUIRE(dataset.test.pixels.size() == static_cast<std::size_t>(dataset.test.size()) * 3072);
    });
    REQUIRE(message.find('\n') == std::string::npos);
    refused += message.empty() ? 0 : 1;
    ++tries;
  };
  const Random random{1, 0xc1fa};
  std::uint64_t draws = 0;
  const auto any_byte = [&] { return static_cast<char>(random.bits(draws++)); };

  // Plain and compressed: every third byte of two headers and every 401st byte after them.
  const std::string archive = tar("x", cifar10_binary(1)), packed = gzipped(archive);
  for (std::size_t at = 0; at < archive.size(); at += at < 1024 ? 3 : 401) {
    std::string damaged = archive;
    damaged[at] = any_byte();
    attempt(damaged);
    damaged = packed;
    damaged[at % packed.size()] = any_byte();
    attempt(damaged);
    attempt(archive.substr(0, at));
  }
  CHECK(refused > tries / 2);
}
