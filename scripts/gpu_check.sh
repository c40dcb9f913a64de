#!/usr/bin/env bash
# Everything that needs a GPU, in stages of less than 8 minutes. The machine with the GPU needs no network, package
# manager or compiler: docs/gpu.md.
#
#   scripts/gpu_check.sh pack [ARCHITECTURE...]   builds the programs for these GPUs (default 90) and puts them, their
#                                                 libraries and Fashion-MNIST into build/gpu-programs
#   scripts/gpu_check.sh STAGE                    on the GPU machine: runs one stage, or `all`:
#       tests       all tests of the kernels, comparison with cuDNN
#       memcheck    some cases of every operation under compute-sanitizer: invalid accesses
#       racecheck   the same: races on shared memory
#       kernels     every convolution of GoogLeNet in every pass: our kernels compared with cuDNN and cuBLAS
#       train       training steps of GoogLeNet, 96x96, batch 128, compared with PyTorch if it is installed
#       classic     the classic experiment: 10 epochs at 96x96, learning rate 0.1; and the quickstart training
#       published   the other published trainings in full: AlexNet, VGG-11 and NiN at 224x224, and GoogLeNet on CIFAR-10
#                   if CIFAR10 names its folder or archive
#   scripts/gpu_check.sh table                    writes benchmarks/results/README.md from the existing results
#
# Each stage begins with the PTX instructions, which also tells whether the programs run on this GPU at all. Results go
# to benchmarks/results (or the folder RESULTS): gpu-summary.md, a page for a person that is up to date at any time,
# and gpu-STAGE.json, with logs in build/gpu-logs. If a part fails or exceeds its time, the next ones still run. A part
# that this machine cannot run is skipped, with the reason. The exit code is 0 only if none failed.
#
# GPU_CHECK=dry runs a stage with the programs of build/emulated and very small work, on a machine without a GPU: a test
# of this script whose numbers are meaningless.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
. scripts/gpu.sh
. scripts/gpu_parts.sh
stages=(start tests memcheck racecheck kernels train classic published)

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
  git rev-parse --short HEAD >build/gpu-staged/commit 2>/dev/null || echo unknown >build/gpu-staged/commit
  echo "$*" >build/gpu-staged/architectures
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

