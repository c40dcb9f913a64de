#include "core/random.h"
#include "data/cifar10.h"
#include "data/registry.h"
#include "tests/data/cifar10_files.h"

#include "tests/catch.h"

#include <functional>

using namespace minception;
using namespace minception::testing;

namespace {

/// Checks that the part contains the images of these batches, channels-last.
void check_part(const ImageDataset& part, int first_batch, int end_batch, int images) {
  CHECK(part.image == Shape{3, 32, 32});
  CHECK(part.class_names == cifar_names());
  REQUIRE(part.size() == (end_batch - first_batch) * images);
  REQUIRE(part.pixels.size() == static_cast<std::size_t>(part.size()) * 3072);
  std::size_t place = 0, wrong = 0;
  for (int n = 0; n < part.size(); ++n) {
    const int batch = first_batch + n / images, image = n % images;
    wrong += part.labels[static_cast<std::size_t>(n)] != cifar_label(batch, image);
    for (int at = 0; at < 1024; ++at) {
      for (int c = 0; c < 3; ++c) wrong += part.pixels[place++] != cifar_byte(batch, image, c * 1024 + at);
    }
  }
  CHECK(wrong == 0);
}

void check_dataset(const std::filesystem::path& path, int images = 3) {
  const Dataset dataset = load_cifar10(path);
  CHECK(dataset.name == "cifar10");
  check_part(dataset.train, 0, 5, images);
  check_part(dataset.test, 5, 6, images);
}

std::string message_for(const std::filesystem::path& path) {
  const std::string message = message_of([&] { load_cifar10(path); });
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

const std::string kWay =
    "; get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and name it, or the folder that it "
    "is "
    "in, by --data-dir (no Debian package has it)";
const std::string kAgain = "; copy or download it again";
const std::string kNoPickle = "; not a CIFAR-10 file or it is damaged";

}  // namespace

TEST_CASE("CIFAR-10 is read from both formats and from folders and archives") {
  const TemporaryFolder folder;
  const std::string bin = "cifar-10-batches-bin", py = "cifar-10-batches-py";
  write_files(folder / "bin" / bin, cifar10_binary());
  write_files(folder / "py" / py, cifar10_python());
  write_files(folder / "columns", cifar10_python(3, true));
  write_files(folder / "one", cifar10_binary(1));
  write_files(folder / "many", cifar10_python(300));  // more than 256 memo entries
  for (const char* name : {"packed_bin", "packed_py"}) std::filesystem::create_directory(folder / name);
  write_file(folder / "packed_bin/cifar-10-binary.tar.gz", gzipped(tar(bin, cifar10_binary())));
  write_file(folder / "packed_py/cifar-10-python.tar.gz", gzipped(tar(py, cifar10_python())));
  write_file(folder / "renamed", tar(".", cifar10_binary()));

  check_dataset(folder / "bin");
  check_dataset(folder / "bin" / bin);
  check_dataset(folder / "py");
  check_dataset(folder / "py" / py);
  check_dataset(folder / "columns");
  check_dataset(folder / "one", 1);
  check_dataset(folder / "many", 300);
  check_dataset(folder / "packed_bin");
  check_dataset(folder / "packed_bin/cifar-10-binary.tar.gz");
  check_dataset(folder / "packed_py");
  check_dataset(folder / "renamed");
}

TEST_CASE("archives may contain attributes and links and long names and other files") {
  const TemporaryFolder folder;
  const std::string long_name(150, 'n');
  std::string archive = tar_member("././@LongLink", long_name, 'L') + tar_member(long_name.substr(0, 100), "content");
  archive += tar_member("PaxHeader", "27 mtime=1243890541.5000000\n", 'x');
  archive += tar_member("x/link", "", '2') + tar_member("x/readme.html", std::string(2000, 'r'));
  archive += tar_member("x/empty", "") + tar_member("x/._data_batch_1.bin", "of a Mac");
  write_file(folder / "archive", gzipped(archive + tar("y", cifar10_binary())));
  check_dataset(folder / "archive");
}

TEST_CASE("load_dataset reads CIFAR-10 and the error without a folder explains how to get it") {
  const TemporaryFolder folder;
  write_files(folder.path(), cifar10_binary());
  CHECK(load_dataset("cifar10", folder.path()).train.size() == 15);
  if (!std::filesystem::exists(default_data_dir("cifar10"))) {
    CHECK(message_of([] { load_dataset("cifar10"); }) == "/usr/share/datasets/cifar10: no such file or folder" + kWay);
  }
}

TEST_CASE("errors distinguish missing CIFAR-10 from a missing file or a duplicate") {
  const TemporaryFolder folder;
  const std::string name = folder.path().string();
  CHECK(message_for(folder / "absent") == name + "/absent: no such file or folder" + kWay);
  CHECK(message_for(folder.path()) ==
        name + ": neither the files of CIFAR-10 nor cifar-10-binary.tar.gz or cifar-10-python.tar.gz are there" + kWay);
  write_file(folder / "archive", tar("cifar-100-binary", {{"train.bin", "x"}, {"test.bin", "y"}}));
  CHECK(message_for(folder / "archive") == name + "/archive: the archive contains no CIFAR-10 file" + kWay);

  for (const Files& files : {cifar10_binary(), cifar10_python()}) {
    for (const auto& [missing, content] : files) {
      write_files(folder / "parts", files);
      std::filesystem::remove(folder / "parts" / missing);
      CHECK(message_for(folder / "parts") == name + "/parts: " + missing + " is missing" + kAgain);
      std::filesystem::remove_all(folder / "parts");
      Files others;
      for (const auto& file : files) {
        if (file.first != missing) others.push_back(file);
      }
      write_file(folder / "archive", tar("x", others));
      CHECK(message_for(folder / "archive") == name + "/archive: " + missing + " is missing" + kAgain);
      write_file(folder / "archive", tar("x", files) + tar("x", files));
      check_dataset(folder / "archive");  // data after the end-of-archive blocks are ignored
      others.push_back(others.front());
      write_file(folder / "archive", tar("x", others));
      CHECK(message_for(folder / "archive") ==
            name + "/archive: x/" + others.front().first + ": is in the archive twice" + kAgain);
    }
  }
}

TEST_CASE("damaged files of the binary format are rejected with their names") {
  struct Damage {
    std::string file;
    std::function<void(std::string&)> change;
    std::string says;
  };
  const std::vector<Damage> damages = {
      {"data_batch_2.bin", [](std::string& content) { content.pop_back(); },
       "data_batch_2.bin: 9218 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the "
       "file is "
       "truncated or none of CIFAR-10" +
           kAgain},
      {"test_batch.bin", [](std::string& content) { content += 'x'; },
       "test_batch.bin: 9220 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the file "
       "is "
       "truncated or none of CIFAR-10" +
           kAgain},
      {"data_batch_4.bin", [](std::string& content) { content.clear(); },
       "data_batch_4.bin: 0 bytes are not a multiple of a record's 3073 bytes (a label and 3x32x32 pixels): the file "
       "is "
       "truncated or none of CIFAR-10" +
           kAgain},
      {"data_batch_5.bin", [](std::string& content) { content.resize(2 * 3073); },
       ": data_batch_5.bin holds 2 images but data_batch_1.bin 3: all have as many as published, or one is truncated" +
           kAgain},
      {"data_batch_1.bin", [](std::string& content) { content[3073] = 10; },
       "data_batch_1.bin: offset 3073: label 10 of image 1: the classes are 0 to 9"},
      {"test_batch.bin", [](std::string& content) { content[0] = '\xff'; },
       "test_batch.bin: offset 0: label 255 of image 0: the classes are 0 to 9"},
      {"batches.meta.txt", [](std::string& content) { content.resize(content.size() - 8); },
       "batches.meta.txt: names 9 classes, not 10" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.clear(); },
       "batches.meta.txt: names 0 classes, not 10" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content[0] = '\x07'; },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.replace(0, 19, "\nautomobile"); },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
      {"batches.meta.txt", [](std::string& content) { content.replace(0, 8, "truck"); },
       "batches.meta.txt: holds a class name that is empty, not a string or a duplicate" + kAgain},
  };
  for (const Damage& damage : damages) {
    const TemporaryFolder folder;
    Files files = cifar10_binary();
    damage.change(content_of(files, damage.file));
    write_files(folder / "files", files);
    write_file(folder / "archive", gzipped(tar("cifar", files)));
    const bool whole = damage.says[0] == ':';  // messages about several files name the folder or archive
    CHECK(message_for(folder / "files") == (folder / "files").string() + (whole ? "" : "/") + damage.says);
    CHECK(message_for(folder / "archive") == (folder / "archive").string() + (whole ? "" : ": cifar/") + damage.says);
  }
}

