#pragma once
/// Tensors as other programs and other precisions save them, made fit for a network.

#include <minception/core/safetensors.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace minception {

/// "the tensor a", or "the tensors a, b, c and 12 more".
std::string list_tensors(const std::vector<std::string>& names);

/// f64, bf16 and f16 become f32; other dtypes stay. Throws Error, naming the tensor, for numbers that f32 cannot hold.
void convert_to_f32(std::map<std::string, FileTensor>& tensors);

enum class Numbers : std::uint8_t {
  all,
  trained,  ///< without running statistics
};

/// Throws Error, naming the tensor and counting its values, for f32 numbers that are NaN or infinite, and for running
/// variances below 0.
void check_numbers(const std::map<std::string, FileTensor>& tensors, Numbers numbers = Numbers::all);

/// Removes what wrappers put in front of all names: DataParallel's "module.", torch.compile's "_orig_mod.", and the names of
/// attributes that hold a network, such as "model.". `names` are some of those that the network has, at least one. Throws Error
/// if they are there with several prefixes.
void strip_prefix(std::map<std::string, FileTensor>& tensors, const std::vector<std::string>& names);

}  // namespace minception
