/// Deterministic parts of a profile: categories, floating-point operations, bytes and sums.

#include "core/error.h"
#include "tests/models/networks.h"
#include "training/profile.h"

#include "tests/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

using namespace minception;

namespace {

/// 22 images of 8x8 with two channels, resized to 12x10, in batches of 8.
struct Samples {
  explicit Samples(Backend& backend)
      : dataset(make_resident(backend, {2, 8, 8}, std::vector<std::uint8_t>(22 * 128, 100),
                              std::vector<std::int32_t>(22, 1))) {}
  ResidentDataset dataset;
  ResidentBatchSource feed{dataset};
};

NetworkOptions options() {
  return {.max_batch = 8, .optimizer = Sgd{.momentum = 0.9}, .dataset_image = Shape{2, 8, 8}};
}

const ProfiledOperation& find(const Profile& profile, const std::string& layer, const std::string& operation) {
  const auto found = std::find_if(profile.operations.begin(), profile.operations.end(),
                                  [&](const auto& o) { return o.layer == layer && o.operation == operation; });
  REQUIRE(found != profile.operations.end());
  return *found;
}

}  // namespace

TEST_CASE("a profile lists every operation of the plan and adds up", "[profile]") {
  const auto backend = make_reference_backend();
  Samples samples(*backend);
  Network network(small_googlenet(true), *backend, options());
  network.initialize(Initialization::xavier_uniform, 1);
  const auto parameters = [&] {
    const auto flat = network.flat_parameters();
    return std::vector<std::byte>(flat.begin(), flat.end());
  };
  const std::vector<std::byte> before = parameters();
  const Profile found = profile(network, samples.feed, {.batch_size = 8, .steps = 3});
  CHECK(parameters() == before);

  const auto steps = network.plan(Mode::training).steps();
  REQUIRE(found.operations.size() == steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    INFO(found.operations[i].layer << " " << found.operations[i].operation);
    CHECK(found.operations[i].layer == steps[i].layer);
    CHECK(found.operations[i].operation == name_of(steps[i].operation));
    CHECK(found.operations[i].phase == steps[i].phase);
    CHECK(found.operations[i].kind != "other");
    CHECK(found.operations[i].seconds > 0.0);
    CHECK(found.operations[i].bytes > 0.0);
  }
  // Operation and batch source times are part of the step time.
  CHECK(found.operation_seconds() + found.feed_seconds <= found.profiled_seconds);
  CHECK(found.step_seconds > 0.0);
  CHECK(found.eager_seconds == found.step_seconds);
  CHECK(!found.replayed);
  CHECK(found.kernels.empty());

  // Computed by hand. load_batch reads 8 images of 128 bytes, 8 labels and indices of 4 bytes; it writes 8 x (2, 12,
  // 10) f32 and 8 labels.
  CHECK(find(found, "input", "load_batch").bytes == 8 * 128 + 8 * 4 + 8 * 4 + 8 * 240 * 4 + 8 * 4);
  // conv1 is 3x3, 2 to 9 channels on 12x10: x, w and y; two operations per multiply-accumulate.
  const ProfiledOperation conv = find(found, "conv1.conv", "conv2d_forward");
  CHECK(conv.flops == 2.0 * 8 * 120 * 9 * 2 * 9);
  CHECK(conv.bytes == 4.0 * (8 * 2 * 120 + 9 * 2 * 9 + 8 * 9 * 120));
  CHECK(conv.kind == "convolution, forward");
  CHECK(find(found, "conv1.conv", "conv2d_backward_weights").kind == "convolution, weight gradient");
  // sgd_step reads and writes w and momentum, and reads g and the two schedule values.
  const double values = static_cast<double>(before.size()) / 4.0;
  CHECK(find(found, "optimizer", "sgd_step").bytes == 4.0 * (5.0 * values + 2.0));
}

TEST_CASE("a profile of inference has only inference operations and its JSON matches its table", "[profile]") {
  const auto backend = make_reference_backend();
  Samples samples(*backend);
  Network network(small_googlenet(false), *backend, options());
  network.initialize(Initialization::xavier_uniform, 1);
  const Profile found = profile(network, samples.feed, {.mode = Mode::inference, .batch_size = 8, .steps = 2});
  CHECK(found.operations.size() == network.plan(Mode::inference).steps().size());

  const auto json = nlohmann::json::parse(to_json(found));
  CHECK(json["mode"] == "inference");
  CHECK(json["batch_size"] == 8);
  CHECK(json["operations"].size() == found.operations.size());
  double of_kinds = 0.0;
  for (const auto& kind : json["kinds"]) of_kinds += kind["seconds"].get<double>();
  CHECK(of_kinds == Approx(found.operation_seconds()));

  const std::string text = profile_text(found, 5);
  CHECK(text.find("Profile of 2 inferences of small, 8 images each, on reference") == 0);
  CHECK(text.find("the 5 longest of") != std::string::npos);
  CHECK(text.find("pools, forward") != std::string::npos);
  CHECK(text.find("backward") == std::string::npos);
  CHECK(text.find("between operations") != std::string::npos);
}

TEST_CASE("a profile reports the time spent waiting for streamed samples", "[profile]") {
  /// A sample source with slow reads.
  class Source final : public SampleSource {
   public:
    explicit Source(std::chrono::milliseconds pause) : pause_(pause) {}
    std::int64_t size() const override { return 800; }
    const Shape& image() const override { return image_; }
    std::int32_t read(std::int64_t, std::span<std::uint8_t> pixels) const override {
      std::fill(pixels.begin(), pixels.end(), std::uint8_t{100});
      if (pause_.count() > 0) std::this_thread::sleep_for(pause_);
      return 1;
    }

   private:
    std::chrono::milliseconds pause_;
    Shape image_{2, 8, 8};
  };
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true), *backend, options());
  network.initialize(Initialization::xavier_uniform, 1);
  const auto profiled = [&](std::chrono::milliseconds pause) {
    const Source source(pause);
    StreamingBatchSource feed(source, 1);
    return profile(network, feed, {.batch_size = 8, .steps = 6});
  };
  using namespace std::chrono_literals;
  const Profile ready = profiled(0ms);
  CHECK(ready.waited_seconds <= 0.02 * ready.profiled_seconds);
  // Eight samples of 25 ms each: the steps wait for the part that exceeds their own time.
  const Profile slow = profiled(25ms);
  CHECK(slow.waited_seconds > 0.5 * (0.2 - ready.profiled_seconds));
  CHECK(slow.waited_seconds <= slow.feed_seconds);
  CHECK(nlohmann::json::parse(to_json(slow))["waited_seconds"] == slow.waited_seconds);
  CHECK(profile_text(slow).find("  of that, waiting for samples") != std::string::npos);

  Samples resident(*backend);
  CHECK(profile(network, resident.feed, {.batch_size = 8, .steps = 1}).waited_seconds == 0.0);
}

TEST_CASE("invalid profile options are rejected", "[profile]") {
  const auto backend = make_reference_backend();
  Samples samples(*backend);
  Network network(small_googlenet(false), *backend, options());
  CHECK_THROWS_WITH(profile(network, samples.feed, {.batch_size = 8, .steps = 0}),
                    "a profile of 0 steps after 3 warm-up steps: at least 1 after 2 is needed");
  CHECK_THROWS_WITH(profile(network, samples.feed, {.batch_size = 9}),
                    "a batch size of 9: the network was planned for 1 to 8");
}
