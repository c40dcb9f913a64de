#!/usr/bin/env bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer and runs all tests but the comparisons with PyTorch. Takes
# ten minutes on two cores, so it is no part of scripts/test.sh.
#
#   scripts/sanitize.sh [CTEST_OPTION...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" catch2 ccache dataset-fashion-mnist
build sanitize
say "Testing"
# libgomp keeps its threads to the end, which leak detection would report.
ASAN_OPTIONS=detect_leaks=0 OMP_WAIT_POLICY=passive ctest --test-dir build/sanitize --parallel "$(nproc)" --output-on-failure \
  --no-tests=error --exclude-regex '^peers/' "$@"
