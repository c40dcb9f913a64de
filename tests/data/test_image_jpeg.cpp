/// These tests write JPEG files with libjpeg. JPEG is lossy, so pixels are compared with a tolerance. For images of one
/// colour the tolerance covers rounding only.

#include "tests/data/image_files.h"

#include <cstdio>
#include <cstdlib>

#ifdef MINCEPTION_HAVE_JPEG
#include <jpeglib.h>
#endif

using namespace minception;
using namespace minception::testing;

#ifdef MINCEPTION_HAVE_JPEG

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Jpeg {
  int height = 0;
  int width = 0;
  J_COLOR_SPACE colour = JCS_RGB;       ///< of the pixels
  J_COLOR_SPACE in_file = JCS_UNKNOWN;  ///< JCS_UNKNOWN: libjpeg's default
  bool progressive = false;
  bool adobe_marker = true;
  bool three_scans = false;  ///< one per component
  int restart_rows = 0;
};

std::string file_of(const Jpeg& jpeg, int channels, const Bytes& pixels) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = static_cast<JDIMENSION>(jpeg.width);
  info.image_height = static_cast<JDIMENSION>(jpeg.height);
  info.input_components = channels;
  info.in_color_space = jpeg.colour;
  jpeg_set_defaults(&info);
  if (jpeg.in_file != JCS_UNKNOWN) jpeg_set_colorspace(&info, jpeg.in_file);
  jpeg_set_quality(&info, 100, TRUE);
  for (int i = 0; i < info.num_components; ++i) {
    info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;  // no subsampling
  }
  info.restart_in_rows = jpeg.restart_rows;
  if (!jpeg.adobe_marker) info.write_Adobe_marker = FALSE;
  if (jpeg.progressive) jpeg_simple_progression(&info);
  const jpeg_scan_info scans[] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
  if (jpeg.three_scans) {
    info.scan_info = scans;
    info.num_scans = 3;
  }
  jpeg_start_compress(&info, TRUE);
  Bytes rows = pixels;
  while (info.next_scanline < info.image_height) {
    JSAMPROW row =
        rows.data() + static_cast<std::size_t>(info.next_scanline) * static_cast<std::size_t>(jpeg.width * channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string result(reinterpret_cast<char*>(file), size);
  jpeg_destroy_compress(&info);
  std::free(file);
  return result;
}

DecodedImage decoded(const std::string& file) {
  return decode_image({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "file");
}

/// A smooth image, which JPEG compresses well.
DecodedImage gradient(std::int64_t channels, std::int64_t height, std::int64_t width) {
  DecodedImage image = pattern_image(channels, height, width);
  for (std::int64_t i = 0; i < height * width; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t y = i / width, x = i % width;
      image.pixels[static_cast<std::size_t>(i * channels + c)] =
          static_cast<std::uint8_t>(c == 0   ? 10 + 5 * x
                                    : c == 1 ? 200 - 4 * y
                                             : 60 + 2 * x + 2 * y);
    }
  }
  return image;
}

void check_close(const std::string& file, const DecodedImage& expected, int tolerance) {
  const DecodedImage image = decoded(file);
  REQUIRE(image.shape == expected.shape);
  int worst = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    worst = std::max(worst, std::abs(image.pixels[i] - expected.pixels[i]));
  }
  CHECK(worst <= tolerance);
}

}  // namespace

TEST_CASE("JPEGs are read from files") {
  const TemporaryFolder folder;
  const DecodedImage image = gradient(1, 20, 30);
  const std::string file = file_of({.height = 20, .width = 30, .colour = JCS_GRAYSCALE}, 1, image.pixels);
  write_file(folder / "image.jpg", file);
  CHECK(read_image(folder / "image.jpg").pixels == decoded(file).pixels);
  CHECK(stored_shape(folder / "image.jpg") == Shape{1, 20, 30});
}

