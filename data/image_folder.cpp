#include "data/image_folder.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/host_memory.h"
#include "core/parallel_for.h"
#include "data/image_file.h"
#include "data/image_listing.h"
#include "data/origin.h"
#include "data/pixel_cache.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {
namespace {

namespace fs = std::filesystem;

/// A part of the data set: image files and their destination.
struct Part {
  ImageDataset& to;
  const std::vector<ListedImage>& from;
};

/// Source and destination of one image.
struct Place {
  const fs::path* path;
  std::uint8_t* pixels;
};

/// Adds the places of a part's images, contiguous from `pixels`.
void add_places(const Part& part, std::uint8_t* pixels, std::size_t image_bytes, std::vector<Place>& places) {
  for (const ListedImage& listed : part.from) {
    places.push_back({&listed.path, pixels});
    pixels += image_bytes;
  }
}

/// Decodes images into (H, W, `channels`). Returns true if all are grey.
bool decode(const fs::path& folder, const std::vector<Place>& places, const ImageFolderOptions& options,
            std::int64_t channels, Problems& problems) {
  std::atomic<bool> coloured = false;
  std::mutex progress_mutex;
  std::int64_t done = 0;
  std::vector<std::string> refused(places.size());
  const auto read = [&](const Place& place) {
    std::error_code error;
    require(fs::is_regular_file(*place.path, error), place.path->string(), ": is not a readable file",
            error ? ": " + error.message() : "");
    DecodedImage one = load_image(*place.path, options.channels, options.size.h, options.size.w, options.image);
    if (one.shape[0] == 3) coloured = true;
    one = with_channels(std::move(one), channels);
    std::copy(one.pixels.begin(), one.pixels.end(), place.pixels);
  };
  parallel_for(places.size(), options.threads, [&](std::size_t index) {
    try {
      read(places[index]);
    } catch (const Error& error) {
      refused[index] = error.what();
    }
    if (!options.progress) return;
    const std::lock_guard lock(progress_mutex);
    options.progress(++done, static_cast<std::int64_t>(places.size()));
  });
  for (std::string& text : refused) {
    if (!text.empty()) problems.add(std::move(text));
  }
  problems.report(folder);
  return !coloured;
}

/// Fills the pixels and image shapes of all parts, in memory.
void load_pixels(const fs::path& folder, const std::vector<Part>& parts, const ImageFolderOptions& options,
                 Problems& problems) {
  const std::int64_t height = options.size.h, width = options.size.w;
  // Without a requested number of channels, decode as RGB and drop channels if all images are grey.
  const Shape image = {options.channels == 0 ? 3 : options.channels, height, width};
  std::size_t count = 0;
  for (const Part& part : parts) count += part.from.size();
  std::int64_t needed = 0;
  const bool fits = !__builtin_mul_overflow(static_cast<std::int64_t>(count), image.elements(), &needed);
  const std::size_t available = available_host_memory();
  require(fits && (available == 0 || static_cast<std::size_t>(needed) < available), folder.string(), ": ", count,
          " images of ", height, 'x', width, " in ", image[0], " channels do not fit in the free memory, ",
          available >> 20, " MiB; use a smaller ", Field{"ImageFolderOptions::size"}, ", or ", Field{"cache"});
  const auto bytes = static_cast<std::size_t>(image.elements());
  std::vector<Place> places;
  for (const Part& part : parts) {
    part.to.pixels.resize(part.from.size() * bytes);
    add_places(part, part.to.pixels.data(), bytes, places);
  }
  const bool grey = decode(folder, places, options, image[0], problems) && options.channels == 0;
  for (const Part& part : parts) {
    part.to.image = grey ? Shape{1, height, width} : image;
    if (!grey) continue;
    const std::size_t kept = part.to.pixels.size() / 3;
    for (std::size_t i = 0; i < kept; ++i) part.to.pixels[i] = part.to.pixels[3 * i];
    part.to.pixels.resize(kept);
    part.to.pixels.shrink_to_fit();
  }
}

/// Key of everything that cached pixels depend on.
std::string cache_key(const std::vector<Part>& parts, const ImageFolderOptions& options) {
  const ImageOptions& image = options.image;
  std::string key = concat(Shape{options.size.h, options.size.w}, ' ', options.channels, ' ', to_string(image.resize),
                           ' ', image.exif_orientation);
  for (const std::uint8_t value : image.background) key += concat(' ', int{value});
  for (const Part& part : parts) {
    for (const ListedImage& listed : part.from) {
      std::error_code error;
      const auto bytes = fs::file_size(listed.path, error);
      const auto changed = fs::last_write_time(listed.path, error).time_since_epoch().count();
      key += concat('\n', fs::absolute(listed.path).string(), '\t', bytes, '\t', changed);
    }
  }
  return key;
}

/// Like load_pixels, but maps a cache file, which is created if missing.
void map_pixels(const fs::path& folder, const std::vector<Part>& parts, const ImageFolderOptions& options,
                Problems& problems) {
  const std::int64_t height = options.size.h, width = options.size.w;
  std::int64_t count = 0;
  for (const Part& part : parts) count += std::ssize(part.from);
  PixelCache cache(options.cache, cache_key(parts, options));
  problems.report(folder);
  CachedPixels found = cache.find(count, height, width);
  if (found.file == nullptr) {
    // Written as RGB: whether all images are grey is known only after the last one.
    const auto bytes = static_cast<std::size_t>(3 * height * width);
    std::uint8_t* pixels = cache.reserve(count, height, width).data();
    std::vector<Place> places;
    for (const Part& part : parts) {
      add_places(part, pixels, bytes, places);
      pixels += part.from.size() * bytes;
    }
    const bool grey = decode(folder, places, options, 3, problems);
    cache.commit(grey && options.channels != 3);
    found = cache.find(count, height, width);
    require(found.file != nullptr, options.cache.string(), ": the cache that was just written cannot be read");
  }
  std::size_t begin = 0;
  const auto bytes = static_cast<std::size_t>(found.channels * height * width);
  for (const Part& part : parts) {
    part.to.image = {found.channels, height, width};
    part.to.cached = found;
    part.to.cached.pixels = found.pixels.subspan(begin, part.from.size() * bytes);
    begin += part.from.size() * bytes;
  }
}

}  // namespace

