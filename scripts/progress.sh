# Progress of builds and test runs. Sourced by lib.sh.

# clock SECONDS: formats as 1:05 or 1:02:03.
clock() {
  if [ "$1" -ge 3600 ]; then
    printf '%d:%02d:%02d' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60))
  else
    printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
  fi
}

# show_progress: prints one line, rewritten in place on a terminal. Uses the variables of follow.
show_progress() {
  local seconds=$((SECONDS - begin)) left='' bar=''
  if [ "$expected" -gt "$seconds" ]; then
    left=$((expected - seconds))
  elif [ $((20 * finished)) -ge "$total" ] && [ "$seconds" -ge 5 ]; then  # too early to predict below a twentieth
    left=$((seconds * (total - finished) / finished))
  fi
  left=${left:+, about $(clock "$left") left}
  [ "$failed" -eq 0 ] || left="$left, $failed FAILED"
  if [ -n "$erase" ]; then
    bar=$(printf '%*s' $((24 * finished / total)) '')
    bar=$(printf '[%-24s] ' "${bar// /=}")
  fi
  printf '%s  %s%d/%d %s, %s%s%s' "$erase" "$bar" "$finished" "$total" "$unit" "$(clock "$seconds")" "$left" "$end"
}

# follow_line: updates the state from a line of ninja or ctest and prints the line if it matters. Uses the variables of
# follow.
follow_line() {
  local print=''
  if [ "$kind" = ninja ]; then
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      finished=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    elif [[ $line =~ warning\ ?[:#] ]]; then
      print=1
    fi
  elif [[ $line =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +# ]]; then
    finished=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    case $line in
      *' Passed '*) ;;
      *'***Skipped'*) print=1 ;;
      *) print=1 failed=$((failed + 1)) ;;
    esac
  elif ! [[ $line =~ ^(\ *Start\ |Internal\ ctest|Test\ project) ]]; then
    print=1
  fi
  [ -z "$print" ] || printf '%s%s\n' "$erase" "$line"
}

# follow ninja|ctest LOG: reads the output of ninja (run with NINJA_STATUS='[%f/%t] ') or ctest, copies it to LOG and
# shows progress: a bar on a terminal, otherwise a line every 10 seconds. Prints warnings and failures immediately.
# Ignores Ctrl-C and a closed standard output: it reads until the writer ends.
follow() (
  trap '' PIPE INT
  kind=$1 log=$2 line='' part='' finished=0 total=0 failed=0 unit=tests erase='' end=$'\n' interval=10
  begin=$SECONDS shown=$SECONDS
  [ "$kind" = ctest ] || unit=steps
  if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then erase=$'\r\e[K' end='' interval=1; fi
  # After a first run, ctest starts with the longest tests: the duration of the last run predicts better than counts.
  expected=0 last_total=0 last_seconds=0
  [ "$kind" = ninja ] || [ ! -s "$log.seconds" ] || read -r last_total last_seconds <"$log.seconds" || true
  exec 3>"$log" 2>/dev/null
  while true; do
    IFS= read -r -t 1 part && status=0 || status=$?
    line+=$part
    # A status above 128 is a timeout of read in the middle of a line.
    if [ $status -eq 0 ] || { [ $status -le 128 ] && [ -n "$line" ]; }; then
      printf '%s\n' "$line" >&3
      follow_line || true
      line=''
      [ "$total" != "$last_total" ] || expected=$last_seconds
    fi
    if [ $status -ne 0 ] && [ $status -le 128 ]; then break; fi
    if [ "$total" -gt 0 ] && [ $((SECONDS - shown)) -ge $interval ]; then
      shown=$SECONDS
      show_progress || true
    fi
  done
  seconds=$((SECONDS - begin))
  printf '%s' "$erase" || true
  [ "$seconds" -lt 10 ] || printf '  %d of %d %s in %s\n' "$finished" "$total" "$unit" "$(clock "$seconds")" || true
  [ "$kind" = ninja ] || [ "$finished" != "$total" ] || echo "$total $seconds" >"$log.seconds"
)
