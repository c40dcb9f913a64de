#!/usr/bin/env bash
# Everything that needs a GPU, in stages of less than 8 minutes. The machine with the GPU needs no network, package
# manager or compiler: docs/gpu.md.
#
#   scripts/gpu_check.sh pack [ARCHITECTURE...]   builds the programs for these GPUs (default 90) and puts them, their
#                                                 libraries and Fashion-MNIST into build/gpu-programs
#   scripts/gpu_check.sh STAGE                    on the GPU machine: runs one stage, or `all`:
#       tests       all tests of the kernels, comparison with cuDNN, compute-sanitizer, PTX reference results
#       kernels     every convolution of GoogLeNet in every pass: our kernels compared with cuDNN and cuBLAS
#       train       training steps of GoogLeNet, 96x96, batch 128, compared with PyTorch if it is installed
#       classic     the classic experiment: 10 epochs at 96x96, learning rate 0.1; and the quickstart training
#       published   the other published trainings in full: AlexNet, VGG-11 and NiN at 224x224, and GoogLeNet on CIFAR-10
#                   if CIFAR10 names its folder or archive
#   scripts/gpu_check.sh table                    writes benchmarks/results/README.md from the existing results
#
# Results go to benchmarks/results (or the folder RESULTS): gpu-STAGE.json, with logs in build/gpu-logs. If a part fails
# or exceeds its time, the next ones still run; the exit code is 0 only if all passed.
#
# GPU_CHECK=dry runs a stage with the programs of build/emulated and very small work, on a machine without a GPU: a test
# of this script whose numbers are meaningless.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

packed=build/gpu-programs
logs=build/gpu-logs
results=${RESULTS:-benchmarks/results}
python=${PYTHON:-python3}
dry=
if [ "${GPU_CHECK:-}" = dry ]; then
  dry=1
  results=${RESULTS:-build/gpu-dry}
fi

commit_here() {
  git rev-parse --short HEAD 2>/dev/null || echo unknown
}

pack() {
  [ $# -gt 0 ] || set -- 90
  local architectures name library data files package
  architectures=$(printf '%s-real;' "$@")
  # Only what these programs need: oneDNN, protobuf and image libraries may be missing on the GPU machine.
  cmake_args=(-DCMAKE_BUILD_TYPE=Release -DMINCEPTION_CUDA=NVCC "-DCMAKE_CUDA_ARCHITECTURES=${architectures%;}"
    -DMINCEPTION_NATIVE=OFF -DMINCEPTION_ONNX=OFF "-DCMAKE_EXE_LINKER_FLAGS=-static-libstdc++ -static-libgcc")
  say "Building for compute capability $*"
  for package in dnnl PNG JPEG TIFF GIF WebP; do cmake_args+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON"); done
  quietly cmake -S . -B build/gpu -G Ninja "${cmake_args[@]}" || die "CMake could not configure (see the lines above)"
  build_tree build/gpu gpu_programs
  rm -rf "$packed" build/gpu-staged
  mkdir -p "$packed" build/gpu-staged/lib
  while read -r name; do
    strip -o "build/gpu-staged/$(basename "$name")" "$name"
    # Libraries that every Linux has are not copied; the rest (zlib, OpenMP) is.
    ldd "$name" | awk '/=> \//{print $3}' | while read -r library; do
      case $(basename "$library") in libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so*) ;; *)
        cp -L "$library" build/gpu-staged/lib/ ;;
      esac
    done
  done <build/gpu/gpu_programs.txt
  commit_here >build/gpu-staged/commit
  tar -czf "$packed/programs.tar.gz" -C build/gpu-staged .
  rm -rf build/gpu-staged
  data=/usr/share/datasets/fashion-mnist
  files=("$data"/*-ubyte.gz)
  if [ -e "${files[0]}" ]; then
    mkdir "$packed/fashion-mnist"
    cp "${files[@]}" "$packed/fashion-mnist/"
  else
    echo "$data is missing (Debian: dataset-fashion-mnist): the stage classic needs it on the other machine"
  fi
  say "$packed holds $(du -sm "$packed" | cut -f1) MiB: copy it and the checkout to the GPU machine"
}

# prepare: finds the programs and the device.
prepare() {
  mkdir -p "$logs" "$results"
  data_dir=()
  device=unknown driver=unknown
  if [ -n "$dry" ]; then
    commit=$(commit_here)
    device=emulated
    for name in train step_speed kernel_speed; do
      [ -x "build/emulated/bin/$name" ] || die "build/emulated/bin/$name is missing; build it: cmake --preset emulated && cmake --build build/emulated"
    done
    bin() { find build/emulated/bin build/emulated/tests -name "$1" -type f -print -quit; }
    return
  fi
  [ -e "$packed/programs.tar.gz" ] || pack
  unpacked=build/gpu-unpacked
  if [ ! -e "$unpacked/commit" ] || [ "$packed/programs.tar.gz" -nt "$unpacked/commit" ]; then
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    tar -xzf "$packed/programs.tar.gz" -C "$unpacked"
    touch "$unpacked/commit"
  fi
  bin() { echo "$unpacked/$1"; }
  commit=$(cat "$unpacked/commit")
  export LD_LIBRARY_PATH="$unpacked/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  [ ! -d "$packed/fashion-mnist" ] || data_dir=(--data-dir "$packed/fashion-mnist")
  if command -v nvidia-smi >/dev/null; then
    device=$(nvidia-smi --query-gpu=name --format=csv,noheader)
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader)
    device=${device%%$'\n'*} driver=${driver%%$'\n'*}  # the first GPU
  fi
}

# path_of_torch_libraries: prints the folders of cuDNN and cuBLAS that come with PyTorch, if any.
path_of_torch_libraries() {
  "$python" - 2>/dev/null <<'PYTHON' || true
import glob, os, site, sys
folders = site.getsitepackages() + [p for p in sys.path if p.endswith("site-packages")]
found = sorted({os.path.dirname(f) for s in folders for f in glob.glob(s + "/nvidia/*/lib/lib*.so*")})
print(":".join(found))
PYTHON
}

