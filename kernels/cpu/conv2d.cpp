/// Convolution by one of four algorithms, chosen by shape and dtype:
/// - 1x1 filters of stride 1: one matrix product over all pixels (conv2d_fused_1x1.cpp). In bf16 only weight
///   gradients use it: forward and data gradient use a primitive, which rounds its sums without a pass through f32 and
///   takes two thirds of the time (GoogLeNet, batch 128).
/// - Images so small that half of the filter positions are on padding: a few products (conv2d_small_image.cpp).
/// - 3x3 filters of stride 1 on many pixels: Winograd, with a quarter of the multiplications (conv2d_winograd.cpp).
/// - All others: a oneDNN primitive or, if oneDNN has no usable one, products as in the first two.
///
/// Primitives get dense images, because oneDNN 2.6 runs its reference loops on channel slices. Slices are copied
/// through the workspace; accumulation and masking are part of that copy. Primitives may need weights in their own
/// layout: one reorder per run, or one per refresh with `prepacked`.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/conv2d_small_image.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/view.h"

namespace minception {
namespace {

using namespace cpu;

// Fraction of filter positions inside the image up to which products are faster than primitives, measured on
// GoogLeNet's shapes at batch 128.
constexpr double kSmallImageFraction = 0.5;

/// Whether the convolution is one matrix product over all pixels.
bool is_pointwise(const Conv2dAttributes& attributes, const Tensor& w) {
  return w.shape[2] == 1 && w.shape[3] == 1 && attributes.stride == Extent2d{1, 1} &&
         attributes.padding == Extent2d{0, 0};
}

/// The primitive for a pass, or nullptr if matrix products are used: those of conv2d_fused_1x1.cpp if the convolution
/// is pointwise, else those of conv2d_small_image.cpp.
Convolution* find_primitive(OneDnn& onednn, Pass pass, const Conv2dAttributes& attributes, const Tensor& x,
                            const Tensor& w, const Tensor& y, bool bias) {
  const bool is_product = x.dtype != DType::bf16 || pass == Pass::backward_weights;
  if (is_product && is_pointwise(attributes, w)) return nullptr;
  if (live_fraction(attributes, x, w, y) <= kSmallImageFraction) return nullptr;
  return onednn.convolution({pass, x.dtype, bias, pass == Pass::forward && attributes.relu, x.n(), x.c(), x.h(), x.w(),
                             y.c(), y.h(), y.w(), w.shape[2], w.shape[3], attributes.stride.h, attributes.stride.w,
                             attributes.padding.h, attributes.padding.w});
}

template <class T>
void copy(int threads, const View<const T>& from, const View<T>& to) {
  for_each_run(
      threads, [&](const Run& run) { std::copy_n(run.of(from), run.count, run.of(to)); }, from, to);
}

/// The image itself if it is dense, else an uninitialised dense buffer of its shape in the workspace.
template <class T>
View<T> dense_view(const View<T>& image, Scratch& scratch) {
  if (image.dense()) return image;
  View<T> stand_in = image;
  stand_in.stride = image.c;
  stand_in.data = scratch.take<std::remove_const_t<T>>(image.elements());
  return stand_in;
}
template <class T>
View<const T> dense_copy(int threads, const View<const T>& image, Scratch& scratch) {
  if (image.dense()) return image;
  const View<T> stand_in{scratch.take<T>(image.elements()), image.n, image.h, image.w, image.c, image.c};
  if (stand_in.data != nullptr) copy(threads, image, stand_in);
  return stand_in;
}

void* take_bytes(Scratch& scratch, std::size_t bytes) {
  return scratch.take<std::byte>(static_cast<std::int64_t>(bytes));
}

/// Scratch memory of a primitive: the last part of the workspace, so that tests detect writes past its end.
void* own_scratch(const Convolution* primitive, Scratch& scratch) {
  return take_bytes(scratch, primitive->scratch_bytes());
}

}  // namespace

// ---- forward ----------------------------------------------------------------------------------------------

void CpuBackend::conv2d_forward(const Conv2dForward& op, Workspace workspace) {
  Scratch scratch(workspace);
  if (suits_winograd(op.attributes, op.w, op.y)) return winograd_forward(op, scratch);
  Convolution* primitive = find_primitive(onednn_, Pass::forward, op.attributes, op.x, op.w, op.y, op.bias.defined());
  if (primitive == nullptr && is_pointwise(op.attributes, op.w)) {
    return pointwise_forward({op.x, op.w, op.bias, op.attributes.relu, &op.y, 1}, op.prepacked, op.refresh_prepacked,
                             scratch);
  }
  if (primitive == nullptr) return small_image_forward(op, scratch);

  void* weights = values(op.w);
  if (primitive->prepacked_bytes() > 0) {
    if (op.prepacked.defined()) {
      require(op.prepacked.bytes() >= primitive->prepacked_bytes(), "conv2d_forward: prepacked holds ",
              op.prepacked.bytes(), " bytes, ", primitive->prepacked_bytes(), " are needed");
    }
    weights = op.prepacked.defined() ? op.prepacked.data : take_bytes(scratch, primitive->prepacked_bytes());
    if (!op.prepacked.defined() || op.refresh_prepacked) primitive->pack(values(op.w), weights);
  }
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> x = dense_copy(threads_, const_view<T>(op.x), scratch);
    const View<T> y = view<T>(op.y);
    const View<T> result = dense_view(y, scratch);
    primitive->run(const_cast<T*>(x.data), weights, values(op.bias), result.data, own_scratch(primitive, scratch));
    if (result.data != y.data) copy<T>(threads_, result, y);
  });
}

