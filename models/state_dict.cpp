#include "models/state_dict.h"
#include "core/error.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace minception {
namespace {

constexpr std::string_view kCompiled = "_orig_mod.", kVariance = ".running_var";

/// "the tensor conv1.bn.weight (3 of 64 values)" for f32 tensors with values where `counts` (name, value) holds, or "".
template <class F>
std::string tensors_with(const std::map<std::string, FileTensor>& tensors, Numbers numbers, F&& counts) {
  std::vector<std::string> found;
  for (const auto& [name, tensor] : tensors) {
    const bool statistic = name.ends_with(".running_mean") || name.ends_with(kVariance);
    if (tensor.dtype != DType::f32 || (statistic && numbers == Numbers::trained)) continue;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < tensor.bytes.size(); i += sizeof(float)) {
      float value;
      std::memcpy(&value, tensor.bytes.data() + i, sizeof value);
      count += counts(name, value);
    }
    if (count > 0) found.push_back(concat(name, " (", count, " of ", tensor.shape.elements(), " values)"));
  }
  return found.empty() ? "" : list_tensors(found);
}

}  // namespace

std::string list_tensors(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 3;
  std::string text = names.size() == 1 ? "the tensor " : "the tensors ";
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kMost) text += concat(" and ", names.size() - kMost, " more");
  return text;
}

void convert_to_f32(std::map<std::string, FileTensor>& tensors) {
  for (auto& [name, tensor] : tensors) {
    if (tensor.dtype != DType::f64 && tensor.dtype != DType::bf16 && tensor.dtype != DType::f16) continue;
    const std::vector<double> values = to_doubles(tensor);
    std::size_t too_large = 0;
    for (const double value : values) too_large += std::isfinite(value) && !std::isfinite(static_cast<float>(value));
    require(too_large == 0, "the tensor ", name, " is ", name_of(tensor.dtype), ", and ", too_large, " of ",
            values.size(), " values are too large for f32");
    tensor = to_file_tensor(values, tensor.shape, DType::f32);
  }
}

void check_numbers(const std::map<std::string, FileTensor>& tensors, Numbers numbers) {
  const std::string not_finite =
      tensors_with(tensors, numbers, [](const std::string&, float value) { return !std::isfinite(value); });
  require(not_finite.empty(), "NaN or infinity in ", not_finite, ": the training run diverged; use earlier weights");
  const std::string negative = tensors_with(
      tensors, numbers, [](const std::string& name, float value) { return value < 0.0f && name.ends_with(kVariance); });
  require(negative.empty(), "variances below 0 in ", negative, ": not the statistics of a BatchNorm");
}

void strip_prefix(std::map<std::string, FileTensor>& tensors, const std::vector<std::string>& names) {
  const auto rename_all = [&](auto&& renamed) {
    std::map<std::string, FileTensor> result;
    for (auto& [from, tensor] : tensors) {
      const std::string to = renamed(from);
      require(result.emplace(to, std::move(tensor)).second, "the tensor ", to, " occurs twice, once as ", from);
    }
    tensors = std::move(result);
  };
  // torch.compile inserts its prefix wherever a compiled submodule begins.
  rename_all([](std::string name) {
    for (std::size_t at; (at = name.find(kCompiled)) != std::string::npos;) name.erase(at, kCompiled.size());
    return name;
  });
  std::vector<std::string> prefixes;
  for (const auto& [key, tensor] : tensors) {
    if (!key.ends_with(names.front())) continue;
    const std::string prefix = key.substr(0, key.size() - names.front().size());
    const bool has_all = std::all_of(names.begin(), names.end(),
                                     [&](const std::string& name) { return tensors.contains(prefix + name); });
    if (has_all && (prefix.empty() || prefix.ends_with('.'))) prefixes.push_back(prefix);
  }
  if (prefixes.empty() || prefixes.front().empty()) return;
  require(prefixes.size() == 1, "holds ", prefixes.size(), " networks with the prefixes ", prefixes[0], " and ",
          prefixes[1], ": save one of them to its own file");
  rename_all(
      [&](const std::string& name) { return name.starts_with(prefixes[0]) ? name.substr(prefixes[0].size()) : name; });
}

}  // namespace minception
