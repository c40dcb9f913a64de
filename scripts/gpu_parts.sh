# The parts of scripts/gpu_check.sh: the machine, time limits, logs, results as JSON, and a summary for a person that
# is true at any time, so that it remains after a kill. Sourced by gpu_check.sh.

packed=build/gpu-programs
unpacked=build/gpu-unpacked
logs=build/gpu-logs
results=${RESULTS:-benchmarks/results}
bundle=build/gpu-results.tar.gz  # what to send
python=${PYTHON:-python3}
dry=
if [ "${GPU_CHECK:-}" = dry ]; then
  dry=1
  results=${RESULTS:-build/gpu-dry}
  logs=$results/logs
  bundle=$results/gpu-results.tar.gz
fi
summary=$results/gpu-summary.md

commit=unknown checkout=unknown device=unknown driver=unknown capability=unknown memory=unknown built_for=unknown
host='' state=preparing stage='' unwritten='' child='' finished=''
notes=() waiting=() parts=()
failures=0 all_failures=0

# ---- files ----------------------------------------------------------------------------------------------------------

# writable FOLDER: makes FOLDER and succeeds if files can be written there.
writable() {
  { mkdir -p "$1" && echo test >"$1/.write-test" && rm "$1/.write-test"; } 2>/dev/null
}

# write_file FILE: writes standard input to FILE, whole or not at all. The check goes on if that fails.
write_file() {
  # In a trap, `return` alone gives an earlier status.
  if { cat >"$1.part" && mv "$1.part" "$1"; } 2>/dev/null; then return 0; fi
  rm -f "$1.part"
  [ -n "$unwritten" ] || say "$1 cannot be written (disk full?): the check goes on, its results are printed"
  unwritten=$1
}

# one_line: copies standard input as one line that can be put into JSON strings and tables.
one_line() { tr '\n\t' '  ' | tr -d '"\\`|[:cntrl:]' | sed 's/  */ /g; s/^ //; s/ $//'; }

# whole_json FILE: fails if FILE holds no JSON, as after a kill; without Python it is not known.
whole_json() {
  [ -s "$1" ] || return 1
  "$python" -c '' 2>/dev/null || return 0
  "$python" -c 'import json, sys; json.load(open(sys.argv[1]))' "$1" 2>/dev/null
}

# ---- the machine ----------------------------------------------------------------------------------------------------

# ask_gpu FIELD: prints what nvidia-smi says about the first GPU, or "unknown".
ask_gpu() {
  local answer
  answer=$(timeout 20 nvidia-smi "--query-gpu=$1" --format=csv,noheader 2>/dev/null) || answer=
  answer=$(one_line <<<"${answer%%$'\n'*}")
  echo "${answer:-unknown}"
}

# describe_machine: sets device, driver, capability, memory and host; notes what could not be found.
describe_machine() {
  local listed slice='MIG ([0-9]+[a-z][.0-9a-z+]*)' module='Kernel Module( for [^ ]+)? +([0-9.]+)'
  checkout=$(git rev-parse --short HEAD 2>/dev/null) || checkout=unknown
  host="$(uname -srm), $(nproc) cores, $(awk '$1 == "MemTotal:" {print int($2 / 1048576)}' /proc/meminfo) GiB of memory"
  if [ -n "$dry" ]; then
    device=emulated commit=$checkout
    return
  fi
  [ -z "${CUDA_VISIBLE_DEVICES:-}" ] ||
    notes+=("CUDA_VISIBLE_DEVICES is $CUDA_VISIBLE_DEVICES; the lines above describe GPU 0.")
  if ! command -v nvidia-smi >/dev/null; then
    notes+=("nvidia-smi was not found: driver and memory of the GPU are unknown.")
    [[ $(cat "${DRIVER_VERSION:-/proc/driver/nvidia/version}" 2>/dev/null) =~ $module ]] && driver=${BASH_REMATCH[2]}
    return 0
  fi
  if ! listed=$(timeout 20 nvidia-smi -L 2>&1); then
    notes+=("nvidia-smi failed: $(one_line <<<"${listed:0:300}")")
    return
  fi
  device=$(ask_gpu name) driver=$(ask_gpu driver_version)
  capability=$(ask_gpu compute_cap) memory=$(ask_gpu memory.total)
  if [[ $listed =~ $slice ]]; then
    device+=" (MIG slice ${BASH_REMATCH[1]})"
    notes+=("The GPU is divided (MIG): memory is the whole GPU's, speeds are those of the slice ${BASH_REMATCH[1]}.")
  fi
}

