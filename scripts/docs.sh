#!/usr/bin/env bash
# Builds the API documentation with Doxygen and prints where it begins. Whatever Doxygen warns about fails.
#
#   scripts/docs.sh [OUT]        OUT is the folder that gets html/, build/docs by default
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
out=${1:-$root/build/docs}

command -v doxygen >/dev/null || install_packages doxygen
mkdir -p "$out"
cd "$out"
rm -rf html
ln -sfn "$root" minception
doxygen minception/docs/Doxyfile || die "the documentation has the faults above"
echo "$PWD/html/index.html"
