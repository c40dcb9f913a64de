#include "kernels/operations/input.h"
#include "kernels/operations/validator.h"

#include <cmath>
#include <utility>

namespace minception {
namespace {

class InputValidator : public Validator {
 public:
  using Validator::Validator;

  void operator()(const LoadBatch& op) const {
    present(op.images, "images");
    present(op.labels, "labels");
    present(op.indices, "indices");
    present(op.y, "y");
    present(op.y_labels, "y_labels");
    image(op.images, "images");
    image(op.y, "y");
    check(op.images.dtype == DType::u8 && op.images.dense(), "images must be dense u8");
    check(op.labels.dtype == DType::i32 && op.labels.shape == Shape{op.images.n()}, "labels must be i32 ",
          Shape{op.images.n()}, ", not ", op.labels.shape);
    check(op.indices.dtype == DType::i32 && op.indices.shape == Shape{op.y.n()}, "indices must be i32 ",
          Shape{op.y.n()}, ", not ", op.indices.shape);
    check(op.y_labels.dtype == DType::i32 && op.y_labels.shape == Shape{op.y.n()}, "y_labels must be i32 ",
          Shape{op.y.n()}, ", not ", op.y_labels.shape);
    check(op.y.c() == op.images.c(), "y has ", op.y.c(), " channels, images have ", op.images.c());
    for (const auto* factors : {&op.scale, &op.shift}) {
      const auto count = static_cast<std::int64_t>(factors->size());
      check(count == 1 || count == op.y.c(), "scale and shift must have 1 or ", op.y.c(), " values, not ", count);
      for (const float value : *factors) check(std::isfinite(value), "scale and shift must be finite, not ", value);
    }
    const Extent2d padding = op.augmentation.padding;
    check(padding.h >= 0 && padding.w >= 0 && (padding.h == 0 || padding.h < op.y.h()) &&
              (padding.w == 0 || padding.w < op.y.w()),
          "a padding of ", padding.h, "x", padding.w, " does not fit images of ", op.y.h(), "x", op.y.w());
    const Augmentation& a = op.augmentation;
    check(a.scale > 0.0 && a.scale <= 1.0, "augmentation: scale must be in (0, 1], not ", a.scale);
    check(a.ratio >= 1.0 && a.ratio <= 1e3, "augmentation: ratio must be in [1, 1000], not ", a.ratio);
    check(!a.random_resized_crop() || padding == Extent2d{0, 0},
          "augmentation: random resized crop and padding cannot be combined");
    for (const auto& [range, name] : {std::pair{a.brightness, "brightness"}, std::pair{a.contrast, "contrast"},
                                      std::pair{a.saturation, "saturation"}}) {
      check(range >= 0.0 && range <= 1.0, "the range of ", name, " must be in [0, 1], not ", range);
    }
    check(a.saturation == 0.0 || op.y.c() == 3, "saturation needs images with 3 channels, not ", op.y.c());
    if (a.random()) present(op.position, "position");
    if (op.position.defined()) position(op.position);
  }
};

}  // namespace

#define DEFINE(Struct, name) \
  void validate(const Struct& op) { InputValidator(#name)(op); }
MINCEPTION_INPUT_OPERATIONS(DEFINE)

}  // namespace minception