// At quality 100 all quantisation steps are 1. What remains are rounding errors of at most 1/2 in coefficients, samples
// and colour conversion, whose largest factor is 1.772.
TEST_CASE("grey and RGB JPEGs are read from baseline and progressive files") {
  for (bool progressive : {false, true}) {
    for (int rows : {0, 1}) {
      for (const Shape& size : {Shape{1, 1}, Shape{20, 30}, Shape{33, 7}}) {
        CAPTURE(progressive, rows, size.to_string());
        const int height = static_cast<int>(size[0]), width = static_cast<int>(size[1]);
        const DecodedImage grey = gradient(1, height, width), colour = gradient(3, height, width);
        Jpeg jpeg{.height = height, .width = width, .progressive = progressive, .restart_rows = rows};
        check_close(file_of(jpeg, 3, colour.pixels), colour, 4);
        jpeg.in_file = JCS_RGB;
        check_close(file_of(jpeg, 3, colour.pixels), colour, 2);
        jpeg.colour = jpeg.in_file = JCS_GRAYSCALE;
        check_close(file_of(jpeg, 1, grey.pixels), grey, 2);
      }
    }
  }
}

TEST_CASE("CMYK JPEGs become RGB and 255 is no ink") {
  // Columns of cyan, magenta, yellow, black, white and a mixture, in Adobe's convention.
  const int inks[6][4] = {{0, 255, 255, 255}, {255, 0, 255, 255},   {255, 255, 0, 255},
                          {255, 255, 255, 0}, {255, 255, 255, 255}, {200, 100, 50, 128}};
  const int colours[6][3] = {{0, 255, 255}, {255, 0, 255}, {255, 255, 0}, {0, 0, 0}, {255, 255, 255}, {100, 50, 25}};
  Bytes pixels;
  DecodedImage expected{Shape{3, 8, 48}, {}};
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 48; ++x) {
      for (int ink : inks[x / 8]) pixels.push_back(static_cast<std::uint8_t>(ink));
      for (int value : colours[x / 8]) expected.pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  for (J_COLOR_SPACE in_file : {JCS_CMYK, JCS_YCCK}) {
    for (bool progressive : {false, true}) {
      CAPTURE(in_file, progressive);
      const Jpeg jpeg{.height = 8, .width = 48, .colour = JCS_CMYK, .in_file = in_file, .progressive = progressive};
      check_close(file_of(jpeg, 4, pixels), expected, 2);
    }
  }
  const Jpeg unmarked{.height = 8, .width = 48, .colour = JCS_CMYK, .in_file = JCS_CMYK, .adobe_marker = false};
  check_close(file_of(unmarked, 4, pixels), expected, 2);
}

TEST_CASE("truncated or changed JPEGs give an image or an error message") {
  const DecodedImage grey = gradient(1, 20, 30), colour = gradient(3, 20, 30);
  const Jpeg base{.height = 20, .width = 30};
  Jpeg of_grey = base, progressive = base, restarts = base;
  of_grey.colour = JCS_GRAYSCALE;
  progressive.progressive = true;
  restarts.restart_rows = 1;
  for (const std::string& whole : {file_of(of_grey, 1, grey.pixels), file_of(base, 3, colour.pixels),
                                   file_of(progressive, 3, colour.pixels), file_of(restarts, 3, colour.pixels)}) {
    check_truncations(whole);
    CHECK(check_wrong_bytes(whole, 1500) > 100);
  }
}

TEST_CASE("damaged JPEGs are rejected with the reason of libjpeg") {
  const DecodedImage image = gradient(3, 20, 30);
  const std::string whole = file_of({.height = 20, .width = 30}, 3, image.pixels);
  CHECK(damage_message(whole.substr(0, whole.size() / 2)) ==
        "the JPEG data are damaged (Premature end of JPEG file); copy or download it again");
  // All pixels may be complete without the end marker; whether libjpeg notices that it is missing depends on the width.
  for (int width = 1; width <= 40; ++width) {
    CAPTURE(width);
    const Jpeg jpeg{.height = 8, .width = width, .colour = JCS_GRAYSCALE};
    const std::string file = file_of(jpeg, 1, gradient(1, 8, width).pixels);
    CHECK_THAT(damage_message(file.substr(0, file.size() - 2)), Catch::Contains("(Premature end of JPEG file)"));
  }
  CHECK_THAT(damage_message("\xff\xd8\xff\xd8\xff\xd9"),
             Catch::Contains("Invalid JPEG file structure: two SOI markers"));
  CHECK_THAT(damage_message("\xff\xd8\xff\xd9"), Catch::Contains("the JPEG data are damaged"));
}

