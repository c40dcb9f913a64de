#!/usr/bin/env bash
# Installs cuobjdump and nvdisasm from PyPI into build/cuda-tools, unless the CUDA toolkit has them or they are there.
# Newer ones read the code of older compilers. Needs python3-venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37)
folder=build/cuda-tools
for bin in "${CUDA_PATH:-/usr/local/cuda}/bin" "$folder"/lib/python3*/site-packages/nvidia/*/bin; do
  if [ -x "$bin/cuobjdump" ] && [ -x "$bin/nvdisasm" ]; then exit 0; fi
done
if ! { /usr/bin/python3 -m venv --clear "$folder" &&
  "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --no-deps "${packages[@]}"; }; then
  echo "pip could not install ${packages[*]}: the code of the CUDA kernels is not checked" >&2
  exit 1
fi
chmod +x "$folder"/lib/python3*/site-packages/nvidia/*/bin/{cuobjdump,nvdisasm}
