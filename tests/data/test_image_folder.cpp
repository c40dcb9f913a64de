#include "data/image_file.h"
#include "data/image_folder.h"
#include "data/registry.h"
#include "tests/core/file_size_limit.h"
#include "tests/data/image_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

using namespace minception;
using namespace minception::testing;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// A grey image file of constant value.
std::string grey_file(int value, int height = 2, int width = 3) {
  return concat("P5 ", width, ' ', height, " 255\n") +
         std::string(static_cast<std::size_t>(height * width), static_cast<char>(value));
}
std::string red_file(int value) {
  return std::string("P6 1 1 255\n") + static_cast<char>(value) + std::string(2, '\0');
}

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  fs::remove_all(path);
  write_file(path, content);
}

/// train: cat 10, 11, 12 and dog 20; test: cat 13 and dog 21, 22. The numbers are grey values.
void write_small(const fs::path& folder) {
  for (int i : {0, 1, 2}) write(folder / "train/cat" / (std::to_string(i) + ".pgm"), grey_file(10 + i));
  write(folder / "train/dog/a", grey_file(20));
  write(folder / "test/cat/x.jpeg", grey_file(13, 9, 1));  // the suffix is ignored
  write(folder / "test/dog/1", grey_file(21));
  write(folder / "test/dog/2", grey_file(22));
}

/// The first byte of each image.
Bytes greys(const ImageDataset& part) {
  Bytes values;
  for (std::int64_t i = 0; i < part.size(); ++i) {
    values.push_back(part.pixels.at(static_cast<std::size_t>(i * part.image.elements())));
  }
  REQUIRE(part.pixels.size() == static_cast<std::size_t>(part.size() * part.image.elements()));
  return values;
}

using Labels = std::vector<std::int32_t>;

std::string message_for(const fs::path& path, const ImageFolderOptions& options = {.size = {2, 2}},
                        const Selection& selection = {}) {
  const std::string message = message_of([&] { load_image_folder(path, options, selection); });
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

/// Error details for several files, one line each.
std::vector<std::string> details_for(const fs::path& path, int threads) {
  try {
    load_image_folder(path, {.size = {3, 3}, .threads = threads});
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::StartsWith(path.string() + ": "));
    CHECK_THAT(error.what(), Catch::EndsWith(" files and folders cannot be used:"));
    return error.details();
  }
  return {};
}

}  // namespace

TEST_CASE("load_image_folder interleaves the images of the classes") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const Dataset dataset = load_image_folder(folder.path(), {.size = {4, 5}});
  CHECK(load_image_folder(folder.path(), {.size = 3}).image() == Shape{1, 3, 3});
  CHECK(dataset.train.image == Shape{1, 4, 5});
  CHECK(dataset.test.image == Shape{1, 4, 5});
  const std::vector<std::string> names = {"cat", "dog"};
  CHECK(dataset.train.class_names == names);
  CHECK(dataset.test.class_names == names);
  CHECK(greys(dataset.train) == Bytes{10, 20, 11, 12});
  CHECK(dataset.train.labels == Labels{0, 1, 0, 0});
  CHECK(greys(dataset.test) == Bytes{13, 21, 22});
  CHECK(dataset.test.labels == Labels{0, 1, 1});
  CHECK(std::count(dataset.train.pixels.begin(), dataset.train.pixels.end(), 11) == 20);
}

TEST_CASE("load_dataset accepts both forms of image folder names") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const ImageFolderOptions options = {.size = {2, 2}};
  const std::string name = "folder:" + folder.path().string();
  CHECK(is_image_folder(name));
  CHECK(is_image_folder("folder"));
  CHECK(!is_image_folder("folders"));
  CHECK(load_dataset(name, {}, options).name == name);
  CHECK(load_dataset("folder", folder.path(), options).train.size() == 4);
  CHECK(load_dataset("folder:/nowhere", folder.path(), options).name == "folder:/nowhere");  // the second argument wins
  for (const char* without : {"folder", "folder:"}) {
    CHECK(message_of([&] { load_dataset(without, {}, options); }) ==
          concat("data set '", without, "': write folder:PATH, with the path of a folder of images"));
  }
  CHECK(message_of([&] { load_dataset(name); }) ==
        "ImageFolderOptions::size: images are resized; give a size, such as 96 or 96x64");
}