TEST_CASE("JPEGs with harmless warnings give the same pixels as without them") {
  const DecodedImage image = gradient(3, 20, 30);
  const std::string whole = file_of({.height = 20, .width = 30}, 3, image.pixels);
  const DecodedImage expected = decoded(whole);
  const std::size_t jfif = whole.find("JFIF");
  REQUIRE(jfif != std::string::npos);
  std::string before_end = whole, before_scan = whole, revision = whole;
  before_end.insert(whole.size() - 2, 258, '\x11');
  before_scan.insert(whole.rfind("\xff\xda"), 5, '\x11');
  revision.replace(jfif + 5, 2, 2, '\0');
  for (const std::string& odd : {before_end, before_scan, revision}) CHECK(decoded(odd).pixels == expected.pixels);
  // Missing data are still an error.
  CHECK_THAT(damage_message(before_end.substr(0, before_end.size() - 2)), Catch::Contains("Premature end"));
}

TEST_CASE("JPEG variants that libjpeg does not support are reported as unsupported") {
  const std::string whole = file_of({.height = 20, .width = 30}, 3, gradient(3, 20, 30).pixels);
  const std::size_t frame = whole.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  std::string lossless = whole, deep = whole;
  lossless[frame + 1] = '\xc3';
  deep[frame + 4] = 12;  // bits per sample
  CHECK(damage_message(lossless) ==
        "this kind of JPEG is not supported (Unsupported JPEG process: SOF type 0xc3); convert it to PNG or to "
        "baseline JPEG");
  CHECK_THAT(damage_message(deep), Catch::StartsWith("this kind of JPEG is not supported ("));
}

TEST_CASE("JPEGs with two components are rejected") {
  const Jpeg two{.height = 4, .width = 4, .colour = JCS_UNKNOWN};
  CHECK(damage_message(file_of(two, 2, Bytes(32, 7))) ==
        "the JPEG data have 2 components; only 1 (grey), 3 (colour) and 4 (CMYK) are supported; convert it");
}

TEST_CASE("JPEGs with sizes that the file cannot hold are rejected before memory is allocated") {
  for (bool progressive : {false, true}) {
    const Jpeg jpeg{.height = 8, .width = 8, .colour = JCS_GRAYSCALE, .progressive = progressive};
    std::string file = file_of(jpeg, 1, Bytes(64, 100));
    const std::size_t frame = file.find(progressive ? "\xff\xc2" : "\xff\xc0");  // marker, length, precision, then H, W
    REQUIRE(frame != std::string::npos);
    const auto claim = [&](int height, int width) {
      const char extents[] = {static_cast<char>(height >> 8), static_cast<char>(height), static_cast<char>(width >> 8),
                              static_cast<char>(width)};
      return damage_message(file.replace(frame + 5, 4, extents, 4));
    };
    CHECK(claim(16385, 16384) == "the image is 16384x16385, more than the limit of 268435456 pixels; shrink it");
    CHECK_THAT(claim(16384, 16384), Catch::Contains("cannot hold an image of 16384x16384: the file is truncated"));
    CHECK_THAT(claim(65500, 1), Catch::Contains("the JPEG data are damaged"));
    CHECK_THAT(claim(0, 8), Catch::Contains("the JPEG data are damaged"));
  }
  // An image of one colour has the highest compression ratio.
  const Jpeg grey{.height = 2000, .width = 2000, .colour = JCS_GRAYSCALE};
  check_close(file_of(grey, 1, Bytes(4000000, 128)), {Shape{1, 2000, 2000}, Bytes(4000000, 128)}, 0);
}

TEST_CASE("a JPEG with more than 500 scans is rejected") {
  const DecodedImage image = gradient(3, 20, 30);
  const std::string file = file_of({.height = 20, .width = 30, .three_scans = true}, 3, image.pixels);
  const std::size_t scan = file.rfind("\xff\xda"), end = file.rfind("\xff\xd9");
  REQUIRE(scan != std::string::npos);
  const auto with_last_scan_again = [&](int times) {
    std::string longer = file.substr(0, end);
    for (int i = 0; i < times; ++i) longer += file.substr(scan, end - scan);
    return longer + file.substr(end);
  };
  check_close(file, image, 4);
  check_close(with_last_scan_again(400), image, 4);
  CHECK(damage_message(with_last_scan_again(600)) ==
        "the JPEG data are damaged (more than 500 scans); copy or download it again");
}

#else

TEST_CASE("a build without libjpeg names the missing package") {
  CHECK_FALSE(has_jpeg());
  CHECK(damage_message("\xff\xd8\xff\xe0") ==
        "this build cannot read JPEG; install libjpeg (Debian: libjpeg-dev), run cmake and build again");
}

#endif
