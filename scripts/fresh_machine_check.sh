#!/usr/bin/env bash
# Runs the two commands of the README on a fresh machine: makes a minimal system with debootstrap, clones the committed
# HEAD into it and runs them there as a user would. Needs root, debootstrap and a mirror (that of this machine).
#
#   scripts/fresh_machine_check.sh [--user] [--quickstart | --stage=NAME | --run=SCRIPT] [--keep] [SUITE]
#       SUITE         default bookworm; trixie, or another suite of this machine's distribution
#       --user        run as a non-root user with sudo
#       --quickstart  only the first command
#       --stage=NAME  instead a stage of scripts/long_tests.sh, such as random with the suite's oneDNN
#       --run=SCRIPT  instead another script in scripts/. Its build/packages is kept in build/fresh/packages/SUITE, from
#                     where a later --run gets it (scripts/check_deb.sh)
#       --keep        keep the system in build/fresh/SUITE; by default it is removed at the end
#
# Prints the output of the commands and their duration, and logs it in build/fresh/logs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

usage() { die "usage: $0 [--user] [--quickstart | --stage=NAME | --run=SCRIPT] [--keep] [SUITE]"; }
user=root commands=(quickstart.sh test.sh) keep='' suite=bookworm
for argument in "$@"; do
  case $argument in
    --user) user=tester ;;
    --quickstart) commands=(quickstart.sh) ;;
    --stage=*) commands=("long_tests.sh ${argument#*=}") ;;
    --run=*) commands=("${argument#*=}") ;;
    --keep) keep=1 ;;
    [a-z]*) suite=$argument ;;
    *) usage ;;
  esac
done
[ "$(id -u)" -eq 0 ] || die "creating a system requires root"
command -v debootstrap >/dev/null || die "debootstrap not found: apt-get install debootstrap"

# Mounts and processes are in their own namespaces, so they end with this script in any case.
if [ -z "${FRESH_NAMESPACES:-}" ]; then
  FRESH_NAMESPACES=1 exec unshare --mount --propagation private --pid --fork --kill-child -- "$0" "$@"
fi
trap 'exit 143' TERM
check_disk 6000

# apt_sources: prints URI and suite of every source of this machine, one pair per line, from both formats.
apt_sources() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    awk '$1 == "deb" {sub(/\[[^]]*\]/, ""); print $2, $3}'
  cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk 'tolower($1) == "types:" {uris = ""}
         tolower($1) == "uris:" {uris = $2}
         tolower($1) == "suites:" {for (i = 2; i <= NF; ++i) print uris, $i}'
}

# mirror_of SUFFIX: prints the mirror of this machine's suite with that suffix.
mirror_of() { apt_sources | awk -v suite="$codename$1" '$2 == suite && !seen {print $1; seen = 1}'; }

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(mirror_of '')
[ -n "$mirror" ] || die "no mirror of $codename found in /etc/apt/sources.list or sources.list.d"
if [ -z "${http_proxy:-}" ]; then
  proxy=''
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -z "$proxy" ] || export http_proxy=$proxy
fi

system=$root/build/fresh/$suite
fresh_logs=$root/build/fresh/logs
[[ $(cat /proc/self/mounts) != *" $system/"* ]] || die "something is mounted in $system: unmount it first"
mkdir -p "$fresh_logs"
rm -rf --one-file-system "$system"
remove_system() {
  # Lazy unmount: processes left by an interrupted command keep files open until this script ends.
  umount --recursive --lazy "$system/dev" "$system/proc" 2>/dev/null || true
  if [[ $(cat /proc/self/mounts) == *" $system/"* ]]; then
    echo "$system is still mounted and was not removed" >&2
  elif [ -z "$keep" ]; then
    rm -rf --one-file-system "$system"
  fi
}
trap remove_system EXIT

say "Creating a minimal $suite from $mirror"
begin=$SECONDS
quietly debootstrap --variant=minbase "$suite" "$system" "$mirror" || die "debootstrap could not create $suite"
mount -t proc proc "$system/proc"
mount --bind /dev "$system/dev"
mkdir -p "$system/dev/shm" "$system/dev/pts"
mount -t tmpfs tmpfs "$system/dev/shm"
mount --bind /dev/pts "$system/dev/pts"

# Uses the mirrors of this machine.
for suffix in '' -updates -security; do
  uri=$(mirror_of "$suffix")
  [ -z "$uri" ] || echo "deb $uri $suite$suffix main"
done >"$system/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)[^ ]* "' | grep -v CaInfo >"$system/etc/apt/apt.conf.d/99host" || true
cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
variables=("HOME=/root" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "TERM=${TERM:-dumb}")
if [ -r "$certificates" ]; then
  cp -L "$certificates" "$system/etc/host-certificates.crt"
  echo 'Acquire::https::CaInfo "/etc/host-certificates.crt";' >>"$system/etc/apt/apt.conf.d/99host"
  variables+=({SSL_CERT_FILE,PIP_CERT,CURL_CA_BUNDLE}"=/etc/host-certificates.crt")
fi
for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_PROXY PIP_DEFAULT_TIMEOUT \
  CMAKE_BUILD_PARALLEL_LEVEL MINCEPTION_RANDOM_COUNT MINCEPTION_RANDOM_SEED; do
  [ -z "${!name:-}" ] || variables+=("$name=${!name}")
done
for settings in "${PIP_CONFIG_FILE:-}" ~/.config/pip/pip.conf ~/.pip/pip.conf /etc/pip.conf; do
  if [ -f "$settings" ]; then
    cp "$settings" "$system/etc/pip.conf"
    break
  fi
done

home=/root
if [ "$user" != root ]; then
  home=/home/$user
  quietly chroot "$system" env -i "${variables[@]}" DEBIAN_FRONTEND=noninteractive sh -c \
    "apt-get update && apt-get install -y --no-install-recommends sudo && useradd --create-home --shell /bin/bash $user" ||
    die "the user could not be created"
  echo "$user ALL=(ALL) NOPASSWD: ALL" >"$system/etc/sudoers.d/$user"
  variables[0]="HOME=$home"
fi
git clone --quiet --no-hardlinks "$root" "$system$home/minception"
packages=$root/build/fresh/packages/$suite
if [ -d "$packages" ]; then
  mkdir -p "$system$home/minception/build"
  cp -r "$packages" "$system$home/minception/build/packages"
fi
chroot "$system" chown -R "$user:" "$home/minception"
commit=$(git -C "$root" rev-parse --short HEAD)
summary=("minimal system: $((SECONDS - begin)) s")

failed=0
for command in "${commands[@]}"; do
  say "$suite, as $user: scripts/$command"
  begin=$SECONDS status=0 log=$fresh_logs/$suite-$user-${command%%.*}.log
  chroot --userspec="$user:$user" "$system" env -i "${variables[@]}" bash -c "cd $home/minception && scripts/$command" \
    2>&1 </dev/null | tee "$log" || status=$?
  [ $status -eq 0 ] || failed=1
  summary+=("scripts/$command: $((SECONDS - begin)) s, exit code $status, $(tail -n 1 "$log")")
done
if [ -d "$system$home/minception/build/packages" ]; then
  mkdir -p "$packages"
  cp "$system$home/minception/build/packages"/*.deb "$packages/"
fi
say "$suite, as $user, commit $commit, $(nproc) cores; the output is in $fresh_logs"
printf '%s\n' "${summary[@]}"
exit $failed
