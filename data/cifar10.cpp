#include "data/cifar10.h"
#include "core/error.h"
#include "data/byte_stream.h"
#include "data/tar.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kPlane = 32 * 32;
constexpr std::size_t kImage = 3 * kPlane;
constexpr std::size_t kRecord = 1 + kImage;  // a label and an image
constexpr std::size_t kClasses = 10;
constexpr std::size_t kBatches = 6;  // the last one is for testing
/// The batches, then the class names.
constexpr std::array<const char*, kBatches + 1> kFiles = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                          "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
                                                          "batches.meta.txt"};
constexpr const char* kArchive = "cifar-10-binary.tar.gz";
constexpr const char* kPythonBatch = "data_batch_1";          // only in the Python version
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 28;  // per file; the published files have 31 MB
constexpr const char* kHowToGet =
    "; get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html (no Debian package has it) and pass "
    "it or its folder as ";
constexpr const char* kRemedy = "; copy or download it again";

struct Batch {
  std::size_t count = 0;  // images in the file
  Bytes pixels;           // (N, H, W, C) of the first N images, as requested
  std::vector<std::int32_t> labels;
};

/// Number of images in a batch file.
std::size_t count_images(const std::string& name, std::span<const std::uint8_t> file) {
  require(!file.empty() && file.size() % kRecord == 0, name, ": ", file.size(),
          " bytes are not a multiple of a record's ", kRecord,
          " bytes (a label and 3x32x32 pixels): the file is truncated or not a CIFAR-10 file", kRemedy);
  return file.size() / kRecord;
}

/// Reads the first `wanted` of `count` images.
Batch read_batch(const std::string& name, std::span<const std::uint8_t> file, std::size_t count, std::size_t wanted) {
  Batch batch{.count = count, .pixels = {}, .labels = {}};
  batch.pixels.reserve(wanted * kImage);
  for (std::size_t at = 0; at < wanted * kRecord; at += kRecord) {
    require(file[at] < kClasses, name, ": offset ", at, ": label ", int{file[at]}, " of image ", at / kRecord,
            ": the classes are 0 to ", kClasses - 1);
    batch.labels.push_back(file[at]);
    const std::uint8_t* planes = &file[at + 1];
    for (std::size_t pixel = 0; pixel < kPlane; ++pixel) {
      for (std::size_t channel = 0; channel < 3; ++channel) batch.pixels.push_back(planes[channel * kPlane + pixel]);
    }
  }
  return batch;
}

std::vector<std::string> read_class_names(std::span<const std::uint8_t> file) {
  std::vector<std::string> names(1);
  for (const std::uint8_t byte : file) {
    if (byte == '\n') {
      names.emplace_back();
    } else if (byte != '\r') {
      names.back() += static_cast<char>(byte);
    }
  }
  while (!names.empty() && names.back().empty()) names.pop_back();  // the published file ends with an empty line
  return names;
}

/// Index in kFiles; kFiles.size() for other files.
std::size_t place_of(const std::string& file) {
  return static_cast<std::size_t>(std::find(kFiles.begin(), kFiles.end(), file) - kFiles.begin());
}

/// Files found so far.
struct Parts {
  const Selection& selection;
  std::array<std::optional<Batch>, kBatches> batches{};
  std::vector<std::string> class_names;  // empty until their file is found

  bool found_any() const {
    return !class_names.empty() ||
           std::any_of(batches.begin(), batches.end(), [](const auto& batch) { return batch.has_value(); });
  }

  /// Number of leading images to read from a batch. Assumes batches of equal size; dataset() checks this.
  std::size_t wanted(std::size_t place, std::size_t count) const {
    const auto each = static_cast<std::int64_t>(count);
    if (place + 1 == kBatches) return static_cast<std::size_t>(leading_test(selection, each));
    constexpr auto kTrainBatches = static_cast<std::int64_t>(kBatches) - 1;
    const std::int64_t before = static_cast<std::int64_t>(place) * each;
    return static_cast<std::size_t>(
        std::clamp<std::int64_t>(leading_train(selection, kTrainBatches * each) - before, 0, each));
  }

  /// `place` is an index in kFiles; `name` is used in messages.
  void add(std::size_t place, const std::string& name, const Bytes& content) {
    const bool is_batch = place < kBatches;
    require(is_batch ? !batches[place] : class_names.empty(), name, ": is in the archive twice", kRemedy);
    if (is_batch) {
      const std::size_t count = count_images(name, content);
      batches[place] = read_batch(name, content, count, wanted(place, count));
      return;
    }
    class_names = read_class_names(content);
    require(class_names.size() == kClasses, name, ": names ", class_names.size(), " classes, not ", kClasses, kRemedy);
    for (const std::string& class_name : class_names) {
      const auto is_fit = [](char letter) { return letter >= ' ' && letter <= '~'; };
      require(!class_name.empty() && std::all_of(class_name.begin(), class_name.end(), is_fit) &&
                  std::count(class_names.begin(), class_names.end(), class_name) == 1,
              name, ": holds a class name that is empty, not a string or a duplicate", kRemedy);
    }
  }

