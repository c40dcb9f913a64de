/// Reads and writes safetensors files for a script:
///   safetensors_tool rewrite IN OUT   reads IN and writes its content to OUT
///   safetensors_tool make OUT         writes a fixed set: every dtype, a scalar, empty tensors, metadata
/// Exit code 1 and one line on stderr for an invalid file, 2 for wrong arguments.

#include "core/error.h"
#include "core/safetensors.h"

#include <cstring>
#include <initializer_list>
#include <iostream>
#include <string>
#include <string_view>
#include <type_traits>

namespace {

using namespace minception;

template <class T>
FileTensor tensor_of(const Shape& shape, std::initializer_list<T> values) {
  FileTensor tensor{dtype_of<T>::value, shape, std::vector<std::byte>(values.size() * sizeof(T))};
  static_assert(std::is_trivially_copyable_v<T>);
  if (values.size() > 0) std::memcpy(tensor.bytes.data(), std::data(values), tensor.bytes.size());
  return tensor;
}

/// safetensors_interchange.py expects these values.
Safetensors fixed_set() {
  Safetensors content;
  content.metadata["classes"] = R"(["T-shirt/top","Été"])";
  content.tensors["f32"] = tensor_of<float>({2, 3}, {0.0f, -1.5f, 3.25f, 1e-40f, 3e38f, 0.1f});
  content.tensors["f64"] = tensor_of<double>({3}, {0.1, -1e300, 5e-324});
  content.tensors["bf16"] = tensor_of<bf16>({2, 2}, {bf16(1.0f), bf16(-2.5f), bf16(0.0078125f), bf16(1e30f)});
  content.tensors["i32"] = tensor_of<std::int32_t>({2}, {-2147483647 - 1, 2147483647});
  content.tensors["i64"] = tensor_of<std::int64_t>({1}, {-9223372036854775807 - 1});
  content.tensors["u8"] = tensor_of<std::uint8_t>({1, 3, 1}, {0, 128, 255});
  content.tensors["scalar"] = tensor_of<std::int64_t>({}, {42});
  content.tensors["empty"] = tensor_of<float>({3, 0, 2}, {});
  content.tensors["層.weight"] = tensor_of<float>({1}, {7.0f});
  FileTensor half{DType::f16, {3}, {}};
  for (int bits : {0x3c00, 0xc100, 0x7bff}) {  // 1, -2.5, 65504
    half.bytes.push_back(static_cast<std::byte>(bits & 255));
    half.bytes.push_back(static_cast<std::byte>(bits >> 8));
  }
  content.tensors["f16"] = half;
  return content;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    if (command == "rewrite" && argc == 4) {
      write_safetensors(argv[3], read_safetensors(argv[2]));
    } else if (command == "make" && argc == 3) {
      write_safetensors(argv[2], fixed_set());
    } else {
      std::cerr << "usage: safetensors_tool rewrite IN OUT | make OUT\n";
      return 2;
    }
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