TEST_CASE("system files and files next to the class folders are ignored") {
  const TemporaryFolder folder;
  write_small(folder.path());
  for (const char* junk :
       {"train/.DS_Store", "train/cat/.DS_Store", "train/cat/Thumbs.db", "test/dog/desktop.ini", "train/cat/._0.pgm",
        "train/labels.csv", "readme.txt", "train/.git/config", "train/dog/.cache/thumbnail", "train/__MACOSX/._cat",
        "train/cat/THUMBS.DB", "train/dog/ehthumbs.db", "test/cat/Desktop.ini", "train/@eaDir/cat/0.pgm",
        "train/cat/@eaDir/0.pgm", "train/#recycle/9.pgm", "train/$RECYCLE.BIN/1.pgm",
        "test/System Volume Information/x", "train/lost+found/y"}) {
    write(folder / junk, "no image");
  }
  const Dataset dataset = load_image_folder(folder.path(), {.size = {2, 2}});
  CHECK(greys(dataset.train) == Bytes{10, 20, 11, 12});
  CHECK(greys(dataset.test) == Bytes{13, 21, 22});
}

TEST_CASE("classes are sorted by the bytes of their names and links are followed") {
  const TemporaryFolder folder;
  for (const char* part : {"train", "test"}) {
    int grey = 0;
    for (const char* name : {"b", "a", "B", "10", "9", "\xc3\xa9", "two words"}) {
      write(folder / part / name / "image", grey_file(++grey));
    }
  }
  fs::rename(folder / "train/b", folder / "elsewhere");
  fs::create_symlink("../elsewhere", folder / "train/b");
  const Dataset dataset = load_image_folder(folder.path(), {.size = {1, 1}});
  CHECK(dataset.train.class_names == std::vector<std::string>{"10", "9", "B", "a", "b", "two words", "\xc3\xa9"});
  CHECK(dataset.train.pixels == Bytes{4, 5, 3, 2, 1, 7, 6});
  CHECK(dataset.train.pixels == dataset.test.pixels);
}

TEST_CASE("images are loaded as grey only if all are grey unless channels are given") {
  const TemporaryFolder folder;
  write_small(folder.path());
  CHECK(load_image_folder(folder.path(), {.size = {1, 1}, .channels = 3}).test.pixels ==
        Bytes{13, 13, 13, 21, 21, 21, 22, 22, 22});
  write(folder / "test/dog/2", red_file(100));
  const Dataset dataset = load_image_folder(folder.path(), {.size = {1, 1}});
  CHECK(dataset.train.image == Shape{3, 1, 1});
  CHECK(dataset.train.pixels == Bytes{10, 10, 10, 20, 20, 20, 11, 11, 11, 12, 12, 12});
  CHECK(dataset.test.pixels == Bytes{13, 13, 13, 21, 21, 21, 100, 0, 0});
  CHECK(load_image_folder(folder.path(), {.size = {1, 1}, .channels = 1}).test.pixels == Bytes{13, 21, 30});
}

TEST_CASE("load_image_folder resizes with resized_to after with_channels") {
  if (!has_png()) return;
  const TemporaryFolder folder;
  write_small(folder.path());
  for (std::int64_t channels : {1, 3}) {
    const DecodedImage image = pattern_image(channels, 9, 5);
    write(folder / "train/dog/a", text_of(encode_png(image.shape, image.pixels)));
    for (std::int64_t loaded_channels : {1, 3}) {
      const ImageFolderOptions options = {.size = {4, 8}, .channels = loaded_channels};
      const Dataset dataset = load_image_folder(folder.path(), options);
      const DecodedImage expected = resized_to(with_channels(image, loaded_channels), 4, 8);
      const auto second = dataset.train.pixels.begin() + expected.shape.elements();
      CHECK(Bytes(second, second + expected.shape.elements()) == expected.pixels);
    }
  }
}

