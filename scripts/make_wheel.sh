#!/usr/bin/env bash
# Builds the Python wheel in build/packages: it contains oneDNN, the image libraries and the OpenMP runtime, and runs on
# every processor of the architecture with a glibc as new as the tag of its name says. Then installs it in a new
# environment, trains and predicts there, and tests it next to PyTorch. Installs missing packages.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/scripts/python.sh"
cd "$root"

install_packages "${build_packages[@]}" "${python_packages[@]}"
make_python_env
say "Building the wheel"
rm -rf build/wheel
quietly python_pip wheel --no-deps --no-build-isolation --wheel-dir build/wheel . || die "the build failed (see the lines above)"
mkdir -p build/packages
rm -f build/packages/minception-*.whl
PATH=$python_env/bin:$PATH quietly "$python_env/bin/auditwheel" repair --strip --wheel-dir build/packages build/wheel/minception-*.whl ||
  die "auditwheel could not add the libraries (see the lines above)"
wheels=(build/packages/minception-*.whl)

say "Checking it in a new environment"
fresh=build/wheel/fresh
quietly /usr/bin/python3 -m venv --clear "$fresh" &&
  quietly "$fresh/bin/python" -m pip install --disable-pip-version-check "${wheels[0]}" || die "the wheel cannot be installed"
cd build/wheel  # away from the sources
OMP_WAIT_POLICY=passive fresh/bin/python - <<'CHECK'
import pathlib
import minception
folder = pathlib.Path(minception.__file__).parent
loaded = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
for name in ("dnnl", "gomp", "png", "jpeg", "webp", "tiff", "gif"):
    paths = [path for path in loaded if f"/lib{name}" in path]
    assert paths and all(".libs/" in path for path in paths), f"lib{name} is not the wheel's: {paths}"
data = minception.load_dataset("fashion-mnist", limit_train=1000, limit_test=100)
net = minception.Sequential([minception.Conv2d(16, 3), minception.ReLU(), minception.MaxPool2d(2), minception.Flatten(),
                             minception.Linear(10)])
model = minception.Model("check", net, input=(1, 28, 28), classes=10)
minception.fit(model, data, epochs=2, batch_size=50)
model.save("check.safetensors")
classifier = minception.Classifier("check.safetensors")
assert classifier.evaluate(data).top1 > 0.6, classifier.evaluate(data)
print(classifier.predict(data.test.images[0]), minception.available_devices())
CHECK

# PyTorch has an OpenMP runtime of its own.
say "Testing it next to PyTorch"
python_pip install --quiet --force-reinstall --no-deps "$root/${wheels[0]}"
"$python_env/bin/python" - <<'CHECK'
import minception
import torch
runtimes = {line.split()[-1] for line in open("/proc/self/maps") if "/libgomp" in line or "/libomp" in line}
assert len(runtimes) == 2, f"two OpenMP runtimes are to be tested, not {runtimes}"
CHECK
OMP_WAIT_POLICY=passive "$python_env/bin/python" -m pytest --quiet "$root/tests/python/test_package.py" "$root/tests/python/test_classifier.py"
ls -lh "$root/${wheels[0]}"
