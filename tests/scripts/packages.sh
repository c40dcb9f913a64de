#!/usr/bin/env bash
# packages.sh FOLDER: tests scripts/packages.sh with stand-ins for apt, dpkg, sudo and id.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../scripts/lib.sh"
. "$here/stand_ins.sh"
test_folder "$1"
only_tools "$folder"
logs=$folder/logs
unset CXX CMAKE_BUILD_PARALLEL_LEVEL
log=$folder/calls
# outcome COMMAND...: prints the output of COMMAND, and its status if it fails.
outcome() { (: >"$log"; "$@") 2>&1 || echo "status $?"; }

stand_in id <<<'echo ${STAND_IN_USER:-0}'
stand_in dpkg-query <<'SH'
case ${@: -1} in *-missing) exit 1 ;; *-removed) echo "deinstall ok config-files" ;; *) echo "install ok installed" ;; esac
SH
# Output continues long after the wanted line: a reader that stops there would break the pipe.
stand_in apt-cache <<'SH'
case $2 in
  unknown-*) printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' "$2" ;;
  *) printf '%s:\n  Installed: (none)\n  Candidate: 1.0\n' "$2" ;;
esac
sleep 0.1
for i in {1..3000}; do echo "     1.0 500 a line of the version table, long enough to fill the pipe"; done
SH
stand_in apt-get <<SH
echo "apt-get \$*" >>"$log"
[ "\${STAND_IN_NETWORK:-up}" = up ] || { echo "E: Could not resolve the mirror" >&2; exit 100; }
SH

expect "nothing to do" "$(outcome install_packages present)$(cat "$log")" ''
expect "root installs" "$(outcome install_packages present one-missing one-removed)$(cat "$log")" \
  "== Installing one-missing one-removed*apt-get update*apt-get install -y --no-install-recommends one-missing one-removed"
expect "unknown to apt" "$(outcome install_packages unknown-missing)" "*apt does not offer unknown-missing: *universe*status 1"
apt_lists=$folder/lists
expect "optional" "$(outcome install_optional "it is left out" unknown-missing one-missing)$(cat "$log")" \
  "This system has no package unknown-missing: it is left out*== Installing one-missing*install*one-missing"
expect "no lists yet" "$(outcome install_optional "it is left out" unknown-missing)$(cat "$log")" "This system*apt-get update"
mkdir -p "$apt_lists"
touch "$apt_lists/main_Packages"
expect "no update for an unknown package" "$(outcome install_optional "it is left out" unknown-missing)$(cat "$log")" \
  "This system has no package unknown-missing: it is left out"
expect "no network" "$(STAND_IN_NETWORK=down outcome install_packages one-missing)" \
  "*Could not resolve*apt-get update failed*check the network*status 1"

export STAND_IN_USER=1000
expect "neither root nor sudo" "$(outcome install_packages one-missing)$(cat "$log")" \
  "*installing packages needs root, but sudo was not found: ask an administrator to run 'apt-get install * one-missing'*status 1"
expect "optional, neither root nor sudo" "$(outcome install_optional "it is left out" one-missing)$(cat "$log")" \
  "This user cannot install packages, and one-missing is missing: it is left out"
stand_in sudo <<<'echo "tester is not in the sudoers file" >&2; exit 1'
expect "sudo refuses" "$(outcome install_packages one-missing)$(cat "$log")" "*not in the sudoers*sudo refuses: ask *status 1"
stand_in sudo <<SH
echo "sudo \$*" >>"$log"
case \$1 in -*) exit 0 ;; esac
exec "\$@"
SH
expect "sudo" "$(outcome install_packages one-missing)$(cat "$log")" \
  "*sudo apt-get update*sudo env DEBIAN_FRONTEND=noninteractive apt-get install*one-missing*"
unset STAND_IN_USER

stand_in c++ <<<'printf "#define __GNUC__ %s\n" "${STAND_IN_GCC:-12}"'
stand_in ninja <<<'exit 0'
stand_in cmake <<<'echo "cmake version ${STAND_IN_CMAKE:-3.22.1}"; echo; echo "CMake suite maintained by Kitware"'
expect "correct tools" "$(outcome check_tools)" ''
expect "old compiler" "$(STAND_IN_GCC=9 outcome check_tools)" '*c++ is GCC 9, but C++20 needs GCC*set CXX*status 1'
expect "no compiler" "$(CXX=no-such-compiler outcome check_tools)" "*'no-such-compiler' does not run: install g++*status 1"
expect "old CMake" "$(STAND_IN_CMAKE=3.18.4 outcome check_tools)" '*cmake is version 3.18.4, but this project needs 3.22*status 1'
expect "newer CMake" "$(STAND_IN_CMAKE=4.0.2 outcome check_tools)" ''
rm "$stand_ins/ninja"
expect "no ninja" "$(outcome check_tools)" '*ninja not found*status 1'

root=$folder
expect "enough disk" "$(outcome check_disk 1)" ''
expect "too little disk" "$(outcome check_disk 999999999)" '*MiB of disk space left, but the build needs 999999999 MiB*status 1'
free_memory() { echo "$available"; }
fit() { fit_memory; echo "jobs ${CMAKE_BUILD_PARALLEL_LEVEL:-one per core}"; }
available=1000000 && expect "enough memory" "$(outcome fit)" 'jobs one per core'
available=2800 && expect "little memory" "$(nproc() { echo 8; }; outcome fit)" '2800 MiB of memory are free: compiling 3 at a time*jobs 3'
available=500 && expect "too little memory" "$(outcome fit)" 'Only 500 MiB of memory are free*jobs 1'
expect "the caller's value" "$(CMAKE_BUILD_PARALLEL_LEVEL=7 outcome fit)" 'jobs 7'
echo "all package checks passed"
