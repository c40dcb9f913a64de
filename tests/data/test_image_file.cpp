/// Format detection, and the formats PGM and PPM.

#include "tests/data/image_files.h"

#include <sys/resource.h>

using namespace minception;
using namespace minception::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Peak resident memory of this process.
long peak_kibibytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("files that are not images are rejected with the reason") {
  const TemporaryFolder folder;
  CHECK(message_of([&] { read_image(folder / "absent.png"); }) ==
        (folder / "absent.png").string() + ": cannot be opened: No such file or directory");
  CHECK(message_of([&] { read_image(folder.path()); }) == folder.path().string() + ": cannot be read: Is a directory");
  write_file(folder / "empty", "");
  CHECK(message_of([&] { read_image(folder / "empty"); }) ==
        (folder / "empty").string() + ": the file is empty; copy or download it again");
  CHECK(damage_message("") == "the file is empty; copy or download it again");
  const std::string unknown =
      "not an image of a known format (PNG, JPEG, WebP, TIFF, GIF, BMP, PGM, PPM); convert it, or move it out of the "
      "folder";
  CHECK(damage_message("x") == unknown);
  CHECK(damage_message("P") == unknown);
  CHECK(damage_message("\x89PNG\r\n\x1a") == unknown);
  CHECK(damage_message("RIFF and so on, and so on") == unknown);
  CHECK(damage_message("P1 2 2 0 1 1 0") == unknown);
  CHECK(message_of([] { read_image("/dev/zero"); }) == "/dev/zero: " + unknown);
}

TEST_CASE("the image format is detected from the content and not from the name") {
  const TemporaryFolder folder;
  write_file(folder / "image.jpg", "P2 1 1 255 7");
  CHECK(read_image(folder / "image.jpg").pixels == Bytes{7});
}

TEST_CASE("plain and raw PGM and PPM are read") {
  const TemporaryFolder folder;
  const DecodedImage grey = decoded(folder, "P2\n3 2\n255\n0 1 2\n253 254 255\n");
  CHECK(grey.shape == Shape{1, 2, 3});
  CHECK(grey.pixels == Bytes{0, 1, 2, 253, 254, 255});
  CHECK(decoded(folder, std::string("P5\n3 2\n255\n\0\1\2\xfd\xfe\xff", 17)).pixels == grey.pixels);

  const DecodedImage colour = decoded(folder, "P3 1 2 255 10 20 30 40 50 60");
  CHECK(colour.shape == Shape{3, 2, 1});
  CHECK(colour.pixels == Bytes{10, 20, 30, 40, 50, 60});
  CHECK(decoded(folder, "P6 1 2 255\n\x0a\x14\x1e\x28\x32\x3c").pixels == colour.pixels);
}

TEST_CASE("PGM and PPM larger than the read chunk are read") {
  const TemporaryFolder folder;
  const DecodedImage image = pattern_image(3, 800, 1000);
  const DecodedImage read = decoded(folder, "P6\n1000 800\n255\n" + text_of(image.pixels));
  CHECK(read.shape == image.shape);
  CHECK((read.pixels == image.pixels));
}

TEST_CASE("PGM and PPM samples with any maximum are rounded to bytes") {
  const TemporaryFolder folder;
  CHECK(decoded(folder, "P2 2 1 1 0 1").pixels == Bytes{0, 255});
  CHECK(decoded(folder, "P2 4 1 3 0 1 2 3").pixels == Bytes{0, 85, 170, 255});
  CHECK(decoded(folder, "P2 5 1 4 0 1 2 3 4").pixels == Bytes{0, 64, 128, 191, 255});
  CHECK(decoded(folder, "P2 4 1 256 0 1 128 256").pixels == Bytes{0, 1, 128, 255});
  CHECK(decoded(folder, "P2 6 1 65535 0 128 129 32767 32768 65535").pixels == Bytes{0, 0, 1, 127, 128, 255});
  CHECK(decoded(folder, "P5 2 1 100\n\x32\x64").pixels == Bytes{128, 255});
  CHECK(decoded(folder, std::string("P5 2 1 65535 \x12\x34\xff\xff", 17)).pixels == Bytes{18, 255});
  CHECK(decoded(folder, std::string("P6 1 1 256\n\0\0\0\x80\1\0", 17)).pixels == Bytes{0, 128, 255});
}

TEST_CASE("PGM and PPM may contain comments and white space where the formats allow them") {
  const TemporaryFolder folder;
  const Bytes expected = {35, 10};  // samples with the byte values of '#' and a line break
  CHECK(decoded(folder, "P5\n# by a program\n2 1\n255\n#\n").pixels == expected);
  CHECK(decoded(folder, "P5#a\n2#b 7\n#c\r#d\n1 # e\n255\n#\n").pixels == expected);
  CHECK(decoded(folder, "P5 2 1 255# the line break that ends this is the white space\n#\n").pixels == expected);
  CHECK(decoded(folder, "P5\t2\v1\f255\r#\n").pixels == expected);
  CHECK(decoded(folder, "P2\n2 1\n#x\n255\n35 # y\n10\n# z\n\n").pixels == expected);
}

