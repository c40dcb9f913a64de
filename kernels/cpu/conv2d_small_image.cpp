/// Convolutions of images so small that most filter positions are on padding: the 2x2 and 1x1 images at the end of a
/// GoogLeNet. One matrix product per output position and filter row, over all images of the batch:
///   y[:, p, q, :] += x[:, h, w0.., :] * w[:, r, s0.., :]^T      (N, O) += (N, positions*I) x (positions*I, O)
/// The positions of a filter row that are inside the image are adjacent in w, and their pixels are adjacent in a dense
/// x, so a row is one product. Nothing is copied or reordered, slices are row strides, and padding costs nothing. (On a
/// 2x2 image with a 3x3 filter, 5 of 9 multiplications are with padding.) Also the fallback if oneDNN has no fast
/// primitive. In bf16, forward and data gradient sum the products of all positions in an f32 image first.

#include "kernels/cpu/conv2d_small_image.h"

#include "kernels/cpu/backend.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/view.h"

namespace minception {
namespace {

using namespace cpu;

/// One product: element offsets into x, w and y, and the number of adjacent filter positions that it covers.
struct Product {
  std::int64_t x, w, y;
  std::int64_t taps;
  bool first;  ///< the first product of its output position
};

/// The row strides of the matrices, and all products in order. The image that products are summed in may be an f32
/// buffer with its own strides (sums_of).
template <class X, class Y>
struct SmallImage {
  View<X> x;
  View<Y> y;
  std::int64_t kernel_h, kernel_w;
  Conv2dAttributes attributes;

  SmallImage(const Conv2dAttributes& conv, const View<X>& image, const Tensor& w, const View<Y>& output)
      : x(image), y(output), kernel_h(w.shape[2]), kernel_w(w.shape[3]), attributes(conv) {}

  std::int64_t x_rows() const { return x.h * x.w * x.stride; }
  std::int64_t y_rows() const { return y.h * y.w * y.stride; }
  std::int64_t w_rows() const { return kernel_h * kernel_w * x.c; }

  template <class F>
  void for_each_product(F&& f) const {
    for (std::int64_t p = 0; p < y.h; ++p) {
      const FilterRange rows(p, x.h, kernel_h, attributes.stride.h, attributes.padding.h);
      for (std::int64_t q = 0; q < y.w; ++q) {
        const FilterRange columns(q, x.w, kernel_w, attributes.stride.w, attributes.padding.w);
        const std::int64_t joined = x.dense() ? columns.end - columns.begin : 1;
        bool first = true;
        for (std::int64_t r = rows.begin; r < rows.end; ++r) {
          const std::int64_t row = rows.pixel + r - rows.begin;
          for (std::int64_t s = columns.begin; s < columns.end; s += joined) {
            const std::int64_t column = columns.pixel + s - columns.begin;
            f(Product{(row * x.w + column) * x.stride, (r * kernel_w + s) * x.c, (p * y.w + q) * y.stride, joined,
                      first});
            first = false;
          }
        }
      }
    }
  }
};

/// The image for the sums: `image` itself if it is f32, else a dense f32 image in the workspace.
template <class T>
View<float> sums_of(const View<T>& image, Scratch& scratch) {
  if constexpr (kRounds<T>) {
    return {scratch.take<float>(image.elements()), image.n, image.h, image.w, image.c, image.c};
  } else {
    return image;
  }
}

void set_zero(int threads, const View<float>& out) {
  for_each_run(
      threads, [&](const Run& run) { std::fill_n(run.of(out), run.count, 0.0f); }, out);
}

}  // namespace

void CpuBackend::small_image_forward(const Conv2dForward& op, Scratch scratch) {
  in_dtype_of(op.x, [&]<class T>(T) {
    const T* w = factors<T>(threads_, op.w, op.prepacked, op.refresh_prepacked, scratch);
    const View<T> y = view<T>(op.y);
    const View<float> sums = sums_of(y, scratch);
    const SmallImage image(op.attributes, const_view<T>(op.x), op.w, sums);
    // Output positions that read only padding have no product; they need zeros.
    std::int64_t reached = 0;
    image.for_each_product([&](const Product& product) { reached += product.first; });
    if (reached < y.h * y.w) set_zero(threads_, sums);
    image.for_each_product([&](const Product& product) {
      onednn_.gemm(false, true, y.n, y.c, product.taps * image.x.c, image.x.data + product.x, image.x_rows(),
                   w + product.w, image.w_rows(), product.first ? 0.0f : 1.0f, sums.data + product.y, image.y_rows());
    });
    parallel(threads_, y.pixels(), y.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      finish(sums.pixel(begin), sums.stride, y, begin, end - begin, values(op.bias), op.attributes.relu);
    });
  });
}

Requirements CpuBackend::small_image_needs(const Conv2dForward& op) const {
  Scratch scratch;
  std::size_t prepacked = 0;
  in_dtype_of(op.x, [&]<class T>(T) {
    prepacked = prepacked_factors<T>(op.w);
    factors<T>(threads_, op.w, op.prepacked, false, scratch);
    sums_of(view<T>(op.y), scratch);
  });
  return {scratch.taken(), prepacked};
}

void CpuBackend::small_image_backward_data(const Conv2dBackwardData& op, Scratch scratch) {
  in_dtype_of(op.dy, [&]<class T>(T) {
    const T* w = factors<T>(threads_, op.w, {}, true, scratch);
    const GradientStore<T> store(op.target);
    const View<float> sums = sums_of(store.dx, scratch);
    const SmallImage image(op.attributes, sums, op.w, const_view<T>(op.dy));
    // Products of several output positions contribute to a pixel, so all products accumulate.
    if (kRounds<T> || !store.accumulate) set_zero(threads_, sums);
    image.for_each_product([&](const Product& product) {
      onednn_.gemm(false, false, image.y.n, product.taps * image.x.c, image.y.c, image.y.data + product.y,
                   image.y_rows(), w + product.w, image.w_rows(), 1.0f, sums.data + product.x, image.x_rows());
    });
    parallel(threads_, sums.pixels(), sums.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      finish(sums.pixel(begin), sums.stride, store, begin, end - begin);
    });
  });
}

Requirements CpuBackend::small_image_needs(const Conv2dBackwardData& op) const {
  Scratch scratch;
  in_dtype_of(op.dy, [&]<class T>(T) {
    factors<T>(threads_, op.w, {}, true, scratch);
    sums_of(view<T>(op.target.dx), scratch);
  });
  return {scratch.taken(), 0};
}

void CpuBackend::small_image_backward_weights(const Conv2dBackwardWeights& op, Scratch scratch) {
  float* dw = values(op.dw);
  float* dbias = values(op.dbias);
  // Filter positions that are never inside the image have no product; their gradient is this zero.
  if (!op.accumulate) set_zero(threads_, View<float>{dw, 1, 1, 1, op.dw.elements(), op.dw.elements()});
  in_dtype_of(op.x, [&]<class T>(T) {
    const SmallImage image(op.attributes, const_view<T>(op.x), op.dw, const_view<T>(op.dy));
    image.for_each_product([&](const Product& product) {
      onednn_.gemm(true, false, image.y.c, product.taps * image.x.c, image.y.n, image.y.data + product.y,
                   image.y_rows(), image.x.data + product.x, image.x_rows(), 1.0f, dw + product.w, image.w_rows());
    });
    if (dbias != nullptr) sum_pixels(image.y, ColumnSums(threads_, image.y.c, scratch), dbias, op.accumulate);
  });
}

}  // namespace minception
