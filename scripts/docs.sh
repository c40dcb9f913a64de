#!/usr/bin/env bash
# Builds the API documentation with Doxygen and prints the path of its start page. Doxygen warnings are errors.
#
#   scripts/docs.sh [OUT]        OUT is the folder for html/, by default build/docs
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
out=${1:-$root/build/docs}

command -v doxygen >/dev/null || install_packages doxygen
mkdir -p "$out"
cd "$out"
rm -rf html
ln -sfn "$root" minception
doxygen minception/docs/Doxyfile || die "the documentation has the errors above"
echo "$PWD/html/index.html"
