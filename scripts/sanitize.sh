#!/usr/bin/env bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer and runs all tests except the comparisons with PyTorch.
# Takes ten minutes on two cores and is therefore not part of scripts/test.sh.
#
#   scripts/sanitize.sh [CTEST_OPTION...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" catch2 ccache dataset-fashion-mnist
build sanitize
say "Testing"
# Leak detection is off: libgomp never frees its threads.
ASAN_OPTIONS=detect_leaks=0 OMP_WAIT_POLICY=passive ctest --test-dir build/sanitize --parallel "$(nproc)" --output-on-failure \
  --no-tests=error --exclude-regex '^peers/' "$@"
