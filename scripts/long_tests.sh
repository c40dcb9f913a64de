#!/usr/bin/env bash
# Test suites that take too long for scripts/test.sh. Each stage can be run alone.
#
#   scripts/long_tests.sh [STAGE]...     default: all stages
#       shared       the shared library: exported symbols, C API, examples that use an installation
#       onnx         comparisons with ONNX Runtime and OpenVINO
#       python       the Python module: pip install, its tests and the example notebook, the wheel (scripts/make_wheel.sh)
#       ptx          the CUDA kernels executed on the CPU from nvcc's PTX (needs nvcc)
#       deb          Debian packages for bookworm and trixie, each installed in a minimal system (scripts/check_deb.sh)
#       threads      every CPU test with 1 and with 3 OpenMP threads
#       avx2         every CPU test with oneDNN limited to AVX2 (ONEDNN_MAX_CPU_ISA)
#       portable     a build for all x86-64 processors: tests of kernels, layers and models at every level, all CPU tests
#                    with AVX2, and tests of kernels and layers under QEMU on a processor without AVX
#       aarch64      tests of core, simt, kernels and layers under QEMU for AArch64 (scripts/test_aarch64.sh)
#       onednn3      tests of kernels and models with oneDNN 3 (scripts/test_onednn3.sh)
#       kernels      the CUDA kernels under the memory checker and the sanitizers (scripts/check_kernels.sh)
#       random       random shapes of every operation on the cpu backend, compared with reference in double. Seed:
#                    MINCEPTION_RANDOM_SEED (1); cases: MINCEPTION_RANDOM_COUNT (3000) of all operations and as many
#                    of convolutions alone
#       kills        a run killed at 200 random times
#       sanitize     everything under AddressSanitizer and UndefinedBehaviorSanitizer (scripts/sanitize.sh)
#       odr          links with -Wodr and link-time optimisation: two types of one name are an error
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# run_ctest FOLDER [CTEST_OPTION...]: runs the tests of a build, except those that are independent of the environment.
run_ctest() {
  local folder=$1
  shift
  OMP_WAIT_POLICY=passive ctest --test-dir "$folder" --parallel "$(nproc)" --output-on-failure --no-tests=error \
    --exclude-regex '^(docs|consumer|scripts)/' "$@" 2>&1 | follow ctest "$folder/ctest.log"
}

# check_levels FOLDER: checks that the kernels for higher instruction sets share no code with other objects. An inline
# function compiled for AVX-512 could otherwise replace that of the baseline.
check_levels() {
  local level symbols
  for level in v3 v4; do
    # Common symbols are data.
    symbols=$(nm --extern-only --defined-only "$1/minception_cpu_$level.o" | awk '$2 != "C" {print $3}')
    [ "$symbols" = "minception_make_cpu_backend_$level" ] ||
      { echo "minception_cpu_$level.o exports: $symbols" >&2; return 1; }
    ! readelf --section-groups "$1/minception_cpu_$level.o" | grep COMDAT >&2 || return 1
  done
}

