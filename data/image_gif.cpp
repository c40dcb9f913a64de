/// GIF by giflib: the first frame. Canvas pixels outside the frame are transparent.

#include "data/image_formats.h"

#ifdef MINCEPTION_HAVE_GIF

#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace minception {
namespace {

/// Unread rest of a file in memory.
struct Input {
  const std::uint8_t* bytes;
  std::size_t left;
};

int read_bytes(GifFileType* gif, GifByteType* destination, int count) {
  auto* input = static_cast<Input*>(gif->UserData);
  const std::size_t got = std::min(static_cast<std::size_t>(count), input->left);
  std::memcpy(destination, input->bytes, got);
  input->bytes += got;
  input->left -= got;
  return static_cast<int>(got);
}

class GifReader {
 public:
  GifReader(std::span<const std::uint8_t> file, const std::string& name)
      : file_(file), name_(name), input_{file.data(), file.size()} {
    int error = 0;
    gif_.reset(DGifOpen(&input_, read_bytes, &error));
    require(gif_ != nullptr, name_, ": the GIF data are damaged (", text_of(error), ")", kImageRemedy);
  }

  DecodedImage read(const ImageOptions& options) {
    int transparent = NO_TRANSPARENT_COLOR;
    for (;;) {
      GifRecordType type;
      check(DGifGetRecordType(gif_.get(), &type));
      require(type != TERMINATE_RECORD_TYPE, name_, ": the GIF file contains no image", kImageRemedy);
      if (type == IMAGE_DESC_RECORD_TYPE) return read_frame(transparent, options);
      if (type != EXTENSION_RECORD_TYPE) continue;
      int code = 0;
      GifByteType* block = nullptr;  // the first byte is the length
      check(DGifGetExtension(gif_.get(), &code, &block));
      if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr) {
        GraphicsControlBlock control;
        if (DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) transparent = control.TransparentColor;
      }
      while (block != nullptr) check(DGifGetExtensionNext(gif_.get(), &block));
    }
  }

 private:
  DecodedImage read_frame(int transparent, const ImageOptions& options) {
    check(DGifGetImageDesc(gif_.get()));
    const GifImageDesc& frame = gif_->Image;
    const std::int64_t width = std::max(gif_->SWidth, frame.Left + frame.Width);
    const std::int64_t height = std::max(gif_->SHeight, frame.Top + frame.Height);
    check_extents(name_, height, width);
    // An LZW code has at least nine bits and encodes at most 4,096 pixels.
    require(width * height / 4096 <= static_cast<std::int64_t>(file_.size()), name_, ": ", file_.size(),
            " bytes cannot hold an image of ", width, 'x', height, ": the file is truncated", kImageRemedy);
    const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : gif_->SColorMap;
    require(colours != nullptr, name_, ": the GIF file has no palette", kImageRemedy);
    std::vector<std::uint8_t> rgba(static_cast<std::size_t>(width * height) * 4);
    std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
    // Interlaced rows: four passes, each filling the rows halfway between the earlier ones.
    struct Pass {
      int first, step;
    };
    static constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, kPlain[] = {{0, 1}};
    for (const Pass& pass : frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain)) {
      for (int y = pass.first; y < frame.Height; y += pass.step) {
        check(DGifGetLine(gif_.get(), line.data(), frame.Width));
        std::uint8_t* pixel = rgba.data() + ((frame.Top + y) * width + frame.Left) * 4;
        for (const GifPixelType index : line) {
          require(index < colours->ColorCount, name_, ": a pixel has colour ", int{index},
                  ", which is not in the palette", kImageRemedy);
          const GifColorType& colour = colours->Colors[index];
          const std::uint8_t opacity = index == transparent ? 0 : 255;
          for (const std::uint8_t value : {colour.Red, colour.Green, colour.Blue, opacity}) *pixel++ = value;
        }
      }
    }
    return over_background(name_, Shape{3, height, width}, rgba, options);
  }

  void check(int status) const {
    require(status == GIF_OK, name_, ": the GIF data are damaged (", text_of(gif_->Error), ")", kImageRemedy);
  }

  static const char* text_of(int error) {
    const char* text = GifErrorString(error);
    return text != nullptr ? text : "unknown error";
  }

  struct Close {
    void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
  };

  std::span<const std::uint8_t> file_;
  const std::string& name_;
  Input input_;
  std::unique_ptr<GifFileType, Close> gif_;
};

}  // namespace

bool has_gif() { return true; }

DecodedImage decode_gif(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  return GifReader(file, name).read(how.options);
}

}  // namespace minception

#else

namespace minception {

bool has_gif() { return false; }

DecodedImage decode_gif(std::span<const std::uint8_t>, const std::string& name, const Decoding&) {
  fail(name, ": this build cannot read GIF; install giflib (Debian: libgif-dev), run cmake and build again");
}

}  // namespace minception

#endif
