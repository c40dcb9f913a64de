/// Event files, decoded by a small reader in this file. tests/peers/test_tensorboard.py reads them with TensorBoard.

#include "tests/core/file_size_limit.h"
#include "tests/core/temporary_folder.h"
#include "training/tensorboard.h"

#include "tests/catch.h"

#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace minception;
using namespace minception::testing;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Parses a message: each `take` removes the bytes that it returns from the front.
class Bytes {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  bool empty() const { return bytes_.empty(); }
  std::string take(std::size_t count) {
    REQUIRE(count <= bytes_.size());
    std::string front = bytes_.substr(0, count);
    bytes_.erase(0, count);
    return front;
  }
  std::uint64_t take_little_endian(int count) {
    std::uint64_t value = 0;
    const std::string bytes = take(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)])} << (8 * i);
    }
    return value;
  }
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t byte = take_little_endian(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    FAIL("a varint of more than ten bytes");
    return 0;
  }

 private:
  std::string bytes_;
};

struct Event {
  double wall_time = 0.0;
  std::optional<std::int64_t> step;
  std::string version;
  std::string tag;
  std::optional<float> value;
};

Event parse_event(const std::string& message) {
  Event event;
  Bytes fields(message);
  while (!fields.empty()) {
    switch (fields.take_varint()) {
      case 1 << 3 | 1:
        event.wall_time = std::bit_cast<double>(fields.take_little_endian(8));
        break;
      case 2 << 3 | 0:
        event.step = static_cast<std::int64_t>(fields.take_varint());
        break;
      case 3 << 3 | 2:
        event.version = fields.take(fields.take_varint());
        break;
      case 5 << 3 | 2: {
        Bytes summary(fields.take(fields.take_varint()));
        REQUIRE(summary.take_varint() == (1 << 3 | 2));
        Bytes value(summary.take(summary.take_varint()));
        REQUIRE(summary.empty());
        REQUIRE(value.take_varint() == (1 << 3 | 2));
        event.tag = value.take(value.take_varint());
        REQUIRE(value.take_varint() == (2 << 3 | 5));
        event.value = std::bit_cast<float>(static_cast<std::uint32_t>(value.take_little_endian(4)));
        REQUIRE(value.empty());
        break;
      }
      default:
        FAIL("an unknown event field");
    }
  }
  return event;
}

