#!/usr/bin/env bash
# quickstart.sh FOLDER: tests scripts/quickstart.sh in a copy of the scripts, with stand-ins for everything it calls. Tested
# are its messages before the build, what it builds, and the device it trains on.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_ins.sh"
test_folder "$1"
mkdir -p "$folder/pci" "$folder/toolkit/bin"
cp -r "$here/../../scripts" "$folder/scripts"
only_tools "$folder"
export PCI_DEVICES=$folder/pci CUDA_PATH=$folder/no-toolkit
unset CUDACXX CUDAHOSTCXX CUDA_VISIBLE_DEVICES CXX
calls=$folder/calls

stand_in c++ <<<'echo "#define __GNUC__ 12"'
stand_in ninja <<<'exit 0'
stand_in apt-get <<<'exit 0'
stand_in sudo <<<'[[ $1 == -* ]] || "$@"'
stand_in apt-cache <<<'exit 0'
# All packages are installed except STAND_IN_MISSING.
stand_in dpkg-query <<<'[ "${@: -1}" = "${STAND_IN_MISSING:-}" ] || echo "install ok installed"'
stand_in cmake <<SH
case \$1 in
  --version) echo "cmake version 3.25.1" ;;
  *) echo "cmake \$*" >>"$calls" ;;&
  --build)
    echo "[1/2] Building CXX object core/error.o"
    if [ -n "\${STAND_IN_SLOW:-}" ]; then
      trap 'echo "cleaned up" >>"$calls"; echo "ninja: build stopped: interrupted by user."; exit 2' INT
      for ((i = 0; i < 300; ++i)); do sleep 0.1; done
    fi
    [ -z "\${STAND_IN_FAULT:-}" ] || { echo "FAILED: train.o"; echo "train.cpp:1:1: error: \$STAND_IN_FAULT"; exit 1; }
    ;;
esac
SH
# The md5sum stand-in accepts every download.
stand_in md5sum <<<'exit 0'
stand_in curl <<'SH'
while [ $# -gt 1 ]; do
  [ "$1" != --output ] || echo | gzip >"$2"
  shift
done
SH
for build in cpu cuda; do
  mkdir -p "$folder/build/$build/bin"
  for program in train export_images predict; do
    stand_in program <<<"echo \"$build $program \$*\" >>\"$calls\""
    mv "$stand_ins/program" "$folder/build/$build/bin/$program"
  done
done

# outcome [OUT]: prints the output of the quickstart, and its status if it fails. Logs the calls in \$calls.
outcome() { (: >"$calls"; cd "$folder"; bash scripts/quickstart.sh "$@") 2>&1 || echo "status $?"; }

shown=$(outcome)
expect "cpu" "$shown" '*usually * on 2 cores*Building (preset programs)*Training*Done in*build/cpu/bin/predict*'
expect "calls" "$(cat "$calls")" \
  "cmake *--preset programs"$'\n'"cmake --build build/cpu --target train*"$'\n'"cpu train --recipe quickstart*cpu predict*"
expect "an earlier quickstart run is overwritten" "$(grep ' train --recipe ' "$calls")" '*--out runs/quickstart --overwrite'
[[ $(cat "$calls") != *--device* ]] || { echo "--device was passed on a machine without a GPU" >&2; exit 1; }

expect "failed build" "$(STAND_IN_FAULT="no such thing" outcome)" \
  '*FAILED: train.o*train.cpp:1:1: error: no such thing*the build failed*status 1'
[[ $(cat "$calls") != *recipe* ]] || { echo "training started after a failed build" >&2; exit 1; }

# Ctrl-C during the build: the build ends first, then the script.
: >"$calls"
(cd "$folder" && STAND_IN_SLOW=1 exec env --default-signal=INT setsid bash scripts/quickstart.sh) >"$folder/printed" 2>&1 &
for ((i = 0; i < 300; ++i)); do
  [[ $(cat "$calls") != *--build* ]] || break
  sleep 0.1
done
kill -INT -- -$!
wait $! && status=0 || status=$?
expect "interrupted" "$status $(cat "$folder/printed")" '130 *Building*quickstart.sh: interrupted'
expect "calls" "$(cat "$calls")" '*cmake --build*cleaned up'

stand_in nvidia-smi <<<'echo 9.0'
shown=$(outcome)
expect "no toolkit" "${shown%%Building*}" "*Training on the CPU: there is a GPU (compute capability 9.0), but no nvcc: install *"
expect "calls" "$(cat "$calls")" '*--preset programs*cpu train*'

stand_in nvcc <<<'[ "$1" != --version ] || echo "Cuda compilation tools, release 13.0, V13.0.88"'
shown=$(outcome)
expect "gpu" "$shown" '*Building for the GPU*(compute capability 90)*Building (preset cuda)*Done in*build/cuda/bin/predict*'
expect "calls" "$(cat "$calls")" \
  "cmake *--preset cuda *-DCMAKE_CUDA_ARCHITECTURES=90-real*cmake --build build/cuda *cuda train *--device cuda*cuda predict*"
expect "CPU selected by the user" "$(CUDA_VISIBLE_DEVICES='' outcome)" '*Building (preset programs)*'

# Problems are reported before the build.
mkdir -p "$folder/mine"
touch "$folder/mine/model.safetensors"
expect "folder with another run" "$(outcome mine)" '*mine already holds a run: choose another folder*status 1'
expect "no call" "$(cat "$calls")" ''
outcome other >/dev/null
expect "folder given by the user" "$(grep ' train --recipe ' "$calls")" '*--out other --device cuda'
expect "unavailable package" "$(STAND_IN_MISSING=libcli11-dev outcome)" '*apt does not offer libcli11-dev*status 1'
expect "no call" "$(cat "$calls")" ''
if [ ! -e /usr/share/datasets/fashion-mnist ]; then
  expect "download" "$(outcome)" '*Downloading train-images*Building*'
  stand_in curl <<<'echo "curl: (6) Could not resolve host" >&2; exit 6'
  rm -r "$folder/build/fashion-mnist"
  expect "no download" "$(outcome)" '*could not be downloaded; copy the file to*status 1'
  expect "no call" "$(cat "$calls")" ''
fi
echo "all quickstart checks passed"