# unpack_programs: unpacks the archive of programs, or makes it if there is none and this machine has nvcc.
unpack_programs() {
  local archive=$packed/programs.tar.gz problem
  if [ ! -e "$archive" ]; then
    find_nvcc >/dev/null || give_up "$archive is missing, and there is no nvcc to build it. On a machine with nvcc:" \
      "scripts/gpu_check.sh pack $(pack_for); then copy $packed to this machine"
    (pack "$(pack_for)") || give_up "the programs could not be built (see above)"
  fi
  if [ ! -e "$unpacked/commit" ] || [ "$archive" -nt "$unpacked/commit" ]; then
    rm -rf "$unpacked"
    mkdir -p "$unpacked" || give_up "$unpacked cannot be written: free disk space"
    if ! problem=$(tar -xzf "$archive" -C "$unpacked" 2>&1) || [ ! -s "$unpacked/commit" ]; then
      rm -rf "$unpacked"
      problem=$(one_line <<<"${problem:-it holds no programs}")
      give_up "$archive cannot be unpacked ($problem): copy it again, or free disk space"
    fi
    touch "$unpacked/commit"
  fi
  commit=$(cat "$unpacked/commit")
  [ ! -e "$unpacked/architectures" ] || built_for=$(cat "$unpacked/architectures")
  [ "$commit" = "$checkout" ] || [ "$checkout" = unknown ] ||
    notes+=("The programs are of commit $commit, but the checkout is $checkout.")
}

# pack_for: prints the GPU's compute capability as the argument of `pack`.
pack_for() { [[ $capability =~ ^[0-9]+\.[0-9]$ ]] && echo "${capability/./}" || echo 90; }

# give_up WORDS...: ends the check, with the reason in the summary.
give_up() {
  all_failures=$((all_failures + 1))
  state="stopped: $*"
  finish
  die "$*"
}

# ---- parts ----------------------------------------------------------------------------------------------------------

# run_limited SECONDS LOG COMMAND...: in the background, so that a signal to this script is handled at once.
run_limited() {
  local limit=$1 log=$2 status=0
  shift 2
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null &
  child=$!
  wait "$child" || status=$?
  child=
  return "$status"
}

# outcome STATUS SECONDS LIMIT: prints the meaning of an exit status.
outcome() {
  case $1 in
    0) echo passed ;;
    77) echo skipped ;;
    124) echo "took more than $3 s" ;;
    126 | 127) echo "could not be started (exit code $1)" ;;
    137) [ "$2" -ge "$3" ] && echo "took more than $3 s" || echo "was killed (signal 9: out of host memory?)" ;;
    129 | 13? | 14?) echo "crashed (signal $(($1 - 128)))" ;;
    *) echo "failed with exit code $1" ;;
  esac
}

# record NAME RESULT SECONDS WORDS [JSON]: adds a part to the results.
record() {
  local words
  words=$(one_line <<<"$4")
  printf '%s: %s, %d s. %s\n' "$1" "$2" "$3" "$words"
  parts+=("$(printf '{"part": "%s", "result": "%s", "seconds": %d, "summary": "%s", "detail": %s}' \
    "$1" "$2" "$3" "$words" "${5:-null}")")
  printf '%s|%s|%d|%s\n' "$1" "$2" "$3" "$words" 2>/dev/null >>"$logs/$stage.parts" || unwritten=$logs/$stage.parts
  case $2 in passed | skipped) ;; *) failures=$((failures + 1)) ;; esac
  write_results
}

# skip NAME WORDS: records a part that this machine cannot run.
skip() { record "$1" skipped 0 "$2"; }

# part NAME SECONDS COMMAND...: runs COMMAND for at most SECONDS, logs its output and records the outcome. If COMMAND
# writes $logs/NAME.json, its content is stored with the results. Exit status 77: skipped.
part() {
  local name=$1 limit=$2 status=0 begin=$SECONDS telling words detail=''
  shift 2
  say "$name"
  state="running $stage/$name since $(date -u '+%Y-%m-%d %H:%M:%S') UTC, at most $limit s"
  write_summary
  rm -f "$logs/$name.json"
  if ! { : >"$logs/$name.log"; } 2>/dev/null; then
    record "$name" "was not run" 0 "$logs/$name.log cannot be written"
    return
  fi
  run_limited "$limit" "$logs/$name.log" "$@" || status=$?
  telling="All tests passed|test cases:|assertions:|ERROR SUMMARY|RACECHECK SUMMARY|SKIPPED|${wanted:-no line}"
  words=$(grep -E "$telling" "$logs/$name.log" | tail -n 3 || true)
  if [ -z "$words" ] && [ "$status" -ne 0 ]; then words=$(grep -v '^ *$' "$logs/$name.log" | tail -n 1 || true); fi
  [ "$status" -eq 0 ] || tail -n 20 "$logs/$name.log"
  ! whole_json "$logs/$name.json" || detail=$(cat "$logs/$name.json")
  record "$name" "$(outcome "$status" $((SECONDS - begin)) "$limit")" $((SECONDS - begin)) "$words" "$detail"
}

# write_results: called after every part, so that results survive a later failure.
write_results() {
  local joined
  joined=$(printf '%s,\n' "${parts[@]}")
  write_file "$results/gpu-$stage.json" <<JSON
{"what": "scripts/gpu_check.sh $stage", "commit": "$commit", "date": "$(date -u +%Y-%m-%d)", "device": "$device",
"driver": "$driver", "parts": [
${joined%,}
]}
JSON
  write_summary
}