TEST_CASE("test_fraction selects the same images of each class every time") {
  const TemporaryFolder folder;
  const std::map<std::string, int> counts = {{"few", 2}, {"many", 40}, {"some", 9}};
  int grey = 0;
  for (const auto& [name, count] : counts) {
    for (int i = 0; i < count; ++i) write(folder / name / std::to_string(i), grey_file(++grey));
  }
  const auto load = [&](double fraction, std::uint64_t seed) {
    return load_image_folder(folder.path(), {.size = {1, 1}, .test_fraction = fraction, .split_seed = seed});
  };
  CHECK(load_image_folder(folder.path(), {.size = {1, 1}}).train.size() == 51);
  CHECK(load_image_folder(folder.path(), {.size = {1, 1}}).test.size() == 0);
  const auto count_of = [](const ImageDataset& part, std::int32_t label) {
    return std::count(part.labels.begin(), part.labels.end(), label);
  };
  for (const auto& [fraction, expected] : std::map<double, std::vector<int>>{
           {0.001, {1, 1, 1}}, {0.1, {1, 4, 1}}, {0.5, {1, 20, 5}}, {0.99, {1, 39, 8}}}) {
    const Dataset dataset = load(fraction, 1);
    for (int c : {0, 1, 2}) {
      CHECK(count_of(dataset.test, c) == expected[static_cast<std::size_t>(c)]);
      CHECK(count_of(dataset.train, c) ==
            std::vector{2, 40, 9}[static_cast<std::size_t>(c)] - count_of(dataset.test, c));
    }
    // Each image is in exactly one part and has the label of its class.
    std::set<int> seen;
    for (const ImageDataset* part : {&dataset.train, &dataset.test}) {
      const Bytes values = greys(*part);
      seen.insert(values.begin(), values.end());
      for (std::size_t i = 0; i < values.size(); ++i) {
        CHECK(part->labels[i] == (values[i] <= 2 ? 0 : values[i] <= 42 ? 1 : 2));
      }
    }
    CHECK(seen.size() == 51);
    CHECK(load(fraction, 1).test.pixels == dataset.test.pixels);
  }
  CHECK(load(0.5, 1).test.pixels != load(0.5, 2).test.pixels);
}

TEST_CASE("validation images come from the training images of each class or from a folder val") {
  const TemporaryFolder folder;
  int grey = 0;
  for (const auto& [name, count] : std::map<std::string, int>{{"many", 40}, {"one", 1}, {"some", 9}}) {
    for (int i = 0; i < count; ++i) write(folder / "train" / name / std::to_string(i), grey_file(++grey));
    write(folder / "test" / name / "0", grey_file(++grey));
  }
  const auto count_of = [](const ImageDataset& part, std::int32_t label) {
    return std::count(part.labels.begin(), part.labels.end(), label);
  };
  const auto load = [&](const Selection& selection, std::uint64_t seed = 1, double test_fraction = 0.0) {
    return load_image_folder(folder.path(), {.size = {1, 1}, .test_fraction = test_fraction, .split_seed = seed},
                             selection);
  };
  const Dataset dataset = load({.validation_fraction = 0.2});
  for (const auto& [c, expected] : std::map<int, int>{{0, 8}, {1, 0}, {2, 2}}) {
    CHECK(count_of(dataset.validation, c) == expected);
    CHECK(count_of(dataset.test, c) == 1);
  }
  CHECK(dataset.train.size() == 40);
  Bytes all = greys(dataset.train);
  for (const std::uint8_t value : greys(dataset.validation)) all.push_back(value);
  CHECK(std::set<int>(all.begin(), all.end()).size() == 50);
  CHECK(load({.validation_fraction = 0.2}, 2).validation.pixels != dataset.validation.pixels);
  REQUIRE(dataset.validation.files.size() == 10);
  CHECK_THAT(dataset.validation.files[0], Catch::StartsWith((folder / "train/many/").string()));

  // Ten images, evenly spaced over the images sorted by class.
  const Dataset held = load({.hold_out = 10});
  CHECK(count_of(held.validation, 0) == 8);
  CHECK(count_of(held.validation, 2) == 2);

  for (const char* name : {"many", "one", "some"}) write(folder / "val" / name / "0", grey_file(200));
  CHECK(load({}).validation.pixels == Bytes{200, 200, 200});
  CHECK(load({}).train.size() == 50);
  CHECK(message_for(folder.path(), {.size = {1, 1}}, {.validation_fraction = 0.1}) ==
        folder.path().string() + "/val: already selects the validation images; leave out validation_fraction");
  CHECK(message_for(folder.path(), {.size = {1, 1}}, {.hold_out = 3}) ==
        folder.path().string() + "/val: already selects the validation images; leave out hold_out");
  fs::rename(folder / "val/one", folder / "val/two");
  CHECK_THAT(message_for(folder.path()), Catch::Contains("the class 'one' of ") && Catch::Contains(" is missing"));
  fs::create_directory(folder / "valid");
  CHECK(message_for(folder.path()) ==
        folder.path().string() + ": has both val and valid; keep only one folder of validation images");
  for (const char* name : {"val", "valid", "test", "train/many", "train/some"}) fs::remove_all(folder / name);
  write(folder / "train/other/0", grey_file(3));
  CHECK_THAT(message_of([&] { load({.validation_fraction = 0.2}); }),
             Catch::Contains(": each class has a single image for training, which leaves none for validation; "));
}

