#include <minception/core/buffer.h>
#include <minception/core/error.h>
#include <minception/core/parallel_for.h>
#include <minception/data/epoch_order.h>
#include <minception/data/image_file.h>
#include <minception/data/image_folder.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {
namespace {

namespace fs = std::filesystem;

/// The sub-folder of a class, with its images in the order of their names.
struct ClassFolder {
  std::string name;
  std::vector<fs::path> images;
};

struct Sample {
  fs::path path;
  std::int32_t label = 0;
};

/// What is wrong with files and folders: all of it is said at once, so that it can be mended at once.
class Problems {
 public:
  bool empty() const { return texts_.empty(); }
  void add(std::string text) { texts_.push_back(std::move(text)); }
  /// Calls `look`, and adds the Error that it throws.
  template <class Look>
  bool added_by(const Look& look) {
    try {
      look();
      return false;
    } catch (const Error& error) {
      add(error.what());
      return true;
    }
  }
  /// Throws Error with all that was added, if anything was.
  void report(const fs::path& folder) const {
    if (texts_.empty()) return;
    if (texts_.size() == 1) fail(texts_[0]);
    throw Error(concat(folder.string(), ": ", texts_.size(), " files and folders cannot be used:"), texts_);
  }

 private:
  std::vector<std::string> texts_;
};

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// Whether `path`, the name of which was listed, is a folder. Throws Error where that cannot be told, as for a link whose
/// target is missing: passing over it would lose a class.
bool is_listed_folder(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() != fs::file_type::not_found) {
    require(!error, path.string(), ": cannot be looked at: ", error.message());
    return fs::is_directory(status);
  }
  const fs::path target = fs::read_symlink(path, error);
  fail(path.string(), ": is a link to ", target.string(),
       ", which is not there; mount or restore it, or remove the link");
}

std::vector<std::string> sorted_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!is_left_by_systems(name)) names.push_back(std::move(name));
  }
  require(!error, folder.string(), ": this folder cannot be read: ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// Whether these are letters: UTF-8 without control characters, as JSON and terminals need.
bool is_text(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const auto byte = [&](std::size_t i) {
      return static_cast<unsigned char>(at + i < name.size() ? name[at + i] : 0);
    };
    const unsigned first = byte(0);
    if (first < 0x20 || first == 0x7f) return false;
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length == 0) return false;
    unsigned letter = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if (byte(i) >> 6 != 2) return false;
      letter = letter << 6 | (byte(i) & 0x3f);
    }
    constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // shorter forms exist for those below
    if (letter < kLeast[length] || letter > 0x10ffff || letter >> 11 == 0x1b) return false;
    at += length;
  }
  return true;
}

std::vector<ClassFolder> find_classes(const fs::path& folder, Problems& problems) {
  require(is_folder(folder), folder.string(), ": there is no such folder");
  std::vector<ClassFolder> classes;
  for (const std::string& name : sorted_names(folder)) {
    const fs::path path = folder / name;
    bool is_class = false;
    if (problems.added_by([&] { is_class = is_listed_folder(path); }) || !is_class) continue;
    ClassFolder found{name, {}};
    problems.added_by([&] {
      require(is_text(name), path.string(), ": the name of this class is no text in UTF-8; rename the folder");
      const std::vector<std::string> files = sorted_names(path);
      require(!files.empty(), path.string(), ": there are no images of this class; add some or remove the folder");
      for (const std::string& file : files) {
        problems.added_by([&] {
          require(!is_listed_folder(path / file), (path / file).string(),
                  ": is a folder inside a class; put the images directly into the folder of their class");
          found.images.push_back(path / file);
        });
      }
    });
    classes.push_back(std::move(found));
  }
  if (!problems.empty()) return classes;  // a class that is missing may be one of them
  require(!classes.empty(), folder.string(),
          ": there are no sub-folders; put the images of each class into one, named after the class");
  require(classes.size() > 1, folder.string(), ": there is one class only, '", classes[0].name,
          "'; at least two are needed");
  return classes;
}

void check_same_classes(const fs::path& train, const std::vector<ClassFolder>& of_train, const fs::path& test,
                        const std::vector<ClassFolder>& of_test) {
  const auto lacks = [](const std::vector<ClassFolder>& classes, const std::string& name) {
    return std::none_of(classes.begin(), classes.end(), [&](const ClassFolder& one) { return one.name == name; });
  };
  for (const ClassFolder& one : of_train) {
    require(!lacks(of_test, one.name), test.string(), ": the class '", one.name, "' of ", train.string(),
            " is missing; both need the same classes");
  }
  for (const ClassFolder& one : of_test) {
    require(!lacks(of_train, one.name), train.string(), ": the class '", one.name, "' of ", test.string(),
            " is missing; both need the same classes");
  }
}

