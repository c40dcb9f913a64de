#include "data/idx.h"
#include "tests/data/idx_files.h"

#include "tests/catch.h"

#include <sys/resource.h>

#include <string>
#include <vector>

using namespace minception;
using namespace minception::testing;

namespace {

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string images_message(const TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "images", bytes);
  const std::string message = message_of([&] { read_idx_images(folder / "images"); });
  CHECK_THAT(message, Catch::StartsWith((folder / "images").string() + ": "));
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

std::string labels_message(const TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "labels", bytes);
  const std::string message = message_of([&] { read_idx_labels(folder / "labels"); });
  CHECK_THAT(message, Catch::StartsWith((folder / "labels").string() + ": "));
  return message;
}

/// Peak resident memory of this process.
long peak_kibibytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("IDX images and labels are read plain and compressed") {
  const TemporaryFolder folder;
  // Larger than the read chunk.
  const std::string pixels = counted(1500 * 28 * 30);
  const std::string images = idx_images(1500, 28, 30, pixels);
  const std::string labels = idx_labels(5, {0, 1, 9, '\xff', 4});
  for (bool compressed : {false, true}) {
    CAPTURE(compressed);
    write_file(folder / "images", compressed ? gzipped(images) : images);
    write_file(folder / "labels", compressed ? gzipped(labels) : labels);
    const IdxImages read = read_idx_images(folder / "images");
    CHECK(read.count == 1500);
    CHECK(read.height == 28);
    CHECK(read.width == 30);
    CHECK((read.pixels == bytes_of(pixels)));
    CHECK(read_idx_labels(folder / "labels") == std::vector<std::uint8_t>{0, 1, 9, 255, 4});
  }
}

TEST_CASE("a gzip file may consist of several members") {
  const TemporaryFolder folder;
  const std::string labels = idx_labels(6, counted(6));
  write_file(folder / "labels", gzipped(labels.substr(0, 5)) + gzipped(labels.substr(5)));
  CHECK(read_idx_labels(folder / "labels") == bytes_of(counted(6)));
}

TEST_CASE("other magic numbers are rejected and reported") {
  const TemporaryFolder folder;
  CHECK_THAT(images_message(folder, idx_labels(4, counted(4))),
             Catch::Contains("magic number 0x00000801 instead of 0x00000803: not an IDX file of images"));
  CHECK_THAT(labels_message(folder, idx_images(1, 2, 2, counted(4))),
             Catch::Contains("magic number 0x00000803 instead of 0x00000801: not an IDX file of labels"));
  CHECK_THAT(labels_message(folder, "\x89PNG\r\n\x1a\n"), Catch::Contains("magic number 0x89504e47"));
  CHECK_THAT(images_message(folder, gzipped("some text, compressed")), Catch::Contains("magic number 0x736f6d65"));
  // Little-endian: wrong byte order.
  CHECK_THAT(images_message(folder, std::string("\x03\x08\x00\x00", 4) + counted(20)),
             Catch::Contains("magic number 0x03080000"));
}

TEST_CASE("IDX files are rejected plain or compressed if truncated at any length") {
  const TemporaryFolder folder;
  const std::string images = idx_images(3, 4, 5, counted(60));
  for (const std::string& whole : {images, gzipped(images)}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(whole.size(), length);
      CHECK_THAT(images_message(folder, whole.substr(0, length)),
                 Catch::Contains("the file is truncated") || Catch::Contains("magic number 0x1f"));
    }
  }
  CHECK_THAT(images_message(folder, images.substr(0, 50)),
             Catch::Contains("the header declares 60 bytes of data but the file has 34"));
  CHECK_THAT(images_message(folder, images.substr(0, 13)), Catch::Contains("ends within its header"));
  CHECK_THAT(images_message(folder, gzipped(images.substr(0, 50))), Catch::Contains("but the file has 34"));
  CHECK_THAT(labels_message(folder, idx_labels(5, counted(4))),
             Catch::Contains("the header declares 5 bytes of data but the file has 4"));
}

