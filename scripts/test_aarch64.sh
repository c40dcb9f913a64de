#!/usr/bin/env bash
# Cross-compiles for AArch64 and runs tests of core, simt, kernels and layers under QEMU.
#
#   scripts/test_aarch64.sh [CTEST_OPTION...]
#
# Takes about 10 minutes on 2 cores. Left out are tests of emulated CUDA kernels that take minutes under QEMU: mutations,
# and the products of all cases. The tests of small cases in every order of threads include products.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" ccache g++-aarch64-linux-gnu mmdebstrap qemu-user-static
sysroot=$root/build/aarch64/sysroot
if [ ! -e "$sysroot" ]; then
  say "Downloading the libraries for AArch64"
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  rm -rf "$sysroot.partial"
  mkdir -p "$root/build/aarch64"
  quietly mmdebstrap --variant=extract --architectures=arm64 \
    --include=catch2,libboost-context-dev,libc6-dev,libdnnl-dev,nlohmann-json3-dev,ocl-icd-opencl-dev,zlib1g-dev \
    "$suite" "$sysroot.partial" || die "mmdebstrap could not download packages (see the lines above)"
  # Absolute links would lead to libraries of this machine.
  find "$sysroot.partial" -type l -lname '/*' -printf '%l %p\n' | while read -r target link; do
    ln -sfn "$(realpath -ms --relative-to "$(dirname "$link")" "$sysroot.partial$target")" "$link"
  done
  mv "$sysroot.partial" "$sysroot"
fi

say "Building"
quietly cmake -S . -B build/aarch64/tree -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DMINCEPTION_SYSROOT="$sysroot" -DMINCEPTION_TOOLS=OFF \
  -DMINCEPTION_CUDA=EMULATED -DMINCEPTION_BOOST_CONTEXT=ON || die "CMake could not configure (see the lines above)"
build_tree build/aarch64/tree minception_core_tests minception_simt_tests minception_kernels_tests \
  minception_cuda_tests minception_layers_tests
say "Testing"
OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} ctest --test-dir build/aarch64/tree --parallel "$(nproc)" \
  --output-on-failure --no-tests=error --tests-regex '^(core|simt|kernels|layers)/' \
  --exclude-regex 'kernels/cuda: .*(products of|mutations)' "$@" 2>&1 | follow ctest build/aarch64/ctest.log
