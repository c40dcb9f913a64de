/// The reader validates the header against the file size before it allocates tensors, so a hostile or damaged file uses
/// no more memory than its own size. The writer writes a temporary file next to the target and renames it, so a process
/// that is killed at any time leaves either the old content or the new.

#include "core/safetensors.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/host_memory.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace minception {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie in the file");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the Python package
constexpr const char* kMetadataKey = "__metadata__";

/// Dtype names in files, in descending order of alignment, then in the order of the Python package, so that both write
/// the same bytes.
constexpr std::pair<DType, std::string_view> kFileDTypes[] = {
    {DType::i64, "I64"},   {DType::f64, "F64"}, {DType::f32, "F32"}, {DType::i32, "I32"},
    {DType::bf16, "BF16"}, {DType::f16, "F16"}, {DType::u8, "U8"}};

std::size_t file_rank(DType dtype) {
  std::size_t rank = 0;
  while (kFileDTypes[rank].first != dtype) ++rank;
  return rank;
}

/// Text from a file, quoted and escaped for one line on a terminal.
std::string quoted(const std::string& text) { return json(text).dump(-1, ' ', true, json::error_handler_t::replace); }

/// Whether the first bytes are those of a zip file or a pickle. torch.save writes either, depending on its version.
bool is_torch_file(std::string_view first) {
  return first.starts_with("PK\3\4") || (first.size() > 1 && first[0] == '\x80' && first[1] >= 2 && first[1] <= 5);
}

/// Command that converts a torch.save file to safetensors. Replaces paths with shell metacharacters by "weights.pth".
std::string conversion_command(const std::filesystem::path& path) {
  const bool plain = path.string().find_first_of("'\"\\$`!\n") == std::string::npos;
  const std::string from = plain ? path.string() : "weights.pth";
  std::filesystem::path to = from;
  to.replace_extension(to.extension() == ".safetensors" ? ".converted.safetensors" : ".safetensors");
  return concat("python3 -c \"import torch; from safetensors.torch import save_file; save_file(torch.load('", from,
                "', map_location='cpu'), '", to.string(), "')\"");
}

