# What the scripts share. Sourced by them, from any folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ]; then say() { printf '\033[1m== %s\033[0m\n' "$*"; }; else say() { printf '== %s\n' "$*"; }; fi
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

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
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]} (the lines above say why)"
  fi
  rm -f "$log"
}

CMAKE_ARGS=()  # more options for the configuration
build_packages=(g++ cmake ninja-build libdnnl-dev nlohmann-json3-dev libcli11-dev zlib1g-dev)

# build PRESET [TARGET...]: configures and builds; prints only what matters.
build() {
  local preset=$1 log
  shift
  cd "$root"
  log=$(mktemp)
  say "Building (preset $preset)"
  if ! cmake -S "$root" --preset "$preset" "${CMAKE_ARGS[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "CMake could not configure (the lines above say why)"
  fi
  if ! cmake --build --preset "$preset" ${1:+--target "$@"} >"$log" 2>&1; then
    { grep -E -A 20 'error|FAILED' "$log" || tail -n 40 "$log"; } >"$log.short"
    head -n 60 "$log.short" >&2
    rm -f "$log" "$log.short"
    die "the build failed (the lines above say why)"
  fi
  grep 'warning:' "$log" || true
  rm -f "$log"
}
