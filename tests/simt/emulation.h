#pragma once
/// Helpers for the tests of the executor.

#include "kernels/cuda/launch.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <string>
#include <type_traits>

namespace minception::cuda {

/// An array in emulated device memory, which the host can access, too.
template <class T>
class DeviceArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit DeviceArray(std::size_t count, T value = {}) : count_(count) {
    void* memory = nullptr;
    if (cudaMalloc(&memory, count * sizeof(T)) != cudaSuccess) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
    std::fill(begin(), end(), value);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::size_t size() const { return count_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + count_; }
  T& operator[](std::size_t index) const { return data_[index]; }

 private:
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

/// Changes the settings until the end of the scope.
class WithSettings {
 public:
  template <class Change>
  explicit WithSettings(Change&& change) : before_(simt::settings()) {
    change(simt::settings());
  }
  ~WithSettings() { simt::settings() = before_; }
  WithSettings(const WithSettings&) = delete;
  WithSettings& operator=(const WithSettings&) = delete;

 private:
  simt::Settings before_;
};

/// Message of the Error that f throws; "" if it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// Text for a line of a .cpp file in messages.
inline std::string at_line(int line) { return std::string(".cpp:") + std::to_string(line) + ':'; }

}  // namespace minception::cuda
