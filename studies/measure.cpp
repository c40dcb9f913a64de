#include "studies/measure.h"
#include "core/error.h"
#include "core/random.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace minception {
namespace {

template <class T>
T make(double value) {
  if constexpr (std::is_same_v<T, bf16>) {
    return bf16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace

double median(std::vector<double> values) {
  require(!values.empty(), "the median of no values");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

double table_value(std::size_t k, std::size_t i) {
  static const std::vector<float> table = [] {
    std::vector<float> numbers(65'521);
    for (std::size_t n = 0; n < numbers.size(); ++n) numbers[n] = static_cast<float>(Random{1, 1}.normal(n));
    return numbers;
  }();
  return table[(i + 7'919 * (k + 1)) % table.size()];
}

OperandValues table_values(const Operation& operation) {
  std::vector<bool> floating;
  for_each_operand(operation, [&](std::string_view, const Tensor& tensor, Access) {
    floating.push_back(tensor.dtype == DType::f32 || tensor.dtype == DType::bf16);
  });
  return [floating](std::size_t k, std::size_t i) { return floating[k] ? table_value(k, i) : 0.0; };
}

Staged::Staged(Backend& backend, const Operation& described) : Staged(backend, described, table_values(described)) {}

Staged::Staged(Backend& backend, const Operation& described, const OperandValues& value)
    : backend_(backend), operation_(described) {
  std::size_t k = 0;
  for_each_operand(operation_, [&](std::string_view, Tensor& tensor, Access access) {
    const DType dtype = tensor.dtype;
    const auto count = static_cast<std::size_t>(tensor.elements());
    tensor = Tensor(tensor.shape, dtype, nullptr, backend.device());
    memory_.push_back(backend.allocate(count * size_of(dtype)));
    tensor.data = memory_.back().data();
    bytes_ += count * size_of(dtype);
    if (access != Access::write) {
      std::vector<std::byte> host(count * size_of(dtype));
      const auto write = [&]<class T>(T) {
        for (std::size_t i = 0; i < count; ++i) {
          const T element = make<T>(value(k, i));
          std::memcpy(host.data() + sizeof(T) * i, &element, sizeof(T));
        }
      };
      switch (dtype) {
        case DType::f32:
          write(float{});
          break;
        case DType::bf16:
          write(bf16{});
          break;
        case DType::i32:
          write(std::int32_t{});
          break;
        case DType::i64:
          write(std::int64_t{});
          break;
        case DType::u8:
          write(std::uint8_t{});
          break;
        default:
          fail("dtype ", name_of(dtype), " is not supported for timing");
      }
      backend.copy_to_device(tensor.data, host.data(), host.size());
    }
    ++k;
  });
  workspace_bytes_ = backend.plan(operation_).workspace;
  workspace_ = backend.allocate(workspace_bytes_);
}

std::vector<std::vector<float>> Staged::results() const {
  std::vector<std::vector<float>> all;
  for_each_operand(operation_, [&](std::string_view, const Tensor& tensor, Access access) {
    if (access == Access::read) return;
    std::vector<std::byte> host(tensor.bytes());
    backend_.copy_to_host(host.data(), tensor.data, host.size());
    all.emplace_back(static_cast<std::size_t>(tensor.elements()));
    for (std::size_t i = 0; i < all.back().size(); ++i) {
      bf16 narrow;
      if (tensor.dtype == DType::bf16) {
        std::memcpy(&narrow, host.data() + 2 * i, 2);
        all.back()[i] = static_cast<float>(narrow);
      } else if (tensor.dtype == DType::f32) {
        std::memcpy(&all.back()[i], host.data() + 4 * i, 4);
      } else if (tensor.dtype == DType::u8) {
        all.back()[i] = static_cast<float>(host[i]);
      }
    }
  });
  return all;
}

}  // namespace minception
