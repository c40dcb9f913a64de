#pragma once
/// Input operations: batches of a data set.

#include "kernels/augmentation.h"
#include "kernels/operations/common.h"

#include <cstdint>
#include <vector>

namespace minception {

/// Gathers samples of a resident data set, resizes, augments and normalises them:
///   y[n, c] = colour(augment(resize(crop(images[indices[n]]))))[c] * scale[c] + shift[c],
///   y_labels[n] = labels[indices[n]].
/// images: (M, C, h, w) u8, dense.  labels: (M) i32.  indices: (N) i32, each in [0, M).  y: (N, C, H, W).
/// resize is bilinear with half-pixel centres: output pixel i interpolates the two neighbours of
/// (i + 0.5) * h / H - 0.5, clamped to the image, without antialiasing (PyTorch `interpolate(mode="bilinear",
/// align_corners=False)`). If (H, W) = (h, w), pixels are copied. scale and shift hold one value for all channels or
/// one per channel.
/// For the sample at position s of the epoch, with r = Random{seed, stream << 32 | epoch} (kernels/augmentation.h):
///   oy = r.bits(4s) mod (2*padding.h + 1),   ox = r.bits(4s + 1) mod (2*padding.w + 1),   odd = r.bits(4s + 2) & 1,
///   augment(x)[i, j] = x[i + oy - padding.h, j' + ox - padding.w],   j' = W - 1 - j with `flip` and odd, else j,
/// where x is 0 outside the image.
/// crop(x) is the box of draw_resized_crop with stream + 1 if random_resized_crop(), else x. The box then replaces the
/// image in the resize formula, and padding must be 0.
/// colour(x) applies draw_colour_jitter with stream + 2, on values in [0, 255], if colour_jitter(); else it is x.
/// Saturation needs 3 channels.
/// position: (2) i64 = {epoch, position in the epoch of the batch's first sample}; required if the augmentation is
/// random, else optional and not read.
/// `reference` and `cpu` reject an index outside [0, M). `cuda` cannot throw from a kernel: it writes NaN and the label
/// -1. `cuda` supports at most 4 values each of scale and shift.
struct LoadBatch {
  std::vector<float> scale = {1.0f / 255.0f};
  std::vector<float> shift = {0.0f};
  Augmentation augmentation = {};
  Tensor images, labels, indices, position, y, y_labels;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    f("images", self.images, Access::read);
    f("labels", self.labels, Access::read);
    f("indices", self.indices, Access::read);
    f("position", self.position, Access::read);
    f("y", self.y, Access::write);
    f("y_labels", self.y_labels, Access::write);
  }
};

}  // namespace minception

#define MINCEPTION_INPUT_OPERATIONS(F) F(LoadBatch, load_batch)