TEST_CASE("images of several folders are merged by class name") {
  const TemporaryFolder folder;
  write(folder / "a/cat/1", grey_file(1));
  write(folder / "a/dog/1", grey_file(2));
  write(folder / "b/train/dog/1", grey_file(3));
  write(folder / "b/train/owl/1", grey_file(4));
  write(folder / "b/test/cat/1", grey_file(5));
  write(folder / "b/test/dog/1", grey_file(6));
  write(folder / "b/test/owl/1", grey_file(7));
  const std::string name = "folder:" + (folder / "a").string() + ":" + (folder / "b").string();
  const Dataset dataset = load_dataset(name, {}, {.size = {1, 1}});
  CHECK(dataset.train.class_names == std::vector<std::string>{"cat", "dog", "owl"});
  CHECK(dataset.train.pixels == Bytes{1, 2, 4, 3});
  CHECK(dataset.test.pixels == Bytes{5, 6, 7});
  CHECK(
      load_dataset("folder", (folder / "a").string() + ":" + (folder / "b").string(), {.size = {1, 1}}).train.pixels ==
      dataset.train.pixels);
  CHECK(image_folder_parts({folder / "a", folder / "b"}, {}).test);
  // An existing path with a colon is one folder.
  fs::rename(folder / "a", folder / "a:b");
  CHECK(load_dataset("folder:" + (folder / "a:b").string(), {}, {.size = {1, 1}}).train.size() == 2);
}

