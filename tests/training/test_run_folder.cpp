#include <minception/core/error.h>
#include <minception/tests/core/temporary_folder.h>
#include <minception/tests/models/networks.h>
#include <minception/training/run_folder.h>

#include <catch2/catch.hpp>

#include <fstream>
#include <limits>
#include <sstream>

using namespace minception;
using minception::testing::TemporaryFolder;

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a run folder holds a configuration, a line per epoch and weights") {
  const TemporaryFolder folder;
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true), *backend, {.max_batch = 2});
  network.initialize(Initialization::xavier_uniform, 1);
  RunFolder run(folder.path() / "deep" / "run", "{}\n", false);
  run.append_metrics({.epoch = 1, .step = 3, .learning_rate = 0.5, .train_loss = 1.25});
  run.append_metrics({.epoch = 2, .step = 6, .test_loss = std::numeric_limits<double>::quiet_NaN()});
  run.write_weights(network, weights_metadata(network, {"a", "b"}));

  CHECK(text_of(run.path() / "config.json") == "{}\n");
  CHECK(text_of(run.path() / "metrics.jsonl") ==
        "{\"epoch\":1,\"step\":3,\"learning_rate\":0.5,\"train_loss\":1.25,\"train_accuracy\":0.0,\"test_"
        "loss\":0.0,"
        "\"test_accuracy\":0.0,\"examples_per_second\":0.0,\"seconds\":0.0}\n"
        "{\"epoch\":2,\"step\":6,\"learning_rate\":0.0,\"train_loss\":0.0,\"train_accuracy\":0.0,\"test_"
        "loss\":null,"
        "\"test_accuracy\":0.0,\"examples_per_second\":0.0,\"seconds\":0.0}\n");
  const Safetensors weights = read_safetensors(run.path() / "model.safetensors");
  CHECK(weights.tensors == network.state());
  CHECK(weights.metadata.at("class_names") == "[\"a\",\"b\"]");
  CHECK(weights.metadata.at("model") == "{\"name\":\"small\",\"input\":[2,12,10],\"classes\":4}");
}

TEST_CASE("a run is not overwritten by accident") {
  const TemporaryFolder folder;
  { RunFolder run(folder.path(), "zeroth", false); }  // ended before its first epoch: nothing to lose
  {
    RunFolder run(folder.path(), "first", false);
    run.append_metrics({.epoch = 1});
  }
  CHECK_THROWS_WITH(RunFolder(folder.path(), "second", false), Catch::Contains("--overwrite"));
  CHECK(text_of(folder.path() / "config.json") == "first");
  { RunFolder run(folder.path(), "second", true); }
  CHECK(text_of(folder.path() / "config.json") == "second");
  CHECK_THROWS_WITH(RunFolder(folder.path() / "config.json", "third", false), Catch::Contains("is a file"));
  CHECK(text_of(folder.path() / "config.json") == "second");
}