/// Moves a part of each class into the result.
std::vector<ClassFolder> take_test(std::vector<ClassFolder>& classes, double fraction, std::uint64_t seed) {
  std::vector<ClassFolder> result;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    ClassFolder& one = classes[c];
    const auto count = static_cast<std::int64_t>(one.images.size());
    require(count > 1, one.images[0].parent_path().string(), ": there is one image only of class '", one.name,
            "', which cannot be both for training and for testing; add another");
    const auto wanted = static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(count)));
    std::vector<bool> for_test(one.images.size());
    for (std::int64_t i = 0; i < std::clamp<std::int64_t>(wanted, 1, count - 1); ++i) {
      for_test[static_cast<std::size_t>(sample_order(seed, static_cast<std::int64_t>(c), count, true, i))] = true;
    }
    ClassFolder test{one.name, {}}, train{one.name, {}};
    for (std::size_t i = 0; i < one.images.size(); ++i) {
      (for_test[i] ? test : train).images.push_back(std::move(one.images[i]));
    }
    result.push_back(std::move(test));
    one = std::move(train);
  }
  return result;
}

std::vector<Sample> in_turn(const std::vector<ClassFolder>& classes) {
  std::vector<Sample> samples;
  std::size_t longest = 0;
  for (const ClassFolder& one : classes) longest = std::max(longest, one.images.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
      if (i < classes[c].images.size()) samples.push_back({classes[c].images[i], static_cast<std::int32_t>(c)});
    }
  }
  return samples;
}

std::vector<Sample> chosen(const std::vector<Sample>& samples, const std::vector<std::int64_t>& indices) {
  std::vector<Sample> result;
  for (const std::int64_t i : indices) result.push_back(samples[static_cast<std::size_t>(i)]);
  return result;
}

/// Decodes the samples into both parts, whose image shape and memory are made here.
void decode(const fs::path& folder, const std::vector<Sample>& train, const std::vector<Sample>& test,
            const ImageFolderOptions& options, Problems& problems, Dataset& dataset) {
  const std::int64_t height = options.size[0], width = options.size[1];
  // Without an order RGB, until all have turned out to be grey.
  const std::int64_t channels = options.channels == 0 ? 3 : options.channels;
  const std::size_t count = train.size() + test.size();
  const Shape image = {channels, height, width};
  std::int64_t needed = 0;
  const bool fits = !__builtin_mul_overflow(static_cast<std::int64_t>(count), image.elements(), &needed);
  const std::size_t available = available_host_memory();
  require(fits && (available == 0 || static_cast<std::size_t>(needed) < available), folder.string(), ": ", count,
          " images of ", height, 'x', width, " in ", channels, " channels do not fit into the memory that is free, ",
          available >> 20, " MiB; load them smaller (--folder-size)");
  const auto bytes = static_cast<std::size_t>(image.elements());
  dataset.train.pixels.resize(train.size() * bytes);
  dataset.test.pixels.resize(test.size() * bytes);

  std::atomic<bool> coloured = false;
  std::mutex progress_mutex;
  std::int64_t done = 0;
  std::vector<std::string> refused(count);
  const auto read = [&](std::size_t index) {
    const bool of_train = index < train.size();
    const std::size_t place = of_train ? index : index - train.size();
    const fs::path& path = (of_train ? train : test)[place].path;
    std::error_code error;
    require(fs::is_regular_file(path, error), path.string(), ": is no file that can be read",
            error ? ": " + error.message() : "");
    DecodedImage one = read_image(path);
    if (one.shape[0] == 3) coloured = true;
    // Whatever the order gives the same pixels: the one with fewer channels to resize is faster.
    if (one.shape[0] > channels) one = with_channels(std::move(one), channels);
    one = with_channels(resized_to(std::move(one), height, width), channels);
    std::copy(one.pixels.begin(), one.pixels.end(),
              (of_train ? dataset.train : dataset.test).pixels.begin() + static_cast<std::ptrdiff_t>(place * bytes));
  };
  parallel_for(count, options.threads, [&](std::size_t index) {
    try {
      read(index);
    } catch (const Error& error) {
      refused[index] = error.what();
    }
    if (!options.progress) return;
    const std::lock_guard lock(progress_mutex);
    options.progress(++done, static_cast<std::int64_t>(count));
  });
  for (std::string& text : refused) {
    if (!text.empty()) problems.add(std::move(text));
  }
  problems.report(folder);

  const bool grey = options.channels == 0 && !coloured;
  for (const auto& [part, samples] : {std::pair{&dataset.train, &train}, std::pair{&dataset.test, &test}}) {
    part->image = grey ? Shape{1, height, width} : image;
    for (const Sample& sample : *samples) part->labels.push_back(sample.label);
    if (!grey) continue;
    const std::size_t kept = part->pixels.size() / 3;
    for (std::size_t i = 0; i < kept; ++i) part->pixels[i] = part->pixels[3 * i];
    part->pixels.resize(kept);
    part->pixels.shrink_to_fit();
  }
}

}  // namespace

