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
for stage in tests kernels train classic published; do
  python3 - "$RESULTS/gpu-$stage.json" <<'PYTHON'
import json, sys
stage = json.load(open(sys.argv[1]))
assert stage["device"] == "emulated" and stage["commit"], stage
assert stage["parts"] and all(part["result"] == "passed" for part in stage["parts"]), stage
PYTHON
done
scripts/gpu_check.sh table
grep -q '^| googlenet inception5a' "$RESULTS/README.md"
grep -q '^| minception' "$RESULTS/README.md"

# A part that fails is recorded, does not stop the others, and sets the exit code.
if PATH=/usr/bin:/bin PYTHON=/bin/false scripts/gpu_check.sh train >/dev/null 2>"$RESULTS.err"; then
  echo "the stage train passed without Python" >&2
  exit 1
fi
grep -q 'needs python3' "$RESULTS.err"
if scripts/gpu_check.sh nothing 2>"$RESULTS.err"; then echo "an unknown stage passed" >&2; exit 1; fi
grep -q 'choose a stage' "$RESULTS.err"
