#!/usr/bin/env bash
# Runs the CUDA kernels on the CPU under the checker (races, bounds, initialisation and missing waits of every memory
# access), and under AddressSanitizer and UndefinedBehaviorSanitizer. Takes about 20 minutes on two cores and is
# therefore not part of scripts/test.sh.
#
#   scripts/check_kernels.sh [checker|sanitizers]...     default: both
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

[ $# -gt 0 ] || set -- checker sanitizers
install_packages "${build_packages[@]}" catch2 ccache binutils
for supervisor in "$@"; do
  case $supervisor in
    checker) preset=checker tests=minception_simt_checker_tests ;;
    sanitizers) preset=emulated-sanitize tests=minception_simt_tests ;;
    *) die "'$supervisor': use checker or sanitizers" ;;
  esac
  build "$preset" minception_cuda_tests "$tests"
  say "Running the kernels under the $supervisor"
  SECONDS=0
  # Leak detection is off: libgomp never frees its threads.
  ASAN_OPTIONS=detect_leaks=0 OMP_WAIT_POLICY=passive ctest --test-dir "build/$preset" --parallel "$(nproc)" \
    --output-on-failure --no-tests=error --label-regex '^cuda$' | grep -vE '^ *Start '
  say "The $supervisor took $SECONDS s"
done