bool is_left_by_systems(std::string name) {
  for (char& letter : name) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  constexpr std::string_view kLeft[] = {"thumbs.db",
                                        "ehthumbs.db",
                                        "ehthumbs_vista.db",
                                        "desktop.ini",
                                        "icon\r",
                                        "__macosx",
                                        "lost+found",
                                        "@eadir",
                                        "#recycle",
                                        "$recycle.bin",
                                        "system volume information",
                                        "recycler"};
  return name.starts_with('.') || std::find(std::begin(kLeft), std::end(kLeft), name) != std::end(kLeft);
}

ImageFolderSummary summarize_image_folder(const fs::path& path) {
  Problems unsaid;  // load_image_folder says them
  const std::vector<ClassFolder> classes = find_classes(is_folder(path / "train") ? path / "train" : path, unsaid);
  ImageFolderSummary summary = {.classes = std::ssize(classes)};
  for (const ClassFolder& one : classes) summary.train_images += std::ssize(one.images);
  const std::vector<Sample> samples = in_turn(classes);
  constexpr std::size_t kSeen = 15;
  std::vector<std::int64_t> sides;
  for (std::size_t i = 0; i < std::min(kSeen, samples.size()); ++i) {
    unsaid.added_by([&] {
      const Shape shape = read_image(samples[i * samples.size() / std::min(kSeen, samples.size())].path).shape;
      sides.push_back(std::min(shape[1], shape[2]));
    });
  }
  if (sides.empty()) return summary;
  std::nth_element(sides.begin(), sides.begin() + std::ssize(sides) / 2, sides.end());
  summary.side = sides[sides.size() / 2];
  return summary;
}

Dataset load_image_folder(const fs::path& path, const ImageFolderOptions& options, const Selection& selection) {
  require(options.size.rank() == 2, path.string(), ": images of a folder need a size to be loaded in; give it as ",
          "--folder-size, for instance 96 or 96x64");
  require(options.channels == 0 || options.channels == 1 || options.channels == 3, path.string(),
          ": images cannot be loaded with ", options.channels, " channels: 1 (grey) or 3 (RGB)");
  require(options.test_fraction >= 0.0 && options.test_fraction < 1.0, path.string(), ": the part for testing is ",
          options.test_fraction, ", which is not in [0, 1)");
  require(is_folder(path), path.string(), ": there is no such folder");
  const fs::path train_path = path / "train", test_path = path / "test";
  std::vector<ClassFolder> train, test;
  Problems problems;
  constexpr double kUsualFraction = 0.2;
  const bool is_split = is_folder(train_path) || is_folder(test_path);
  const double test_fraction = options.test_fraction > 0.0 || is_split ? options.test_fraction : kUsualFraction;
  if (test_fraction > 0.0) {
    require(!is_folder(train_path) || !is_folder(test_path), path.string(),
            ": has the folders train and test, which say what is for testing; leave out --test-fraction");
    train = find_classes(path, problems);
    if (problems.empty()) test = take_test(train, test_fraction, options.split_seed);
  } else {
    const bool lacks_train = options.train && !is_folder(train_path);
    require(!lacks_train && (!options.test || is_folder(test_path)), path.string(), ": has no folder ",
            lacks_train ? "train" : "test",
            "; make folders train and test, each with a folder per class, or give the part of the images that is for "
            "testing: --test-fraction 0.1");
    if (options.train) train = find_classes(train_path, problems);
    if (options.test) test = find_classes(test_path, problems);
    if (options.train && options.test && problems.empty()) check_same_classes(train_path, train, test_path, test);
  }
  Dataset dataset{"folder", {}, {}};
  for (const ClassFolder& one : train.empty() ? test : train) dataset.train.class_names.push_back(one.name);
  dataset.test.class_names = dataset.train.class_names;
  const std::vector<Sample> of_train = options.train ? in_turn(train) : std::vector<Sample>();
  const std::vector<Sample> of_test = options.test ? in_turn(test) : std::vector<Sample>();
  const SelectedSamples selected = problems.empty() ? select(selection, std::ssize(of_train), std::ssize(of_test))
                                                    : select({}, std::ssize(of_train), std::ssize(of_test));
  decode(path, chosen(of_train, selected.train), chosen(selected.held_out ? of_train : of_test, selected.test), options,
         problems, dataset);
  return dataset;
}

}  // namespace minception
