/// After a failed write the old content is unchanged and no temporary file remains.

#include "core/safetensors.h"
#include "tests/core/file_size_limit.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

using namespace minception;
using namespace minception::testing;

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace

TEST_CASE("a file is written and replaced and no temporary file remains") {
  const TemporaryFolder folder;
  write(folder / "file", "first");
  CHECK(read_file(folder / "file") == "first");
  write(folder / "file", "second, longer");
  CHECK(read_file(folder / "file") == "second, longer");
  write(folder / "file", "");
  CHECK(read_file(folder / "file").empty());
  CHECK(folder.entries() == 1);
}

TEST_CASE("a reader that has the old file open still reads the old content") {
  const TemporaryFolder folder;
  write(folder / "file", "old");
  std::ifstream reader(folder / "file");
  write(folder / "file", "new");
  std::string text;
  reader >> text;
  CHECK(text == "old");
}

TEST_CASE("a new file has the permissions set by the umask") {
  const TemporaryFolder folder;
  const mode_t old_mask = ::umask(0027);
  write(folder / "file", "x");
  ::umask(old_mask);
  struct stat status {};
  REQUIRE(::stat((folder / "file").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("relative paths are written in the current folder") {
  const TemporaryFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const std::string message = message_of([] { write("relative", "here"); });
  std::filesystem::current_path(before);
  CHECK(message.empty());
  CHECK(read_file(folder / "relative") == "here");
}

TEST_CASE("a full disk leaves the old file unchanged and no temporary file") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "weights.safetensors";
  Safetensors content;
  content.tensors["w"] = FileTensor{DType::u8, {100}, std::vector<std::byte>(100, std::byte{1})};
  write_safetensors(path, content);
  const std::string old = read_file(path);

  content.tensors["w"] = FileTensor{DType::u8, {1 << 20}, std::vector<std::byte>(1 << 20, std::byte{2})};
  std::string message;
  {
    const FileSizeLimit limit(1 << 16);
    message = message_of([&] { write_safetensors(path, content); });
  }
  CHECK_THAT(message, Catch::StartsWith(path.string() + ": cannot write its bytes: File too large") &&
                          Catch::Contains("any existing file is unchanged"));
  CHECK(read_file(path) == old);
  CHECK(folder.entries() == 1);

  write_safetensors(path, content);
  CHECK(read_safetensors(path).tensors == content.tensors);
}

TEST_CASE("a missing folder is named in the error") {
  const TemporaryFolder folder;
  CHECK_THAT(message_of([&] { write(folder / "no/such/file", "x"); }),
             Catch::Contains("the folder " + (folder / "no/such").string() + " is missing or inaccessible"));
  write(folder / "file", "old");
  CHECK_THAT(message_of([&] { write(folder / "file/inside", "x"); }), Catch::Contains("is missing or inaccessible"));
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a folder without write permission keeps the old file") {
  // Not even root can create files in /proc. All other users fail in a folder without write permission.
  CHECK_THAT(message_of([] { write("/proc/minception", "x"); }), Catch::Contains("cannot create a file in its folder"));
  const TemporaryFolder folder;
  // Root can write anywhere, so root runs the rest as the user nobody.
  constexpr uid_t kNobody = 65534;
  const uid_t me = ::geteuid();
  write(folder / "file", "old");
  if (me == 0) {
    REQUIRE(::chown(folder.path().c_str(), kNobody, static_cast<gid_t>(-1)) == 0);
    REQUIRE(::seteuid(kNobody) == 0);
  }
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_write,
                               std::filesystem::perm_options::remove);
  const std::string message = message_of([&] { write(folder / "file", "new"); });
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  if (me == 0) REQUIRE(::seteuid(0) == 0);
  CHECK_THAT(message, Catch::Contains("cannot create a file in its folder: Permission denied"));
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("folders and pipes and empty names are rejected") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  CHECK_THAT(message_of([&] { write(folder / "sub", "x"); }), Catch::Contains("is not a regular file"));
  CHECK_THAT(message_of([&] { write(folder / "sub/", "x"); }), Catch::Contains("is not a regular file"));
  CHECK_THAT(message_of([] { write("", "x"); }), Catch::Contains("is not a regular file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(message_of([&] { write(folder / "pipe", "x"); }), Catch::Contains("is not a regular file"));
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  CHECK(std::filesystem::is_directory(folder / "sub"));
  CHECK(folder.entries() == 2);
}