Requirements CpuBackend::needs(const Conv2dForward& op) {
  if (suits_winograd(op.attributes, op.w, op.y)) return winograd_needs(op);
  const Convolution* primitive =
      find_primitive(onednn_, Pass::forward, op.attributes, op.x, op.w, op.y, op.bias.defined());
  if (primitive == nullptr && is_pointwise(op.attributes, op.w)) {
    return pointwise_needs({op.x, op.w, op.bias, op.attributes.relu, &op.y, 1}, op.prepacked);
  }
  if (primitive == nullptr) return small_image_needs(op);
  Scratch scratch;
  if (!op.prepacked.defined()) take_bytes(scratch, primitive->prepacked_bytes());
  in_dtype_of(op.x, [&]<class T>(T) {
    dense_view(const_view<T>(op.x), scratch);
    dense_view(view<T>(op.y), scratch);
  });
  own_scratch(primitive, scratch);
  return {scratch.taken(), primitive->prepacked_bytes()};
}

// ---- backward: data ---------------------------------------------------------------------------------------

void CpuBackend::conv2d_backward_data(const Conv2dBackwardData& op, Workspace workspace) {
  Scratch scratch(workspace);
  if (suits_winograd(op.attributes, op.w, op.target.dx)) return winograd_backward_data(op, scratch);
  Convolution* primitive =
      find_primitive(onednn_, Pass::backward_data, op.attributes, op.target.dx, op.w, op.dy, false);
  if (primitive == nullptr && is_pointwise(op.attributes, op.w)) {
    return pointwise_backward_data(&op.dy, 1, op.w, op.target, scratch);
  }
  if (primitive == nullptr) return small_image_backward_data(op, scratch);

  void* weights = values(op.w);
  if (primitive->prepacked_bytes() > 0) {
    weights = take_bytes(scratch, primitive->prepacked_bytes());
    primitive->pack(values(op.w), weights);
  }
  in_dtype_of(op.dy, [&]<class T>(T) {
    const View<const T> dy = dense_copy(threads_, const_view<T>(op.dy), scratch);
    const GradientStore<T> store(op.target);
    View<T> result = store.dx;
    if (store.accumulate || !result.dense()) {
      result.stride = result.c;
      result.data = scratch.take<T>(result.elements());
    }
    primitive->run(result.data, weights, nullptr, const_cast<T*>(dy.data), own_scratch(primitive, scratch));
    if (result.data == store.dx.data && !store.masked) return;
    for_each_run(
        threads_,
        [&](const Run& run) {
          const T* gradient = run.of(result);
          store.put(run, [gradient](std::int64_t i) { return float(gradient[i]); });
        },
        store, result);
  });
}

