#include "data/cifar10.h"
#include "core/error.h"
#include "data/byte_stream.h"
#include "data/pickle.h"
#include "data/tar.h"

#include <algorithm>
#include <array>
#include <functional>
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
constexpr std::size_t kClasses = 10;
constexpr std::size_t kBatches = 6;                           // the last one is for testing
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 28;  // per file; the published files have 31 MB
constexpr const char* kHowToGet =
    "; get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and name it, or the folder that it "
    "is "
    "in, by --data-dir (no Debian package has it)";
constexpr const char* kRemedy = "; copy or download it again";

struct Batch {
  std::size_t count = 0;  // images in the file
  Bytes pixels;           // (N, H, W, C) of the first N images, as requested
  std::vector<std::int32_t> labels;
};

/// Number of leading images to read from a file of `count` images.
using Wanted = std::function<std::size_t(std::size_t count)>;

/// Appends an image given as three planes, interleaved by pixel. `stride` is the distance between its bytes.
void append_image(Bytes& pixels, const std::uint8_t* planes, std::size_t stride) {
  for (std::size_t at = 0; at < kPlane; ++at) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      pixels.push_back(planes[(channel * kPlane + at) * stride]);
    }
  }
}

Batch read_binary_batch(const std::string& name, std::span<const std::uint8_t> file, const Wanted& wanted) {
  constexpr std::size_t kRecord = 1 + kImage;
  require(!file.empty() && file.size() % kRecord == 0, name, ": ", file.size(),
          " bytes are not a multiple of a record's ", kRecord,
          " bytes (a label and 3x32x32 pixels): the file is truncated or none of CIFAR-10", kRemedy);
  Batch batch;
  batch.count = file.size() / kRecord;
  const std::size_t first = wanted(batch.count);
  batch.pixels.reserve(first * kImage);
  for (std::size_t at = 0; at < first * kRecord; at += kRecord) {
    require(file[at] < kClasses, name, ": offset ", at, ": label ", int{file[at]}, " of image ", at / kRecord,
            ": the classes are 0 to ", kClasses - 1);
    batch.labels.push_back(file[at]);
    append_image(batch.pixels, &file[at + 1], 1);
  }
  return batch;
}

