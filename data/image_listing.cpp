#include "data/image_listing.h"
#include "data/image_file.h"
#include "data/sampler.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

namespace minception {
namespace {

namespace fs = std::filesystem;

/// A class and its images in the order of their names.
struct ClassFolder {
  std::string name;
  std::vector<fs::path> images;
};

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// True if the directory entry `path` is a folder. Throws Error if its type cannot be determined, for example for a
/// link without target: ignoring it could lose a class.
bool is_listed_folder(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() != fs::file_type::not_found) {
    require(!error, path.string(), ": cannot be accessed: ", error.message());
    return fs::is_directory(status);
  }
  const fs::path target = fs::read_symlink(path, error);
  fail(path.string(), ": is a link to ", target.string(),
       ", which is missing; mount or restore it, or remove the link");
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

/// True for valid UTF-8 without ASCII control characters, as JSON and terminals require.
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
    constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // smaller code points would be overlong encodings
    if (letter < kLeast[length] || letter > 0x10ffff || letter >> 11 == 0x1b) return false;
    at += length;
  }
  return true;
}

std::vector<ClassFolder> find_classes(const fs::path& folder, Problems& problems) {
  require(is_folder(folder), folder.string(), ": no such folder");
  std::vector<ClassFolder> classes;
  for (const std::string& name : sorted_names(folder)) {
    const fs::path path = folder / name;
    bool is_class = false;
    if (problems.added_by([&] { is_class = is_listed_folder(path); }) || !is_class) continue;
    ClassFolder found{name, {}};
    problems.added_by([&] {
      require(is_text(name), path.string(), ": the class name is not valid UTF-8; rename the folder");
      const std::vector<std::string> files = sorted_names(path);
      require(!files.empty(), path.string(), ": this class has no images; add some or remove the folder");
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
  require(!classes.empty() || !problems.empty(), folder.string(),
          ": no sub-folders; put the images of each class into a sub-folder named after the class");
  return classes;
}

void check_same_classes(const std::string& train, const std::vector<ClassFolder>& of_train, const std::string& test,
                        const std::vector<ClassFolder>& of_test) {
  const auto check = [](const std::string& part, const std::vector<ClassFolder>& classes, const std::string& other,
                        const std::vector<ClassFolder>& wanted) {
    for (const ClassFolder& one : wanted) {
      std::string hint = "both need the same classes";
      bool found = false;
      for (const ClassFolder& candidate : classes) {
        found = found || candidate.name == one.name;
        if (lower_case(candidate.name) == lower_case(one.name)) {
          hint = concat("it has '", candidate.name, "', which differs only in case; rename one of them");
        }
      }
      require(found, part, ": the class '", one.name, "' of ", other, " is missing; ", hint);
    }
  };
  check(test, of_test, train, of_train);
  check(train, of_train, test, of_test);
}

/// Moves the images with `is_taken(class, index)` into the result.
template <class IsTaken>
std::vector<ClassFolder> take(std::vector<ClassFolder>& classes, const IsTaken& is_taken) {
  std::vector<ClassFolder> result;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    ClassFolder taken{classes[c].name, {}}, left{classes[c].name, {}};
    for (std::size_t i = 0; i < classes[c].images.size(); ++i) {
      (is_taken(c, i) ? taken : left).images.push_back(std::move(classes[c].images[i]));
    }
    result.push_back(std::move(taken));
    classes[c] = std::move(left);
  }
  return result;
}

/// Moves a random fraction of each class into the result: rounded, at least one image and not all. A class with a
/// single image keeps it.
std::vector<ClassFolder> take_fraction(std::vector<ClassFolder>& classes, double fraction, std::uint64_t seed,
                                       std::size_t stream) {
  std::vector<std::vector<bool>> taken;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto count = std::ssize(classes[c].images);
    const auto wanted = static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(count)));
    taken.emplace_back(classes[c].images.size());
    for (std::int64_t i = 0; count > 1 && i < std::clamp<std::int64_t>(wanted, 1, count - 1); ++i) {
      const auto order = static_cast<std::int64_t>(stream * classes.size() + c);
      taken[c][static_cast<std::size_t>(sample_order(seed, order, count, true, i))] = true;
    }
  }
  return take(classes, [&](std::size_t c, std::size_t i) { return taken[c][i]; });
}

std::vector<ClassFolder> take_test(std::vector<ClassFolder>& classes, double fraction, std::uint64_t seed) {
  for (const ClassFolder& one : classes) {
    require(one.images.size() > 1, one.images[0].parent_path().string(), ": only one image of class '", one.name,
            "', which cannot serve both training and testing; add another");
  }
  return take_fraction(classes, fraction, seed, 0);
}

