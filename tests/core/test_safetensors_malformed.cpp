/// Malformed files, each with the reason that the error message must contain.

#include "core/safetensors.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <string>
#include <vector>

using namespace minception;
using namespace minception::testing;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

/// A file with one tensor "w" of the given description, and four bytes of data.
std::string described(const std::string& description) { return file_of("{\"w\":" + description + "}", "data"); }

struct Malformed {
  const char* what;
  std::string bytes;
  const char* reason;
};

const std::string kGood = R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})";

std::vector<Malformed> malformed_files() {
  const std::string zero(1, '\0');
  const std::string two_tensors = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":)";
  const std::string deep = std::string(100'000, '[');
  return {
      // header length
      {"empty file", "", "has 0 bytes, too few"},
      {"seven bytes", "1234567", "has 7 bytes, too few"},
      {"header past the end", little_endian(100) + "{}", "the header should have 100 bytes but the file has 10"},
      {"header one byte past the end", little_endian(3) + "{}", "the header should have 3 bytes"},
      {"header over the limit", little_endian(100'000'001) + "{}", "the limit of 100000000"},
      {"header length of all ones", little_endian(~std::uint64_t{0}) + "{}",
       "18446744073709551615 bytes, above the limit"},
      {"no header", little_endian(0), "does not start with '{'"},
      // header text
      {"list instead of object", file_of("[]", ""), "does not start with '{'"},
      {"leading space", file_of(" {}", ""), "does not start with '{'"},
      {"byte order mark", file_of("\xef\xbb\xbf{}", ""), "does not start with '{'"},
      {"cut in the middle", file_of(R"({"w":)", ""), "not valid JSON in UTF-8: error at byte"},
      {"text after the object", file_of("{} x", ""), "not valid JSON in UTF-8: error at byte 4"},
      {"two objects", file_of("{}{}", ""), "not valid JSON"},
      {"trailing comma", file_of("{\"w\":" + kGood + ",}", "data"), "not valid JSON"},
      {"comment", file_of("{/* */}", ""), "not valid JSON"},
      {"zero bytes after the object", file_of("{}" + zero + "x", ""), "a zero byte at byte 2"},
      {"zero byte in a name", file_of("{\"" + zero + "\":" + kGood + "}", "data"), "a zero byte at byte 2"},
      {"line break in a name", file_of("{\"\n\":" + kGood + "}", "data"), "not valid JSON"},
      {"invalid UTF-8", file_of("{\"\xff\":" + kGood + "}", "data"), "not valid JSON in UTF-8: error at byte"},
      {"UTF-8 too long for its value", file_of("{\"\xc0\xaf\":" + kGood + "}", "data"), "not valid JSON in UTF-8"},
      {"UTF-8 of a surrogate", file_of("{\"\xed\xa0\x80\":" + kGood + "}", "data"), "not valid JSON in UTF-8"},
      {"escaped lone surrogate", file_of(R"({"\ud800":)" + kGood + "}", "data"), "not valid JSON"},
      {"nested deeply", file_of("{\"w\":" + deep, ""), "nested more deeply"},
      {"number beyond double", described(R"({"dtype":"U8","shape":[1e999],"data_offsets":[0,4]})"), "too large"},
      // names
      {"duplicate name", file_of("{\"w\":" + kGood + ",\"w\":" + kGood + "}", "data"), "the name \"w\" twice"},
      {"duplicate name, one escaped", file_of("{\"w\":" + kGood + R"(,"\u0077":)" + kGood + "}", "data"),
       "the name \"w\" twice"},
      {"duplicate field", described(R"({"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]})"),
       "the name \"dtype\" twice"},
      {"duplicate metadata", file_of(R"({"__metadata__":{"k":"1","k":"2"}})", ""), "the name \"k\" twice"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})", ""), "the name \"__metadata__\" twice"},
      // metadata
      {"metadata is a list", file_of(R"({"__metadata__":[]})", ""), "__metadata__ is not a JSON object"},
      {"metadata is text", file_of(R"({"__metadata__":"x"})", ""), "__metadata__ is not a JSON object"},
      {"metadata holds a number", file_of(R"({"__metadata__":{"k":1}})", ""), "the value of \"k\" is not a string"},
      {"metadata holds null", file_of(R"({"__metadata__":{"k":null}})", ""), "the value of \"k\" is not a string"},
      {"metadata holds an object", file_of(R"({"__metadata__":{"k":{}}})", ""), "the value of \"k\" is not a string"},
      // descriptions
      {"description is a number", described("1"), "tensor \"w\": its entry is not a JSON object"},
      {"description is null", described("null"), "its entry is not a JSON object"},
      {"no dtype", described(R"({"shape":[4],"data_offsets":[0,4]})"), "must have dtype, shape and data_offsets"},
      {"no shape", described(R"({"dtype":"U8","data_offsets":[0,4]})"), "must have dtype, shape and data_offsets"},
      {"no offsets", described(R"({"dtype":"U8","shape":[4]})"), "must have dtype, shape and data_offsets"},
      {"unknown field", described(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4],"scale":1})"),
       "unknown field \"scale\""},
      {"unknown dtype", described(R"({"dtype":"U9","shape":[4],"data_offsets":[0,4]})"),
       "dtype \"U9\" is not supported"},
      {"dtype in small letters", described(R"({"dtype":"u8","shape":[4],"data_offsets":[0,4]})"), "\"u8\" is not"},
      {"dtype is a number", described(R"({"dtype":8,"shape":[4],"data_offsets":[0,4]})"), "its dtype is not a string"},
      {"shape is a number", described(R"({"dtype":"U8","shape":4,"data_offsets":[0,4]})"), "its shape is not a list"},
      {"negative extent", described(R"({"dtype":"U8","shape":[-4],"data_offsets":[0,4]})"),
       "its shape contains the invalid size -4"},
      {"fractional extent", described(R"({"dtype":"U8","shape":[4.0],"data_offsets":[0,4]})"),
       "its shape contains the invalid size "},
      {"extent is text", described(R"({"dtype":"U8","shape":["4"],"data_offsets":[0,4]})"),
       "its shape contains the invalid size "},
      {"extent of 2^63", described(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]})"),
       "its shape contains the invalid size "},
      {"extent of 2^64 and more", described(R"({"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]})"),
       "its shape contains the invalid size "},
      {"rank over the limit", described(R"({"dtype":"U8","shape":[4,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})"),
       "has 9 extents; at most 8"},
      {"product that wraps around to 4",
       described(R"({"dtype":"U8","shape":[4611686018427387905,4],"data_offsets":[0,4]})"), "is too large"},
      {"bytes that wrap around to 0",
       described(R"({"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]})"), "is too large"},
      {"product too large before a 0",
       described(R"({"dtype":"U8","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]})"),
       "is too large"},
      // offsets
      {"offsets are no list", described(R"({"dtype":"U8","shape":[4],"data_offsets":4})"), "not two byte positions"},
      {"one offset", described(R"({"dtype":"U8","shape":[4],"data_offsets":[4]})"), "not two byte positions"},
      {"three offsets", described(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4,4]})"), "not two byte positions"},
      {"negative offset", described(R"({"dtype":"U8","shape":[4],"data_offsets":[-4,0]})"), "not two byte positions"},
      {"fractional offset", described(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4.0]})"),
       "not two byte positions"},
      {"reversed offsets", described(R"({"dtype":"U8","shape":[4],"data_offsets":[4,0]})"), "reversed: [4,0]"},
      {"range shorter than the shape", described(R"({"dtype":"U8","shape":[5],"data_offsets":[0,4]})"),
       "U8 [5] takes 5 bytes but its data_offsets [0,4] hold 4"},
      {"range longer than the dtype", described(R"({"dtype":"U8","shape":[1],"data_offsets":[0,4]})"), "takes 1 bytes"},
      {"scalar without bytes", described(R"({"dtype":"F32","shape":[],"data_offsets":[0,0]})"), "F32 [] takes 4 bytes"},
      {"empty tensor with bytes", described(R"({"dtype":"U8","shape":[0],"data_offsets":[0,4]})"),
       "U8 [0] takes 0 bytes"},
      // data
      {"gap at the begin", described(R"({"dtype":"U8","shape":[3],"data_offsets":[1,4]})"), "the data bytes 0 to 1"},
      {"gap between", file_of(two_tensors + R"({"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", "data"),
       "the data bytes 2 to 3"},
      {"overlap", file_of(two_tensors + R"({"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "data"),
       "tensor \"b\" begins at 1, before the previous tensor ends at 2"},
      {"two tensors in one place", file_of(two_tensors + R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "da"),
       "tensor \"b\" begins at "},
      {"empty tensor inside of another",
       file_of(two_tensors + R"({"dtype":"U8","shape":[0],"data_offsets":[1,1]}})", "da"), "tensor \"b\" begins at "},
      {"data cut short", file_of("{\"w\":" + kGood + "}", "dat"),
       "the header declares 4 bytes of data but the file has 3: the file is truncated"},
      {"no data", file_of("{\"w\":" + kGood + "}", ""), "4 bytes of data but the file has 0"},
      {"trailing data", file_of("{\"w\":" + kGood + "}", "data!"), "1 trailing bytes"},
      {"data without tensors", file_of("{}", "data"), "4 trailing bytes"},
      {"range past the end of memory",
       described(R"({"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]})"),
       "the header declares 9223372036854775807 bytes of data but the file has 4"},
      {"offsets near 2^64",
       described(R"({"dtype":"U8","shape":[4],"data_offsets":[18446744073709551611,18446744073709551615]})"),
       "the data bytes 0 to 18446744073709551611"},
  };
}

}  // namespace

