# Virtual environment for the Python module. Sourced after lib.sh.

python_env=$root/build/python-env
python_packages=(ccache dataset-fashion-mnist python3-dev python3-numpy python3-pil python3-torch python3-torchvision python3-venv)

# make_python_env: creates the environment with the versions in tests/python/requirements.txt, unless it has them.
make_python_env() {
  local requirements=$root/tests/python/requirements.txt
  cmp --silent "$requirements" "$python_env/requirements.txt" && return
  say "Creating the environment of the Python module"
  quietly /usr/bin/python3 -m venv --clear --system-site-packages "$python_env" &&
    quietly "$python_env/bin/python" -m pip install --disable-pip-version-check --requirement "$requirements" ||
    die "the Python environment could not be created (see the lines above)"
  cp "$requirements" "$python_env/requirements.txt"
}

# python_pip COMMAND...: pip with the compiler that other builds use, so that ccache has its objects.
python_pip() { CXX=${CXX:-c++} "$python_env/bin/python" -m pip --disable-pip-version-check "$@"; }