std::vector<std::string> read_binary_names(const std::string&, std::span<const std::uint8_t> file) {
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

/// 'data' is a pickled numpy array: _reconstruct(ndarray, (0,), 'b') with the state (version, shape, dtype, Fortran
/// order, bytes).
Batch read_python_batch(const std::string& name, std::span<const std::uint8_t> file, const Wanted& wanted) {
  using Kind = PickleValue::Kind;
  const Pickle pickle(file, name);
  const PickleValue& labels = pickle.expect(pickle.member(pickle.root(), "labels"), Kind::list, "'labels'");
  const PickleValue& data = pickle.member(pickle.root(), "data");
  const auto array = pickle.expect_call(data, "numpy.core.multiarray._reconstruct", 3, "'data'");
  const PickleValue& state = pickle.expect(*array[2], Kind::tuple, "the state of the array");
  if (state.items.size() != 5) pickle.fail_at(state.offset, "the state of the array has not five parts");
  const PickleValue& shape = pickle.expect(*state.items[1], Kind::tuple, "the shape of the array");
  const auto dtype = pickle.expect_call(*state.items[2], "numpy.dtype", 3, "the type of the array");
  const PickleValue& type = pickle.expect(*dtype[1]->items[0], Kind::bytes, "the type of the array");
  const PickleValue& columns_first = pickle.expect(*state.items[3], Kind::boolean, "the order of the array");
  const PickleValue& bytes = pickle.expect(*state.items[4], Kind::bytes, "the content of the array");

  if (type.text() != "u1") pickle.fail_at(type.offset, "the array does not hold unsigned bytes ('u1')");
  const std::size_t count = labels.items.size();
  const bool fits = shape.items.size() == 2 && shape.items[0]->kind == Kind::integer &&
                    shape.items[1]->kind == Kind::integer &&
                    shape.items[0]->integer == static_cast<std::int64_t>(count) && shape.items[1]->integer == kImage;
  if (count == 0) pickle.fail_at(labels.offset, "there are no labels");
  if (!fits) pickle.fail_at(shape.offset, concat("the shape of the array is not (", count, " labels, ", kImage, ")"));
  if (bytes.bytes.size() != count * kImage) {
    pickle.fail_at(bytes.offset, concat("the array has ", bytes.bytes.size(), " bytes, not ", count, " x ", kImage));
  }
  Batch batch;
  batch.count = count;
  const std::size_t first = wanted(count);
  batch.pixels.reserve(first * kImage);
  for (std::size_t i = 0; i < first; ++i) {
    const PickleValue& label = pickle.expect(*labels.items[i], Kind::integer, "a label");
    if (label.integer < 0 || label.integer >= static_cast<std::int64_t>(kClasses)) {
      pickle.fail_at(label.offset, concat("label ", label.integer, " of image ", i, ": the classes are 0 to 9"));
    }
    batch.labels.push_back(static_cast<std::int32_t>(label.integer));
    const bool columns = columns_first.integer != 0;
    append_image(batch.pixels, bytes.bytes.data() + (columns ? i : i * kImage), columns ? count : 1);
  }
  return batch;
}

std::vector<std::string> read_python_names(const std::string& name, std::span<const std::uint8_t> file) {
  using Kind = PickleValue::Kind;
  const Pickle pickle(file, name);
  std::vector<std::string> names;
  for (const PickleValue* item :
       pickle.expect(pickle.member(pickle.root(), "label_names"), Kind::list, "'label_names'").items) {
    names.emplace_back(pickle.expect(*item, Kind::bytes, "a class name").text());
  }
  return names;
}

/// A published format of CIFAR-10.
struct Form {
  const char* archive;
  const char* folder;
  std::array<const char*, kBatches> batches;
  const char* meta;
  Batch (*read_batch)(const std::string& name, std::span<const std::uint8_t> file, const Wanted& wanted);
  std::vector<std::string> (*read_names)(const std::string& name, std::span<const std::uint8_t> file);

  bool knows(const std::string& file) const {
    return file == meta || std::find(batches.begin(), batches.end(), file) != batches.end();
  }
};

constexpr Form kForms[] = {
    {"cifar-10-binary.tar.gz",
     "cifar-10-batches-bin",
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
      "test_batch.bin"},
     "batches.meta.txt",
     read_binary_batch,
     read_binary_names},
    {"cifar-10-python.tar.gz",
     "cifar-10-batches-py",
     {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"},
     "batches.meta",
     read_python_batch,
     read_python_names},
};

/// Files of one format found so far.
struct Parts {
  const Form& form;
  const Selection& selection;
  std::array<std::optional<Batch>, kBatches> batches{};
  std::vector<std::string> class_names;
  bool has_meta = false;

  bool found_any() const {
    return has_meta || std::any_of(batches.begin(), batches.end(), [](const auto& batch) { return batch.has_value(); });
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

  /// `file` is a file name of the form; `name` is used in messages.
  void add(const std::string& file, const std::string& name, const Bytes& content) {
    const auto place =
        static_cast<std::size_t>(std::find(form.batches.begin(), form.batches.end(), file) - form.batches.begin());
    const bool is_meta = place == kBatches;
    require(is_meta ? !has_meta : !batches[place], name, ": is in the archive twice", kRemedy);
    if (!is_meta) {
      batches[place] = form.read_batch(name, content, [&](std::size_t count) { return wanted(place, count); });
      return;
    }
    has_meta = true;
    class_names = form.read_names(name, content);
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
      require(batches[i].has_value(), where, ": ", form.batches[i], " is missing", kRemedy);
      require(batches[i]->count == batches[0]->count, where, ": ", form.batches[i], " holds ", batches[i]->count,
              " images but ", form.batches[0], " ", batches[0]->count,
              ": all have as many as published, or one is truncated", kRemedy);
    }
    require(has_meta, where, ": ", form.meta, " is missing", kRemedy);
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

void check_size(const std::string& name, std::uint64_t bytes) {
  require(bytes <= kMostBytes, name, ": is larger than ", kMostBytes, " bytes: not a CIFAR-10 file");
}

Dataset load_archive(const fs::path& path, const Selection& selection) {
  TarReader archive(path);
  std::array<Parts, 2> found{{{kForms[0], selection}, {kForms[1], selection}}};
  while (const std::optional<TarMember> member = archive.next()) {
    const std::string file = fs::path(member->name).filename().string();
    for (Parts& parts : found) {
      if (!parts.form.knows(file)) continue;
      const std::string name = archive.name() + ": " + member->name;
      check_size(name, member->size);
      parts.add(file, name, archive.content());
    }
  }
  for (Parts& parts : found) {
    if (parts.found_any()) return parts.dataset(archive.name());
  }
  fail(archive.name(), ": the archive contains no CIFAR-10 file", kHowToGet);
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Reads the files of this form in `dir`; nullopt if there are none.
std::optional<Dataset> load_folder(const Form& form, const fs::path& dir, const Selection& selection) {
  Parts parts{form, selection};
  std::vector<const char*> files(form.batches.begin(), form.batches.end());
  files.push_back(form.meta);
  if (std::none_of(files.begin(), files.end(), [&](const char* file) { return is_file(dir / file); })) {
    return std::nullopt;
  }
  for (const char* file : files) {
    require(is_file(dir / file), dir.string(), ": ", file, " is missing", kRemedy);
    ByteStream stream(dir / file);
    const Bytes content = stream.read_up_to(kMostBytes + 1);
    check_size(stream.name(), content.size());
    parts.add(file, stream.name(), content);
  }
  return parts.dataset(dir.string());
}

}  // namespace

Dataset load_cifar10(const fs::path& path, const Selection& selection) {
  if (is_file(path)) return load_archive(path, selection);
  std::error_code error;
  require(fs::is_directory(path, error), path.string(), ": no such file or folder", kHowToGet);
  for (const Form& form : kForms) {
    for (const fs::path& dir : {path, path / form.folder}) {
      if (std::optional<Dataset> dataset = load_folder(form, dir, selection)) return std::move(*dataset);
    }
  }
  for (const Form& form : kForms) {
    if (is_file(path / form.archive)) return load_archive(path / form.archive, selection);
  }
  fail(path.string(), ": neither the files of CIFAR-10 nor ", kForms[0].archive, " or ", kForms[1].archive,
       " are there", kHowToGet);
}

}  // namespace minception