/// Moves the validation images that `selection` requests out of the training images.
std::vector<ClassFolder> take_validation(const std::string& source, std::vector<ClassFolder>& classes,
                                         const Selection& selection, std::uint64_t seed) {
  if (selection.hold_out > 0) {
    // Evenly spaced over the images sorted by class.
    std::int64_t images = 0;
    for (const ClassFolder& one : classes) images += std::ssize(one.images);
    const std::vector<std::int64_t> held = select({.hold_out = selection.hold_out}, images, 0).validation;
    auto next = held.begin();
    std::int64_t at = 0;
    return take(classes, [&](std::size_t, std::size_t) {
      const bool taken = next != held.end() && *next == at++;
      if (taken) ++next;
      return taken;
    });
  }
  if (selection.validation_fraction == 0.0) return {};
  std::vector<ClassFolder> result = take_fraction(classes, selection.validation_fraction, seed, 1);
  const bool any =
      std::any_of(result.begin(), result.end(), [](const ClassFolder& one) { return !one.images.empty(); });
  require(any, source,
          ": each class has a single image for training, which leaves none for validation; add images, or use ",
          Setting{"validation_fraction", 0}, " to choose the best epoch by the test images");
  return result;
}

std::vector<ListedImage> in_turn(const std::vector<ClassFolder>& classes) {
  std::vector<ListedImage> images;
  std::size_t longest = 0;
  for (const ClassFolder& one : classes) longest = std::max(longest, one.images.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
      if (i < classes[c].images.size()) images.push_back({classes[c].images[i], static_cast<std::int32_t>(c)});
    }
  }
  return images;
}

}  // namespace

void Problems::report(const fs::path& folder) const {
  if (texts_.empty()) return;
  if (texts_.size() == 1) fail(texts_[0]);
  throw Error(concat(folder.string(), ": ", texts_.size(), " files and folders cannot be used:"), texts_);
}

bool is_left_by_systems(const std::string& file_name) {
  const std::string name = lower_case(file_name);
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

PartFolders part_folders(const fs::path& path) {
  PartFolders found;
  if (is_folder(path / "train")) found.train = path / "train";
  if (is_folder(path / "test")) found.test = path / "test";
  if (found.train.empty()) return found;  // "val" may be a class
  for (const char* name : {"val", "valid", "validation"}) {
    if (!is_folder(path / name)) continue;
    require(found.validation.empty(), path.string(), ": has both ", found.validation.filename().string(), " and ", name,
            "; keep only one folder of validation images");
    found.validation = path / name;
  }
  return found;
}

namespace {

/// Images per part as defined by folders or a table; undefined parts are empty.
struct Parts {
  std::vector<ClassFolder> train, validation, test;
  /// Folder or table that defines the part, for messages; "" for an undefined part.
  std::string train_source, validation_source, test_source;
};

/// The class of this name; inserted in name order if missing.
ClassFolder& class_named(std::vector<ClassFolder>& classes, const std::string& name) {
  const auto place = std::lower_bound(classes.begin(), classes.end(), name,
                                      [](const ClassFolder& one, const std::string& key) { return one.name < key; });
  if (place != classes.end() && place->name == name) return *place;
  return *classes.insert(place, {name, {}});
}

void add_classes(std::vector<ClassFolder>& to, std::vector<ClassFolder> from) {
  for (ClassFolder& one : from) {
    std::vector<fs::path>& images = class_named(to, one.name).images;
    images.insert(images.end(), std::make_move_iterator(one.images.begin()), std::make_move_iterator(one.images.end()));
  }
}

void add_folder(const fs::path& path, const ImageFolderOptions& options, Problems& problems, Parts& parts) {
  require(is_folder(path), path.string(), ": no such folder");
  const PartFolders found = part_folders(path);
  const auto add = [&](const fs::path& folder, bool wanted, std::vector<ClassFolder>& to, std::string& source) {
    if (folder.empty()) return;
    if (source.empty()) source = folder.string();
    if (wanted) add_classes(to, find_classes(folder, problems));
  };
  if (!found.any()) {
    add(path, true, parts.train, parts.train_source);
    return;
  }
  require(!found.train.empty() || !options.train, path.string(),
          ": has no folder 'train'; create it and move the class folders into it");
  add(found.train, options.train || options.validation, parts.train, parts.train_source);
  add(found.validation, options.validation, parts.validation, parts.validation_source);
  add(found.test, options.test, parts.test, parts.test_source);
}

/// Fields of a CSV file (RFC 4180), by row. Skips a byte order mark.
std::vector<std::vector<std::string>> read_table(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  std::error_code error;
  require(fs::is_regular_file(path, error) && file.good(), path.string(), ": this label table cannot be read");
  std::string text = bytes.str();
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  std::vector<std::vector<std::string>> rows;
  std::string field;
  bool row_open = false, quoted = false;
  const auto end_field = [&] {
    if (!row_open) rows.emplace_back();
    row_open = true;
    rows.back().push_back(std::move(field));
    field.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (quoted) {
      const bool doubled = letter == '"' && i + 1 < text.size() && text[i + 1] == '"';
      if (doubled) ++i;
      if (letter != '"' || doubled) {
        field += letter;
      } else {
        quoted = false;
      }
    } else if (letter == '"' && field.empty()) {
      quoted = true;
    } else if (letter == ',') {
      end_field();
    } else if (letter == '\n') {
      if (row_open || !field.empty()) end_field();
      row_open = false;
    } else if (letter != '\r') {
      field += letter;
    }
  }
  require(!quoted, path.string(), ": a quoted field is not closed");
  if (row_open || !field.empty()) end_field();
  return rows;
}

/// Index of the column with one of these names; nullopt if there is none.
std::optional<std::size_t> column_of(const std::vector<std::string>& header, std::initializer_list<const char*> names) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (std::find(names.begin(), names.end(), header[i]) != names.end()) return i;
  }
  return std::nullopt;
}