Requirements CpuBackend::needs(const Conv2dBackwardData& op) {
  if (suits_winograd(op.attributes, op.w, op.target.dx)) return winograd_needs(op);
  const Convolution* primitive =
      find_primitive(onednn_, Pass::backward_data, op.attributes, op.target.dx, op.w, op.dy, false);
  if (primitive == nullptr && is_pointwise(op.attributes, op.w)) {
    return pointwise_backward_data_needs(op.w, op.target.dx);
  }
  if (primitive == nullptr) return small_image_needs(op);
  Scratch scratch;
  take_bytes(scratch, primitive->prepacked_bytes());
  in_dtype_of(op.dy, [&]<class T>(T) {
    dense_view(const_view<T>(op.dy), scratch);
    if (op.target.accumulate || !op.target.dx.dense()) scratch.take<T>(op.target.dx.elements());
  });
  own_scratch(primitive, scratch);
  return {scratch.taken(), 0};
}

// ---- backward: weights ------------------------------------------------------------------------------------

void CpuBackend::conv2d_backward_weights(const Conv2dBackwardWeights& op, Workspace workspace) {
  Scratch scratch(workspace);
  if (suits_winograd(op.attributes, op.dw, op.dy)) return winograd_backward_weights(op, scratch);
  Convolution* primitive = find_primitive(onednn_, Pass::backward_weights, op.attributes, op.x, op.dw, op.dy, false);
  if (primitive == nullptr && is_pointwise(op.attributes, op.dw)) {
    return pointwise_backward_weights(op.x, &op.dy, 1, op.dw, op.dbias, op.accumulate, scratch);
  }
  if (primitive == nullptr) return small_image_backward_weights(op, scratch);

  float* const dw = values(op.dw);
  float* plain = dw;
  in_dtype_of(op.x, [&]<class T>(T) {
    const View<const T> dy = const_view<T>(op.dy);
    if (op.dbias.defined()) {
      sum_pixels(dy, ColumnSums(threads_, dy.c, scratch), values(op.dbias), op.accumulate);
    }
    const View<const T> x = dense_copy(threads_, const_view<T>(op.x), scratch);
    const View<const T> gradient = dense_copy(threads_, dy, scratch);
    if (op.accumulate) plain = scratch.take<float>(op.dw.elements());
    const bool packs = primitive->prepacked_bytes() > 0;
    void* const weights = packs ? take_bytes(scratch, primitive->prepacked_bytes()) : plain;
    primitive->run(const_cast<T*>(x.data), weights, nullptr, const_cast<T*>(gradient.data),
                   own_scratch(primitive, scratch));
    if (packs) primitive->unpack(weights, plain);
  });
  if (!op.accumulate) return;
  const View<float> sum{dw, 1, 1, 1, op.dw.elements(), op.dw.elements()};
  for_each_run(
      threads_,
      [&](const Run& run) {
        float* to = run.of(sum);
        const float* from = plain + run.first;
#pragma omp simd
        for (std::int64_t i = 0; i < run.count; ++i) to[i] += from[i];
      },
      sum);
}

Requirements CpuBackend::needs(const Conv2dBackwardWeights& op) {
  if (suits_winograd(op.attributes, op.dw, op.dy)) return winograd_needs(op);
  const Convolution* primitive =
      find_primitive(onednn_, Pass::backward_weights, op.attributes, op.x, op.dw, op.dy, false);
  if (primitive == nullptr) return pointwise_backward_weights_needs(&op.dy, 1, op.dbias);
  Scratch scratch;
  if (op.dbias.defined()) ColumnSums(threads_, op.dy.c(), scratch);
  in_dtype_of(op.x, [&]<class T>(T) {
    dense_view(const_view<T>(op.x), scratch);
    dense_view(const_view<T>(op.dy), scratch);
  });
  if (op.accumulate) scratch.take<float>(op.dw.elements());
  take_bytes(scratch, primitive->prepacked_bytes());
  own_scratch(primitive, scratch);
  return {scratch.taken(), 0};
}

}  // namespace minception
