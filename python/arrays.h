#pragma once
/// Arrays of NumPy, PyTorch and others, by the buffer protocol and DLPack.

#include "core/dtype.h"
#include "core/safetensors.h"
#include "core/shape.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace minception::python {

namespace nb = nanobind;

/// A view of CPU memory that Python owns.
using Array = nb::ndarray<nb::ro, nb::device::cpu>;

/// nullopt for other objects, and for arrays on other devices.
std::optional<Array> as_array(nb::handle value);
/// The same; raises TypeError with what is accepted.
Array array_from(nb::handle value, const std::string& what);

bool is_torch(nb::handle value);
Shape shape_of(const Array& array);
/// nullopt for a dtype that the library does not have.
std::optional<DType> dtype_of(const Array& array);
/// "float64", as in NumPy.
std::string dtype_name(const Array& array);

/// True if the memory is dense in the order of the shape.
bool is_row_major(const Array& array);
/// True if an array (N, C, H, W) lies in memory as (N, H, W, C), the layout of the library's tensors; other ranks: dense.
bool is_channels_last(const Array& array);
/// The elements, row-major, in the array's dtype. Copies.
std::vector<std::byte> row_major(const Array& array);
/// The elements as T, converted from any floating or integer dtype, row-major. Copies.
template <class T>
std::vector<T> values_as(const Array& array);

FileTensor file_tensor_from(nb::handle value, const std::string& what);
/// A NumPy array or PyTorch tensor that owns the memory. bf16 has no NumPy type: PyTorch only.
nb::object to_python(FileTensor tensor, bool torch);
/// The same for f32 or f64 values in channels-last memory: the shape of the result is (N, C, H, W).
nb::object channels_last_to_python(std::vector<std::byte> memory, const Shape& shape, DType dtype, bool torch);

}  // namespace minception::python
