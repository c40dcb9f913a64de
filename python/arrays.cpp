#include "python/arrays.h"
#include "core/error.h"
#include "models/weights.h"
#include "python/arguments.h"

#include <cstring>
#include <span>

namespace minception::python {
namespace {

constexpr nb::dlpack::dtype dlpack_type(DType dtype) {
  using Code = nb::dlpack::dtype_code;
  const auto type = [](Code code, int bits) {
    return nb::dlpack::dtype{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(bits), 1};
  };
  switch (dtype) {
    case DType::f32:
      return type(Code::Float, 32);
    case DType::f64:
      return type(Code::Float, 64);
    case DType::f16:
      return type(Code::Float, 16);
    case DType::bf16:
      return type(Code::Bfloat, 16);
    case DType::i32:
      return type(Code::Int, 32);
    case DType::i64:
      return type(Code::Int, 64);
    case DType::u8:
      return type(Code::UInt, 8);
  }
  return {};
}

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8};

/// Strides of a dense array whose axes lie in memory in this order, slowest first.
bool is_dense(const Array& array, std::span<const std::size_t> order) {
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::size_t axis = order[i];
    // The stride of an axis with one element has no meaning.
    if (array.shape(axis) != 1 && array.stride(axis) != stride) return false;
    stride *= static_cast<std::int64_t>(array.shape(axis));
  }
  return true;
}

void copy_strided(const Array& array, std::size_t axis, const std::byte* from, std::byte*& to) {
  const std::size_t size = array.itemsize();
  if (axis == array.ndim()) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  const std::int64_t step = array.stride(axis) * static_cast<std::int64_t>(size);
  for (std::size_t i = 0; i < array.shape(axis); ++i) {
    copy_strided(array, axis + 1, from + static_cast<std::int64_t>(i) * step, to);
  }
}

/// An array that owns `memory`. `strides`: in elements; empty: row-major.
nb::object make_array(std::vector<std::byte> memory, const Shape& shape, const std::vector<std::int64_t>& strides,
                      DType dtype, bool torch) {
  std::vector<std::size_t> extents;
  for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(static_cast<std::size_t>(shape[axis]));
  auto owned = std::make_unique<std::vector<std::byte>>(std::move(memory));
  void* data = owned->data();
  const nb::capsule owner(owned.release(),
                          [](void* bytes) noexcept { delete static_cast<std::vector<std::byte>*>(bytes); });
  const auto array = [&]<class Framework>(Framework) {
    return nb::cast(nb::ndarray<Framework>(data, extents.size(), extents.data(), owner,
                                           strides.empty() ? nullptr : strides.data(), dlpack_type(dtype),
                                           nb::device::cpu::value));
  };
  return torch ? array(nb::pytorch()) : array(nb::numpy());
}

}  // namespace

std::optional<Array> as_array(nb::handle value) {
  Array array;
  nb::object detached;  // PyTorch exports no tensor that requires gradients
  if (is_torch(value) && nb::hasattr(value, "detach")) value = detached = value.attr("detach")();
  if (!nb::try_cast(value, array)) return std::nullopt;
  return array;
}

Array array_from(nb::handle value, const std::string& what) {
  std::optional<Array> array = as_array(value);
  if (!array) {
    raise_wrong_type(what,
                     "a NumPy array, a PyTorch tensor on the CPU, or another object with DLPack or the buffer protocol",
                     value);
  }
  return *array;
}

bool is_torch(nb::handle value) {
  const nb::object module = nb::getattr(value.type(), "__module__", nb::str(""));
  return nb::isinstance<nb::str>(module) && std::string(nb::str(module).c_str()).starts_with("torch");
}

Shape shape_of(const Array& array) {
  require(array.ndim() <= static_cast<std::size_t>(Shape::max_rank), "an array of ", array.ndim(), " axes: at most ",
          Shape::max_rank, " are possible");
  std::vector<std::int64_t> extents;
  for (std::size_t axis = 0; axis < array.ndim(); ++axis)
    extents.push_back(static_cast<std::int64_t>(array.shape(axis)));
  return Shape(std::span<const std::int64_t>(extents));
}

std::optional<DType> dtype_of(const Array& array) {
  for (const DType dtype : kTypes) {
    if (array.dtype() == dlpack_type(dtype)) return dtype;
  }
  return std::nullopt;
}

std::string dtype_name(const Array& array) {
  static constexpr const char* kNames[] = {"int", "uint", "float", "", "bfloat", "complex"};
  const nb::dlpack::dtype dtype = array.dtype();
  if (dtype.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Bool)) return "bool";
  return dtype.code < std::size(kNames) ? concat(kNames[dtype.code], int{dtype.bits}) : "an unknown type";
}

bool is_row_major(const Array& array) {
  std::vector<std::size_t> order;
  for (std::size_t axis = 0; axis < array.ndim(); ++axis) order.push_back(axis);
  return is_dense(array, order);
}

bool is_channels_last(const Array& array) {
  static constexpr std::size_t kOrder[] = {0, 2, 3, 1};
  return array.ndim() == 4 ? is_dense(array, kOrder) : is_row_major(array);
}

std::vector<std::byte> row_major(const Array& array) {
  std::vector<std::byte> bytes(array.nbytes());
  const auto* from = static_cast<const std::byte*>(array.data());
  if (is_row_major(array)) {
    if (!bytes.empty()) std::memcpy(bytes.data(), from, bytes.size());
  } else {
    std::byte* to = bytes.data();
    copy_strided(array, 0, from, to);
  }
  return bytes;
}

template <class T>
std::vector<T> values_as(const Array& array) {
  const std::optional<DType> dtype = dtype_of(array);
  if (!dtype) raise_type_error("arrays of " + dtype_name(array) + " cannot be converted");
  FileTensor tensor = {*dtype, shape_of(array), row_major(array)};
  if constexpr (std::is_same_v<T, float>) {
    if (*dtype == DType::f32) {
      std::vector<float> values(tensor.bytes.size() / sizeof(float));
      if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      return values;
    }
  }
  const std::vector<double> values = to_doubles(tensor);
  return {values.begin(), values.end()};
}
template std::vector<float> values_as<float>(const Array&);
template std::vector<double> values_as<double>(const Array&);

FileTensor file_tensor_from(nb::handle value, const std::string& what) {
  const Array array = array_from(value, what);
  const std::optional<DType> dtype = dtype_of(array);
  if (!dtype) raise_type_error(what + " is an array of " + dtype_name(array) + ", not of floats");
  return {*dtype, shape_of(array), row_major(array)};
}

nb::object to_python(FileTensor tensor, bool torch) {
  return make_array(std::move(tensor.bytes), tensor.shape, {}, tensor.dtype, torch);
}

nb::object channels_last_to_python(std::vector<std::byte> memory, const Shape& shape, DType dtype, bool torch) {
  std::vector<std::int64_t> strides;
  if (shape.rank() == 4) {
    const std::int64_t c = shape[1], h = shape[2], w = shape[3];
    strides = {h * w * c, 1, w * c, c};
  }
  return make_array(std::move(memory), shape, strides, dtype, torch);
}

}  // namespace minception::python
