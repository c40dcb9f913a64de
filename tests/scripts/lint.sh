#!/usr/bin/env bash
# lint.sh: checks that no pipeline of a script ends in a reader that closes early: under pipefail the writer's SIGPIPE,
# which depends on timing, would become the status of the pipeline. Then runs shellcheck, if installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# early_readers FILE...: prints FILE:LINE of every such pipeline. Lines continued by a backslash or a bar are joined.
early_readers() {
  awk '
    function check(text) {
      gsub(/\|\|/, " or ", text)
      while (match(text, /\|&?[ \t]*/)) {
        text = substr(text, RSTART + RLENGTH)
        command = text
        sub(/[|;)].*/, "", command)
        sub(/^([A-Z_]+=[^ ]* +)*/, "", command)
        if (command ~ /^head( |$)/ || command ~ /^read( |$)/ || command ~ /^(true|:)( |$)/ ||
            command ~ /^[ez]?f?grep .*(-[a-zA-Z]*[qml]|--quiet|--max-count|--files-with)/ ||
            command ~ /^sort .*-[a-zA-Z]*[cC]( |$)/ || text ~ /^sed [^|]*[0-9$\/ {;\x27"]q([\x27"; }]|$)/ || text ~ /^awk [^|]*exit/) {
          print FILENAME ":" start ": " command
        }
      }
    }
    FNR == 1 { joined = "" }
    /^[ \t]*#/ { next }
    {
      if (joined == "") start = FNR
      joined = joined $0
      if (joined ~ /\\$/) { sub(/\\$/, "", joined); next }
      if (joined ~ /\|[ \t]*$/) next
      check(joined)
      joined = ""
    }' "$@"
}

scripts=(.ci/run scripts/*.sh benchmarks/*.sh tests/scripts/*.sh)
searched=()
for script in "${scripts[@]}"; do
  [ "$script" = tests/scripts/lint.sh ] || searched+=("$script")  # contains planted lines
done
[ ${#searched[@]} -ge 10 ] || { echo "found only ${#searched[@]} scripts" >&2; exit 1; }
found=$(early_readers "${searched[@]}")
[ -z "$found" ] || { printf 'a reader that closes early, under pipefail:\n%s\n' "$found" >&2; exit 1; }

# Tests the search: it must find all of the first lines and none of the others.
planted=$(mktemp)
trap 'rm -f "$planted"' EXIT
cat >"$planted" <<'LINES'
apt-cache policy package | grep -q 'Candidate: [0-9]'
dpkg-query -W package 2>/dev/null | LC_ALL=C grep -Eq 'ok installed' || missing
first=$(nvidia-smi | head -n 1)
ls | grep -m 1 x
sort file |
  sed 2q
seq 9 | \
  awk 'NR == 2 {print; exit}'
list | read -r first
versions | sort -V -C
LINES
[ "$(early_readers "$planted" | wc -l)" -eq 8 ] || { early_readers "$planted" >&2; echo "planted lines were not found" >&2; exit 1; }
cat >"$planted" <<'LINES'
grep -q text file || cat file | tail -n 3
list | grep -v text | while read -r line; do echo "$line"; done
head -n 3 file | sort
list | sed 's/q/Q/' | sort -u
text | grep -c error | wc -l
LINES
[ -z "$(early_readers "$planted")" ] || { early_readers "$planted" >&2; echo "these correct lines were reported" >&2; exit 1; }

if command -v shellcheck >/dev/null; then
  # ShellCheck does not follow sourced files, so their variables and set -e are unknown to it.
  shellcheck --shell=bash --severity=warning --exclude=SC1091,SC2034,SC2154,SC2164 "${scripts[@]}"
else
  echo "shellcheck not found: skipping its checks"
fi
