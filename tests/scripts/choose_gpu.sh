#!/usr/bin/env bash
# choose_gpu.sh FOLDER: tests scripts/gpu.sh with stand-ins for nvidia-smi, nvcc and apt-cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../scripts/lib.sh"
. "$here/../../scripts/gpu.sh"
. "$here/stand_ins.sh"
test_folder "$1"
only_tools "$folder"
logs=$folder/logs
export CUDA_PATH=$folder/no-toolkit PCI_DEVICES=$folder/pci
unset CUDACXX CUDAHOSTCXX CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER
mkdir -p "$PCI_DEVICES"

# choice: prints the result of choose_gpu as architectures|visible devices|problem.
choice() {
  (
    choose_gpu && status=0 || status=1
    [ $((status == 0)) -eq $((${#gpu_architectures} > 0)) ] || echo "status $status with architectures '$gpu_architectures'"
    printf '%s|%s|%s\n' "$gpu_architectures" "${CUDA_VISIBLE_DEVICES:-}" "$gpu_problem"
  )
}
# gpus LINE...: makes nvidia-smi list these compute capabilities and a driver for CUDA 13.0.
gpus() {
  printf '%s\n' "$@" >"$folder/capabilities"
  stand_in nvidia-smi <<SH
case "\$*" in
  *compute_cap*) [ "\$*" = "--query-gpu=compute_cap --format=csv,noheader" ] || exit 2; cat "$folder/capabilities" ;;
  *name*) echo "NVIDIA Test" ;;
  *) echo "| NVIDIA-SMI 580.65   Driver Version: 580.65   CUDA Version: 13.0 |" ;;
esac
SH
}
# toolkit RELEASE: makes an nvcc of that release, which compiles for all compute capabilities except 12.0.
toolkit() {
  stand_in nvcc <<SH
case "\$*" in
  --version) printf 'nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release $1, V$1.1\n' ;;
  *sm_120*) echo "nvcc fatal   : Unsupported gpu architecture 'compute_120'" >&2; exit 1 ;;
esac
SH
}

expect "no GPU" "$(choice)" '||'
mkdir "$PCI_DEVICES/0"
echo 0x8086 >"$PCI_DEVICES/0/vendor"
echo 0x030000 >"$PCI_DEVICES/0/class"
expect "another GPU" "$(choice)" '||'
echo 0x10de >"$PCI_DEVICES/0/vendor"
expect "no driver" "$(choice)" "||there is a GPU, but no driver: install NVIDIA's driver*"

stand_in nvidia-smi <<'SH'
echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it runs."
echo "second line"
exit 9
SH
expect "driver that does not respond" "$(choice)" "||no GPU is available: NVIDIA-SMI has failed because*it runs."

gpus 9.0
stand_in apt-cache <<<'exit 0'
expect "no toolkit" "$(choice)" "||there is a GPU (compute capability 9.0), but no nvcc: install NVIDIA's CUDA toolkit 12.0 or later*"
stand_in apt-cache <<<'printf "nvidia-cuda-toolkit:\n  Installed: (none)\n  Candidate: 11.8.89~11.8.0-5\n"'
expect "packaged toolkit too old" "$(choice)" "||there is a GPU*: install NVIDIA's CUDA toolkit 12.0 or later*"
stand_in apt-cache <<<'printf "nvidia-cuda-toolkit:\n  Installed: (none)\n  Candidate: 12.4.131~12.4.1-2\n"'
expect "packaged toolkit" "$(choice)" "||there is a GPU*: install the package nvidia-cuda-toolkit (12.4)"

toolkit 13.0
expect "one GPU" "$(choice)" '90-real||'
gpus 9.0 8.6 9.0
expect "several GPUs" "$(choice)" '86-real;90-real||'
gpus 7.5 8.9 '[N/A]' 8.6
expect "some too old" "$(choice)" '86-real;89-real|1,3|'
gpus 7.5
expect "too old" "$(choice)" '||the GPU has compute capability 7.5, but the CUDA kernels need 8.0 or later'
gpus '[N/A]'
expect "no number" "$(choice)" '||the GPU has compute capability \[N/A\], *'
printf '8.9 \r\n\n' >"$folder/capabilities"
expect "blanks" "$(choice)" '89-real||'
expect "hidden by the user" "$(CUDA_VISIBLE_DEVICES='' choice)" '||'
gpus 8.9 12.0
expect "nvcc without support for the GPU" "$(choice)" "||*/nvcc (CUDA 13.0) does not compile for compute capability 12.0: nvcc fatal*compute_120*"
gpus 8.9
toolkit 11.8
expect "toolkit too old" "$(choice)" '||*/nvcc is from CUDA 11.8, which cannot compile C++20: install the package nvidia-cuda-toolkit (12.4)'
toolkit 14.1
expect "driver too old" "$(choice)" '||the driver supports CUDA 13.0 but */nvcc is from CUDA 14.1: install a newer driver, or *'
toolkit 13.4
expect "minor version of the driver" "$(choice)" '89-real||'
# A stand-in with only this answer is enough.
stand_in nvidia-smi <<<'echo 9.0'
expect "one output for every query" "$(choice)" '90-real||'
echo "all choices are correct"