TEST_CASE("damaged pickles are rejected with file and offset") {
  const std::string whole = cifar10_python_batch(2, 3);
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string content = whole;
    const std::size_t place = content.find(what);
    REQUIRE(place != std::string::npos);
    return content.replace(place, what.size(), by);
  };
  const auto offset_of = [&](const std::string& what) { return std::to_string(whole.find(what)); };
  const std::string labels(
      "(K\x06K\x07K\x08"
      "e",
      8),
      shape("M\x00\x0c", 3);
  const std::string os = "cos\nsystem\nU\x04haha\x85R";
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"", ": the file is empty" + kAgain},
      {"data", ": offset 0: not a pickle of protocol 2" + kNoPickle},
      {"\x80\x04" + whole.substr(2), ": offset 0: not a pickle of protocol 2" + kNoPickle},
      {"\x80", ": offset 0: 1 bytes are needed but 0 are left: the file is truncated or damaged" + kAgain},
      {whole.substr(0, whole.size() - 1), ": offset " + std::to_string(whole.size() - 1) +
                                              ": 1 bytes are needed but 0 are left: the file is truncated or damaged" +
                                              kAgain},
      {whole + "..", ": offset " + std::to_string(whole.size() - 1) + ": 2 bytes follow behind the end" + kNoPickle},
      {"\x80\x02" + os + ".",
       ": offset 2: the pickle refers to os.system, which the files of CIFAR-10 do not; nothing in it "
       "was executed" +
           kNoPickle},
      {replaced("cnumpy\nndarray", "c__builtin__\neval"),
       ": offset " + offset_of("cnumpy\nndarray") +
           ": the pickle refers to __builtin__.eval, which the files of CIFAR-10 do not; nothing in it was executed" +
           kNoPickle},
      {"\x80\x02X\x01", ": offset 2: operation 88 is not one that the files of CIFAR-10 use" + kNoPickle},
      {"\x80\x02"
       "e.",
       ": offset 2: a mark is missing" + kNoPickle},
      {"\x80\x02(a.", ": offset 3: there are 0 values to work on, 1 are needed" + kNoPickle},
      {"\x80\x02}(U\x01xu.", ": offset 7: a key of a dictionary has no value" + kNoPickle},
      {"\x80\x02NNa.", ": offset 4: something is put into None instead of a list" + kNoPickle},
      {"\x80\x02NNR.", ": offset 4: None is called with None" + kNoPickle},
      {"\x80\x02NNb.", ": offset 4: a state is given to None" + kNoPickle},
      {"\x80\x02NN.", ": offset 4: the end comes with 2 values on the stack, not 1" + kNoPickle},
      {"\x80\x02h\x07.", ": offset 2: the memo has no entry 7" + kNoPickle},
      {"\x80\x02Nr\xff\xff\xff\xff.", ": offset 3: a value is remembered under 4294967295, above 1048576" + kNoPickle},
      {"\x80\x02T\xff\xff\xff\x7fxyz",
       ": offset 2: 2147483647 bytes are needed but 3 are left: the file is truncated or damaged" + kAgain},
      {"\x80\x02" + std::string(1'100'000, ')') + ".",
       ": offset 1048578: there are more than 1048576 values" + kNoPickle},
      {"\x80\x02"
       "c" +
           std::string(300, 'm'),
       ": offset 2: a name is longer than 200 letters" + kNoPickle},
      {"\x80\x02"
       "cos\x01",
       ": offset 2: a name holds the byte 1" + kNoPickle},
      {"\x80\x02].", ": offset 2: what holds 'labels' is a list, not a dictionary" + kNoPickle},
      {"\x80\x02}.", ": offset 2: the dictionary has no 'labels'" + kNoPickle},
      {replaced("U\x06labels", "U\x06lapels"), ": offset 2: the dictionary has no 'labels'" + kNoPickle},
      {replaced("U\x0b"
                "batch_label",
                "U\x06labels"),
       ": offset " + std::to_string(whole.find("U\x06labels") - 5) + ": 'labels' is there twice" + kNoPickle},
      {replaced(labels, std::string("(K\x06K\x0aK\x08"
                                    "e",
                                    8)),
       ": offset " + std::to_string(whole.find(labels) + 3) + ": label 10 of image 1: the classes are 0 to 9" +
           kNoPickle},
      {replaced(labels, std::string("(K\x06J\xff\xff\xff\xffK\x08"
                                    "e",
                                    11)),
       ": offset " + std::to_string(whole.find(labels) + 3) + ": label -1 of image 1: the classes are 0 to 9" +
           kNoPickle},
      {replaced(labels, std::string("(K\x06NK\x08"
                                    "e",
                                    7)),
       ": offset " + std::to_string(whole.find(labels) + 3) + ": a label is None, not a number" + kNoPickle},
      {replaced(labels, std::string("(K\x06K\x07"
                                    "e",
                                    6)),
       ": offset " + std::to_string(whole.find(shape) + 3 - 2) + ": the shape of the array is not (2 labels, 3072)" +
           kNoPickle},
      {replaced(labels, "(e"),
       ": offset " + std::to_string(whole.find(labels) - 3) + ": there are no labels" + kNoPickle},
      {replaced(shape, std::string("M\x01\x0c", 3)), ": offset " + std::to_string(whole.find(shape) + 3) +
                                                         ": the shape of the array is not (3 labels, 3072)" +
                                                         kNoPickle},
      {replaced("U\x02u1", "U\x02i1"),
       ": offset " + offset_of("U\x02u1") + ": the array does not hold unsigned bytes ('u1')" + kNoPickle},
      {replaced("\x89T", "NT"),
       ": offset " + offset_of("\x89T") + ": the order of the array is None, not a truth value" + kNoPickle},
      {replaced(std::string("T\x00\x24\x00\x00", 5), std::string("T\x00\x23\x00\x00", 5)), ""},
  };
  const TemporaryFolder folder;
  write_files(folder.path(), cifar10_python());
  for (const auto& [content, says] : damages) {
    write_file(folder / "data_batch_3", content);
    const std::string message = message_for(folder.path());
    const std::string start = (folder / "data_batch_3").string() + ": ";
    CHECK_THAT(message, Catch::StartsWith(start));
    if (!says.empty()) CHECK(message == start.substr(0, start.size() - 2) + says);
  }

  // A well-formed array whose length does not match its shape.
  PickleWriter pickle;
  pickle.raw("}(").bytes("labels").raw("](").integer(1).integer(2).raw("e").bytes("data");
  write_array(pickle, 2, std::string(3072, 'x'), false);
  write_file(folder / "data_batch_3", pickle.raw("u.").text());
  CHECK_THAT(message_for(folder.path()), Catch::Contains("the array has 3072 bytes, not 2 x 3072"));

  write_files(folder.path(), cifar10_python());
  std::string meta = cifar10_python()[0].second;
  write_file(folder / "batches.meta", meta.replace(meta.find("U\x08"
                                                             "airplane"),
                                                   10, "N"));
  CHECK_THAT(message_for(folder.path()), Catch::Contains("batches.meta: offset ") &&
                                             Catch::Contains(": a class name is None, not a string of bytes"));
}

