#include "core/error.h"
#include "core/safetensors.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <cstring>
#include <string>

using namespace minception;
using namespace minception::testing;

namespace {

FileTensor tensor_of(DType dtype, const Shape& shape, unsigned first_byte = 0) {
  FileTensor tensor{dtype, shape, {}};
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  for (std::size_t i = 0; i < bytes; ++i) tensor.bytes.push_back(static_cast<std::byte>(first_byte + i));
  return tensor;
}

Safetensors every_dtype() {
  Safetensors content;
  content.metadata = {{"format", "pt"}, {"classes", "[\"T-shirt/top\",\"Bag\"]"}, {"empty", ""}};
  content.tensors["conv.weight"] = tensor_of(DType::f32, {4, 3, 2, 2}, 1);
  content.tensors["conv.bias"] = tensor_of(DType::bf16, {4}, 2);
  content.tensors["double"] = tensor_of(DType::f64, {2, 3}, 3);
  content.tensors["half"] = tensor_of(DType::f16, {5}, 4);
  content.tensors["labels"] = tensor_of(DType::i32, {7}, 5);
  content.tensors["pixels"] = tensor_of(DType::u8, {1, 3, 3}, 6);
  content.tensors["num_batches_tracked"] = tensor_of(DType::i64, {}, 7);
  content.tensors["empty"] = tensor_of(DType::f32, {0, 5});
  content.tensors["empty.u8"] = tensor_of(DType::u8, {3, 0});
  return content;
}

}  // namespace

TEST_CASE("write and read back: every dtype and scalars and empty tensors and metadata") {
  const TemporaryFolder folder;
  const Safetensors content = every_dtype();
  write_safetensors(folder / "all.safetensors", content);
  const Safetensors back = read_safetensors(folder / "all.safetensors");
  CHECK(back.tensors == content.tensors);
  CHECK(back.metadata == content.metadata);
  CHECK(back.tensors.at("num_batches_tracked").shape.rank() == 0);
}

TEST_CASE("rewriting a file gives the same bytes") {
  const TemporaryFolder folder;
  write_safetensors(folder / "one", every_dtype());
  write_safetensors(folder / "two", read_safetensors(folder / "one"));
  CHECK(read_file(folder / "one") == read_file(folder / "two"));
}

TEST_CASE("write_safetensors writes the bytes that the format specifies") {
  const TemporaryFolder folder;
  Safetensors content;
  content.metadata["k"] = "v";
  content.tensors["b"] = tensor_of(DType::u8, {3}, 'x');
  content.tensors["a"] = tensor_of(DType::bf16, {1, 1}, 'A');
  content.tensors["c"] = tensor_of(DType::f32, {}, '0');
  write_safetensors(folder / "small", content);
  std::string header =
      R"({"__metadata__":{"k":"v"},"c":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"BF16","shape":[1,1],"data_offsets":[4,6]},"b":{"dtype":"U8","shape":[3],"data_offsets":[6,9]}})";
  while (header.size() % 8 != 0) header += ' ';
  CHECK(read_file(folder / "small") == little_endian(header.size()) + header + "0123ABxyz");
}

TEST_CASE("a file without tensors is valid") {
  const TemporaryFolder folder;
  write_safetensors(folder / "none", {});
  CHECK(read_file(folder / "none") == little_endian(8) + "{}      ");
  CHECK(read_safetensors(folder / "none").tensors.empty());
  write_file(folder / "two bytes", little_endian(2) + "{}");
  CHECK(read_safetensors(folder / "two bytes").metadata.empty());
}

TEST_CASE("tensors can have any order with empty tensors anywhere") {
  const TemporaryFolder folder;
  const std::string header =
      R"({"second":{"shape":[2],"data_offsets":[2,4],"dtype":"U8"},"none":{"dtype":"F64","shape":[0],"data_offsets":[2,2]},)"
      R"("first":{"dtype":"U8","data_offsets":[0,2],"shape":[2]},"last":{"dtype":"I64","shape":[0,9],"data_offsets":[4,4]}})";
  write_file(folder / "file", little_endian(header.size()) + header + "abcd");
  const Safetensors content = read_safetensors(folder / "file");
  CHECK(content.tensors.at("first").bytes == std::vector{std::byte{'a'}, std::byte{'b'}});
  CHECK(content.tensors.at("second").bytes == std::vector{std::byte{'c'}, std::byte{'d'}});
  CHECK(content.tensors.at("none").shape == Shape{0});
  CHECK(content.tensors.at("last").shape == Shape{0, 9});
}

TEST_CASE("names and metadata can contain any text") {
  const TemporaryFolder folder;
  Safetensors content;
  for (const char* name : {"", " ", "a\"b\\c", "line\nbreak\ttab", "naïve", "層", "\x01", "\x7f", "\xf0\x9f\x91\x97"}) {
    content.tensors[name] = tensor_of(DType::u8, {1});
    content.metadata[name] = name;
  }
  content.tensors[std::string("zero\0byte", 9)] = tensor_of(DType::u8, {2});
  write_safetensors(folder / "names", content);
  const Safetensors back = read_safetensors(folder / "names");
  CHECK(back.tensors == content.tensors);
  CHECK(back.metadata == content.metadata);
}

TEST_CASE("invalid content is rejected before a file is written") {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name, const FileTensor& tensor) {
    Safetensors content;
    content.tensors[name] = tensor;
    return message_of([&] { write_safetensors(folder / "bad", content); });
  };
  FileTensor short_tensor = tensor_of(DType::f32, {2, 2});
  short_tensor.bytes.pop_back();
  CHECK_THAT(message("w", short_tensor),
             Catch::Contains("tensor \"w\" has 15 bytes, which do not match its f32 [2,2]"));
  FileTensor huge{DType::f32, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {}};
  CHECK_THAT(message("w", huge), Catch::Contains("do not match"));
  CHECK_THAT(message("__metadata__", tensor_of(DType::u8, {1})), Catch::Contains("a tensor cannot be named"));
  CHECK_THAT(message("\xff", tensor_of(DType::u8, {1})), Catch::Contains("not valid UTF-8"));
  Safetensors bad_metadata;
  bad_metadata.metadata["k"] = "\xc3";
  CHECK_THAT(message_of([&] { write_safetensors(folder / "bad", bad_metadata); }), Catch::Contains("not valid UTF-8"));
  CHECK(folder.entries() == 0);
}