/// Size of a tensor in bytes; nullopt if a product overflows 63 bits.
std::optional<std::uint64_t> bytes_of(DType dtype, const Shape& shape) {
  std::int64_t bytes = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return std::nullopt;
  }
  if (__builtin_mul_overflow(bytes, static_cast<std::int64_t>(size_of(dtype)), &bytes)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

/// Header entry of a tensor. Its bytes are [begin, end) of the data that follow the header.
struct Entry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : name_(path.string()) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    check(std::filesystem::exists(status), "cannot be found: ", error.message(), "; check the path");
    check(std::filesystem::is_regular_file(status), "is not a regular file; name a safetensors file");
    file_.open(path, std::ios::binary);
    check(file_.is_open(), "cannot be opened; check its permissions");
    file_bytes_ = std::filesystem::file_size(path, error);
    check(!error, "its size cannot be read: ", error.message());
  }

  Safetensors read() {
    const json header = parse(read_header());
    Safetensors content;
    std::vector<Entry> entries;
    for (const auto& [key, value] : header.items()) {
      if (key == kMetadataKey) {
        content.metadata = metadata(value);
      } else {
        entries.push_back(entry(key, value));
      }
    }
    check_layout(entries);
    for (Entry& entry : entries) {
      FileTensor& tensor = content.tensors[entry.name];
      tensor.dtype = entry.dtype;
      tensor.shape = entry.shape;
      tensor.bytes.resize(entry.end - entry.begin);
      read_bytes(tensor.bytes.data(), tensor.bytes.size());
    }
    return content;
  }

 private:
  template <class... Args>
  void check(bool condition, const Args&... args) const {
    require(condition, name_, ": ", args...);
  }

  void read_bytes(void* destination, std::size_t count) {
    file_.read(static_cast<char*>(destination), static_cast<std::streamsize>(count));
    check(static_cast<std::size_t>(file_.gcount()) == count, "only ", file_.gcount(), " of ", count,
          " bytes could be read; the file has changed or the disk is failing");
  }

  std::string read_header() {
    check(file_bytes_ >= kLengthBytes, "has ", file_bytes_,
          " bytes, too few for a safetensors file; copy or download it again");
    std::uint64_t length = 0;
    read_bytes(&length, kLengthBytes);
    // The length of a 67 MB header can also read as "PK\3\4", but a header starts with '{'.
    check(!is_torch_file({reinterpret_cast<const char*>(&length), kLengthBytes}) || file_.peek() == '{',
          "was written by torch.save; convert its state dict with ", conversion_command(name_));
    file_.clear();
    check(length <= kMaxHeaderBytes, "declares a header of ", length, " bytes, above the limit of ", kMaxHeaderBytes,
          ": not a safetensors file");
    check(length <= file_bytes_ - kLengthBytes, "the header should have ", length, " bytes but the file has ",
          file_bytes_, ": the file is truncated; copy or download it again");
    std::string text(length, '\0');
    read_bytes(text.data(), length);
    check(!text.empty() && text[0] == '{', "the header does not start with '{': not a safetensors file");
    data_bytes_ = file_bytes_ - kLengthBytes - length;
    return text;
  }

  json parse(const std::string& text) const {
    // The JSON library treats a zero byte as the end of the text.
    const std::size_t zero = text.find('\0');
    check(zero == std::string::npos, "the header is not valid JSON: a zero byte at byte ", zero);
    // Parsed objects drop duplicate names, so the parser callback checks for them.
    std::vector<std::set<std::string>> open_objects;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
        check(depth <= 2, "the header is nested more deeply than the format allows");
      }
      if (event == json::parse_event_t::object_start) open_objects.emplace_back();
      if (event == json::parse_event_t::object_end) open_objects.pop_back();
      if (event == json::parse_event_t::key) {
        const auto& key = value.get_ref<const std::string&>();
        check(open_objects.back().insert(key).second, "the header holds the name ", quoted(key), " twice");
      }
      return true;
    };
    try {
      return json::parse(text, watch);
    } catch (const json::parse_error& error) {
      fail(name_, ": the header is not valid JSON in UTF-8: error at byte ", error.byte);
    } catch (const json::exception&) {
      fail(name_, ": the header is not valid JSON: a number is too large");
    }
  }

  std::map<std::string, std::string> metadata(const json& object) const {
    check(object.is_object(), kMetadataKey, " is not a JSON object");
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : object.items()) {
      check(value.is_string(), kMetadataKey, ": the value of ", quoted(key), " is not a string");
      result[key] = value.get<std::string>();
    }
    return result;
  }

  Entry entry(const std::string& name, const json& object) const {
    const auto check_entry = [&](bool condition, const auto&... args) {
      check(condition, "tensor ", quoted(name), ": ", args...);
    };
    check_entry(object.is_object(), "its entry is not a JSON object");
    for (const auto& [key, value] : object.items()) {
      check_entry(key == "dtype" || key == "shape" || key == "data_offsets", "unknown field ", quoted(key));
    }
    check_entry(object.size() == 3, "its entry must have dtype, shape and data_offsets");

    Entry result;
    result.name = name;
    const json& dtype = object["dtype"];
    check_entry(dtype.is_string(), "its dtype is not a string");
    const auto* const known = std::find_if(std::begin(kFileDTypes), std::end(kFileDTypes),
                                           [&](const auto& pair) { return dtype == pair.second; });
    check_entry(known != std::end(kFileDTypes), "dtype ", quoted(dtype.get<std::string>()),
                " is not supported; convert it to one of F64, F32, F16, BF16, I64, I32, U8");
    result.dtype = known->first;

    const json& shape = object["shape"];
    check_entry(shape.is_array(), "its shape is not a list");
    check_entry(shape.size() <= Shape::max_rank, "its shape has ", shape.size(), " extents; at most ", Shape::max_rank,
                " are supported");
    std::vector<std::int64_t> extents;
    for (const json& extent : shape) {
      check_entry(
          extent.is_number_unsigned() && extent.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max(),
          "its shape contains the invalid size ", extent);
      extents.push_back(extent.get<std::int64_t>());
    }
    result.shape = Shape(extents);

    const json& offsets = object["data_offsets"];
    check_entry(
        offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(),
        "its data_offsets are not two byte positions");
    result.begin = offsets[0].get<std::uint64_t>();
    result.end = offsets[1].get<std::uint64_t>();
    check_entry(result.begin <= result.end, "its data_offsets are reversed: ", offsets);

    const std::optional<std::uint64_t> bytes = bytes_of(result.dtype, result.shape);
    check_entry(bytes.has_value(), "its shape ", result.shape, " is too large");
    check_entry(*bytes == result.end - result.begin, known->second, ' ', result.shape, " takes ", *bytes,
                " bytes but its data_offsets ", offsets, " hold ", result.end - result.begin);
    return result;
  }

  /// Sorts the entries by position and checks that they cover every data byte exactly once.
  void check_layout(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t covered = 0;
    for (const Entry& entry : entries) {
      check(entry.begin <= covered, "no tensor covers the data bytes ", covered, " to ", entry.begin);
      check(entry.begin == covered, "tensor ", quoted(entry.name), " begins at ", entry.begin,
            ", before the previous tensor ends at ", covered);
      covered = entry.end;
    }
    check(covered <= data_bytes_, "the header declares ", covered, " bytes of data but the file has ", data_bytes_,
          ": the file is truncated; copy or download it again");
    check(covered == data_bytes_, "the file has ", data_bytes_ - covered,
          " trailing bytes that belong to no tensor; copy or download it again");
    const std::size_t available = available_host_memory();
    check(available == 0 || covered <= available, "needs ", covered, " bytes of memory but only ", available,
          " are free");
  }

  std::string name_;
  std::ifstream file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t data_bytes_ = 0;
};

