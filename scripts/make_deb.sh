#!/usr/bin/env bash
# Builds the Debian package of this system's release in build/packages: programs, shared library, headers. It runs on every
# processor of the architecture. Installs missing packages. Its maintainer is DEBFULLNAME <DEBEMAIL>, if they are set, as for
# other tools that make packages.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" "${onnx_packages[@]}" dpkg-dev file
check_tools
contact=()
[ -z "${DEBEMAIL:-}" ] || contact=("-DCPACK_PACKAGE_CONTACT=${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>")
say "Building"
quietly cmake -S . -B build/deb -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_SKIP_RPATH=ON \
  -DBUILD_SHARED_LIBS=ON -DMINCEPTION_NATIVE=OFF -DMINCEPTION_TESTS=OFF "${contact[@]}" || die "CMake could not configure (see the lines above)"
build_tree build/deb
rm -rf build/packages
quietly cpack -G DEB --config build/deb/CPackConfig.cmake -B build/packages || die "cpack failed (see the lines above)"
rm -rf build/packages/_CPack_Packages
for package in build/packages/*.deb; do
  dpkg-deb --field "$package" Package Version Architecture Installed-Size Depends
  echo "$package"
done
