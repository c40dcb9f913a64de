/// JPEG by libjpeg (libjpeg-turbo), without output to stderr. Warnings about missing or damaged data are errors here:
/// libjpeg fills missing data with grey, which would enter training unnoticed.

#include "data/image_formats.h"

#ifdef MINCEPTION_HAVE_JPEG

#include <cstdio>  // required by jpeglib.h

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace minception {
namespace {

/// Handlers receive `manager` from libjpeg and cast it to JpegError: it must be the first member.
struct JpegError {
  jpeg_error_mgr manager;
  LibraryError error;
  bool unsupported = false;
};

/// Errors for intact files of a JPEG variant that libjpeg does not support.
bool is_unsupported(int code) {
  return code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION || code == JERR_ARITH_NOTIMPL ||
         code == JERR_CCIR601_NOTIMPL || code == JERR_CONVERSION_NOTIMPL || code == JERR_FRACT_SAMPLE_NOTIMPL;
}

/// Warnings about files that all viewers display: bytes between segments, an unknown revision of JFIF or of Adobe's
/// marker, scan parameters of progressive files in a sequential one, an unreadable colour profile.
bool is_harmless(int code) {
  return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
         code == JWRN_NOT_SEQUENTIAL || code == JWRN_BOGUS_ICC;
}

[[noreturn]] void leave(j_common_ptr info) {
  auto* handler = reinterpret_cast<JpegError*>(info->err);
  handler->unsupported = is_unsupported(info->err->msg_code);
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  std::snprintf(handler->error.text, sizeof handler->error.text, "%s", text);
  std::longjmp(handler->error.place, 1);
}

void take_message(j_common_ptr info, int level) {
  // Warnings have negative levels, trace messages levels from 0.
  if (level < 0 && !is_harmless(info->err->msg_code)) leave(info);
}

/// A file of many empty scans can take hours to decode. Encoders write about ten scans.
void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= 500) return;
  auto* handler = reinterpret_cast<JpegError*>(info->err);
  std::snprintf(handler->error.text, sizeof handler->error.text, "more than 500 scans");
  std::longjmp(handler->error.place, 1);
}

class JpegReader {
 public:
  JpegReader(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how)
      : file_(file), name_(name), how_(how) {
    info_.err = jpeg_std_error(&error_.manager);
    error_.manager.error_exit = leave;
    error_.manager.emit_message = take_message;
    progress_.progress_monitor = count_scans;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  DecodedImage read() {
    stage([this] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, file_.data(), static_cast<unsigned long>(file_.size()));
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&info_, TRUE);
    });
    const std::int64_t width = info_.image_width, height = info_.image_height;
    const int colours = info_.num_components;
    require(colours == 1 || colours == 3 || colours == 4, name_, ": the JPEG data have ", colours,
            " components; only 1 (grey), 3 (colour) and 4 (CMYK) are supported; convert it");
    // A block of 8x8 pixels takes at least one bit, and subsampling keeps at least half of the blocks: at most 1024
    // pixels per byte. Files that claim four times as many are rejected before memory is allocated.
    require(width > kMostPixels / height || width * height / 4096 <= static_cast<std::int64_t>(file_.size()), name_,
            ": ", file_.size(), " bytes cannot hold an image of ", width, 'x', height, ": the file is truncated",
            kImageRemedy);
    if (how_.shape_only) return {Shape{colours == 1 ? 1 : 3, height, width}, {}};
    const int orientation = how_.options.exif_orientation ? this->orientation() : 1;
    const bool transposed = orientation >= 5;
    info_.scale_denom =
        static_cast<unsigned>(reduction_for(transposed ? width : height, transposed ? height : width, how_));
    stage([this] { jpeg_calc_output_dimensions(&info_); });
    check_extents(name_, height, width);
    const std::int64_t row_pixels = info_.output_width;
    DecodedImage image = blank_image(name_, colours == 1 ? 1 : 3, info_.output_height, row_pixels);
    info_.out_color_space = colours == 1 ? JCS_GRAYSCALE : colours == 3 ? JCS_RGB : JCS_CMYK;
    std::vector<std::uint8_t> cmyk(colours == 4 ? static_cast<std::size_t>(4 * row_pixels) : 0);
    stage([this] { jpeg_start_decompress(&info_); });
    const auto row_bytes = static_cast<std::size_t>(image.shape[0] * row_pixels);
    for (std::uint8_t* row = image.pixels.data(); info_.output_scanline < info_.output_height; row += row_bytes) {
      JSAMPROW destination = cmyk.empty() ? row : cmyk.data();
      stage([this, &destination] { jpeg_read_scanlines(&info_, &destination, 1); });
      if (!cmyk.empty()) to_rgb(cmyk, row);
    }
    stage([this] { jpeg_finish_decompress(&info_); });
    return upright(std::move(image), orientation);
  }

 private:
  template <class Calls>
  void stage(const Calls& calls) {
    if (!guarded(error_.error, calls)) {
      require(!error_.unsupported, name_, ": this kind of JPEG is not supported (", error_.error.text,
              "); convert it to PNG or to baseline JPEG");
      fail(name_, ": the JPEG data are damaged (", error_.error.text, ")", kImageRemedy);
    }
  }

  int orientation() const {
    constexpr std::string_view kName("Exif\0\0", 6);
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const std::span<const std::uint8_t> data(marker->data, marker->data_length);
      if (marker->marker == JPEG_APP0 + 1 && data.size() > kName.size() &&
          std::equal(kName.begin(), kName.end(), data.begin())) {
        return exif_orientation(data.subspan(kName.size()));
      }
    }
    return 1;
  }

  /// Adobe's CMYK: 255 means no ink. Files without Adobe's marker are read the same way, as by other decoders.
  static void to_rgb(const std::vector<std::uint8_t>& cmyk, std::uint8_t* rgb) {
    for (std::size_t at = 0; at < cmyk.size(); at += 4) {
      for (std::size_t c = 0; c < 3; ++c) *rgb++ = static_cast<std::uint8_t>((cmyk[at + c] * cmyk[at + 3] + 127) / 255);
    }
  }

  std::span<const std::uint8_t> file_;
  const std::string& name_;
  const Decoding& how_;
  JpegError error_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
};

}  // namespace

bool has_jpeg() { return true; }

DecodedImage decode_jpeg(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  return JpegReader(file, name, how).read();
}

}  // namespace minception

#else

namespace minception {

bool has_jpeg() { return false; }

DecodedImage decode_jpeg(std::span<const std::uint8_t>, const std::string& name, const Decoding&) {
  fail(name, ": this build cannot read JPEG; install libjpeg (Debian: libjpeg-dev), run cmake and build again");
}

}  // namespace minception

#endif