/// A temporary file next to `target`. The destructor deletes it unless `take_place` renamed it to `target`.
class FileBeside {
 public:
  explicit FileBeside(const std::filesystem::path& target) : target_(target) {
    folder_ = target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
    std::error_code error;
    require(std::filesystem::is_directory(folder_, error), target_.string(), ": the folder ", folder_.string(),
            " is missing or inaccessible; create it first");
    // Renaming onto a device such as /dev/null would replace the device.
    const std::filesystem::file_status status = std::filesystem::status(target, error);
    require(target.has_filename() && (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)),
            target_.string(), ": is not a regular file; choose another name");
    static std::atomic<unsigned> counter{0};
    do {
      path_ = folder_ / concat(".minception-", ::getpid(), '-', counter++, ".tmp");
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    check(descriptor_ >= 0, "create a file in its folder");
  }
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;
  ~FileBeside() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(path_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t kMaxChunk = std::size_t{1} << 30;  // one call writes at most 2^31 bytes
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMaxChunk));
      if (written < 0 && errno == EINTR) continue;
      check(written > 0, "write its bytes");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void take_place() {
    check(::fsync(descriptor_) == 0, "sync it to the disk");
    check(::close(std::exchange(descriptor_, -1)) == 0, "close it");
    check(::rename(path_.c_str(), target_.c_str()) == 0, "rename it into place");
    renamed_ = true;
    // The rename survives a power failure only after the folder is synced. File systems that cannot sync folders return
    // EINVAL.
    descriptor_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced =
        descriptor_ >= 0 && (::fsync(descriptor_) == 0 || errno == EINVAL);  // first: require() reads errno
    require(synced, target_.string(), ": was written, but its folder cannot be synced to the disk: ", system_message());
  }

 private:
  void check(bool condition, const char* action) const {
    if (condition) return;
    const std::string reason = system_message();
    fail(target_.string(), ": cannot ", action, ": ", reason,
         "; any existing file is unchanged; free space on the disk or choose another folder");
  }

  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace

Safetensors read_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

void write_safetensors(const std::filesystem::path& path, const Safetensors& content) {
  using Item = std::pair<const std::string, FileTensor>;
  std::vector<const Item*> items;
  for (const Item& item : content.tensors) {
    const auto& [name, tensor] = item;
    require(name != kMetadataKey, path.string(), ": a tensor cannot be named ", kMetadataKey);
    const std::optional<std::uint64_t> bytes = bytes_of(tensor.dtype, tensor.shape);
    require(bytes == tensor.bytes.size(), path.string(), ": tensor ", quoted(name), " has ", tensor.bytes.size(),
            " bytes, which do not match its ", name_of(tensor.dtype), ' ', tensor.shape);
    items.push_back(&item);
  }
  std::stable_sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return file_rank(a->second.dtype) < file_rank(b->second.dtype);
  });

  std::string header = "{";
  std::uint64_t position = 0;
  try {
    if (!content.metadata.empty()) header += concat('"', kMetadataKey, "\":", json(content.metadata).dump(), ',');
    for (const Item* item : items) {
      const auto& [name, tensor] = *item;
      const std::uint64_t end = position + tensor.bytes.size();
      // std::to_string, because a stream would write 1,024 under some locales.
      header += json(name).dump() + ":{\"dtype\":\"" + std::string(kFileDTypes[file_rank(tensor.dtype)].second) +
                "\",\"shape\":" + tensor.shape.to_string() + ",\"data_offsets\":[" + std::to_string(position) + ',' +
                std::to_string(end) + "]},";
      position = end;
    }
  } catch (const json::exception&) {
    fail(path.string(), ": a tensor name or metadata text is not valid UTF-8");
  }
  if (header.back() == ',') header.pop_back();
  header += '}';
  header.resize((header.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  require(header.size() <= kMaxHeaderBytes, path.string(), ": the header would have ", header.size(),
          " bytes, above the limit of ", kMaxHeaderBytes);

  std::vector<std::byte> bytes(kLengthBytes + header.size());
  bytes.reserve(bytes.size() + position);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, kLengthBytes);
  std::memcpy(bytes.data() + kLengthBytes, header.data(), header.size());
  for (const Item* item : items) bytes.insert(bytes.end(), item->second.bytes.begin(), item->second.bytes.end());
  write_file_atomically(path, bytes);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  FileBeside file(path);
  file.write(bytes);
  file.take_place();
}

}  // namespace minception
