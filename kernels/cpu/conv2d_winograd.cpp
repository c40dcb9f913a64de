/// 3x3 convolutions of stride 1 by Winograd's minimal filtering: F(4x4, 3x3) of Lavin and Gray, "Fast Algorithms for
/// Convolutional Neural Networks" (CVPR 2016). A tile of 4x4 outputs is computed from 6x6 pixels with 36
/// multiplications per pair of channels; direct convolution needs 144:
///     y = A^T [ (G w G^T) * (B^T x B) ] A        * elementwise, then summed over input channels
/// Each of the 36 elements of a transformed tile is one matrix product, (tiles, I) x (I, O). The gradient of x is the
/// same convolution of dy with the filter rotated by 180 degrees. The gradient of w is the transpose:
///     dw = G^T [ (A dy A^T) * (B^T x B) ] G      summed over tiles: 36 products (O, tiles) x (tiles, I)
/// Transforms and products are f32 even for bf16 images, because transforms subtract numbers of similar size. A quarter
/// of the multiplications in f32 is faster than all of them in bf16.
///
/// Rounding errors are about five times those of direct sums (64 channels: 7e-7 and 1e-7) and differ within a tile.
/// Outputs of a uniform background, equal with direct sums, become only nearly equal, so a max pool that follows may
/// choose another one. A NaN or infinity turns all outputs of its tiles into NaN.
///
/// Images are read and written in place, slices included. A thread runs all steps on a block of tiles in its cache.

#include "kernels/cpu/conv2d_winograd.h"

#include "kernels/cpu/backend.h"
#include "kernels/cpu/conv2d_winograd_transforms.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/view.h"

#include <algorithm>

namespace minception {
namespace {

using namespace cpu;
using namespace cpu::winograd;

constexpr int kTile = kWinogradTile;
constexpr int kPixels = kTile + 2;  // input pixels of a tile along an axis
constexpr std::int64_t kPlaces = kPixels * kPixels;
constexpr std::int64_t kLanes = kWinogradLanes;
constexpr std::int64_t kBlockTiles = 64;         // per thread
constexpr std::int64_t kSharedBlockTiles = 256;  // for all threads together, in the weight gradient

// ---- tiles --------------------------------------------------------------------------------------------------------

/// The row of one tile in each of the 36 matrices of a block.
struct Places {
  float* first;
  std::int64_t stride;  ///< between matrices

  float* at(int i, int j) const { return first + (i * kPixels + j) * stride; }
};

/// The tiles of an output image.
struct Tiles {
  std::int64_t n, h, w, rows, columns;

  template <class T>
  explicit Tiles(const View<T>& out)
      : n(out.n), h(out.h), w(out.w), rows((h + kTile - 1) / kTile), columns((w + kTile - 1) / kTile) {}
  std::int64_t count() const { return n * rows * columns; }