stage() {
  case $1 in
    shared)
      build shared
      OMP_WAIT_POLICY=passive ctest --test-dir build/shared --parallel "$(nproc)" --output-on-failure --no-tests=error 2>&1 |
        follow ctest build/shared/ctest.log
      ;;
    onnx)
      install_packages "${onnx_packages[@]}" python3-venv python3-numpy python3-torch python3-torchvision
      scripts/onnx_environment.sh || return 1
      CMAKE_ARGS=(-DMINCEPTION_ONNX=ON "-DMINCEPTION_ONNX_PYTHON=$root/build/onnx_peers/bin/python3")
      build cpu
      run_ctest build/cpu --label-regex '^onnx$'
      ;;
    python)
      . scripts/python.sh
      install_packages "${build_packages[@]}" "${python_packages[@]}"
      make_python_env
      say "pip install ."
      quietly python_pip install --no-build-isolation --no-deps . || die "pip could not install the module (see the lines above)"
      OMP_WAIT_POLICY=passive "$python_env/bin/python" -m pytest --quiet || return 1
      scripts/make_wheel.sh
      ;;
    ptx)
      . scripts/gpu.sh
      nvcc=$(find_nvcc) || { say "Stage ptx is skipped: no nvcc"; return 0; }
      CMAKE_ARGS=("-DMINCEPTION_NVCC=$nvcc")
      build ptx minception_cuda_tests minception_cuda_network_tests minception_cuda_training_tests minception_ptx_tests
      run_ctest build/ptx --label-regex '^cuda$' --exclude-regex '^(tools|benchmarks|scripts)/'
      ;;
    deb)
      for suite in bookworm trixie; do scripts/check_deb.sh "$suite" || return 1; done
      ;;
    threads)
      build cpu
      for threads in 1 3; do
        say "$threads OpenMP threads"
        OMP_NUM_THREADS=$threads run_ctest build/cpu || return 1
      done
      ;;
    avx2)
      build cpu
      ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} run_ctest build/cpu
      ;;
    portable)
      quietly cmake -S . -B build/portable -G Ninja -DCMAKE_BUILD_TYPE=Release -DMINCEPTION_NATIVE=OFF ||
        die "CMake could not configure (see the lines above)"
      build_tree build/portable
      check_levels build/portable/kernels/cpu || return 1
      say "Highest level"
      run_ctest build/portable --tests-regex '^(kernels|layers|models)/' || return 1
      say "Level v3"
      MINCEPTION_CPU=v3 run_ctest build/portable || return 1
      say "Level baseline"
      MINCEPTION_CPU=baseline run_ctest build/portable --tests-regex '^(kernels|layers|models)/' || return 1
      say "A processor without AVX"
      install_packages qemu-user-static
      for tests in kernels layers; do
        OMP_WAIT_POLICY=passive qemu-x86_64-static -cpu Westmere "build/portable/tests/$tests/minception_${tests}_tests" ||
          return 1
      done
      ;;
    aarch64) scripts/test_aarch64.sh ;;
    onednn3) scripts/test_onednn3.sh ;;
    kernels) scripts/check_kernels.sh ;;
    random)
      build cpu minception_kernels_tests
      for operation in "" conv2d; do
        MINCEPTION_RANDOM_OPERATION=$operation MINCEPTION_RANDOM_COUNT=${MINCEPTION_RANDOM_COUNT:-3000} \
          OMP_WAIT_POLICY=passive build/cpu/tests/kernels/minception_kernels_tests '[.random]' || return 1
      done
      ;;
    kills)
      build cpu minception_tools_tests
      MINCEPTION_KILLS=200 OMP_WAIT_POLICY=passive build/cpu/tests/tools/minception_tools_tests 'killed at random*'
      ;;
    sanitize) scripts/sanitize.sh ;;
    odr)
      # Nothing is run: the linker compares the types of all files.
      cmake -S . -B build/odr -G Ninja -DCMAKE_BUILD_TYPE=Release -DMINCEPTION_CUDA=EMULATED \
        -DCMAKE_CXX_FLAGS='-flto=auto -Wodr -Wlto-type-mismatch -Werror=odr -Werror=lto-type-mismatch' >/dev/null ||
        die "CMake could not configure (see the lines above)"
      quietly cmake --build build/odr --target train evaluate predict minception_cuda_tests minception_cuda_training_tests
      ;;
    *) die "'$1' is not a stage; choose from: ${stages[*]}" ;;
  esac
}

stages=(shared onnx python ptx deb threads avx2 portable aarch64 onednn3 kernels random kills sanitize odr)
[ $# -gt 0 ] || set -- "${stages[@]}"
for name in "$@"; do [[ " ${stages[*]} " == *" $name "* ]] || die "'$name' is not a stage; choose from: ${stages[*]}"; done
install_packages "${build_packages[@]}" catch2 ccache dataset-fashion-mnist pkg-config
failures=()
for name in "$@"; do
  say "Stage $name"
  begin=$SECONDS
  (stage "$name") || failures+=("$name")
  say "Stage $name took $((SECONDS - begin)) s"
done
[ ${#failures[@]} -eq 0 ] || die "failed: ${failures[*]}"