TEST_CASE("a CSV table defines the classes and splits of images") {
  const TemporaryFolder folder;
  for (int i = 0; i < 6; ++i) write(folder / "images" / concat(i, ".pgm"), grey_file(i));
  const auto load = [&](const std::string& table, const Selection& selection = {}) {
    write(folder / "labels.csv", table);
    return load_image_folder(folder / "images", {.size = {1, 1}, .labels = folder / "labels.csv"}, selection);
  };
  const Dataset plain = load("path,class\n5.pgm,dog\n1.pgm,\"cat, small\"\n0.pgm,dog\n2.pgm,\"a \"\"b\"\"\"\n");
  CHECK(plain.train.class_names == std::vector<std::string>{"a \"b\"", "cat, small", "dog"});
  CHECK(plain.train.pixels == Bytes{2, 1, 0, 5});
  const Dataset parts = load(
      "\xef\xbb\xbfsplit,label,filename\r\ntrain,a,0.pgm\r\ntrain,b,1.pgm\r\nval,a,2.pgm\r\nvalid,b,3.pgm\r\ntest,a,4."
      "pgm"
      "\r\ntest,b,5.pgm\r\n");
  CHECK(parts.train.pixels == Bytes{0, 1});
  CHECK(parts.validation.pixels == Bytes{2, 3});
  CHECK(parts.test.pixels == Bytes{4, 5});
  const std::string many = "path,class\n0.pgm,a\n1.pgm,a\n2.pgm,a\n3.pgm,b\n4.pgm,b\n5.pgm,b";
  CHECK(load(many, {.validation_fraction = 0.3}).validation.size() == 2);

  const std::string file = (folder / "labels.csv").string();
  const auto refusal = [&](const std::string& table) { return message_of([&] { load(table); }); };
  CHECK_THAT(refusal("file;class\n0.pgm;a\n"),
             Catch::Contains(file + ": the first line must name the columns 'path' and 'class'"));
  CHECK_THAT(refusal("path,class\n"), Catch::Contains(file + ": lists no images; "));
  CHECK(refusal("path,class\n0.pgm,a\n1.pgm\n") == file + ": line 3: 1 fields; the first line has 2");
  CHECK(refusal("path,class\n0.pgm,a\n0.pgm,b\n") == file + ": line 3: '0.pgm' is listed already");
  CHECK_THAT(refusal("path,class\n0.pgm,\n1.pgm,b\n"), Catch::Contains(": line 2: the class name is not valid UTF-8"));
  CHECK(refusal("path,class,part\n0.pgm,a,trian\n") ==
        file + ": line 2: 'trian' is not a part: use train, validation or test");
  CHECK(refusal("path,class\n0.pgm,\"a\n") == file + ": a quoted field is not closed");
  CHECK(refusal("path,class\n0.pgm,a\n1.pgm,a\n") == file + ": only one class, 'a'; at least two are needed");
  CHECK_THAT(refusal("path,class\n0.pgm,a\n9.pgm,b\n"), Catch::Contains("9.pgm: is not a readable file"));
  CHECK_THAT(message_of([&] {
               load_image_folder(folder / "images", {.size = {1, 1}, .labels = folder / "none"});
             }),
             Catch::Contains("none: this label table cannot be read"));
}

TEST_CASE("a pixel cache equals the decoded pixels and is rebuilt when files or options change") {
  const TemporaryFolder folder;
  write_small(folder / "set");
  const auto bytes_of = [](const ImageDataset& part) {
    return Bytes(part.all_pixels().begin(), part.all_pixels().end());
  };
  int decoded = 0;
  const auto load = [&](ImageFolderOptions options) {
    decoded = 0;
    options.progress = [&](std::int64_t, std::int64_t) { ++decoded; };
    const Dataset plain = load_image_folder(folder / "set", options, {.validation_fraction = 0.3});
    options.cache = folder / "cache";
    decoded = 0;
    const Dataset cached = load_image_folder(folder / "set", options, {.validation_fraction = 0.3});
    for (const auto& [a, b] : {std::pair{&plain.train, &cached.train},
                               {&plain.validation, &cached.validation},
                               {&plain.test, &cached.test}}) {
      CHECK(b->pixels.empty());
      CHECK(bytes_of(*b) == a->pixels);
      CHECK(b->image == a->image);
      CHECK(b->labels == a->labels);
      CHECK(b->files == a->files);
      CHECK(checksum(*b) == checksum(*a));
    }
    return decoded;
  };
  const auto files_in_cache = [&] {
    return std::distance(fs::directory_iterator(folder / "cache"), fs::directory_iterator());
  };
  CHECK(load({.size = {4, 5}}) == 7);
  CHECK(load({.size = {4, 5}}) == 0);
  CHECK(load({.size = {5, 4}}) == 7);
  CHECK(load({.size = {4, 5}, .channels = 3}) == 7);
  CHECK(load({.size = {4, 5}, .image = {.resize = Resize::letterbox}}) == 7);
  CHECK(load({.size = {4, 5}}) == 0);
  CHECK(files_in_cache() == 4);
  write(folder / "set/test/dog/2", red_file(100));
  CHECK(load({.size = {4, 5}}) == 7);
  CHECK(load({.size = {4, 5}, .channels = 1}) == 7);
  CHECK(load({.size = {4, 5}}) == 0);
  // A truncated or changed cache file is rebuilt.
  for (const auto& entry : fs::directory_iterator(folder / "cache")) fs::resize_file(entry.path(), 70);
  CHECK(load({.size = {4, 5}}) == 7);
  CHECK(load({.size = {4, 5}}) == 0);
  for (const auto& entry : fs::directory_iterator(folder / "cache")) write_file(entry.path(), "");
  CHECK(load({.size = {4, 5}}) == 7);

  // Invalid images and a full disk leave no cache file behind.
  const auto before = files_in_cache();
  write(folder / "set/test/dog/2", "no image");
  CHECK_THAT(message_for(folder / "set", {.size = {4, 5}, .cache = folder / "cache"}),
             Catch::Contains("set/test/dog/2: not an image of a known format"));
  {
    const FileSizeLimit full(1000);
    CHECK_THAT(message_for(folder / "set", {.size = {40, 50}, .cache = folder / "cache"}),
               Catch::StartsWith((folder / "cache").string() + ": the cache needs 1 MiB: "));
  }
  CHECK(files_in_cache() == before);
  CHECK_THAT(message_for(folder / "set", {.size = {4, 5}, .cache = folder / "set/test/dog/2"}),
             Catch::Contains("cannot create the cache folder"));
}

