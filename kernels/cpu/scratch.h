#pragma once
/// Allocates parts of a workspace. Planning and running use the same code; planning only counts bytes.

#include "core/error.h"
#include "kernels/backend.h"

#include <cstddef>
#include <cstdint>

namespace minception::cpu {

class Scratch {
 public:
  /// Counts bytes; take() returns nullptr.
  Scratch() = default;
  /// Allocates from the workspace. take() throws Error if it is too small.
  explicit Scratch(Workspace workspace) : workspace_(workspace), counts_only_(false) {}

  template <class T>
  T* take(std::int64_t count) {
    const std::size_t begin = taken_;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    taken_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (counts_only_ || bytes == 0) return nullptr;
    require(workspace_.data != nullptr && taken_ <= workspace_.bytes, "the workspace holds ", workspace_.bytes,
            " bytes but at least ", taken_, " are needed; plan the operation for this batch size first");
    return reinterpret_cast<T*>(static_cast<std::byte*>(workspace_.data) + begin);
  }
  std::size_t taken() const { return taken_; }

 private:
  static constexpr std::size_t kAlignment = 64;

  Workspace workspace_;
  bool counts_only_ = true;
  std::size_t taken_ = 0;
};

}  // namespace minception::cpu