  struct Position {
    std::int64_t image, row, column;  ///< of the first output of the tile
  };
  Position at(std::int64_t tile) const {
    return {tile / (rows * columns), tile / columns % rows * kTile, tile % columns * kTile};
  }
};

/// Transforms the kExtent x kExtent pixels from `origin` on. Pixels outside the image are read from `zeros`, one pixel.
template <class Transform, int kExtent, class T>
void transform_pixels(const View<const T>& image, const Tiles::Position& origin, const T* zeros, const Places& places) {
  const T* pixels[kExtent][kExtent];
  for (int i = 0; i < kExtent; ++i) {
    for (int j = 0; j < kExtent; ++j) {
      const std::int64_t h = origin.row + i, w = origin.column + j;
      const bool inside = h >= 0 && h < image.h && w >= 0 && w < image.w;
      pixels[i][j] = inside ? image.pixel(origin.image, h, w) : zeros;
    }
  }
  for (std::int64_t c = 0; c < image.c; c += kLanes) {
    Lanes from[kExtent][kExtent], to[kPixels][kPixels];
    for (int i = 0; i < kExtent; ++i) {
      for (int j = 0; j < kExtent; ++j) load(pixels[i][j] + c, from[i][j]);
    }
    transform<Transform>(from, to);
    for (int i = 0; i < kPixels; ++i) {
      for (int j = 0; j < kPixels; ++j) store(to[i][j], places.at(i, j) + c);
    }
  }
}

/// Transforms the sums of a tile into its 4x4 outputs, stored as 16 consecutive dense pixels.
void transform_sums(const Places& places, std::int64_t channels, float* outputs) {
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    Lanes from[kPixels][kPixels], to[kTile][kTile];
    for (int i = 0; i < kPixels; ++i) {
      for (int j = 0; j < kPixels; ++j) load(places.at(i, j) + c, from[i][j]);
    }
    transform<OutputTransform>(from, to);
    for (int i = 0; i < kTile; ++i) {
      for (int j = 0; j < kTile; ++j) store(to[i][j], outputs + (i * kTile + j) * channels + c);
    }
  }
}

/// Transforms filters (O, 3, 3, I) into 36 matrices (O, I); rotates them by 180 degrees if `turned`.
void transform_filter(int threads, const Tensor& w, bool turned, float* transformed) {
  const std::int64_t outputs = w.shape[0], inputs = w.shape[1];
  const float* const filters = values(w);
  parallel(threads, outputs, w.elements(), [&](std::int64_t o, std::int64_t end, int) {
    for (; o < end; ++o) {
      for (std::int64_t c = 0; c < inputs; c += kLanes) {
        Lanes from[3][3], to[kPixels][kPixels];
        for (int i = 0; i < 9; ++i) {
          load(filters + (o * 9 + (turned ? 8 - i : i)) * inputs + c, from[i / 3][i % 3]);
        }
        transform<FilterTransform>(from, to);
        const Places places{transformed + o * inputs, outputs * inputs};
        for (int i = 0; i < kPixels; ++i) {
          for (int j = 0; j < kPixels; ++j) store(to[i][j], places.at(i, j) + c);
        }
      }
    }
  });
}

/// One pixel of zeros; nullptr while planning.
template <class T>
const T* zero_pixel(std::int64_t channels, Scratch& scratch) {
  T* const zeros = scratch.take<T>(channels);
  if (zeros != nullptr) std::fill_n(zeros, channels, T(0.0f));
  return zeros;
}

/// Division of the tiles of an image into blocks, and the memory of each thread.
struct Blocks {
  std::int64_t tiles, count, largest;  ///< all tiles; number of blocks; tiles in the largest block
  std::int64_t floats;                 ///< per thread
  float* data;

  Blocks(int threads, const Tiles& image, std::int64_t in, std::int64_t out, Scratch& scratch)
      : tiles(image.count()),
        count(threads * ((tiles + threads * kBlockTiles - 1) / (threads * kBlockTiles))),
        largest((tiles + count - 1) / count),
        floats(kPlaces * largest * (in + out) + kTile * kTile * out),
        data(scratch.take<float>(threads * floats)) {}
};

/// out = x convolved with a transformed filter: 36 matrices (O, I), or their transposes. For each row of a tile,
/// calls finish_pixels(pixel, count, sums) with `count` dense pixels of sums for `out`, from `pixel` on.
template <class T, class U, class Finish>
void convolve(const OneDnn& onednn, int threads, const View<const T>& x, const View<U>& out, Extent2d padding,
              const float* filter, bool transposed, const T* zeros, const Blocks& blocks, Finish&& finish_pixels) {
  const Tiles tiles(out);
  parallel(threads, blocks.count, x.elements(), [&](std::int64_t block, std::int64_t end, int thread) {
    float* const transformed = blocks.data + thread * blocks.floats;
    float* const sums = transformed + kPlaces * blocks.largest * x.c;
    float* const outputs = sums + kPlaces * blocks.largest * out.c;
    for (; block < end; ++block) {
      const std::int64_t first = blocks.tiles * block / blocks.count;
      const std::int64_t count = blocks.tiles * (block + 1) / blocks.count - first;
      if (count == 0) continue;
      for (std::int64_t tile = 0; tile < count; ++tile) {
        Tiles::Position origin = tiles.at(first + tile);
        origin.row -= padding.h;
        origin.column -= padding.w;
        transform_pixels<PixelTransform, kPixels>(x, origin, zeros, {transformed + tile * x.c, count * x.c});
      }
      for (std::int64_t place = 0; place < kPlaces; ++place) {
        onednn.gemm(false, !transposed, count, out.c, x.c, transformed + place * count * x.c, x.c,
                    filter + place * out.c * x.c, transposed ? out.c : x.c, 0.0f, sums + place * count * out.c, out.c);
      }
      for (std::int64_t tile = 0; tile < count; ++tile) {
        transform_sums({sums + tile * out.c, count * out.c}, out.c, outputs);
        const Tiles::Position at = tiles.at(first + tile);
        const std::int64_t width = std::min<std::int64_t>(kTile, out.w - at.column);
        for (std::int64_t i = 0; i < std::min<std::int64_t>(kTile, out.h - at.row); ++i) {
          finish_pixels((at.image * out.h + at.row + i) * out.w + at.column, width, outputs + i * kTile * out.c);
        }
      }
    }
  });
}

}  // namespace