TEST_CASE("the number of threads does not change results and all invalid files are reported together") {
  const TemporaryFolder folder;
  for (int i = 0; i < 60; ++i) {
    write(folder / "train/a" / std::to_string(100 + i), grey_file(i));
    write(folder / "train/b" / std::to_string(100 + i), grey_file(100 + i));
  }
  write_small(folder / "small");
  fs::rename(folder / "small/test/cat", folder / "small/test/a");
  fs::rename(folder / "small/test/dog", folder / "small/test/b");
  fs::rename(folder / "small/test", folder / "test");
  const Dataset one = load_image_folder(folder.path(), {.size = {3, 3}, .threads = 1});
  std::vector<std::int64_t> steps;
  const Dataset many = load_image_folder(
      folder.path(), {.size = {3, 3}, .threads = 7, .progress = [&](std::int64_t done, std::int64_t total) {
                        CHECK(total == 123);
                        steps.push_back(done);
                      }});
  CHECK(one.train.pixels == many.train.pixels);
  CHECK(one.train.labels == many.train.labels);
  CHECK(one.test.pixels == many.test.pixels);
  REQUIRE(steps.size() == 123);
  for (std::size_t i = 0; i < steps.size(); ++i) CHECK(steps[i] == static_cast<std::int64_t>(i) + 1);

  for (const char* bad : {"train/b/130", "train/a/131", "train/b/155", "test/a/x.jpeg"}) write(folder / bad, "text");
  const auto check_named = [&](const std::vector<std::string>& lines, const std::vector<std::string>& expected) {
    REQUIRE(lines.size() == expected.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK_THAT(lines[i], Catch::StartsWith((folder / expected[i]).string() + ": "));
    }
  };
  for (int round = 0; round < 20; ++round) {
    check_named(details_for(folder.path(), 1 + round % 8),
                {"train/b/130", "train/a/131", "train/b/155", "test/a/x.jpeg"});
  }
  fs::create_symlink("/not/there", folder / "train/owl");
  fs::create_directory(folder / "train/a/inside");
  fs::create_directory(folder / "test/empty");
  check_named(details_for(folder.path(), 2), {"train/a/inside", "train/owl", "test/empty", "train/b/130", "train/a/131",
                                              "train/b/155", "test/a/x.jpeg"});
}

TEST_CASE("parts can be read separately") {
  const TemporaryFolder folder;
  write_small(folder.path());
  write(folder / "train/cat/0.pgm", "no image");
  const Dataset test = load_image_folder(folder.path(), {.size = {1, 1}, .train = false});
  CHECK(test.train.size() == 0);
  CHECK(test.train.class_names.size() == 2);
  CHECK(test.test.pixels == Bytes{13, 21, 22});
  fs::remove_all(folder / "train");
  CHECK(load_image_folder(folder.path(), {.size = {1, 1}, .train = false, .validation = false}).test.pixels ==
        test.test.pixels);
  CHECK_THAT(message_for(folder.path()), Catch::Contains(": has no folder 'train'; "));
  CHECK_THAT(message_for(folder.path(), {.size = {1, 1}, .test = false}), Catch::Contains(": has no folder 'train'; "));
}

