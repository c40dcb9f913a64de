#!/usr/bin/env bash
# Creates the Python environment of the tests with ONNX Runtime and OpenVINO, build/onnx_peers, unless it exists. Needs
# python3-venv and python3-numpy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Of the requirements of these packages, the tests need the ones listed here; NumPy is Debian's.
packages=(onnx==1.19.1 ml_dtypes==0.5.3 typing_extensions==4.15.0 protobuf==6.33.2 onnxruntime==1.23.2 flatbuffers==25.9.23
  packaging==25.0 openvino==2025.3.0 safetensors==0.8.0)
python=build/onnx_peers/bin/python3
if ! "$python" -c 'import onnx, onnxruntime, openvino, safetensors' 2>/dev/null; then
  /usr/bin/python3 -m venv --clear --system-site-packages build/onnx_peers
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps "${packages[@]}"
fi
