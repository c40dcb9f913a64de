#include "models/weights.h"
#include "core/error.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace minception {
namespace {

template <class F>
void for_each_pair(const Shape& shape, F&& f) {  // f(index in channels-last order, index in file order)
  const std::int64_t outer = shape[0], channels = shape[1], pixels = shape[2] * shape[3];
  for (std::int64_t a = 0; a < outer; ++a) {
    for (std::int64_t b = 0; b < channels; ++b) {
      for (std::int64_t p = 0; p < pixels; ++p) {
        f(static_cast<std::size_t>((a * pixels + p) * channels + b),
          static_cast<std::size_t>((a * channels + b) * pixels + p));
      }
    }
  }
}

/// IEEE binary16: sign, 5 bits of exponent with bias 15, 10 bits of mantissa.
double from_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = std::numeric_limits<double>::infinity();
  if (exponent == 31 && mantissa != 0) value = std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) value = std::ldexp(mantissa, -24);
  if (exponent > 0 && exponent < 31) value = std::ldexp(1024 + mantissa, exponent - 25);
  return bits >> 15 ? -value : value;
}

template <class F>
auto with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    default:
      fail("values of type ", name_of(dtype), " are not supported");
  }
}

}  // namespace

std::vector<std::byte> channels_last_to_file(std::span<const std::byte> memory, const Shape& shape, DType dtype) {
  std::vector<std::byte> file(memory.begin(), memory.end());
  if (shape.rank() != 4) return file;
  const std::size_t size = size_of(dtype);
  for_each_pair(shape, [&](std::size_t in_memory, std::size_t in_file) {
    std::memcpy(file.data() + in_file * size, memory.data() + in_memory * size, size);
  });
  return file;
}

std::vector<std::byte> file_to_channels_last(std::span<const std::byte> file, const Shape& shape, DType dtype) {
  std::vector<std::byte> memory(file.begin(), file.end());
  if (shape.rank() != 4) return memory;
  const std::size_t size = size_of(dtype);
  for_each_pair(shape, [&](std::size_t in_memory, std::size_t in_file) {
    std::memcpy(memory.data() + in_memory * size, file.data() + in_file * size, size);
  });
  return memory;
}

FileTensor to_file_tensor(std::span<const double> values, const Shape& shape, DType dtype) {
  FileTensor tensor{dtype, shape, std::vector<std::byte>(values.size() * size_of(dtype))};
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < values.size(); ++i) {
      T value;
      if constexpr (std::is_same_v<T, bf16>) {
        value = bf16(static_cast<float>(values[i]));
      } else {
        value = static_cast<T>(values[i]);
      }
      std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
    }
  });
  return tensor;
}

std::vector<double> to_doubles(const FileTensor& tensor) {
  std::vector<double> values(tensor.bytes.size() / size_of(tensor.dtype));
  if (tensor.dtype == DType::f16) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, tensor.bytes.data() + i * sizeof bits, sizeof bits);
      values[i] = from_f16(bits);
    }
    return values;
  }
  with_type(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = static_cast<double>(value);
    }
  });
  return values;
}

}  // namespace minception
