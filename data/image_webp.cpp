/// WebP by libwebp; the first frame of an animation.

#include "data/image_formats.h"

#ifdef MINCEPTION_HAVE_WEBP

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <string_view>
#include <utility>

namespace minception {
namespace {

int orientation_of(WebPDemuxer* demuxer) {
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) == 0) return 1;
  std::span<const std::uint8_t> exif(chunk.chunk.bytes, chunk.chunk.size);
  constexpr std::string_view kName("Exif\0\0", 6);  // prefix used in JPEG; some programs write it to WebP, too
  if (exif.size() > kName.size() && std::string_view(reinterpret_cast<const char*>(exif.data()), 6) == kName) {
    exif = exif.subspan(kName.size());
  }
  const int orientation = exif_orientation(exif);
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

}  // namespace

bool has_webp() { return true; }

DecodedImage decode_webp(std::span<const std::uint8_t> file, const std::string& name, const Decoding& how) {
  const WebPData data = {file.data(), file.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer(WebPDemux(&data), WebPDemuxDelete);
  require(demuxer != nullptr, name, ": the WebP data are damaged, or the file is truncated", kImageRemedy);
  WebPIterator frame;
  require(WebPDemuxGetFrame(demuxer.get(), 1, &frame) != 0, name, ": the WebP file contains no image", kImageRemedy);
  const std::unique_ptr<WebPIterator, decltype(&WebPDemuxReleaseIterator)> release(&frame, WebPDemuxReleaseIterator);
  WebPBitstreamFeatures features;
  const std::span<const std::uint8_t> bytes(frame.fragment.bytes, frame.fragment.size);
  require(WebPGetFeatures(bytes.data(), bytes.size(), &features) == VP8_STATUS_OK, name, ": the WebP data are damaged",
          kImageRemedy);
  DecodedImage image = blank_image(name, 3, features.height, features.width);
  const auto decode = [&](auto* function, std::vector<std::uint8_t>& pixels, int channels) {
    require(function(bytes.data(), bytes.size(), pixels.data(), pixels.size(), channels * features.width) != nullptr,
            name, ": the WebP data are damaged", kImageRemedy);
  };
  if (features.has_alpha != 0) {
    std::vector<std::uint8_t> rgba(image.pixels.size() / 3 * 4);
    decode(WebPDecodeRGBAInto, rgba, 4);
    image = over_background(name, image.shape, rgba, how.options);
  } else {
    decode(WebPDecodeRGBInto, image.pixels, 3);
  }
  return upright(std::move(image), how.options.exif_orientation ? orientation_of(demuxer.get()) : 1);
}

}  // namespace minception

#else

namespace minception {

bool has_webp() { return false; }

DecodedImage decode_webp(std::span<const std::uint8_t>, const std::string& name, const Decoding&) {
  fail(name, ": this build cannot read WebP; install libwebp (Debian: libwebp-dev), run cmake and build again");
}

}  // namespace minception

#endif
