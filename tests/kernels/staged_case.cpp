#include "tests/kernels/staged_case.h"
#include "tests/kernels/precision.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <type_traits>

namespace minception {
namespace {

constexpr std::size_t kGuardBytes = 64;  // keeps the alignment of the allocation
/// NaN in bf16, float and double: a stray read makes the result NaN, a stray write is detected.
constexpr unsigned char kGuard[] = {0xfa, 0x7f};

template <class T>
void store(std::byte* to, double value) {
  T element;
  if constexpr (std::is_same_v<T, bf16>) {
    element = bf16(static_cast<float>(value));
  } else {
    element = static_cast<T>(value);
  }
  std::memcpy(to, &element, sizeof(T));
}
template <class T>
double load(const std::byte* from) {
  T element;
  std::memcpy(&element, from, sizeof(T));
  return static_cast<double>(element);
}

void store(DType dtype, std::byte* to, double value) {
  switch (dtype) {
    case DType::f32:
      return store<float>(to, value);
    case DType::bf16:
      return store<bf16>(to, value);
    case DType::f64:
      return store<double>(to, value);
    case DType::i32:
      return store<std::int32_t>(to, value);
    case DType::u8:
      return store<std::uint8_t>(to, value);
    case DType::i64:
      return store<std::int64_t>(to, value);
    default:
      fail("no test values of dtype ", name_of(dtype));
  }
}
double load(DType dtype, const std::byte* from) {
  switch (dtype) {
    case DType::f32:
      return load<float>(from);
    case DType::bf16:
      return load<bf16>(from);
    case DType::f64:
      return load<double>(from);
    case DType::i32:
      return load<std::int32_t>(from);
    case DType::u8:
      return load<std::uint8_t>(from);
    case DType::i64:
      return load<std::int64_t>(from);
    default:
      fail("no test values of dtype ", name_of(dtype));
  }
}

/// Number of elements that a tensor spans, including the other channels of its last pixel.
std::int64_t span_of(const Tensor& tensor) {
  return tensor.is_image() ? tensor.pixels() * tensor.pixel_stride : tensor.elements();
}

}  // namespace

StagedCase::StagedCase(Backend& backend, const Operation& described, DType compute, const Values& values)
    : backend_(backend), operation_(described) {
  std::map<int, std::size_t> shared;
  std::vector<std::size_t> bytes;
  for_each_operand(operation_, [&](std::string_view role, Tensor& tensor, Access access) {
    const auto element = static_cast<std::int64_t>(tensor.offset / size_of(tensor.dtype));
    tensor.dtype = dtype_in(compute, operation_, role, tensor);
    tensor.device = backend.device();
    std::size_t storage = bytes.size();
    if (tensor.storage >= 0) storage = shared.emplace(tensor.storage, storage).first->second;
    if (storage == bytes.size()) bytes.push_back(0);
    const auto needed = static_cast<std::size_t>(element + span_of(tensor)) * size_of(tensor.dtype);
    bytes[storage] = std::max(bytes[storage], needed);
    operands_.push_back({std::string(role), access, tensor, storage, element});
  });
  for (const std::size_t count : bytes) {
    initial_.emplace_back(count + 2 * kGuardBytes);
    for (std::size_t i = 0; i < initial_.back().size(); ++i) initial_.back()[i] = std::byte{kGuard[i % 2]};
  }
  // Outputs first, so that memory shared by an input and an output (in place) holds the input's values.
  for (const Operand& operand : operands_) {
    if (operand.access != Access::write) continue;
    const std::size_t size = size_of(operand.tensor.dtype);
    for (std::int64_t i = 0; i < operand.tensor.elements(); ++i) {
      std::fill_n(initial_[operand.storage].begin() + static_cast<std::ptrdiff_t>(byte_of(operand, i)), size,
                  std::byte{0xff});
    }
  }
  for (std::size_t k = 0; k < operands_.size(); ++k) {
    if (operands_[k].access != Access::write) write(operands_[k], values[k]);
  }
  place(Placement::allocated);
}

void StagedCase::place(Placement placement) {
  require(placement == Placement::allocated || backend_.device().kind == DeviceKind::cpu,
          "guard pages need host memory");
  placement_ = placement;
  storages_.clear();
  for (std::size_t s = 0; s < initial_.size(); ++s) {
    const std::size_t whole = initial_[s].size();
    if (placement == Placement::allocated) {
      storages_.push_back({backend_.allocate(whole), nullptr, 0, whole});
      continue;
    }
    // The page replaces the guard values on its side.
    const std::size_t first = placement == Placement::begins_at_page ? kGuardBytes : 0;
    std::string roles;
    for (const Operand& operand : operands_) {
      if (operand.storage == s) roles += (roles.empty() ? "" : ", ") + operand.role;
    }
    storages_.push_back(
        {{}, std::make_unique<GuardedMemory>(roles, whole - kGuardBytes, placement), first, whole - kGuardBytes});
  }
  std::size_t k = 0;
  for_each_operand(operation_, [&](std::string_view, Tensor& tensor, Access) {
    const Operand& operand = operands_[k++];
    const Storage& storage = storages_[operand.storage];
    tensor.data = storage.data() + byte_of(operand, 0) - storage.first;
  });
}

std::size_t StagedCase::byte_of(const Operand& operand, std::int64_t i) const {
  const Tensor& tensor = operand.tensor;
  const std::int64_t place = tensor.is_image() ? i / tensor.shape[1] * tensor.pixel_stride + i % tensor.shape[1] : i;
  return kGuardBytes + static_cast<std::size_t>(operand.element + place) * size_of(tensor.dtype);
}

void StagedCase::write(const Operand& operand, const std::vector<double>& values) {
  require(static_cast<std::int64_t>(values.size()) == operand.tensor.elements(), values.size(), " values for ",
          operand.role, " ", operand.tensor.shape);
  for (std::size_t i = 0; i < values.size(); ++i) {
    store(operand.tensor.dtype, initial_[operand.storage].data() + byte_of(operand, static_cast<std::int64_t>(i)),
          values[i]);
  }
}

void StagedCase::run(const Operation& operation, unsigned char garbage) {
  for (std::size_t s = 0; s < storages_.size(); ++s) {
    backend_.copy_to_device(storages_[s].data(), initial_[s].data() + storages_[s].first, storages_[s].bytes);
  }
  const std::size_t needed = backend_.plan(operation).workspace;
  Buffer allocated;
  std::unique_ptr<GuardedMemory> guarded;
  std::size_t behind = kGuardBytes;
  if (placement_ == Placement::allocated) {
    allocated = backend_.allocate(needed + behind);
  } else {
    behind = placement_ == Placement::begins_at_page ? kGuardBytes : (kGuardBytes - needed % kGuardBytes) % kGuardBytes;
    guarded = std::make_unique<GuardedMemory>("workspace", needed + behind, placement_, kGuardBytes);
  }
  void* const workspace = guarded ? guarded->data() : allocated.data();
  std::vector<std::byte> scratch(needed + behind, std::byte{garbage});
  backend_.copy_to_device(workspace, scratch.data(), scratch.size());

  backend_.run(operation, {workspace, needed});

  backend_.synchronize();
  backend_.copy_to_host(scratch.data(), workspace, scratch.size());
  for (std::size_t i = needed; i < scratch.size(); ++i) {
    require(scratch[i] == std::byte{garbage}, "bytes past the workspace of ", needed, " bytes were written");
  }
  memory_ = initial_;
  for (std::size_t s = 0; s < storages_.size(); ++s) {
    backend_.copy_to_host(memory_[s].data() + storages_[s].first, storages_[s].data(), storages_[s].bytes);
  }
}

std::vector<double> StagedCase::read(std::size_t k) const {
  const Operand& operand = operands_[k];
  std::vector<double> values;
  for (std::int64_t i = 0; i < operand.tensor.elements(); ++i) {
    values.push_back(load(operand.tensor.dtype, memory_[operand.storage].data() + byte_of(operand, i)));
  }
  return values;
}

std::string StagedCase::trespassed() const {
  std::vector<std::vector<bool>> writable;
  for (const auto& bytes : initial_) writable.emplace_back(bytes.size(), false);
  for (const Operand& operand : operands_) {
    if (operand.access == Access::read) continue;
    for (std::int64_t i = 0; i < operand.tensor.elements(); ++i) {
      const std::size_t first = byte_of(operand, i);
      for (std::size_t b = 0; b < size_of(operand.tensor.dtype); ++b) writable[operand.storage][first + b] = true;
    }
  }
  for (const Operand& operand : operands_) {
    const std::size_t s = operand.storage;
    for (std::size_t i = 0; i < initial_[s].size(); ++i) {
      if (!writable[s][i] && memory_[s][i] != initial_[s][i]) return operand.role;
    }
  }
  return "";
}

}  // namespace minception
