#!/usr/bin/env bash
# Builds with oneDNN 3.2 from PyPI instead of the distribution's 2.6, and runs the tests of kernels and models with it.
#
#   scripts/test_onednn3.sh [CTEST_OPTION...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" catch2 ccache python3-venv unzip
prefix=$root/build/onednn3/prefix
if [ ! -e "$prefix/include" ]; then
  say "Fetching oneDNN 3.2"
  mkdir -p "$prefix"
  /usr/bin/python3 -m venv build/onednn3/pip
  # One package has the headers and CMake files, the other the library; both are unpacked into one prefix.
  build/onednn3/pip/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest build/onednn3 \
    onednn-devel-cpu-gomp==2023.2.0 onednn-cpu-gomp==2023.2.0 || die "pip could not download oneDNN 2023.2.0"
  for wheel in build/onednn3/*.whl; do
    unzip -qo "$wheel" -d build/onednn3/unpacked
  done
  cp -r build/onednn3/unpacked/*.data/data/. "$prefix"
fi

say "Building"
quietly cmake -S . -B build/onednn3/tree -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" \
  -DMINCEPTION_TOOLS=OFF || die "CMake could not configure (see the lines above)"
grep -h '^dnnl_DIR:' build/onednn3/tree/CMakeCache.txt
build_tree build/onednn3/tree minception_kernels_tests minception_models_tests
say "Testing"
OMP_WAIT_POLICY=passive ctest --test-dir build/onednn3/tree --parallel "$(nproc)" --output-on-failure --no-tests=error \
  --tests-regex '^(kernels|models)/' "$@" | tail -n 5
