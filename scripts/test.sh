#!/usr/bin/env bash
# Installs missing packages, builds everything and runs every test: the CPU build, the build that runs the CUDA kernels
# on the CPU and, if there is an nvcc, the build for GPUs, whose tests run if a GPU is available. Ends with "N passed, N
# failed, N skipped".
#
#   scripts/test.sh [CTEST_OPTION...]       for instance: scripts/test.sh -R gradients
#
# The tests see the caller's OMP_NUM_THREADS, OMP_WAIT_POLICY and ONEDNN_MAX_CPU_ISA.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/scripts/gpu.sh"
usual_time="15 minutes on 2 cores"  # on a fresh machine without nvcc
build_mib=2000                      # disk space needed by the builds
cd "$root"

say "Installing, building and testing: usually $usual_time"
check_disk "$build_mib"
install_packages "${build_packages[@]}" catch2 pkg-config python3 python3-venv
install_optional "ONNX files are not supported" "${onnx_packages[@]}"
install_optional "the steps that need it are skipped" ccache dataset-fashion-mnist doxygen libbenchmark-dev python3-numpy \
  python3-torch python3-torchvision python3-pil shellcheck

# tests/peers need Debian's PyTorch and packages that Debian lacks. Of tensorboard's requirements, reading event files
# only needs protobuf and absl-py.
python=$root/build/peers/bin/python3
peers=(safetensors==0.8.0 tensorboard==2.20.0 protobuf==6.33.2 absl-py==2.3.1)
if ! "$python" -c 'import safetensors, tensorboard.backend.event_processing.event_accumulator' 2>/dev/null; then
  say "Creating an environment for the comparisons with PyTorch and TensorBoard"
  { /usr/bin/python3 -m venv --clear --system-site-packages build/peers &&
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps "${peers[@]}"; } ||
    echo "pip could not install ${peers[*]}: the comparisons that need them are skipped"
fi
[ ! -x "$python" ] || CMAKE_ARGS=("-DPython3_EXECUTABLE=$python")

# Prints which GPUs the CUDA build is for before the builds.
gpu=
if choose_gpu; then
  gpu=1
  say "The GPU tests run on ${gpu_name:-the GPU}"
elif [ -n "$gpu_problem" ]; then
  say "The GPU tests are skipped: $gpu_problem"
fi

passed=0 failed=0 skipped=0
# run_tests PRESET [CTEST_OPTION...]: runs the tests of a build and adds to the three counts.
run_tests() {
  local preset=$1 log
  shift
  log=build/$preset/ctest.log
  say "Testing (preset $preset)"
  # Tests run in parallel: waiting threads must not spin on a core that another test could use.
  OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} ctest --test-dir "build/$preset" \
    --parallel "$(nproc)" --timeout 600 --output-on-failure "$@" 2>&1 | follow ctest "$log" || true
  grep -h '^SKIPPED' "build/$preset/Testing/Temporary/LastTest.log" 2>/dev/null | sort -u || true
  count() { grep -cE "$1" "$log" || true; }
  local ran_passed ran_skipped
  ran_passed=$(count ' Passed +[0-9.]+ sec')
  ran_skipped=$(count '\*\*\*Skipped')
  passed=$((passed + ran_passed))
  skipped=$((skipped + ran_skipped))
  failed=$((failed + $(count '^ *[0-9]+/[0-9]+ Test +#') - ran_passed - ran_skipped))
}

build cpu
run_tests cpu --label-exclude '^onnx$' "$@"  # scripts/long_tests.sh onnx

# Only the kernels, their executor and networks on top of them differ from the CPU build.
build emulated minception_cuda_tests minception_cuda_network_tests minception_cuda_training_tests \
  minception_cuda_tools_tests minception_simt_tests minception_dataset_program_tests kernel_counters kernel_launches \
  kernel_speed step_speed executor_speed
run_tests emulated --label-regex '^cuda$' "$@"

if nvcc=$(find_nvcc) && { release=$(cuda_version "$nvcc" --version) && at_least "$release" "$least_cuda"; }; then
  architectures='80-real;90-real'
  [ -z "$gpu" ] || architectures=$gpu_architectures
  # Treats ptxas warnings about register spills as errors.
  CMAKE_ARGS+=("-DCMAKE_CUDA_COMPILER=$nvcc" "-DCMAKE_CUDA_ARCHITECTURES=${MINCEPTION_TEST_ARCHITECTURES:-$architectures}"
    -DCMAKE_CUDA_FLAGS=-Xptxas=--warning-as-error)
  build cuda gpu_programs
  quietly scripts/cuda_tools.sh || true  # without them the check of the kernels' registers is skipped
  run_tests cuda --label-regex '^gpu$' "$@"
else
  say "nvcc from CUDA $least_cuda or later not found: the CUDA kernels are not compiled for GPUs"
fi

[ "$passed" -gt 0 ] || failed=$((failed + 1))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