TEST_CASE("invalid PGM and PPM are rejected") {
  const auto message = damage_message;
  CHECK(message("P2") == "ends within its header: the file is truncated; copy or download it again");
  CHECK(message("P5x2 1 255 12") == "'P5' is not followed by white space: not a PGM or PPM file");
  CHECK_THAT(message("P5 "), Catch::Contains("ends before the width: the file is truncated"));
  CHECK_THAT(message("P5 2 # comment"), Catch::Contains("ends before the height: the file is truncated"));
  CHECK_THAT(message("P5 2 1"), Catch::Contains("ends before the maximum: the file is truncated"));
  CHECK_THAT(message("P5 2 1 255"), Catch::Contains("ends after its header: the file is truncated"));
  CHECK_THAT(message("P5 2 1 255x12"), Catch::Contains("no white space follows the maximum, at byte 10"));
  CHECK_THAT(message("P5 -2 1 255 12"), Catch::Contains("byte 3 should begin the width but is not a digit"));
  CHECK_THAT(message("P5 2 1.5 255 12"), Catch::Contains("byte 6 should begin the maximum but is not a digit"));
  CHECK_THAT(message("P5 0 1 255 12"), Catch::Contains("the image is 0x1: it has no pixels"));
  CHECK_THAT(message("P5 1 0 255 12"), Catch::Contains("the image is 1x0: it has no pixels"));
  CHECK_THAT(message("P5 2 1 0 12"), Catch::Contains("the maximum is 0; it must be 1 to 65535"));
  CHECK_THAT(message("P5 2 1 65536 1234"), Catch::Contains("the maximum is 65536; it must be 1 to 65535"));
  CHECK_THAT(message("P5 2 1 100\n\x65\x64"), Catch::Contains("a sample before byte 12 is 101, above the maximum of"));
  CHECK_THAT(message("P2 2 1 100 7 101"), Catch::Contains("a sample before byte 16 is 101, above the maximum of 100"));
  CHECK_THAT(message("P2 2 1 100 7 x1"), Catch::Contains("byte 13 should begin a sample but is not a digit"));
  CHECK_THAT(message("P2 2 1 100      7"), Catch::Contains("ends before a sample: the file is truncated"));
  CHECK_THAT(message("P5 2 2 255 123"), Catch::Contains("an image of 2x2 needs 4 bytes but there are 3: the file is"));
  CHECK_THAT(message("P6 2 2 999 123"), Catch::Contains("an image of 2x2 needs 24 bytes but there are 3"));
  CHECK_THAT(message("P3 2 2 255 123"), Catch::Contains("an image of 2x2 needs at least 24 bytes but there are 4"));
  CHECK(message("P5 2 1 255 123") == "1 bytes follow the image, from byte 13; only files with one image are supported");
  CHECK_THAT(message("P2 2 1 255 1 2 3"), Catch::Contains("1 bytes follow the image, from byte 15"));
}

TEST_CASE("PGM and PPM with sizes that the file cannot hold are rejected before memory is allocated") {
  const auto message = damage_message;
  const long before = peak_kibibytes();
  CHECK(message("P5 16384 16385 255 12") ==
        "the image is 16384x16385, more than the limit of 268435456 pixels; shrink it");
  CHECK_THAT(message("P6 16384 16384 255 12"), Catch::Contains("needs 805306368 bytes but there are 2"));
  CHECK_THAT(message("P3 16384 16384 255 12"), Catch::Contains("needs at least 1610612736 bytes but there are 3"));
  CHECK_THAT(message("P5 99999999999999999999 1 255 12"), Catch::Contains("the width before byte 11 is above"));
  CHECK_THAT(message("P5 268435456 268435456 255 12"), Catch::Contains("more than the limit of 268435456 pixels"));
  CHECK(peak_kibibytes() - before < 64 * 1024);
}

TEST_CASE("damaged PGM and PPM give an image or an error message") {
  const DecodedImage grey = pattern_image(1, 4, 5), colour = pattern_image(3, 2, 3);
  std::string plain = "P3\n# made by a test\n3 2\n255";
  for (std::uint8_t value : colour.pixels) (plain += '\n') += std::to_string(value);
  for (const std::string& whole : {"P5\n# made by a test\n5 4\n255\n" + text_of(grey.pixels),
                                   "P6 3 2\n65535\n" + text_of(colour.pixels) + text_of(colour.pixels)}) {
    check_truncations(whole);
    const int refused = check_wrong_bytes(whole, 2000);
    CHECK(refused > 100);
    CHECK(refused < 1900);
  }
  // A truncated number is another valid number, so missing last digits are not detected.
  for (std::size_t length = 0; length + 2 < plain.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(damage_message(plain.substr(0, length)).empty());
  }
  CHECK(check_wrong_bytes(plain, 2000) > 100);
}
