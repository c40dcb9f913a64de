#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. Ends with "N passed, N failed, N skipped".
#
#   scripts/test.sh [CTEST_OPTION...]       for instance: scripts/test.sh -R gradients
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

install_packages "${build_packages[@]}" catch2 ccache dataset-fashion-mnist python3-torch python3-venv

# The peers need Debian's PyTorch beside the package safetensors, which Debian does not have.
python=$root/build/peers/bin/python3
if ! "$python" -c 'import torch, safetensors' 2>/dev/null; then
  say "Making an environment for the comparisons with PyTorch"
  /usr/bin/python3 -m venv --system-site-packages build/peers
  "$python" -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 || die "pip could not install safetensors 0.8.0"
fi

CMAKE_ARGS=("-DPython3_EXECUTABLE=$python")
build cpu
say "Testing"
set +e
# Tests run side by side: threads that wait must not spin on a core that another test could use.
OMP_NUM_THREADS=$(nproc) OMP_WAIT_POLICY=passive ctest --test-dir build/cpu --parallel "$(nproc)" --output-on-failure \
  --no-tests=error "$@" 2>&1 | tee build/cpu/ctest.log | grep -vE '^ *Start |  Passed |^Internal ctest|^Test project'
set -e

count() { grep -cE "$1" build/cpu/ctest.log || true; }
skipped=$(count '\*\*\*Skipped')
passed=$(count ' Passed +[0-9.]+ sec')
failed=$(($(count '^ *[0-9]+/[0-9]+ Test +#') - passed - skipped))
[ "$passed" -gt 0 ] || failed=$((failed + 1))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