TEST_CASE("the valid file from which the malformed ones are derived is read") {
  const TemporaryFolder folder;
  write_file(folder / "file", described(kGood));
  CHECK(read_safetensors(folder / "file").tensors.at("w").bytes.size() == 4);
}

TEST_CASE("every malformed file is rejected in one line with its name and the reason") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "file.safetensors";
  for (const Malformed& malformed : malformed_files()) {
    INFO(malformed.what);
    write_file(path, malformed.bytes);
    const std::string message = message_of([&] { read_safetensors(path); });
    CHECK_THAT(message, Catch::StartsWith(path.string() + ": ") && Catch::Contains(malformed.reason));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("the error for a torch.save file contains the conversion command") {
  const TemporaryFolder folder;
  const std::string zip = "PK\x03\x04" + std::string(60, '\0'), pickle =
                                                                    "\x80\x02\x8a\nl\xfc\x9c"
                                                                    "F\xf9 j\xa8P\x19.";
  struct Saved {
    const char *name, *converted;
  };
  for (const std::string& content : {zip, pickle, std::string("\x80\x04\x95\x10", 4) + std::string(20, '\0')}) {
    for (const Saved& saved : {Saved{"sd.pth", "sd.safetensors"}, Saved{"model.pt", "model.safetensors"},
                               Saved{"a.bin", "a.safetensors"}, Saved{"b.safetensors", "b.converted.safetensors"}}) {
      write_file(folder / saved.name, content);
      CHECK(message_of([&] { read_safetensors(folder / saved.name); }) ==
            concat((folder / saved.name).string(),
                   ": was written by torch.save; convert its state dict with python3 -c \"import torch; from "
                   "safetensors.torch import save_file; save_file(torch.load('",
                   (folder / saved.name).string(), "', map_location='cpu'), '", (folder / saved.converted).string(),
                   "')\""));
    }
  }
  // Paths with shell metacharacters are replaced in the command.
  write_file(folder / "it's $5.pth", zip);
  CHECK_THAT(message_of([&] { read_safetensors(folder / "it's $5.pth"); }),
             Catch::Contains("torch.load('weights.pth', map_location='cpu'), 'weights.safetensors')"));
  // The length of a header of 0x280 bytes has the first bytes of a pickle.
  const std::string header = "{" + std::string(0x27e, ' ') + "}";
  write_file(folder / "long", file_of(header, ""));
  CHECK(read_file(folder / "long").starts_with(std::string("\x80\x02", 2)));
  CHECK(read_safetensors(folder / "long").tensors.empty());
}

TEST_CASE("a file truncated at any byte is rejected") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "file.safetensors";
  Safetensors content;
  content.metadata["k"] = "v";
  content.tensors["a"] = FileTensor{DType::f32, {2}, std::vector<std::byte>(8)};
  content.tensors["b"] = FileTensor{DType::u8, {3}, std::vector<std::byte>(3)};
  write_safetensors(path, content);
  const std::string whole = read_file(path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    write_file(path, whole.substr(0, length));
    CHECK_FALSE(message_of([&] { read_safetensors(path); }).empty());
  }
}