void add_table(const fs::path& folder, const ImageFolderOptions& options, Parts& parts) {
  require(is_folder(folder), folder.string(), ": no such folder");
  const std::string table = options.labels.string();
  const std::vector<std::vector<std::string>> rows = read_table(options.labels);
  require(rows.size() > 1, table, ": lists no images; write a line 'path,class' and a line for each image");
  const auto path_column = column_of(rows[0], {"path", "file", "filename", "image"});
  const auto class_column = column_of(rows[0], {"class", "label"});
  const auto part_column = column_of(rows[0], {"part", "split"});
  require(path_column && class_column, table,
          ": the first line must name the columns 'path' and 'class' (optionally 'part': train, validation or test)");
  std::set<std::string> seen;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto place = [&] { return concat(table, ": line ", i + 1, ": "); };
    require(rows[i].size() == rows[0].size(), place(), rows[i].size(), " fields; the first line has ", rows[0].size());
    const std::string& name = rows[i][*class_column];
    require(!name.empty() && is_text(name), place(), "the class name is not valid UTF-8");
    const std::string& path = rows[i][*path_column];
    require(!path.empty() && seen.insert(path).second, place(), "'", path, "' is listed already");
    const std::string part = part_column ? rows[i][*part_column] : "train";
    const bool validation = part == "validation" || part == "valid" || part == "val";
    require(validation || part == "train" || part == "test", place(), "'", part,
            "' is not a part: use train, validation or test");
    (validation ? parts.validation_source : part == "test" ? parts.test_source : parts.train_source) = table;
    class_named(validation       ? parts.validation
                : part == "test" ? parts.test
                                 : parts.train,
                name)
        .images.push_back(folder / path);
  }
  for (std::vector<ClassFolder>* classes : {&parts.train, &parts.validation, &parts.test}) {
    for (ClassFolder& one : *classes) std::sort(one.images.begin(), one.images.end());
  }
}

}  // namespace

ImageListing list_image_folder(const std::vector<fs::path>& folders, const ImageFolderOptions& options,
                               const Selection& selection, Problems& problems) {
  Parts parts;
  if (options.labels.empty()) {
    for (const fs::path& folder : folders) add_folder(folder, options, problems, parts);
  } else {
    require(folders.size() == 1, Field{"labels"}, " needs exactly one folder; ", folders.size(), " are given");
    add_table(folders[0], options, parts);
  }
  check(selection);
  auto& [train, validation, test, train_source, validation_source, test_source] = parts;
  const bool validates = selection.hold_out > 0 || selection.validation_fraction > 0.0;
  require(!validates || validation_source.empty(), validation_source,
          ": already selects the validation images; leave out ",
          Field{selection.hold_out > 0 ? "hold_out" : "validation_fraction"});
  require(options.test_fraction == 0.0 || test_source.empty(), test_source,
          ": already selects the test images; leave out ", Field{"test_fraction"});
  if (problems.empty()) {
    for (const auto& [classes, source] : {std::pair{&train, &train_source}, std::pair{&test, &test_source}}) {
      require(classes->size() != 1, *source, ": only one class, '", classes->empty() ? "" : (*classes)[0].name,
              "'; at least two are needed");
    }
    if (!train.empty() && !validation.empty()) check_same_classes(train_source, train, validation_source, validation);
    if (!train.empty() && !test.empty()) check_same_classes(train_source, train, test_source, test);
  }
  if (problems.empty() && !train.empty()) {
    if (options.test_fraction > 0.0) test = take_test(train, options.test_fraction, options.split_seed);
    if (validation_source.empty()) validation = take_validation(train_source, train, selection, options.split_seed);
  }
  ImageListing listing;
  for (const ClassFolder& one : train.empty() ? test : train) listing.class_names.push_back(one.name);
  const auto limited_in_turn = [&](const std::vector<ClassFolder>& classes, bool wanted, std::int64_t limit,
                                   const char* field) {
    std::vector<ListedImage> images = wanted ? in_turn(classes) : std::vector<ListedImage>();
    if (wanted && problems.empty()) {
      images.resize(static_cast<std::size_t>(limited(std::ssize(images), limit, field)));
    }
    return images;
  };
  listing.train = limited_in_turn(train, options.train, selection.train, "Selection::train");
  listing.validation = limited_in_turn(validation, options.validation, 0, "Selection::test");
  if (selection.test > 0 && std::ssize(listing.validation) > selection.test) {
    listing.validation.resize(static_cast<std::size_t>(selection.test));
  }
  listing.test = limited_in_turn(test, options.test, selection.test, "Selection::test");
  return listing;
}

}  // namespace minception