TEST_CASE("invalid image folders are rejected with the path and a remedy") {
  struct Bad {
    std::function<void(const fs::path&)> change;
    std::string says;  ///< message after the path of the folder
    double fraction = 0.0;
  };
  const std::string make = "; create it and move the class folders into it";
  const std::string no_format =
      ": not an image of a known format (PNG, JPEG, WebP, TIFF, GIF, BMP, PGM, PPM); convert it, or move it out of the "
      "folder";
  const auto remove = [](const char* name) { return [=](const fs::path& in) { fs::remove_all(in / name); }; };
  const auto file = [](const char* name, const std::string& content) {
    return [=](const fs::path& in) { write(in / name, content); };
  };
  const std::string png = has_png() ? text_of(encode_png(Shape{1, 9, 9}, Bytes(81, 7))) : "";
  std::vector<Bad> bads = {
      {remove(""), ": no such folder"},
      {remove("train"), ": has no folder 'train'" + make},
      {[&](const fs::path& in) { remove("train/cat")(in), remove("train/dog")(in); },
       "/train: no sub-folders; put the images of each class into a sub-folder named after the class"},
      {[&](const fs::path& in) { remove("train/cat")(in), remove("test/cat")(in); },
       "/train: only one class, 'dog'; at least two are needed"},
      {remove("train/dog/a"), "/train/dog: this class has no images; add some or remove the folder"},
      {remove("test/cat/x.jpeg"), "/test/cat: this class has no images; add some or remove the folder"},
      {file("test/owl/o", grey_file(1)),
       "/train: the class 'owl' of FOLDER/test is missing; both need the same classes"},
      {file("train/owl/o", grey_file(1)),
       "/test: the class 'owl' of FOLDER/train is missing; both need the same classes"},
      {[](const fs::path& in) { fs::rename(in / "test/dog", in / "test/Dog"); },
       "/test: the class 'dog' of FOLDER/train is missing; it has 'Dog', which differs only in case; rename one of "
       "them"},
      {file("train/dog/more/image", grey_file(1)),
       "/train/dog/more: is a folder inside a class; put the images directly into the folder of their class"},
      {file("train/dog/a", "some text"), "/train/dog/a" + no_format},
      {file("test/dog/notes.txt", "some text"), "/test/dog/notes.txt" + no_format},
      {file("train/dog/a", ""), "/train/dog/a: the file is empty; copy or download it again"},
      {[](const fs::path& in) { fs::create_symlink("nothing", in / "train/dog/link"); },
       "/train/dog/link: is a link to nothing, which is missing; mount or restore it, or remove the link"},
      {[](const fs::path& in) { fs::create_symlink("/not/mounted/owl", in / "train/owl"); },
       "/train/owl: is a link to /not/mounted/owl, which is missing; mount or restore it, or remove the link"},
      {[](const fs::path& in) { REQUIRE(mkfifo((in / "train/dog/pipe").c_str(), 0600) == 0); },
       "/train/dog/pipe: is not a readable file"},
      {file("train/\xff\xfe/image", grey_file(1)),
       "/train/\xff\xfe: the class name is not valid UTF-8; rename the folder"},
      {file("train/\xc0\xaf/image", grey_file(1)),
       "/train/\xc0\xaf: the class name is not valid UTF-8; rename the folder"},
      {file("train/\xed\xa0\x80/image", grey_file(1)),
       "/train/\xed\xa0\x80: the class name is not valid UTF-8; rename the folder"},
      {file("train/a\x1b[2J/image", grey_file(1)),
       "/train/a\x1b[2J: the class name is not valid UTF-8; rename the folder"},
      {[](const fs::path&) {}, "/test: already selects the test images; leave out test_fraction", 0.1},
      {[&](const fs::path& in) {
         remove("train")(in), remove("test")(in), write(in / "a/1", grey_file(1)), write(in / "b/1", grey_file(1));
       },
       "/a: only one image of class 'a', which cannot serve both training and testing; add another", 0.5},
  };
  if (has_png()) {
    bads.push_back({file("train/cat/1.pgm", png.substr(0, png.size() - 20)), "/train/cat/1.pgm: "});
    bads.push_back({file("train/cat/1.pgm", png.substr(0, 20)), "/train/cat/1.pgm: "});
  }
  if (has_jpeg()) {
    const std::string jpeg("\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb", 22);
    bads.push_back({file("train/cat/2.pgm", jpeg), "/train/cat/2.pgm: the JPEG data are damaged ("});
  }
  for (const Bad& bad : bads) {
    const TemporaryFolder folder;
    const std::string name = (folder / "set").string();
    write_small(folder / "set");
    bad.change(name);
    std::string says = bad.says;
    if (const std::size_t at = says.find("FOLDER"); at != std::string::npos) says.replace(at, 6, name);
    const std::string message = message_for(name, {.size = {2, 2}, .test_fraction = bad.fraction});
    if (says.ends_with(": ") || says.ends_with('(')) {
      CHECK_THAT(message, Catch::StartsWith(name + says));
    } else {
      CHECK(message == name + says);
    }
  }
}

