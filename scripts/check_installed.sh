#!/usr/bin/env bash
# Installs the package in build/packages and uses it: trains on a few images, predicts, and compiles the C example. Changes
# the system: meant for a minimal one, where scripts/check_deb.sh runs it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
[ "$(id -u)" -eq 0 ] || die "installing a package requires root"

say "Installing $(ls build/packages/*.deb)"
quietly apt-get update
quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ./build/packages/*.deb
dpkg-query -W minception

say "Using the programs"
folder=$(mktemp -d)
minception-train --help >"$folder/help"
[ -s "$folder/help" ] || die "minception-train --help prints nothing"
# Two classes: black and white images.
for i in {0..9}; do
  mkdir -p "$folder/data/black" "$folder/data/white"
  { printf 'P5 32 32 255\n' && head -c 1024 /dev/zero; } >"$folder/data/black/$i.pgm"
  { printf 'P5 32 32 255\n' && head -c 1024 /dev/zero | tr '\0' '\377'; } >"$folder/data/white/$i.pgm"
done
minception-train --data "folder:$folder/data" --model googlenet_small --image-size 32 --epochs 2 --batch-size 8 \
  --out "$folder/run"
minception-predict --weights "$folder/run/model.safetensors" "$folder/data/black/0.pgm" "$folder/data/white/0.pgm"
minception-evaluate --help >/dev/null
[ -s /usr/share/doc/minception/LICENSE ] || die "the license is not installed"

say "Compiling the C example"
install_packages gcc libc6-dev pkg-config
examples=/usr/share/doc/minception/examples
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror -pedantic $examples/classify.c $(pkg-config --cflags --libs minception) -o "$folder/classify"
"$folder/classify" "$folder/run/model.safetensors" "$folder/data/black/0.pgm" "$folder/data/white/0.pgm"

say "Compiling the C++ examples"
install_packages g++ cmake make
quietly cmake -S $examples -B "$folder/examples" -DCMAKE_BUILD_TYPE=Release
quietly cmake --build "$folder/examples"
"$folder/examples/single_operation"

say "Removing the package"
quietly apt-get purge -y minception
[ ! -e /usr/bin/minception-train ] || die "minception-train is still installed"
rm -rf "$folder"
say "The package works"