// ---- forward ------------------------------------------------------------------------------------------------------

void CpuBackend::winograd_forward(const Conv2dForward& op, Scratch scratch) {
  const std::int64_t filter_floats = kPlaces * op.w.shape[0] * op.w.shape[1];
  float* filter;
  if (op.prepacked.defined()) {
    require(op.prepacked.bytes() >= filter_floats * sizeof(float), "conv2d_forward: prepacked holds ",
            op.prepacked.bytes(), " bytes, ", filter_floats * sizeof(float), " are needed");
    filter = static_cast<float*>(op.prepacked.data);
  } else {
    filter = scratch.take<float>(filter_floats);
  }
  if (!op.prepacked.defined() || op.refresh_prepacked) transform_filter(threads_, op.w, false, filter);
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    const T* zeros = zero_pixel<T>(x.c, scratch);
    const Blocks blocks(threads_, Tiles(y), x.c, y.c, scratch);
    convolve(onednn_, threads_, x, y, op.attributes.padding, filter, false, zeros, blocks,
             [&](std::int64_t pixel, std::int64_t count, const float* sums) {
               finish(sums, y.c, y, pixel, count, values(op.bias), op.attributes.relu);
             });
  });
}

Requirements CpuBackend::winograd_needs(const Conv2dForward& op) const {
  const std::int64_t filter_floats = kPlaces * op.w.shape[0] * op.w.shape[1];
  Scratch scratch;
  if (!op.prepacked.defined()) scratch.take<float>(filter_floats);
  in_dtype_of(op.x, [&]<class T>(T) {
    zero_pixel<T>(op.x.c(), scratch);
    Blocks(threads_, Tiles(view<T>(op.y)), op.x.c(), op.y.c(), scratch);
  });
  return {scratch.taken(), filter_floats * sizeof(float)};
}

// ---- backward: data -----------------------------------------------------------------------------------------------

void CpuBackend::winograd_backward_data(const Conv2dBackwardData& op, Scratch scratch) {
  float* const filter = scratch.take<float>(kPlaces * op.w.shape[0] * op.w.shape[1]);
  transform_filter(threads_, op.w, true, filter);
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    const GradientStore<T> store(op.target);
    const T* zeros = zero_pixel<T>(dy.c, scratch);
    const Blocks blocks(threads_, Tiles(store.dx), dy.c, store.dx.c, scratch);
    const Extent2d padding = {2 - op.attributes.padding.h, 2 - op.attributes.padding.w};
    convolve(onednn_, threads_, dy, store.dx, padding, filter, true, zeros, blocks,
             [&](std::int64_t pixel, std::int64_t count, const float* sums) {
               for (std::int64_t i = 0; i < count; ++i, sums += store.dx.c) {
                 store.put(Run{pixel + i, 0, store.dx.c}, [sums](std::int64_t c) { return sums[c]; });
               }
             });
  });
}