# run_stage NAME: runs the parts of a stage.
run_stage() {
  local remaining=() name
  stage=$1 parts=() failures=0 SECONDS=0
  for name in "${waiting[@]}"; do [ "$name" = "$stage" ] || remaining+=("$name"); done
  waiting=("${remaining[@]}")
  rm -f "$logs/$stage.parts"
  "stage_$stage"
  all_failures=$((all_failures + failures))
  say "$stage: $failures of ${#parts[@]} parts failed; details in $results/gpu-$stage.json ($SECONDS s)"
}

# interrupted: ends the running part and the check.
interrupted() {
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || true
    wait "$child" || true
  fi
  all_failures=$((all_failures + failures + 1))
  state="interrupted while $state"
  finish
  exit 130
}

# ended: for an end by a mistake in this script.
ended() {
  if [ -z "$finished" ]; then
    state="ended unexpectedly while $state"
    finish
  fi
}

# ---- the summary ----------------------------------------------------------------------------------------------------

# parts_with PATTERN: prints "STAGE|NAME|RESULT|SECONDS|WORDS" of all recorded parts whose result matches PATTERN.
parts_with() {
  local name result seconds words one
  for one in "${stages[@]}"; do
    [ -e "$logs/$one.parts" ] || continue
    while IFS='|' read -r name result seconds words; do
      # shellcheck disable=SC2053
      if [[ $result == $1 ]]; then printf '%s|%s|%s|%s|%s\n' "$one" "$name" "$result" "$seconds" "$words"; fi
    done <"$logs/$one.parts"
  done
}

print_summary() {
  local one name result seconds words passed skipped failed
  passed=$(parts_with passed) skipped=$(parts_with skipped)
  failed=$(parts_with '@(took|failed|crashed|could|was)*')
  count() { grep -c . <<<"$1" || true; }
  printf '# GPU check: %s passed, %s failed, %s skipped\n\n%s.\n\n' "$(count "$passed")" "$(count "$failed")" \
    "$(count "$skipped")" "${state^}"
  printf '| | |\n| --- | --- |\n'
  printf '| %s | %s |\n' GPU "$device" 'compute capability' "$capability" memory "$memory" driver "$driver" \
    machine "$host" programs "commit $commit, built for $built_for" checkout "commit $checkout" \
    date "$(date -u +%Y-%m-%d)"
  [ ${#notes[@]} -eq 0 ] || printf '\n%s\n' "${notes[@]}"
  [ -z "$failed" ] || printf '\n## Failed\n'
  while IFS='|' read -r one name result seconds words; do
    [ -n "$name" ] || continue
    printf '\n**%s/%s** %s, after %s s. The end of %s:\n\n```\n' "$one" "$name" "$result" "$seconds" "$logs/$name.log"
    tail -n 12 "$logs/$name.log" 2>/dev/null | cut -c 1-200 || true
    printf '```\n'
  done <<<"$failed"
  [ -z "$skipped" ] || printf '\n## Skipped\n\n'
  while IFS='|' read -r one name result seconds words; do
    [ -z "$name" ] || printf -- '- %s/%s: %s\n' "$one" "$name" "${words:-no reason given}"
  done <<<"$skipped"
  [ ${#waiting[@]} -eq 0 ] || printf '\n## Not run yet\n\nStages: %s\n' "${waiting[*]}"
  [ -z "$passed" ] || printf '\n## Passed\n\n| part | seconds | |\n| --- | ---: | --- |\n'
  while IFS='|' read -r one name result seconds words; do
    [ -z "$name" ] || printf '| %s/%s | %s | %s |\n' "$one" "$name" "$seconds" "$words"
  done <<<"$passed"
  printf '\n## What to send\n\n'
  printf 'Send `%s` to whoever asked for this check, or attach it to an issue of the project.\n' "$bundle"
  printf 'It is made when the check ends. If it is missing, send `%s`, `%s/gpu-*.json` and the folder `%s`.\n' \
    "$summary" "$results" "$logs"
}

write_summary() { write_file "$summary" < <(print_summary); }

# finish: writes the summary and the archive to send.
finish() {
  local files=("$logs") file
  finished=1
  write_summary
  for file in "$results"/gpu-*.json "$results"/gpu-*.jsonl "$summary"; do [ ! -e "$file" ] || files+=("$file"); done
  if ! tar -czf "$bundle" "${files[@]}" 2>/dev/null; then
    rm -f "$bundle"
    say "$bundle cannot be written: send the files named in the summary"
  fi
  if [ -n "$unwritten" ]; then
    all_failures=$((all_failures + 1))
    say "The summary, because $unwritten could not be written:"
    print_summary
  else
    say "Summary: $summary. To send: $bundle"
  fi
}