TEST_CASE("damaged archives are rejected with their names") {
  const TemporaryFolder folder;
  const std::string name = (folder / "archive").string();
  const std::string archive = tar("x", cifar10_binary(1)), compressed = gzipped(archive);
  const auto message = [&](const std::string& content) {
    write_file(folder / "archive", content);
    return message_for(folder / "archive");
  };
  const std::string no_tar = name + ": not a tar archive, compressed with gzip or not" + kAgain;
  CHECK(message("") == no_tar);
  CHECK(message("text") == no_tar);
  CHECK(message(std::string(20'000, 'x')) == no_tar);
  CHECK(message(std::string(1024, '\0')) == no_tar);
  CHECK(message(gzipped("text")) == no_tar);
  const std::string truncated = name + ": the archive ends too early: the file is truncated" + kAgain;
  const std::size_t end = archive.find_last_not_of('\0') / 512 * 512 + 512;
  for (const std::size_t length :
       {std::size_t{512}, std::size_t{513}, std::size_t{1024}, std::size_t{1100}, end - 1000, end - 1, end}) {
    CAPTURE(length);
    CHECK(message(archive.substr(0, length)) == truncated);
    CHECK(message(gzipped(archive.substr(0, length))) == truncated);
  }
  for (std::size_t length = 20; length < compressed.size(); length += 97) {
    CAPTURE(length);
    CHECK(message(compressed.substr(0, length)) ==
          name + ": the compressed data end too early: the file is truncated" + kAgain);
  }
  std::string wrong = compressed;
  wrong[wrong.size() - 6] ^= 1;  // in the gzip checksum, which follows the data
  CHECK(message(wrong) == name + ": the compressed data are damaged (incorrect data check)" + kAgain);
  wrong = compressed;
  for (std::size_t at = 100; at < 140; ++at) wrong[at] = '\xff';
  CHECK_THAT(message(wrong), Catch::StartsWith(name + ": the compressed data are damaged ("));
  wrong = archive;
  wrong[512 + 3] ^= 1;  // in the name in the second header
  CHECK(message(wrong) == name + ": the archive is damaged behind 'x/': a header has a wrong checksum" + kAgain);

  const auto with_size = [](const std::string& size) {
    std::string header = tar_member("x/test_batch.bin", "").replace(124, 12, size);
    seal_tar_header(header);
    return header;
  };
  CHECK(message(with_size("zzzzzzzzzzzz") + archive) ==
        name + ": 'x/test_batch.bin' in the archive has no size that can be read" + kAgain);
  CHECK(message(with_size("77777777777 ") + archive) ==
        name + ": x/test_batch.bin: is larger than 268435456 bytes: not a CIFAR-10 file");
}

TEST_CASE("CIFAR-10 files with wrong bytes give a data set or an error message of one line") {
  const TemporaryFolder folder;
  int refused = 0;
  const auto attempt = [&](const std::filesystem::path& path, const std::string& file, const std::string& content) {
    std::filesystem::remove(file);  // some file systems flush overwritten files, which is slow
    write_file(file, content);
    const std::string message = message_of([&] {
      const Dataset dataset = load_cifar10(path);
      REQUIRE(dataset.train.pixels.size() == static_cast<std::size_t>(dataset.train.size()) * 3072);
      REQUIRE(dataset.test.pixels.size() == static_cast<std::size_t>(dataset.test.size()) * 3072);
    });
    REQUIRE(message.find('\n') == std::string::npos);
    refused += message.empty() ? 0 : 1;
  };
  const Random random{1, 0xc1fa};
  std::uint64_t draws = 0;
  const auto any_byte = [&] { return static_cast<char>(random.bits(draws++)); };

  // Each byte of a pickle except most pixels, with six random values.
  write_files(folder / "py", cifar10_python(1));
  const std::string batch = cifar10_python_batch(0, 1);
  const std::size_t pixels = batch.find('T') + 5;
  int tries = 0;
  for (std::size_t at = 0; at < batch.size(); at += at == pixels ? 3072 : 1) {
    for (int i = 0; i < 6; ++i, ++tries) {
      std::string damaged = batch;
      damaged[at] = any_byte();
      attempt(folder / "py", folder / "py/data_batch_1", damaged);
    }
  }
  CHECK(refused > tries / 2);

  // An archive, plain and compressed: every third byte of two headers and every 401st byte after them.
  const std::string archive = tar("x", cifar10_binary(1)), packed = gzipped(archive);
  refused = tries = 0;
  for (std::size_t at = 0; at < archive.size(); at += at < 1024 ? 3 : 401) {
    std::string damaged = archive;
    damaged[at] = any_byte();
    attempt(folder / "archive", folder / "archive", damaged);
    damaged = packed;
    damaged[at % packed.size()] = any_byte();
    attempt(folder / "archive", folder / "archive", damaged);
    attempt(folder / "archive", folder / "archive", archive.substr(0, at));
    tries += 3;
  }
  CHECK(refused > tries / 2);
}
