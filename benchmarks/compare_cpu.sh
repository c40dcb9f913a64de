#!/usr/bin/env bash
# Compares Minception with PyTorch on this CPU: GoogLeNet at 96x96, batch 128, and the quickstart training. The machine
# should be otherwise idle. Each comparison takes up to BUDGET seconds (300).
#
#   benchmarks/compare_cpu.sh PYTHON...     Python interpreters with PyTorch, for instance /usr/bin/python3
#
# Writes benchmarks/results/cpu-*.json (or into the folder RESULTS).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
cd "$root"
[ $# -gt 0 ] || die "give one or more Python interpreters with PyTorch, for instance /usr/bin/python3"
[ -x build/cpu/bin/step_speed ] || die "build/cpu/bin/step_speed is missing; build it: cmake --preset cpu && cmake --build build/cpu"
results=${RESULTS:-benchmarks/results}
mkdir -p "$results"
threads=$(nproc)
export OMP_NUM_THREADS=$threads  # for PyTorch; ours gets --threads
pythons=()
for python in "$@"; do pythons+=(--python "$python"); done

# compare NAME OPTION...: one comparison; ours and PyTorch run alternately.
compare() {
  local name=$1
  shift
  python3 benchmarks/compare_pytorch.py "${pythons[@]}" --threads "$threads" --budget "${BUDGET:-300}" \
    --json "$results/cpu-$name.json" "$@"
}

compare train-f32 --mode train --compute f32
compare train-bf16 --mode train --compute bf16
compare infer-f32 --mode infer --compute f32
compare quickstart --model googlenet_bn --image-size 32 --mode train --compute f32 --momentum 0.9 --nesterov --weight-decay 5e-4
compare infer-f32-batch1 --mode infer --compute f32 --batch 1 --variants eager,jit:onednn