parts=()  # one JSON object per part
failures=0
# part NAME SECONDS COMMAND...: runs COMMAND for at most SECONDS, logs its output and records the outcome. If COMMAND
# writes $logs/NAME.json, its content is stored with the results.
part() {
  local name=$1 limit=$2 status=0 begin=$SECONDS result summary detail=null
  shift 2
  say "$name"
  rm -f "$logs/$name.json"
  timeout --kill-after=10 "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
  case $status in
    0) result=passed ;;
    77) result=skipped ;;
    124 | 137) result="took more than $limit s" ;;
    *) result="failed with exit code $status" ;;
  esac
  [ $status -eq 0 ] || failures=$((failures + 1))
  summary=$(grep -E "All tests passed|test cases:|assertions:|ERROR SUMMARY|RACECHECK SUMMARY|SKIPPED|${wanted:-no line}" \
    "$logs/$name.log" | tail -n 3 | tr -d '"\\' | tr '\n\t' '  ' | sed 's/  */ /g; s/ $//' || true)
  [ $status -eq 0 ] || tail -n 20 "$logs/$name.log"
  printf '%s: %s, %d s. %s\n' "$name" "$result" $((SECONDS - begin)) "$summary"
  [ ! -s "$logs/$name.json" ] || detail=$(cat "$logs/$name.json")
  parts+=("$(printf '{"part": "%s", "result": "%s", "seconds": %d, "summary": "%s", "detail": %s}' \
    "$name" "$result" $((SECONDS - begin)) "$summary" "$detail")")
  write_results
}

# write_results: called after every part, so that results survive a later failure.
write_results() {
  local joined
  joined=$(printf '%s,\n' "${parts[@]}")
  cat >"$results/gpu-$stage.json.part" <<JSON
{"what": "scripts/gpu_check.sh $stage", "commit": "$commit", "date": "$(date -u +%Y-%m-%d)", "device": "$device",
"driver": "$driver", "parts": [
${joined%,}
]}
JSON
  mv "$results/gpu-$stage.json.part" "$results/gpu-$stage.json"
}