TEST_CASE("control characters of names are escaped in messages") {
  const TemporaryFolder folder;
  write_file(folder / "file", file_of(R"({"\u001b[31m\nred":1})", ""));
  const std::string message = message_of([&] { read_safetensors(folder / "file"); });
  CHECK_THAT(message, Catch::Contains(R"(tensor "\u001b[31m\nred")"));
  CHECK(message.find('\x1b') == std::string::npos);
}

TEST_CASE("a file larger than memory is rejected before it is read") {
  const TemporaryFolder folder;
  const std::uint64_t bytes = std::uint64_t{1} << 42;
  const std::string header = R"({"w":{"dtype":"U8","shape":[4398046511104],"data_offsets":[0,4398046511104]}})";
  const std::filesystem::path path = folder / "sparse";
  write_file(path, file_of(header, ""));
  std::filesystem::resize_file(path, 8 + header.size() + bytes);  // sparse: needs no disk space
  CHECK_THAT(message_of([&] { read_safetensors(path); }), Catch::Contains("needs 4398046511104 bytes of memory"));
}

TEST_CASE("missing and irregular files are rejected with the path") {
  const TemporaryFolder folder;
  CHECK_THAT(message_of([&] { read_safetensors(folder / "absent"); }),
             Catch::Contains("absent: cannot be found: No such file or directory"));
  CHECK_THAT(message_of([&] { read_safetensors(folder.path()); }), Catch::Contains("is not a regular file"));
  CHECK_THAT(message_of([&] { read_safetensors("/dev/zero"); }), Catch::Contains("is not a regular file"));
}