  /// `where` names the folder or archive in messages.
  Dataset dataset(const std::string& where) {
    for (std::size_t i = 0; i < kBatches; ++i) {
      require(batches[i].has_value(), where, ": ", kFiles[i], " is missing", kRemedy);
      require(batches[i]->count == batches[0]->count, where, ": ", kFiles[i], " holds ", batches[i]->count,
              " images but ", kFiles[0], " holds ", batches[0]->count, ": one of them is truncated", kRemedy);
    }
    require(!class_names.empty(), where, ": ", kFiles.back(), " is missing", kRemedy);
    Dataset result{.name = "cifar10", .train = {}, .test = {}};
    for (ImageDataset* part : {&result.train, &result.test}) {
      part->image = Shape{3, 32, 32};
      part->class_names = class_names;
    }
    const auto each = static_cast<std::int64_t>(batches[0]->count);
    const std::int64_t all = each * (static_cast<std::int64_t>(kBatches) - 1);
    result.train.pixels.reserve(static_cast<std::size_t>(leading_train(selection, all)) * kImage);
    for (std::size_t i = 0; i + 1 < kBatches; ++i) {
      const Batch batch = std::move(*batches[i]);
      result.train.pixels.insert(result.train.pixels.end(), batch.pixels.begin(), batch.pixels.end());
      result.train.labels.insert(result.train.labels.end(), batch.labels.begin(), batch.labels.end());
    }
    result.test.pixels = std::move(batches.back()->pixels);
    result.test.labels = std::move(batches.back()->labels);
    keep_selected(result, selection, all, each);
    return result;
  }
};

[[noreturn]] void fail_python(const std::string& name) {
  fail(name, ": this is the Python version of CIFAR-10, which is not supported; get ", kArchive,
       " from https://www.cs.toronto.edu/~kriz/cifar.html and pass it as ", Field{"dir"});
}

void check_size(const std::string& name, std::uint64_t bytes) {
  require(bytes <= kMostBytes, name, ": is larger than ", kMostBytes, " bytes: not a CIFAR-10 file");
}

Dataset load_archive(const fs::path& path, const Selection& selection) {
  TarReader archive(path);
  Parts parts{selection};
  bool has_python = false;
  while (const std::optional<TarMember> member = archive.next()) {
    const std::string file = fs::path(member->name).filename().string();
    has_python = has_python || file == kPythonBatch;
    const std::size_t place = place_of(file);
    if (place == kFiles.size()) continue;
    const std::string name = archive.name() + ": " + member->name;
    check_size(name, member->size);
    parts.add(place, name, archive.content());
  }
  if (parts.found_any()) return parts.dataset(archive.name());
  if (has_python) fail_python(archive.name());
  fail(archive.name(), ": the archive contains no CIFAR-10 file", kHowToGet, Field{"dir"});
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Reads the files in `dir`; nullopt if there are none.
std::optional<Dataset> load_folder(const fs::path& dir, const Selection& selection) {
  if (std::none_of(kFiles.begin(), kFiles.end(), [&](const char* file) { return is_file(dir / file); })) {
    return std::nullopt;
  }
  Parts parts{selection};
  for (std::size_t place = 0; place < kFiles.size(); ++place) {
    const fs::path path = dir / kFiles[place];
    require(is_file(path), dir.string(), ": ", kFiles[place], " is missing", kRemedy);
    ByteStream stream(path);
    const Bytes content = stream.read_up_to(kMostBytes + 1);
    check_size(stream.name(), content.size());
    parts.add(place, stream.name(), content);
  }
  return parts.dataset(dir.string());
}

}  // namespace

Dataset load_cifar10(const fs::path& path, const Selection& selection) {
  if (is_file(path)) return load_archive(path, selection);
  std::error_code error;
  require(fs::is_directory(path, error), path.string(), ": no such file or folder", kHowToGet, Field{"dir"});
  for (const fs::path& dir : {path, path / "cifar-10-batches-bin"}) {
    if (std::optional<Dataset> dataset = load_folder(dir, selection)) return std::move(*dataset);
  }
  if (is_file(path / kArchive)) return load_archive(path / kArchive, selection);
  for (const fs::path& dir : {path, path / "cifar-10-batches-py"}) {
    if (is_file(dir / kPythonBatch)) fail_python(dir.string());
  }
  const fs::path python_archive = path / "cifar-10-python.tar.gz";
  if (is_file(python_archive)) fail_python(python_archive.string());
  fail(path.string(), ": contains neither the CIFAR-10 files nor ", kArchive, kHowToGet, Field{"dir"});
}

}  // namespace minception
