/// `train --device cuda` killed and resumed, on emulated kernels.

#include "tests/tools/runs.h"

#include "tests/catch.h"

#include <chrono>
#include <thread>

using namespace minception;
using namespace minception::testing;

TEST_CASE("train --device cuda gives the same bits after kill and resume") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const std::string options =
      "train --device cuda --data-dir data --model googlenet_small --image-size 17 --epochs 1 --batch-size 8 --lr 0.05 "
      "--momentum 0.9 --crop-padding 2 --flip --log-every 1 --limit-test 8 --checkpoint-every 1 --out ";
  const Outcome whole = run(folder.path(), options + "whole");
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  CHECK_THAT(whole.out, Catch::Contains("device: cuda, CUDA kernels emulated"));

  // Killed in the middle of a step, once some steps are in its metrics.
  Running program(folder.path(), options + "killed");
  while (!program.over() &&
         (checkpoints_of(folder / "killed").empty() || text_of(folder / "killed/metrics.jsonl").empty())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  REQUIRE(!program.over());
  program.signal(SIGKILL);
  CHECK(program.wait() == 128 + SIGKILL);
  CHECK(!fs::exists(folder / "killed/model.safetensors"));

  // Resumed without graphs, which gives the same bits.
  const Outcome resumed = run(folder.path(), "train --resume killed --no-graph --checkpoint-every 1");
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK_THAT(resumed.out, Catch::Contains("resuming after step"));
  check_same_run(folder / "whole", folder / "killed");
}

TEST_CASE("train --device cuda --profile counts kernel events of one step") {
  const TemporaryFolder folder;
  make_data(folder.path());
  const Outcome outcome =
      run(folder.path(),
          "train --device cuda --data-dir data --model googlenet_small --image-size 17 --batch-size 8 --profile "
          "--profile-steps 1 --out run");
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("Kernels are emulated"));
  CHECK_THAT(outcome.out, Catch::Contains("Counters of the kernels in one step:"));
  CHECK(fs::exists(folder / "run/profile.json"));
  CHECK(text_of(folder / "run/metrics.jsonl").empty());
}
