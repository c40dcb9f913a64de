#include "data/image_dataset.h"

#include <zlib.h>

namespace minception {

std::uint32_t checksum(const ImageDataset& dataset) {
  uLong crc = crc32_z(0, nullptr, 0);
  const auto add = [&](const void* data, std::size_t bytes) {
    crc = crc32_z(crc, static_cast<const Bytef*>(data), bytes);
  };
  for (int axis = 0; axis < dataset.image.rank(); ++axis) {
    const std::int64_t extent = dataset.image[axis];
    add(&extent, sizeof extent);
  }
  add(dataset.labels.data(), dataset.labels.size() * sizeof dataset.labels[0]);
  add(dataset.all_pixels().data(), dataset.all_pixels().size());
  return static_cast<std::uint32_t>(crc);
}

}  // namespace minception