Requirements CpuBackend::winograd_needs(const Conv2dBackwardData& op) const {
  Scratch scratch;
  scratch.take<float>(kPlaces * op.w.shape[0] * op.w.shape[1]);
  in_dtype_of(op.dy, [&]<class T>(T) {
    zero_pixel<T>(op.dy.c(), scratch);
    Blocks(threads_, Tiles(view<T>(op.target.dx)), op.dy.c(), op.target.dx.c(), scratch);
  });
  return {scratch.taken(), 0};
}

// ---- backward: weights --------------------------------------------------------------------------------------------

namespace {

/// Memory of the weight gradient: transformed tiles of both images, and 36 matrices of sums (O, I).
struct WeightSums {
  std::int64_t tiles;  ///< per pass
  float *x, *dy, *sums;

  WeightSums(const Tiles& image, std::int64_t in, std::int64_t out, Scratch& scratch)
      : tiles(std::min(image.count(), kSharedBlockTiles)),
        x(scratch.take<float>(kPlaces * tiles * in)),
        dy(scratch.take<float>(kPlaces * tiles * out)),
        sums(scratch.take<float>(kPlaces * in * out)) {}
};

}  // namespace

void CpuBackend::winograd_backward_weights(const Conv2dBackwardWeights& op, Scratch scratch) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = const_view<T>(op.x), dy = const_view<T>(op.dy);
    if (op.dbias.defined()) sum_pixels(dy, ColumnSums(threads_, dy.c, scratch), values(op.dbias), op.accumulate);
    const T* zeros = zero_pixel<T>(std::max(x.c, dy.c), scratch);
    const Tiles tiles(dy);
    const WeightSums block(tiles, x.c, dy.c, scratch);
    for (std::int64_t first = 0; first < tiles.count(); first += block.tiles) {
      const std::int64_t count = std::min(block.tiles, tiles.count() - first);
      parallel(threads_, count, count * kPlaces * x.c, [&](std::int64_t tile, std::int64_t end, int) {
        for (; tile < end; ++tile) {
          Tiles::Position at = tiles.at(first + tile);
          transform_pixels<OutputGradientTransform, kTile>(dy, at, zeros, {block.dy + tile * dy.c, count * dy.c});
          at.row -= op.attributes.padding.h;
          at.column -= op.attributes.padding.w;
          transform_pixels<PixelTransform, kPixels>(x, at, zeros, {block.x + tile * x.c, count * x.c});
        }
      });
      parallel(threads_, kPlaces, kPlaces * count * x.c, [&](std::int64_t place, std::int64_t end, int) {
        for (; place < end; ++place) {
          onednn_.gemm(true, false, dy.c, x.c, count, block.dy + place * count * dy.c, dy.c,
                       block.x + place * count * x.c, x.c, first > 0 ? 1.0f : 0.0f, block.sums + place * dy.c * x.c,
                       x.c);
        }
      });
    }
    float* const dw = values(op.dw);
    parallel(threads_, dy.c, kPlaces * dy.c * x.c, [&](std::int64_t o, std::int64_t end, int) {
      for (; o < end; ++o) {
        const Places places{block.sums + o * x.c, dy.c * x.c};
        for (std::int64_t c = 0; c < x.c; c += kLanes) {
          Lanes from[kPixels][kPixels], to[3][3];
          for (int i = 0; i < kPixels; ++i) {
            for (int j = 0; j < kPixels; ++j) load(places.at(i, j) + c, from[i][j]);
          }
          transform<FilterGradientTransform>(from, to);
          for (int i = 0; i < 9; ++i) {
            float* const out = dw + (o * 9 + i) * x.c + c;
            Lanes before = {};
            if (op.accumulate) load(out, before);
            store(before + to[i / 3][i % 3], out);
          }
        }
      }
    });
  });
}

Requirements CpuBackend::winograd_needs(const Conv2dBackwardWeights& op) const {
  Scratch scratch;
  in_dtype_of(op.x, [&]<class T>(T) {
    if (op.dbias.defined()) ColumnSums(threads_, op.dy.c(), scratch);
    zero_pixel<T>(std::max(op.x.c(), op.dy.c()), scratch);
    WeightSums(Tiles(view<T>(op.dy)), op.x.c(), op.dy.c(), scratch);
  });
  return {scratch.taken(), 0};
}

}  // namespace minception
