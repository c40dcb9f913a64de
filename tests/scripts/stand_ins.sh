# Stand-ins for programs that scripts call. Sourced by the tests of the scripts.

# test_folder FOLDER: sets folder to FOLDER and empties it. Refuses an existing folder that it did not create.
test_folder() {
  if [ -e "$1" ] && [ ! -e "$1/.made-by-a-test" ]; then
    echo "$1 already exists and was not created by a test: choose another folder" >&2
    exit 1
  fi
  rm -rf "$1"
  mkdir -p "$1"
  touch "$1/.made-by-a-test"
  folder=$(cd "$1" && pwd)
}

# only_tools FOLDER: makes FOLDER/bin with the tools of every system; from then on PATH contains only this folder.
only_tools() {
  local tool
  rm -rf "${1:?}/bin"
  mkdir -p "$1/bin"
  for tool in awk basename bash cat chmod cp cut date df dirname env grep gzip head id ls md5sum mkdir mktemp mv nproc rm sed setsid sleep \
    sort tail touch tr true wc; do
    ln -s "$(command -v "$tool")" "$1/bin/$tool"
  done
  stand_ins=$1/bin
  PATH=$stand_ins
  hash -r
}

# stand_in NAME: creates a program NAME from the bash script on standard input.
stand_in() {
  rm -f "$stand_ins/$1"
  { echo '#!/bin/bash'; cat; } >"$stand_ins/$1"
  chmod +x "$stand_ins/$1"
}

# expect WHAT TEXT PATTERN: fails unless TEXT matches PATTERN in [[ ]].
expect() {
  # shellcheck disable=SC2053
  if [[ $2 != $3 ]]; then
    printf '%s:\n%s\ndoes not match\n%s\n' "$1" "$2" "$3" >&2
    exit 1
  fi
}
