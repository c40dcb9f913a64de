#!/usr/bin/env bash
# gpu_check.sh FOLDER: runs scripts/gpu_check.sh without a GPU and checks its results.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/stand_ins.sh"
test_folder "$1"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export GPU_CHECK=dry RESULTS=$folder

if scripts/gpu_check.sh table 2>"$RESULTS.err"; then echo "a table was written without results" >&2; exit 1; fi
grep -q 'has no gpu-STAGE.json' "$RESULTS.err"
scripts/gpu_check.sh all
for stage in tests memcheck racecheck kernels train classic published; do
  python3 - "$RESULTS/gpu-$stage.json" <<'PYTHON'
import json, sys
stage = json.load(open(sys.argv[1]))
assert stage["device"] == "emulated" and stage["commit"], stage
needs_more = ("memcheck-", "racecheck-", "pytorch", "cifar10")
for part in stage["parts"]:
    assert part["result"] == ("skipped" if part["part"].startswith(needs_more) else "passed"), stage
    assert part["summary"], part
assert stage["parts"], stage
PYTHON
done
grep -q '^# GPU check: 8 passed, 0 failed, 8 skipped' "$RESULTS/gpu-summary.md"
scripts/gpu_check.sh table
grep -q '^| googlenet inception5a' "$RESULTS/README.md"
grep -q '^| minception' "$RESULTS/README.md"

PYTHON=/bin/false scripts/gpu_check.sh train
grep -q '^- train/train: /bin/false does not run' "$RESULTS/gpu-summary.md"

# A part that fails is recorded, does not stop the others, and sets the exit code.
if MINCEPTION_SIMT=memory=67108864 scripts/gpu_check.sh classic; then echo "a training passed without memory" >&2; exit 1; fi
grep -q '^\*\*classic/classic\*\* failed with exit code 1' "$RESULTS/gpu-summary.md"
grep -q '^\*\*classic/quickstart\*\*\|^| classic/quickstart |' "$RESULTS/gpu-summary.md"
if scripts/gpu_check.sh nothing 2>"$RESULTS.err"; then echo "an unknown stage passed" >&2; exit 1; fi
grep -q 'choose a stage' "$RESULTS.err"
