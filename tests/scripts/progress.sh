#!/usr/bin/env bash
# progress.sh FOLDER: tests scripts/progress.sh on output that stand-ins for ninja and ctest print.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../scripts/lib.sh"
. "$here/stand_ins.sh"
test_folder "$1"
log=$folder/log

expect "clock" "$(clock 5) $(clock 65) $(clock 3723)" '0:05 1:05 1:02:03'
# line FINISHED TOTAL SECONDS [EXPECTED [FAILED]]: prints the progress line at that moment.
line() (
  erase='' end=$'\n' unit=steps
  finished=$1 total=$2 begin=$((SECONDS - $3)) expected=${4:-0} failed=${5:-0}
  show_progress
)
expect "no estimate yet" "$(line 0 40 20)" '  0/40 steps, 0:20'
expect "too few steps for an estimate" "$(line 1 40 20)" '  1/40 steps, 0:20'
expect "time left by counts" "$(line 10 40 60)" '  10/40 steps, 1:00, about 3:00 left'
expect "time left by the last run" "$(line 10 40 60 100 2)" '  10/40 steps, 1:00, about 0:40 left, 2 FAILED'
expect "longer than the last run" "$(line 20 40 120 100)" '  20/40 steps, 2:00, about 2:00 left'

ninja_output() {
  echo "[1/3] Building CXX object a.o"
  echo "a.cpp:3:4: warning: unused variable"
  echo "    3 | int x;"
  printf '[2/3] Building CXX'
  sleep 1.2  # in the middle of a line
  echo " object test_error.o"
  printf 'FAILED: c.o\nc.cpp:1:1: error: expected a declaration\nninja: build stopped'
  return 3
}
status=0
shown=$(ninja_output | follow ninja "$log") || status=$?
expect "build" "$status|$shown" '3|a.cpp:3:4: warning: unused variable'
[ "$(cat "$log")" = "$(ninja_output || true)" ] || { echo "the log differs from ninja's output" >&2; exit 1; }
expect "why it failed" "$(explain "$log" 2>&1)" "FAILED: c.o*error: expected*The full output is in $log"

# A closed standard output stops neither the build nor the log.
(ninja_output && true; echo whole >>"$folder/written") | follow ninja "$log" > >(true) || true
expect "closed output" "$(cat "$folder/written") $(tail -n 1 "$log")" 'whole ninja: build stopped'

ctest_output() {
  echo "Test project /build"
  echo "      Start  1: floor/one"
  echo "1/4 Test  #1: floor/one .......   Passed    0.10 sec"
  echo "2/4 Test  #2: floor/two .......***Failed  Error regular expression found in output.  0.20 sec"
  echo "what the test said"
  echo "3/4 Test  #3: floor/three .....***Skipped   0.00 sec"
  echo "4/4 Test  #4: floor/ Passed by  Passed    1.00 sec"
  echo "75% tests passed, 1 tests failed out of 4"
}
expect "tests" "$(ctest_output | follow ctest "$log")" \
  '2/4 Test  #2*Failed*'$'\nwhat the test said\n''3/4 Test*Skipped*'$'\n75% tests passed*'
expect "number of tests and time are saved" "$(cat "$log.seconds")" '4 [01]'

# On a terminal the bar is drawn in place and erased at the end.
if command -v script >/dev/null; then
  export TERM=xterm
  # Uses a script file: script(1) starts the user's shell, which may not pass on functions.
  {
    printf '. %q\n' "$here/../../scripts/lib.sh"
    declare -f ninja_output
    printf '{ ninja_output || true; sleep 1.5; } | follow ninja %q\n' "$log"
  } >"$log.terminal.sh"
  shown=$(script -qec "bash $(printf '%q' "$log.terminal.sh")" /dev/null </dev/null)
  expect "bar" "$shown" '*\[================        ] 2/3 steps, 0:0*\[K'
fi
echo "all progress checks passed"