ImageFolderParts image_folder_parts(const std::vector<fs::path>& folders, const ImageFolderOptions& options) {
  ImageFolderParts parts;
  for (const fs::path& folder : folders) {
    if (!options.labels.empty()) break;
    const PartFolders found = part_folders(folder);
    parts.train |= !found.train.empty();
    parts.validation |= !found.validation.empty();
    parts.test |= !found.test.empty();
  }
  if (options.labels.empty()) return parts;
  Problems ignored;
  const ImageListing listing = list_image_folder(folders, {.labels = options.labels}, {}, ignored);
  return {!listing.train.empty(), !listing.validation.empty(), !listing.test.empty()};
}

std::vector<fs::path> unused_folders(const std::vector<fs::path>& folders, const ImageFolderOptions& options) {
  std::vector<fs::path> unused;
  std::error_code error;
  for (const fs::path& folder : folders) {
    if (!options.labels.empty()) break;
    const PartFolders found = part_folders(folder);
    if (!found.any()) continue;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const fs::path& path = entry.path();
      const bool part = path == found.train || path == found.test || path == found.validation;
      if (!part && entry.is_directory(error) && !is_left_by_systems(path.filename().string())) unused.push_back(path);
    }
  }
  std::sort(unused.begin(), unused.end());
  return unused;
}

ImageFolderSummary summarize_image_folder(const std::vector<fs::path>& folders, const ImageFolderOptions& options,
                                          const Selection& selection) {
  Problems ignored;  // load_image_folder reports them
  const ImageListing listing = list_image_folder(folders, options, selection, ignored);
  const std::vector<ListedImage>& images = listing.train;
  ImageFolderSummary summary = {.classes = std::ssize(listing.class_names), .train_images = std::ssize(images)};
  const std::size_t seen = std::min<std::size_t>(15, images.size());
  std::vector<std::int64_t> sides;
  for (std::size_t i = 0; i < seen; ++i) {
    try {
      const Shape shape = stored_shape(images[i * images.size() / seen].path);
      sides.push_back(std::min(shape[1], shape[2]));
    } catch (const Error&) {  // load_image_folder reports it
    }
  }
  if (sides.empty()) return summary;
  std::nth_element(sides.begin(), sides.begin() + std::ssize(sides) / 2, sides.end());
  summary.side = sides[sides.size() / 2];
  return summary;
}

void check(const ImageFolderOptions& o) {
  constexpr const char* kSize = "ImageFolderOptions::size";
  require(o.size != Extent2d(0), Field{kSize}, ": images are resized; give a size, such as 96 or 96x64");
  for (const std::int64_t side : {o.size.h, o.size.w}) {
    require(side >= 1 && side <= 1'000'000, Setting{kSize, concat(o.size.h, 'x', o.size.w)}, ": must be 1 to 1000000");
  }
  const auto resize = static_cast<std::size_t>(o.image.resize);
  require(resize < std::size(kResizeNames), Setting{"resize", resize}, ": is not a Resize");
  require(o.channels == 0 || o.channels == 1 || o.channels == 3, Setting{"channels", o.channels},
          ": use 1 (grey), 3 (RGB) or 0 (as in the files)");
  require(o.test_fraction >= 0.0 && o.test_fraction < 1.0, Setting{"test_fraction", o.test_fraction},
          ": must be 0 or more and below 1");
  require(o.threads >= 0, Setting{"ImageFolderOptions::threads", o.threads}, ": must be 0 or more");
}

Dataset load_image_folder(const std::vector<fs::path>& folders, const ImageFolderOptions& options,
                          const Selection& selection) {
  require(!folders.empty(), "no image folder was given");
  const fs::path& path = folders[0];
  check(options);
  Problems problems;
  const ImageListing listing = list_image_folder(folders, options, selection, problems);
  Dataset dataset{.name = "folder", .train = {}, .test = {}};
  const std::vector<Part> parts = {
      {dataset.train, listing.train}, {dataset.validation, listing.validation}, {dataset.test, listing.test}};
  for (const Part& part : parts) part.to.class_names = listing.class_names;
  (options.cache.empty() ? load_pixels : map_pixels)(path, parts, options, problems);
  for (const Part& part : parts) {
    for (const ListedImage& listed : part.from) {
      part.to.labels.push_back(listed.label);
      part.to.files.push_back(listed.path.string());
    }
  }
  record_origin(dataset, folders, options, selection);
  return dataset;
}

}  // namespace minception
