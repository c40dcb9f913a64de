#!/usr/bin/env bash
# Everything that only a GPU can answer, in stages. For a machine with a GPU that need not have a network or a package
# manager: build there, or build elsewhere and carry the programs along.
#
#   scripts/gpu_check.sh pack [ARCHITECTURE...]   builds the programs for these GPUs (90 unless given) and puts them, small
#                                                 and with the libraries they need, into build/gpu-programs
#   scripts/gpu_check.sh tests                    runs them on the GPU (under 8 minutes); builds first if there is no
#                                                 build/gpu-programs. Writes benchmarks/results/gpu-tests.json and
#                                                 tests/simt/golden/ptx.json, or both into the folder RESULTS if it is set
#
# A part that fails or takes too long does not keep the next one from running; the exit code says whether all passed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

programs=build/gpu-programs
names=(minception_cuda_tests minception_cuda_network_tests minception_cuda_training_tests minception_ptx_record)

commit_here() {
  git rev-parse --short HEAD 2>/dev/null || echo unknown
}

pack() {
  [ $# -gt 0 ] || set -- 90
  local architectures
  architectures=$(printf '%s-real;' "$@")
  # Only what the tests need: a machine with a GPU need not have oneDNN or image libraries.
  cmake_args=(-DCMAKE_BUILD_TYPE=Release -DMINCEPTION_CUDA=NVCC "-DCMAKE_CUDA_ARCHITECTURES=${architectures%;}"
    -DCMAKE_DISABLE_FIND_PACKAGE_dnnl=ON -DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON -DCMAKE_DISABLE_FIND_PACKAGE_JPEG=ON
    -DMINCEPTION_EXAMPLES=OFF -DMINCEPTION_NATIVE=OFF
    "-DCMAKE_EXE_LINKER_FLAGS=-static-libstdc++ -static-libgcc")
  say "Building for compute capability $*"
  quietly cmake -S . -B build/gpu -G Ninja "${cmake_args[@]}" || die "CMake could not configure (the lines above say why)"
  quietly cmake --build build/gpu --target "${names[@]}" || die "the build failed (the lines above say why)"
  rm -rf "$programs"
  mkdir -p "$programs/lib"
  local name library
  for name in "${names[@]}"; do
    strip -o "$programs/$name" "$(find build/gpu/tests -name "$name" -type f)"
    # What every Linux has is left out; the rest (zlib, OpenMP) travels along.
    ldd "$programs/$name" | awk '/=> \//{print $3}' | while read -r library; do
      case $(basename "$library") in libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so*) ;; *)
        cp -L "$library" "$programs/lib/" ;;
      esac
    done
  done
  commit_here >"$programs/commit"
  say "$programs holds $(du -sm "$programs" | cut -f1) MiB"
}

parts=()  # JSON objects, one per part
failures=0
# part NAME SECONDS COMMAND...: runs the command for at most that long, keeps its output and notes how it went.
part() {
  local name=$1 limit=$2 status=0 begin=$SECONDS result summary
  shift 2
  say "$name"
  LD_LIBRARY_PATH="$programs/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" timeout "$limit" "$@" >"$out/$name.log" 2>&1 || status=$?
  case $status in
    0) result=passed ;;
    77) result=skipped ;;
    124) result="took more than $limit s" ;;
    *) result="failed with exit code $status" ;;
  esac
  [ $status -eq 0 ] || failures=$((failures + 1))
  summary=$(grep -E 'All tests passed|test cases:|assertions:|ERROR SUMMARY|RACECHECK SUMMARY|SKIPPED' "$out/$name.log" |
    tail -n 3 | tr -d '"\\' | tr '\n\t' '  ' | sed 's/  */ /g; s/ $//' || true)
  [ $status -eq 0 ] || tail -n 20 "$out/$name.log"
  printf '%s: %s, %d s. %s\n' "$name" "$result" $((SECONDS - begin)) "$summary"
  parts+=("$(printf '    {"part": "%s", "result": "%s", "seconds": %d, "summary": "%s"}' \
    "$name" "$result" $((SECONDS - begin)) "$summary")")
}

tests() {
  [ -x "$programs/${names[0]}" ] || pack
  out=${RESULTS:-build/gpu-results}
  mkdir -p "$out"
  SECONDS=0
  local device=unknown driver=unknown joined sanitizer=()
  if command -v nvidia-smi >/dev/null; then
    device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
  fi
  part operations 120 "$programs/minception_cuda_tests"
  part networks 100 "$programs/minception_cuda_network_tests"
  part training 60 "$programs/minception_cuda_training_tests"
  part ptx 30 "$programs/minception_ptx_record"
  if command -v compute-sanitizer >/dev/null; then sanitizer=(compute-sanitizer); fi
  [ ${#sanitizer[@]} -gt 0 ] || { [ -x /usr/local/cuda/bin/compute-sanitizer ] && sanitizer=(/usr/local/cuda/bin/compute-sanitizer); } || true
  if [ ${#sanitizer[@]} -gt 0 ]; then
    # A few small cases of every operation, in every precision.
    part memcheck 110 "${sanitizer[@]}" --tool memcheck --error-exitcode 9 "$programs/minception_cuda_tests" '*same bits in every order'
    part racecheck 110 "${sanitizer[@]}" --tool racecheck --error-exitcode 9 "$programs/minception_cuda_tests" '*same bits in every order'
  else
    echo "compute-sanitizer is not here: memcheck and racecheck are left out"
  fi
  joined=$(printf '%s,\n' "${parts[@]}")
  cat >"$out/gpu-tests.json" <<JSON
{
  "what": "scripts/gpu_check.sh tests",
  "commit": "$(cat "$programs/commit")",
  "date": "$(date -u +%Y-%m-%d)",
  "device": "$device",
  "driver": "$driver",
  "parts": [
${joined%,}
  ]
}
JSON
  if grep -q '"outputs"' "$out/ptx.log"; then cp "$out/ptx.log" "$out/ptx.json"; fi
  if [ -z "${RESULTS:-}" ] && [ -f "$out/ptx.json" ]; then
    mkdir -p benchmarks/results tests/simt/golden
    cp "$out/gpu-tests.json" benchmarks/results/gpu-tests.json
    cp "$out/ptx.json" tests/simt/golden/ptx.json
  fi
  say "$failures parts did not pass; $out/gpu-tests.json says how it went ($SECONDS s)"
  [ "$failures" -eq 0 ]
}

case ${1:-} in
  pack) shift; pack "$@" ;;
  tests) tests ;;
  *) die "name a stage: pack or tests (see the head of this file)" ;;
esac