std::uint32_t masked(const std::string& bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::vector<Event> read_events(const std::filesystem::path& path) {
  std::vector<Event> events;
  Bytes file(read_file(path));
  while (!file.empty()) {
    const std::string length = file.take(8);
    REQUIRE(file.take_little_endian(4) == masked(length));
    const std::string message = file.take(Bytes(length).take_little_endian(8));
    REQUIRE(file.take_little_endian(4) == masked(message));
    events.push_back(parse_event(message));
  }
  return events;
}

/// (tag, step) -> value of all events after the first; checks that no pair occurs twice.
std::map<std::pair<std::string, std::int64_t>, float> scalars_in(const std::filesystem::path& path) {
  const std::vector<Event> events = read_events(path);
  REQUIRE_FALSE(events.empty());
  CHECK(events[0].version == "brain.Event:2");
  CHECK_FALSE(events[0].value);
  std::map<std::pair<std::string, std::int64_t>, float> scalars;
  for (std::size_t i = 1; i < events.size(); ++i) {
    const Event& event = events[i];
    REQUIRE((event.step && event.value));
    CHECK(scalars.emplace(std::pair(event.tag, *event.step), *event.value).second);
  }
  return scalars;
}

const StepMetrics kStep = {.epoch = 1,
                           .step = 50,
                           .learning_rate = 0.5,
                           .momentum = 0.75,
                           .loss = 2.25,
                           .accuracy = 0.125,
                           .examples_per_second = 4096.0,
                           .gradient_norm = 3.0,
                           .gradient_norms = {{"conv1", 1.5}, {"inception3a", 2.5}},
                           .auxiliary = {{"aux1", 2.5, 0.25}}};

const EpochMetrics kEpoch = {.epoch = 1,
                             .step = 469,
                             .learning_rate = 0.5,
                             .train_loss = 1.5,
                             .train_accuracy = 0.5,
                             .eval_loss = 1.25,
                             .eval_accuracy = 0.625,
                             .eval_top5 = 0.875};

const std::map<std::pair<std::string, std::int64_t>, float> kScalars = {{{"loss/train", 50}, 2.25f},
                                                                        {{"accuracy/train", 50}, 0.125f},
                                                                        {{"learning_rate", 50}, 0.5f},
                                                                        {{"momentum", 50}, 0.75f},
                                                                        {{"gradient_norm/all", 50}, 3.0f},
                                                                        {{"gradient_norm/conv1", 50}, 1.5f},
                                                                        {{"gradient_norm/inception3a", 50}, 2.5f},
                                                                        {{"loss/aux1", 50}, 2.5f},
                                                                        {{"accuracy/aux1", 50}, 0.25f},
                                                                        {{"examples_per_second", 50}, 4096.0f},
                                                                        {{"epoch/train_loss", 469}, 1.5f},
                                                                        {{"epoch/train_accuracy", 469}, 0.5f},
                                                                        {{"epoch/test_loss", 469}, 1.25f},
                                                                        {{"epoch/test_accuracy", 469}, 0.625f},
                                                                        {{"epoch/test_top5", 469}, 0.875f}};

}  // namespace

TEST_CASE("CRC-32C gives the values of RFC 3720") {
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
    falling += static_cast<char>(31 - i);
  }
  CHECK(crc32c(rising) == 0x46dd794eu);
  CHECK(crc32c(falling) == 0x113fdb5cu);
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c("") == 0u);
}

TEST_CASE("an event file contains its version and the added scalars") {
  const TemporaryFolder folder;
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  const double before = now();
  EventFile file(folder / "run/events");
  CHECK(file.path().parent_path() == folder / "run/events");
  CHECK_THAT(file.path().filename().string(), Catch::StartsWith("events.out.tfevents."));
  CHECK(scalars_in(file.path()).empty());
  file.add(kStep);
  file.add(kEpoch);
  CHECK(scalars_in(file.path()) == kScalars);
  for (const Event& event : read_events(file.path())) {
    CHECK(event.wall_time >= before);
    CHECK(event.wall_time <= now());
  }
}

TEST_CASE("event files store any step and NaN and infinity") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t step :
       {std::int64_t{0}, std::int64_t{127}, std::int64_t{128}, std::int64_t{16384}, kLargest}) {
    file.scalar("step", step, 1.0);
  }
  // The length of a tag of 200 bytes takes two bytes.
  file.scalar(std::string(200, 'x'), 1, 0.1);
  file.scalar("nan", 1, kNaN);
  file.scalar("inf", 1, kInfinity);
  file.scalar("minus inf", 1, -kInfinity);
  file.scalar("above any float", 1, 1e300);
  file.scalar("below any float", 1, -1e300);
  auto scalars = scalars_in(file.path());
  CHECK(scalars.size() == 11);
  for (const std::int64_t step :
       {std::int64_t{0}, std::int64_t{127}, std::int64_t{128}, std::int64_t{16384}, kLargest}) {
    CHECK(scalars.count({"step", step}) == 1);
  }
  CHECK(scalars.at({std::string(200, 'x'), 1}) == 0.1f);
  CHECK(std::isnan(scalars.at({"nan", 1})));
  CHECK(scalars.at({"inf", 1}) == std::numeric_limits<float>::infinity());
  CHECK(scalars.at({"minus inf", 1}) == -std::numeric_limits<float>::infinity());
  CHECK(scalars.at({"above any float", 1}) == std::numeric_limits<float>::infinity());
  CHECK(scalars.at({"below any float", 1}) == -std::numeric_limits<float>::infinity());
}

