# Shared by the scripts, which source it from any folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/packages.sh"
. "$root/scripts/progress.sh"

# Output errors are ignored: a closed standard output must not end the work.
if [ -t 1 ]; then
  say() { printf '\033[1m== %s\033[0m\n' "$*" 2>/dev/null || true; }
else
  say() { printf '== %s\n' "$*" 2>/dev/null || true; }
fi
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
# On Ctrl-C the foreground program finishes writing its files and ends, then the script ends.
trap 'printf "\n%s: interrupted\n" "$(basename "$0")" >&2; exit 130' INT

logs=$root/build/logs

# explain LOG: prints the lines of a log that show why something failed.
explain() {
  local why
  why=$(grep -E -A 20 'error:|CMake Error|^FAILED|^E: |fatal|#error|undefined reference' "$1" || tail -n 40 "$1")
  head -n 60 <<<"$why" >&2
  echo "The full output is in $1" >&2
}

# quietly COMMAND...: runs COMMAND and prints only its warnings, or on failure the lines that show why.
quietly() {
  local log
  mkdir -p "$logs" || die "$logs cannot be written"
  log=$logs/$(basename "$0" .sh).log
  if "$@" >"$log" 2>&1; then
    grep 'warning:' "$log" || true
  else
    explain "$log"
    return 1
  fi
}

CMAKE_ARGS=()  # additional options for the configuration

# build_tree FOLDER [TARGET...]: builds a configured tree; prints progress, warnings and errors.
build_tree() {
  local folder=$1 log
  log=$logs/build-$(basename "$1").log
  shift
  mkdir -p "$logs" || die "$logs cannot be written"
  fit_memory
  NINJA_STATUS='[%f/%t] ' cmake --build "$folder" ${1:+--target "$@"} 2>&1 | follow ninja "$log" || {
    explain "$log"
    die "the build failed (see the lines above)"
  }
}

# build PRESET [TARGET...]: configures and builds.
build() {
  local preset=$1 folder
  shift
  cd "$root"
  check_tools
  say "Building (preset $preset)"
  quietly cmake -S "$root" --preset "$preset" "${CMAKE_ARGS[@]}" || die "CMake could not configure (see the lines above)"
  folder=$preset
  [ "$preset" != programs ] || folder=cpu
  build_tree "build/$folder" "$@"
}