TEST_CASE("unreadable folders are rejected") {
  const TemporaryFolder folder;
  write_small(folder.path());
  fs::permissions(folder / "train/dog", fs::perms::none);
  fs::permissions(folder / "test/dog/1", fs::perms::none);
  if (geteuid() != 0) {  // root can read all folders
    CHECK(details_for(folder.path(), 1) ==
          std::vector<std::string>{(folder / "train/dog").string() + ": this folder cannot be read: Permission denied",
                                   (folder / "test/dog/1").string() + ": cannot be opened: Permission denied"});
  }
  fs::permissions(folder / "train/dog", fs::perms::owner_all);
  if (geteuid() != 0) {
    CHECK(message_for(folder.path()) == (folder / "test/dog/1").string() + ": cannot be opened: Permission denied");
  }
}

TEST_CASE("invalid options and more pixels than memory are rejected") {
  const TemporaryFolder folder;
  write_small(folder.path());
  const std::string name = folder.path().string();
  CHECK_THAT(message_for(folder.path(), {}), Catch::StartsWith("ImageFolderOptions::size: "));
  CHECK(message_for(folder.path(), {.size = {2, 0}}) == "ImageFolderOptions::size = 2x0: must be 1 to 1000000");
  CHECK(message_for(folder.path(), {.size = 2, .channels = 2}) ==
        "channels = 2: use 1 (grey), 3 (RGB) or 0 (as in the files)");
  CHECK(message_for(folder.path(), {.size = 2, .threads = -1}) ==
        "ImageFolderOptions::threads = -1: must be 0 or more");
  CHECK(message_for(folder.path(), {.size = 2, .image = {.resize = static_cast<Resize>(7)}}) ==
        "resize = 7: is not a Resize");
  for (const double fraction : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(message_for(folder.path(), {.size = {2, 2}, .test_fraction = fraction}) ==
          concat("test_fraction = ", fraction, ": must be 0 or more and below 1"));
    CHECK(message_for(folder.path(), {.size = {2, 2}}, {.validation_fraction = fraction}) ==
          concat("validation_fraction = ", fraction, ": must be 0 or more and below 1"));
  }
  CHECK_THAT(message_for(folder.path(), {.size = {1'000'000, 1'000'000}}),
             Catch::StartsWith(name + ": 7 images of 1000000x1000000 in 3 channels do not fit in the free memory, ") &&
                 Catch::EndsWith("; use a smaller ImageFolderOptions::size, or cache"));
}

TEST_CASE("image folders with corrupted bytes give a data set or a one-line error message") {
  if (!has_png()) return;
  const TemporaryFolder folder;
  write_small(folder.path());
  const DecodedImage image = pattern_image(3, 7, 6);
  const std::string whole = text_of(encode_png(image.shape, image.pixels));
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    for (const std::string& content : {damaged, whole.substr(0, at)}) {
      write(folder / "train/dog/a", content);
      const std::string message = message_for(folder.path());
      if (message.empty()) continue;
      CHECK_THAT(message, Catch::StartsWith((folder / "train/dog/a").string() + ": "));
      ++refused;
    }
  }
  CHECK(refused >= static_cast<int>(whole.size()));  // all truncated files
}