TEST_CASE("every EventFile creates a new file") {
  const TemporaryFolder folder;
  EventFile first(folder.path()), second(folder.path());
  CHECK(folder.entries() == 2);
  CHECK(first.path() != second.path());
}

TEST_CASE("a full disk loses only the event that does not fit") {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.scalar("kept", 1, 1.0);
  const std::uintmax_t size = std::filesystem::file_size(file.path());
  {
    const FileSizeLimit limit(size + 20);
    CHECK(message_of([&] { file.scalar("lost", 2, 1.0); }) ==
          file.path().string() +
              ": cannot write an event: No space left on device; free space on the disk or choose another folder");
  }
  {
    const FileSizeLimit limit(size);
    CHECK_THAT(message_of([&] { file.scalar("lost", 3, 1.0); }), Catch::Contains("File too large"));
  }
  CHECK(std::filesystem::file_size(file.path()) == size);
  file.scalar("kept", 4, 1.0);
  CHECK(scalars_in(file.path()).size() == 2);
  {
    const FileSizeLimit limit(10);
    CHECK_THAT(message_of([&] { EventFile{folder / "none"}; }), Catch::Contains("cannot write an event"));
    CHECK(std::filesystem::is_empty(folder / "none"));
  }
}

TEST_CASE("the error for an unusable event folder names it") {
  const TemporaryFolder folder;
  write_file(folder / "file", "text");
  const std::string expected = (folder / "file").string() + ": cannot make a folder for TensorBoard events: ";
  CHECK_THAT(message_of([&] { EventFile{folder / "file"}; }), Catch::StartsWith(expected));
  CHECK_THAT(message_of([&] { rewrite_events(folder / "file", {}); }), Catch::StartsWith(expected));
  CHECK(read_file(folder / "file") == "text");
}

TEST_CASE("rewrite_events leaves one event file and all other files") {
  const TemporaryFolder folder;
  { EventFile(folder.path()).add(kEpoch); }
  { EventFile(folder.path()).scalar("old", 1, 1.0); }
  write_file(folder / "metrics.jsonl", "{}");
  write_file(folder / "events.html", "<html>");
  std::filesystem::create_directory(folder / "events.out.tfevents.folder");
  { EventFile(folder / "below").scalar("other run", 1, 1.0); }

  rewrite_events(folder.path(), {.steps = {kStep}, .epochs = {kEpoch}, .notices = {{1, 1, "nothing to show"}}});
  CHECK(read_file(folder / "metrics.jsonl") == "{}");
  CHECK(read_file(folder / "events.html") == "<html>");
  CHECK(std::filesystem::is_directory(folder / "events.out.tfevents.folder"));
  CHECK_FALSE(std::filesystem::is_empty(folder / "below"));
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.is_regular_file() && entry.path().extension() != ".jsonl" && entry.path().extension() != ".html") {
      files.push_back(entry.path());
    }
  }
  REQUIRE(files.size() == 1);
  CHECK_THAT(files[0].filename().string(), Catch::StartsWith("events.out.tfevents."));
  CHECK(scalars_in(files[0]) == kScalars);

  EventFile next(folder.path());
  CHECK(next.path() != files[0]);
  CHECK(scalars_in(files[0]) == kScalars);
}

TEST_CASE("rewrite_events on a full disk keeps the old event files") {
  const TemporaryFolder folder;
  EventFile old(folder.path());
  old.add(kStep);
  const std::string before = read_file(old.path());
  {
    const FileSizeLimit limit(100);
    CHECK_THAT(message_of([&] { rewrite_events(folder.path(), {.steps = {kStep}}); }),
               Catch::Contains("free space on the disk"));
  }
  CHECK(read_file(old.path()) == before);
  CHECK(folder.entries() == 1);
}
