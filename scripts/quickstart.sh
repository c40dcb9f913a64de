#!/usr/bin/env bash
# From a fresh clone to a trained GoogLeNet: installs missing packages, builds, and trains on Fashion-MNIST. If there
# are a GPU and nvcc, builds for that GPU and trains on it (docs/gpu.md).
#
#   scripts/quickstart.sh [OUT]        OUT is the folder of the run, by default runs/quickstart
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/scripts/gpu.sh"
usual_time="5 to 8 minutes on 2 cores"  # of the whole command on a fresh machine
build_mib=600                      # disk space needed by the build
cd "$root"
out=${1:-runs/quickstart}
# The default folder is overwritten on each run; a folder given by the user never is.
overwrite=()
if [ $# -eq 0 ]; then
  overwrite=(--overwrite)
elif [ -e "$out/model.safetensors" ] || [ -s "$out/metrics.jsonl" ] || [ -e "$out/checkpoints" ]; then
  die "$out already holds a run: choose another folder"
fi
mkdir -p "$out" 2>/dev/null && [ -w "$out" ] || die "$out cannot be written: choose another folder for the run"
begin=$SECONDS

# Before the long build, checks everything that may be missing.
say "Installing, building and training: usually $usual_time"
check_disk "$build_mib"
install_packages "${build_packages[@]}"
# With ccache, the builds of scripts/test.sh reuse these objects.
install_optional "without it every build compiles everything" ccache
check_tools

# The data set: a package on Debian and Ubuntu; otherwise downloaded from its published address.
packaged=/usr/share/datasets/fashion-mnist
data=$packaged
if [ ! -e "$packaged/train-images-idx3-ubyte.gz" ]; then
  install_optional "the data set is downloaded instead" dataset-fashion-mnist
fi
if [ ! -e "$packaged/train-images-idx3-ubyte.gz" ]; then
  data=$root/build/fashion-mnist
  command -v curl >/dev/null || install_packages curl ca-certificates
  scripts/download_fashion_mnist.sh "$data"
fi
for file in {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz; do
  gzip -t "$data/$file" 2>/dev/null ||
    die "$data/$file is missing or damaged: remove it (or reinstall dataset-fashion-mnist) and run this again"
done

if choose_gpu; then
  say "Building for the GPU ${gpu_name:-here} (compute capability ${gpu_architectures//-real/})"
  bin=build/cuda/bin device=(--device cuda)
  CMAKE_ARGS+=("-DCMAKE_CUDA_COMPILER=$nvcc" "-DCMAKE_CUDA_ARCHITECTURES=$gpu_architectures" -DMINCEPTION_TESTS=OFF)
  preset=cuda
else
  [ -z "$gpu_problem" ] || say "Training on the CPU: $gpu_problem"
  bin=build/cpu/bin device=()
  preset=programs
fi
build "$preset" train evaluate explain export export_images import predict report summarize

say "Training googlenet_bn on 60,000 images at 32x32, 2 epochs"
"$bin/train" --recipe quickstart --data-dir "$data" --out "$out" "${device[@]}" "${overwrite[@]}"

say "Predicting a few test images"
"$bin/export_images" --data fashion-mnist --data-dir "$data" --count 5 --out "$out/images" --overwrite >/dev/null
"$bin/predict" --weights "$out/model.safetensors" "$out"/images/*.png

say "Done in $((SECONDS - begin)) s. Next steps:"
cat <<TEXT
$out/report.html    report for a browser: curves, confusion matrix, worst mistakes
$bin/predict --weights $out/model.safetensors IMAGE...    classify your own images
$bin/summarize --model googlenet --input 1x1x96x96    layers, parameters and memory of the network
$bin/train --help    all options
TEXT
