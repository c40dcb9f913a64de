#pragma once
/// Conversion of state dicts from other tools and precisions.

#include "core/safetensors.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace minception {

/// "the tensor a", or "the tensors a, b, c and 12 more".
std::string list_tensors(const std::vector<std::string>& names);

/// Converts f64, bf16 and f16 to f32; other dtypes stay. Throws Error, naming the tensor, for values that overflow f32.
void convert_to_f32(std::map<std::string, FileTensor>& tensors);

enum class Numbers : std::uint8_t {
  all,
  trained,  ///< without running statistics
};

/// Throws Error, with tensor names and value counts, if f32 values are NaN or infinite or running variances are
/// negative.
void check_numbers(const std::map<std::string, FileTensor>& tensors, Numbers numbers = Numbers::all);

/// Removes wrapper prefixes: DataParallel's "module.", torch.compile's "_orig_mod.", and attribute names such as
/// "model.". `names`: parameter names of the network, at least one. Throws Error if the names occur with several
/// prefixes.
void strip_prefix(std::map<std::string, FileTensor>& tensors, const std::vector<std::string>& names);

}  // namespace minception
