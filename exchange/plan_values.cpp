#include "exchange/plan_values.h"

#include <algorithm>

namespace minception::exchange {

PlanValues::Slice PlanValues::slice_of(const Tensor& tensor, const std::string& value) {
  Slice slice{.value = value};
  slice.begin = static_cast<std::int64_t>(tensor.offset / size_of(tensor.dtype));
  slice.end = slice.begin + (tensor.is_image() ? tensor.c() : tensor.elements());
  slice.pixels = tensor.shape;
  if (tensor.shape.rank() >= 2) slice.pixels[1] = 0;
  return slice;
}

void PlanValues::write(const Tensor& tensor, const std::string& name) {
  std::vector<Slice>& slices = written_[tensor.storage];
  Slice slice = slice_of(tensor, name);
  std::erase_if(slices, [&](const Slice& old) { return old.begin >= slice.begin && old.end <= slice.end; });
  const auto next = std::find_if(slices.begin(), slices.end(), [&](const Slice& s) { return s.begin > slice.begin; });
  slices.insert(next, std::move(slice));
}

std::string PlanValues::read(const Tensor& tensor, const std::string& layer) {
  const Slice wanted = slice_of(tensor, "");
  std::vector<std::string> parts;
  std::int64_t channel = wanted.begin;
  for (const Slice& slice : written_[tensor.storage]) {
    if (slice.end <= wanted.begin || slice.begin >= wanted.end) continue;
    const bool follows = slice.begin == channel && slice.end <= wanted.end && slice.pixels == wanted.pixels;
    require(follows, layer, ": reads ", tensor.shape, ", which another layer wrote in other parts or another shape; ",
            "ONNX export needs tensors that are read as they are written");
    parts.push_back(slice.value);
    channel = slice.end;
  }
  const Storage& storage = plan_.storages()[static_cast<std::size_t>(tensor.storage)];
  require(channel == wanted.end, layer, ": reads ", tensor.shape, " (", storage.what, "), which no layer has written");
  if (parts.size() == 1) return parts[0];
  const std::string name = storage.what.substr(0, storage.what.find(": "));
  const std::string value = graph_.node("Concat", name, parts, {{"axis", std::int64_t{1}}});
  write(tensor, value);
  return value;
}

}  // namespace minception::exchange
