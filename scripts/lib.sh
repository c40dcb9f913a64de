# What the scripts share. Sourced by them, from any folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ]; then say() { printf '\033[1m== %s\033[0m\n' "$*"; }; else say() { printf '== %s\n' "$*"; }; fi
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# quietly COMMAND...: runs it and prints its warnings only; if it fails, what says why.
quietly() {
  local log status=0
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    grep 'warning:' "$log" || true
  else
    status=1
    { grep -E -A 20 'error|FAILED' "$log" || tail -n 40 "$log"; } >"$log.why"
    head -n 60 "$log.why" >&2
    rm -f "$log.why"
  fi
  rm -f "$log"
  return $status
}

# install_packages NAME...: installs those Debian packages that are missing. Where there is no apt-get, names them.
install_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    printf 'This is no Debian system: make sure that what these packages hold is installed: %s\n' "$*"
    return
  fi
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "please install as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  quietly "${as_root[@]}" apt-get update && quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install ${missing[*]} (the lines above say why)"
}

CMAKE_ARGS=()  # more options for the configuration
# (Debian's oneDNN asks for OpenCL's headers at configuration, but only recommends them)
build_packages=(g++ cmake ninja-build libcli11-dev libdnnl-dev libjpeg-dev libpng-dev nlohmann-json3-dev ocl-icd-opencl-dev
  zlib1g-dev)

# build PRESET [TARGET...]: configures and builds; prints only what matters.
build() {
  local preset=$1
  shift
  cd "$root"
  say "Building (preset $preset)"
  quietly cmake -S "$root" --preset "$preset" "${CMAKE_ARGS[@]}" || die "CMake could not configure (the lines above say why)"
  quietly cmake --build --preset "$preset" ${1:+--target "$@"} || die "the build failed (the lines above say why)"
}