TEST_CASE("trailing data are rejected plain and compressed") {
  const TemporaryFolder folder;
  const std::string images = idx_images(3, 4, 5, counted(61));
  CHECK_THAT(images_message(folder, images),
             Catch::Contains("more than the 60 bytes of data that the header declares"));
  CHECK_THAT(images_message(folder, gzipped(images)), Catch::Contains("more than the 60 bytes"));
  CHECK_THAT(labels_message(folder, idx_labels(2, counted(3))), Catch::Contains("more than the 2 bytes"));
}

TEST_CASE("extents of 0 are rejected") {
  const TemporaryFolder folder;
  CHECK_THAT(images_message(folder, idx_images(0, 28, 28, "")), Catch::Contains("an extent of 0"));
  CHECK_THAT(images_message(folder, idx_images(4, 0, 28, "")), Catch::Contains("an extent of 0"));
  CHECK_THAT(images_message(folder, idx_images(4, 28, 0, "")), Catch::Contains("an extent of 0"));
  CHECK_THAT(labels_message(folder, idx_labels(0, "")), Catch::Contains("an extent of 0"));
}

TEST_CASE("damaged compression is rejected") {
  const TemporaryFolder folder;
  const std::string images = idx_images(100, 20, 20, counted(100 * 20 * 20));
  const std::string good = gzipped(images);
  std::string wrong_checksum = good;
  wrong_checksum[good.size() - 8] = static_cast<char>(wrong_checksum[good.size() - 8] ^ 1);
  CHECK_THAT(images_message(folder, wrong_checksum), Catch::Contains("the compressed data are damaged"));
  std::string wrong_length = good;
  wrong_length[good.size() - 1] = static_cast<char>(wrong_length[good.size() - 1] ^ 1);
  CHECK_THAT(images_message(folder, wrong_length), Catch::Contains("the compressed data are damaged"));
  // After the gzip header (whose time stamp and system are arbitrary), every changed byte must be detected.
  for (std::size_t place = 10; place < good.size(); place += 1 + good.size() / 97) {
    CAPTURE(place);
    std::string flipped = good;
    flipped[place] = static_cast<char>(flipped[place] ^ 0x10);
    write_file(folder / "flipped", flipped);
    CHECK_FALSE(message_of([&] { read_idx_images(folder / "flipped"); }).empty());
  }
}

TEST_CASE("memory follows the file size and not the extents in the header") {
  const TemporaryFolder folder;
  const std::uint32_t all_ones = 0xffffffff;
  const long before = peak_kibibytes();
  CHECK_THAT(labels_message(folder, idx_labels(all_ones, counted(10))),
             Catch::Contains("the header declares 4294967295 bytes of data but the file has 10"));
  CHECK_THAT(images_message(folder, idx_images(2000000000, 28, 28, counted(10))),
             Catch::Contains("the header declares 1568000000000 bytes of data but the file has 10"));
  CHECK_THAT(images_message(folder, idx_images(all_ones, 46340, 46340, counted(10))),
             Catch::Contains("but the file has 10"));
  CHECK_THAT(images_message(folder, idx_images(all_ones, all_ones, all_ones, "")),
             Catch::Contains("4294967295 images of 4294967295x4294967295, which is too large for a file"));
  // The product is 2^64, which overflows to 0.
  CHECK_THAT(images_message(folder, idx_images(1u << 31, 1u << 31, 4, "")), Catch::Contains("too large for a file"));
  CHECK(peak_kibibytes() - before < 256 * 1024);
}

TEST_CASE("paths that are not files are reported with the reason") {
  const TemporaryFolder folder;
  CHECK_THAT(message_of([&] { read_idx_images(folder / "absent"); }),
             Catch::Contains("absent: cannot be opened: No such file or directory"));
  CHECK_THAT(message_of([&] { read_idx_labels(folder.path()); }), Catch::Contains("cannot be read: Is a directory"));
}