# prepare: describes the machine, and finds the programs.
prepare() {
  writable "$logs" || die "$logs cannot be written: free disk space, or use a checkout that you can write to"
  writable "$results" || die "$results cannot be written: set RESULTS to another folder"
  trap interrupted INT TERM HUP
  trap ended EXIT
  describe_machine
  write_summary
  data_dir=()
  if [ -n "$dry" ]; then
    for name in train step_speed kernel_speed; do
      [ -x "build/emulated/bin/$name" ] ||
        give_up "build/emulated/bin/$name is missing; build it: cmake --preset emulated && cmake --build build/emulated"
    done
    bin() { find build/emulated/bin build/emulated/tests -name "$1" -type f -print -quit; }
  else
    unpack_programs
    bin() { echo "$unpacked/$1"; }
    export LD_LIBRARY_PATH="$unpacked/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    [ ! -d "$packed/fashion-mnist" ] || data_dir=(--data-dir "$packed/fashion-mnist")
  fi
  # Parts of other programs or of another GPU do not belong into the summary.
  if [ "$(cat "$logs/subject" 2>/dev/null)" != "$commit $device" ]; then rm -f "$logs"/*.parts; fi
  echo "$commit $device" | write_file "$logs/subject"
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

# The executor's tests compare the emulated PTX with these results.
stage_start() {
  local golden=${RESULTS:-tests/simt/golden} why
  part ptx 30 "$(bin minception_ptx_record)"
  if [[ ${parts[0]} != *'"result": "passed"'* ]]; then
    why=$(grep -v '^ *$' "$logs/ptx.log" | tail -n 1 || true)
    case $why in
      *"not supported by this build"*)
        why+=". On the machine with nvcc: scripts/gpu_check.sh pack $(pack_for); then copy $packed"
        ;;
      *"newer driver"*) why+=", or pack with an older CUDA toolkit" ;;
    esac
    give_up "the programs cannot use a GPU here: ${why:-see $logs/ptx.log}"
  fi
  if grep -q '"outputs"' "$logs/ptx.log"; then
    mkdir -p "$golden" || true
    write_file "$golden/ptx.json" <"$logs/ptx.log"
  fi
}

stage_tests() {
  if [ -n "$dry" ]; then
    part training 300 "$(bin minception_cuda_training_tests)" '*names the kernels*'
    return
  fi
  local torch
  torch=$(path_of_torch_libraries)
  part operations 150 "$(bin minception_cuda_tests)"
  if [ -e "$(bin minception_vendor_tests)" ]; then
    part vendor 100 env LD_LIBRARY_PATH="$LD_LIBRARY_PATH${torch:+:$torch}" "$(bin minception_vendor_tests)"
  else
    skip vendor "the programs were packed on a machine without cuDNN"
  fi
  part networks 100 "$(bin minception_cuda_network_tests)"
  part training 100 "$(bin minception_cuda_training_tests)"
}

# sanitize TOOL: a few small cases of every operation under compute-sanitizer, one part for each precision.
sanitize() {
  local tool=$1 precision sanitizer
  sanitizer=$(command -v compute-sanitizer || true)
  sanitizer=${sanitizer:-${CUDA_PATH:-/usr/local/cuda}/bin/compute-sanitizer}
  for precision in f32 tf32 bf16; do
    if [ -n "$dry" ]; then
      skip "$tool-$precision" "compute-sanitizer needs a GPU"
    elif [ ! -x "$sanitizer" ]; then
      skip "$tool-$precision" "compute-sanitizer, part of the CUDA toolkit, was not found on the PATH or as $sanitizer"
    else
      part "$tool-$precision" 150 "$sanitizer" --tool "$tool" --error-exitcode 9 "$(bin minception_cuda_tests)" \
        "cuda: $precision gives the same bits in every order"
    fi
  done
}
stage_memcheck() { sanitize memcheck; }
stage_racecheck() { sanitize racecheck; }

stage_kernels() {
  local torch work=(--filter googlenet --budget 410)
  [ -z "$dry" ] || work=(--filter 'googlenet inception5a.branch2' --batch 2 --image-size 32 --dtype f32)
  torch=$(path_of_torch_libraries)
  wanted='timed,|a copy moves' part kernels 450 env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${torch:+:$torch}" \
    "$(bin kernel_speed)" "${work[@]}" --json "$logs/kernels.json"
}

stage_train() {
  local torch=() compute libraries ways=("--ours-with=" --ours-with=--no-graph)
  local work=(--device cuda --batch 128 --image-size 96 --budget 135)
  libraries=$(path_of_torch_libraries)
  if [ -n "$dry" ]; then
    work=(--device cuda --batch 2 --image-size 65 --budget 100 --rounds 1 --steps 1 --warmup 2 --seconds 0.1)
  else
    ways+=("--ours-with=--kernels vendor")
  fi
  if ! "$python" -c '' 2>/dev/null; then
    skip train "$python does not run: set PYTHON to a python3"
    return
  fi
  if [ -n "$dry" ]; then
    skip pytorch "PyTorch is not compared with emulated kernels"
  elif "$python" -c 'import torch' 2>/dev/null; then
    torch=(--python "$python")
  else
    skip pytorch "$python has no PyTorch: only Minception is measured (set PYTHON to an interpreter with PyTorch)"
  fi
  for compute in bf16 tf32 f32; do
    [ -z "$dry" ] || [ "$compute" = f32 ] || continue
    wanted='images/s|skipped:| = ' part "train-$compute" 150 \
      env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${libraries:+:$libraries}" "$python" benchmarks/compare_pytorch.py \
      --ours "$(bin step_speed)" "${ways[@]}" "${torch[@]}" "${work[@]}" \
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
  wanted='^epoch ' part classic 400 "$(bin train)" --recipe classic "${classic[@]}" "${common[@]}" \
    --out build/gpu-runs/classic
  [ ! -e build/gpu-runs/classic/metrics.jsonl ] ||
    write_file "$results/gpu-classic.metrics.jsonl" <build/gpu-runs/classic/metrics.jsonl
  wanted='^epoch ' part quickstart 50 "$(bin train)" --recipe quickstart "${quick[@]}" "${common[@]}" \
    --out build/gpu-runs/quickstart
}

stage_published() {
  local name work=(--device cuda --overwrite --compute bf16)
  [ -z "$dry" ] ||
    work=(--device cuda --overwrite --image-size 67 --epochs 1 --batch-size 2 --limit-train 4 --limit-test 2)
  for name in alexnet vgg11 nin; do
    wanted='^epoch ' part "$name" 110 "$(bin train)" --recipe "$name" "${work[@]}" "${data_dir[@]}" \
      --out "build/gpu-runs/$name"
    [ ! -e "build/gpu-runs/$name/metrics.jsonl" ] ||
      write_file "$results/gpu-$name.metrics.jsonl" <"build/gpu-runs/$name/metrics.jsonl"
  done
  if [ -z "${CIFAR10:-}" ]; then
    skip cifar10 "CIFAR10 is not set to the folder or archive of CIFAR-10 (docs/data.md)"
    return
  fi
  wanted='^epoch ' part cifar10 120 "$(bin train)" --recipe cifar10 --data-dir "$CIFAR10" "${work[@]}" \
    --out build/gpu-runs/cifar10
}

# check STAGE...: runs the stages on this machine.
check() {
  waiting=("$@")
  prepare
  [ -n "$dry" ] || waiting=(start "${waiting[@]}")
  local name
  for name in "${waiting[@]}"; do run_stage "$name"; done
  state="finished at $(date -u '+%Y-%m-%d %H:%M') UTC"
  finish
  [ "$all_failures" -eq 0 ]
}

case ${1:-} in
  pack) shift; pack "$@" ;;
  tests | memcheck | racecheck | kernels | train | classic | published) check "$1" ;;
  all) check "${stages[@]:1}" ;;
  table)
    writable "$results" || die "$results cannot be written: set RESULTS to another folder"
    "$python" scripts/gpu_table.py "$results" >"$results/README.md.part"
    mv "$results/README.md.part" "$results/README.md"
    say "$results/README.md"
    ;;
  *) die "choose a stage: pack, ${stages[*]:1}, all or table (see the head of this file)" ;;
esac
