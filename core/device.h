#pragma once
/// A device that holds memory and runs operations.

#include <cstdint>
#include <string>

namespace minception {

enum class DeviceKind : std::uint8_t { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  std::int8_t index = 0;  ///< GPU index, for cuda

  bool operator==(const Device&) const = default;
  /// "cpu", "cuda:0"
  std::string to_string() const {
    return kind == DeviceKind::cpu ? "cpu" : "cuda:" + std::to_string(static_cast<int>(index));
  }
};

}  // namespace minception
