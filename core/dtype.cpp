#include "core/dtype.h"

namespace minception {
namespace {
constexpr DType kAll[] = {DType::f32, DType::bf16, DType::f64, DType::i32, DType::u8, DType::i64, DType::f16};
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::i64:
      return "i64";
    case DType::f16:
      return "f16";
  }
  return "unknown";
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (DType dtype : kAll) {
    if (name_of(dtype) == name) return dtype;
  }
  return std::nullopt;
}

}  // namespace minception
