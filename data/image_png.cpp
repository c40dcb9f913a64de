/// PNG by libpng, without output to stderr: libpng's warnings concern parts of a file that do not affect pixels and are
/// ignored; its errors are thrown as Error.

#include "data/image_formats.h"

#ifdef MINCEPTION_HAVE_PNG

#include <png.h>

#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace minception {
namespace {

[[noreturn]] void leave(png_structp png, png_const_charp text) {
  auto* error = static_cast<LibraryError*>(png_get_error_ptr(png));
  std::snprintf(error->text, sizeof error->text, "%s", text);
  std::longjmp(error->place, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

/// Disables libpng's limit on the extents; check_extents has the better message.
constexpr png_uint_32 kNoLimit = 0x7fffffff;

constexpr const char* kNoStart =
    "memory ran out, or the library is older than the " PNG_LIBPNG_VER_STRING " of its header";

/// Unread rest of a file in memory.
struct Input {
  const std::uint8_t* bytes;
  std::size_t left;
};

void read_bytes(png_structp png, png_bytep destination, std::size_t count) {
  auto* input = static_cast<Input*>(png_get_io_ptr(png));
  if (count > input->left) png_error(png, "the file is truncated");
  std::memcpy(destination, input->bytes, count);
  input->bytes += count;
  input->left -= count;
}

class PngReader {
 public:
  PngReader(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how)
      : file_(file), name_(name), how_(how), input_{file.data(), file.size()} {
    guarded(error_, [this] {
      png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &error_, leave, ignore_warning);
      if (png_ != nullptr) info_ = png_create_info_struct(png_);
    });
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail(name_, ": libpng cannot start: ", kNoStart);
    }
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  DecodedImage read() {
    stage([this] {
      png_set_read_fn(png_, &input_, read_bytes);
      png_set_user_limits(png_, kNoLimit, kNoLimit);
      png_read_info(png_, info_);
    });
    const std::int64_t width = png_get_image_width(png_, info_);
    const std::int64_t height = png_get_image_height(png_, info_);
    // Deflate compresses at most 1032 to 1 (zlib's documentation): a file that claims more is truncated.
    const std::uint64_t claimed = png_get_rowbytes(png_, info_) * static_cast<std::uint64_t>(height);
    require(width > kMostPixels / height || claimed / 1032 <= file_.size(), name_, ": ", file_.size(),
            " bytes cannot hold an image of ", width, 'x', height, ": the file is truncated", kImageRemedy);
    const bool colour = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) != 0;
    if (how_.shape_only) return {Shape{colour ? 3 : 1, height, width}, {}};
    DecodedImage image = blank_image(name_, colour ? 3 : 1, height, width);
    stage([this] {
      png_set_expand(png_);    // palettes to RGB, 1, 2 and 4 bits to 8, transparent colours to alpha
      png_set_scale_16(png_);  // 16 bits to 8, rounded
      png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
    });
    const bool alpha = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0;
    const std::size_t row_bytes = png_get_rowbytes(png_, info_);
    std::vector<std::uint8_t> decoded(alpha ? row_bytes * static_cast<std::size_t>(height) : 0);
    std::uint8_t* const first = alpha ? decoded.data() : image.pixels.data();
    std::vector<png_bytep> rows(static_cast<std::size_t>(height));
    for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = first + y * row_bytes;
    stage([this, &rows] {
      png_read_image(png_, rows.data());
      png_read_end(png_, info_);
    });
    if (alpha) image = over_background(name_, image.shape, decoded, how_.options);
    return upright(std::move(image), how_.options.exif_orientation ? orientation() : 1);
  }

 private:
  template <class Calls>
  void stage(const Calls& calls) {
    if (!guarded(error_, calls)) fail(name_, ": the PNG data are damaged (", error_.text, ")", kImageRemedy);
  }

  int orientation() {
    png_bytep exif = nullptr;
    png_uint_32 count = 0;
    if (png_get_eXIf_1(png_, info_, &count, &exif) == 0) return 1;
    return exif_orientation({exif, count});
  }

  std::span<const std::uint8_t> file_;
  const std::string& name_;
  const Decoding& how_;
  Input input_;
  LibraryError error_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/// Exceptions must not propagate through libpng: bad_alloc becomes a libpng error.
void append_bytes(png_structp png, png_bytep bytes, std::size_t count) {
  auto* output = static_cast<std::vector<std::uint8_t>*>(png_get_io_ptr(png));
  bool fits = true;
  try {
    output->insert(output->end(), bytes, bytes + count);
  } catch (const std::bad_alloc&) {
    fits = false;
  }
  if (!fits) png_error(png, "out of memory");
}

void flush_nothing(png_structp) {}

class PngWriter {
 public:
  PngWriter() {
    guarded(error_, [this] {
      png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &error_, leave, ignore_warning);
      if (png_ != nullptr) info_ = png_create_info_struct(png_);
    });
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      fail("libpng cannot start: ", kNoStart);
    }
  }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }

  std::vector<std::uint8_t> encode(const Shape& shape, std::span<const std::uint8_t> pixels) {
    std::vector<std::uint8_t> file;
    const auto height = static_cast<png_uint_32>(shape[1]), width = static_cast<png_uint_32>(shape[2]);
    const int colour = shape[0] == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
    const std::size_t row_bytes = pixels.size() / height;
    const bool written = guarded(error_, [&, this] {
      png_set_write_fn(png_, &file, append_bytes, flush_nothing);
      png_set_user_limits(png_, kNoLimit, kNoLimit);
      png_set_IHDR(png_, info_, width, height, 8, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                   PNG_FILTER_TYPE_DEFAULT);
      png_write_info(png_, info_);
      for (png_uint_32 y = 0; y < height; ++y) png_write_row(png_, pixels.data() + y * row_bytes);
      png_write_end(png_, info_);
    });
    require(written, "an image of ", shape, " cannot be written as PNG: ", error_.text);
    return file;
  }

 private:
  LibraryError error_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

bool has_png() { return true; }

DecodedImage decode_png(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  return PngReader(file, name, how).read();
}

std::vector<std::uint8_t> encode_png(const Shape& shape, std::span<const std::uint8_t> pixels) {
  require(shape.rank() == 3 && (shape[0] == 1 || shape[0] == 3), "an image of shape ", shape,
          " cannot be written as PNG: (C, H, W) with C 1 or 3 is needed");
  require(shape[1] >= 1 && shape[2] >= 1 && shape[1] <= kMostPixels / shape[2], "an image of ", shape,
          " cannot be written as PNG: it must have 1 to ", kMostPixels, " pixels");
  require(pixels.size() == static_cast<std::size_t>(shape.elements()), "an image of ", shape, " has ", shape.elements(),
          " bytes, not ", pixels.size());
  return PngWriter().encode(shape, pixels);
}

}  // namespace minception

#else

namespace minception {

bool has_png() { return false; }

DecodedImage decode_png(std::span<const std::uint8_t>, const std::string& name, const Decoding&) {
  fail(name, ": this build cannot read PNG; install libpng (Debian: libpng-dev), run cmake and build again");
}

std::vector<std::uint8_t> encode_png(const Shape&, std::span<const std::uint8_t>) {
  fail("this build cannot write PNG; install libpng (Debian: libpng-dev), run cmake and build again");
}

}  // namespace minception

#endif
