#!/usr/bin/env bash
# From a fresh clone to a trained GoogLeNet: installs what is missing, builds, trains on Fashion-MNIST.
#
#   scripts/quickstart.sh [OUT]        OUT is the folder of the run, runs/quickstart by default
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
out=${1:-runs/quickstart}
# Its own run is made anew each time; a folder of yours is never overwritten.
overwrite=()
[ $# -gt 0 ] || overwrite=(--overwrite)
begin=$SECONDS

install_packages "${build_packages[@]}"

# The data set: Debian packages it; elsewhere the four files come from where their authors publish them.
data=/usr/share/datasets/fashion-mnist
if [ ! -e "$data/train-images-idx3-ubyte.gz" ]; then
  if command -v apt-get >/dev/null && apt-cache policy dataset-fashion-mnist 2>/dev/null | grep -q 'Candidate: [0-9]'; then
    install_packages dataset-fashion-mnist
  else
    data=$root/build/fashion-mnist
    scripts/download_fashion_mnist.sh "$data"
  fi
fi

build programs train summarize export_images predict report

say "Training googlenet_bn on 60,000 images at 32x32, 2 epochs"
build/cpu/bin/train --recipe quickstart --data-dir "$data" --out "$out" "${overwrite[@]}"

say "Predicting a few test images"
build/cpu/bin/export_images --data fashion-mnist --data-dir "$data" --count 5 --out "$out/images" --overwrite >/dev/null
build/cpu/bin/predict --weights "$out/model.safetensors" "$out"/images/*.png

say "Done in $((SECONDS - begin)) s. What now?"
cat <<EOF
$out/report.html    open it in a browser: curves, confusion matrix, worst mistakes
build/cpu/bin/predict --weights $out/model.safetensors IMAGE...    your own images: PNG, JPEG, PGM
build/cpu/bin/summarize --model googlenet --input 1x1x96x96    what the network is made of
build/cpu/bin/train --help    all options
EOF