stage_tests() {
  if [ -n "$dry" ]; then
    part training 300 "$(bin minception_cuda_training_tests)" '*names the kernels*'
    return
  fi
  part operations 110 "$(bin minception_cuda_tests)"
  local torch
  torch=$(path_of_torch_libraries)
  part vendor 80 env LD_LIBRARY_PATH="$LD_LIBRARY_PATH${torch:+:$torch}" "$(bin minception_vendor_tests)"
  part networks 80 "$(bin minception_cuda_network_tests)"
  part training 60 "$(bin minception_cuda_training_tests)"
  part ptx 20 "$(bin minception_ptx_record)"
  local sanitizer=()
  if command -v compute-sanitizer >/dev/null; then sanitizer=(compute-sanitizer); fi
  if [ ${#sanitizer[@]} -eq 0 ] && [ -x /usr/local/cuda/bin/compute-sanitizer ]; then
    sanitizer=(/usr/local/cuda/bin/compute-sanitizer)
  fi
  if [ ${#sanitizer[@]} -gt 0 ]; then
    # A few small cases of every operation in every precision.
    part memcheck 60 "${sanitizer[@]}" --tool memcheck --error-exitcode 9 "$(bin minception_cuda_tests)" '*same bits in every order'
    part racecheck 60 "${sanitizer[@]}" --tool racecheck --error-exitcode 9 "$(bin minception_cuda_tests)" '*same bits in every order'
  else
    echo "compute-sanitizer not found: skipping memcheck and racecheck"
  fi
  # The executor's tests compare the emulated PTX with these results.
  local golden=${RESULTS:-tests/simt/golden}
  if grep -q '"outputs"' "$logs/ptx.log"; then
    mkdir -p "$golden"
    cp "$logs/ptx.log" "$golden/ptx.json"
  fi
}

stage_kernels() {
  local torch work=(--filter googlenet --budget 420)
  [ -z "$dry" ] || work=(--filter 'googlenet inception5a.branch2' --batch 2 --image-size 32 --dtype f32)
  torch=$(path_of_torch_libraries)
  wanted='timed,|a copy moves' part kernels 460 env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${torch:+:$torch}" \
    "$(bin kernel_speed)" "${work[@]}" --json "$logs/kernels.json"
}

stage_train() {
  local torch=() compute work=(--device cuda --batch 128 --image-size 96 --budget 140) ways=("--ours-with=" --ours-with=--no-graph)
  local libraries
  libraries=$(path_of_torch_libraries)
  if [ -n "$dry" ]; then
    work=(--device cuda --batch 2 --image-size 65 --budget 100 --rounds 1 --steps 1 --warmup 2 --seconds 0.1)
  else
    ways+=("--ours-with=--kernels vendor")
  fi
  if ! "$python" -c '' 2>/dev/null; then die "the stage train needs python3 (set its path with PYTHON=...)"; fi
  if "$python" -c 'import torch' 2>/dev/null; then
    [ -n "$dry" ] || torch=(--python "$python")
  else
    echo "$python has no PyTorch: only Minception is measured (set PYTHON=... to an interpreter with PyTorch)"
  fi
  for compute in bf16 tf32 f32; do
    [ -z "$dry" ] || [ "$compute" = f32 ] || continue
    wanted='images/s|skipped:| = ' part "train-$compute" 155 env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${libraries:+:$libraries}" \
      "$python" benchmarks/compare_pytorch.py --ours "$(bin step_speed)" "${ways[@]}" "${torch[@]}" "${work[@]}" \
      --compute "$compute" --commit "$commit" --json "$logs/train-$compute.json"
  done
}

stage_classic() {
  local common=(--device cuda --overwrite "${data_dir[@]}")
  local classic=(--compute bf16)
  local quick=()
  if [ -n "$dry" ]; then
    classic=(--image-size 65 --epochs 1 --batch-size 4 --limit-train 8 --limit-test 4)
    quick=(--epochs 1 --batch-size 4 --limit-train 8 --limit-test 4)
  fi
  wanted='^epoch ' part classic 400 "$(bin train)" --recipe classic "${classic[@]}" "${common[@]}" --out build/gpu-runs/classic
  [ ! -e build/gpu-runs/classic/metrics.jsonl ] || cp build/gpu-runs/classic/metrics.jsonl "$results/gpu-classic.metrics.jsonl"
  wanted='^epoch ' part quickstart 60 "$(bin train)" --recipe quickstart "${quick[@]}" "${common[@]}" \
    --out build/gpu-runs/quickstart
}

stage_published() {
  local name work=(--device cuda --overwrite --compute bf16)
  [ -z "$dry" ] || work=(--device cuda --overwrite --image-size 67 --epochs 1 --batch-size 2 --limit-train 4 --limit-test 2)
  for name in alexnet vgg11 nin; do
    wanted='^epoch ' part "$name" 110 "$(bin train)" --recipe "$name" "${work[@]}" "${data_dir[@]}" --out "build/gpu-runs/$name"
    [ ! -e "build/gpu-runs/$name/metrics.jsonl" ] || cp "build/gpu-runs/$name/metrics.jsonl" "$results/gpu-$name.metrics.jsonl"
  done
  if [ -z "${CIFAR10:-}" ]; then
    echo "CIFAR10 is not set to the folder or archive of CIFAR-10 (docs/data.md): skipping cifar10"
    return
  fi
  wanted='^epoch ' part cifar10 130 "$(bin train)" --recipe cifar10 --data-dir "$CIFAR10" "${work[@]}" --out build/gpu-runs/cifar10
}

run_stage() {
  stage=$1
  parts=()
  failures=0
  SECONDS=0
  "stage_$stage"
  say "$stage: $failures of ${#parts[@]} parts failed; details in $results/gpu-$stage.json ($SECONDS s)"
  [ "$failures" -eq 0 ]
}

case ${1:-} in
  pack) shift; pack "$@" ;;
  tests | kernels | train | classic | published)
    prepare
    run_stage "$1"
    ;;
  all)
    prepare
    status=0
    for name in tests kernels train classic published; do run_stage "$name" || status=1; done
    exit $status
    ;;
  table)
    mkdir -p "$results"
    "$python" scripts/gpu_table.py "$results" >"$results/README.md.part"
    mv "$results/README.md.part" "$results/README.md"
    say "$results/README.md"
    ;;
  *) die "choose a stage: pack, tests, kernels, train, classic, published, all or table (see the head of this file)" ;;
esac
