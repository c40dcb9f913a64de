# Debian and Ubuntu packages and other requirements of a build. Sourced by lib.sh.

# Configuring with Debian's oneDNN needs OpenCL headers, which its package only recommends.
build_packages=(g++ cmake ninja-build libcli11-dev libdnnl-dev libgif-dev libjpeg-dev libpng-dev libtiff-dev libwebp-dev
  nlohmann-json3-dev ocl-icd-opencl-dev zlib1g-dev)
onnx_packages=(libonnx-dev libprotobuf-dev protobuf-compiler)  # optional: Ubuntu may lack them

least_gcc=11 least_cmake=3.22
compiler_mib=900  # memory of the compiler for the largest source, with a reserve

as_root=()
apt_lists=/var/lib/apt/lists
apt_refreshed=

# become_root FOR: sets as_root, or prints the command for an administrator.
become_root() {
  [ "$(id -u)" -ne 0 ] && [ ${#as_root[@]} -eq 0 ] || return 0
  local hint="ask an administrator to run 'apt-get install -y --no-install-recommends $1', then run this again"
  command -v sudo >/dev/null || die "installing packages needs root, but sudo was not found: $hint"
  # Asks for the password here, where the user sees the prompt.
  sudo -n true 2>/dev/null || sudo -v || die "sudo refuses: $hint"
  as_root=(sudo)
}

# missing_packages NAME...: sets missing to the packages that are not installed.
missing_packages() {
  local package
  missing=()
  for package in "$@"; do
    # Several architectures print several lines. Reads all of them, so that no pipe is closed early.
    [[ $(dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null) == *"ok installed"* ]] || missing+=("$package")
  done
}

# apt_offers NAME: succeeds if apt can install the package according to its current lists.
apt_offers() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [0-9] ]]; }

# refresh_apt FOR: updates apt's lists, once.
refresh_apt() {
  [ -z "$apt_refreshed" ] || return 0
  become_root "$1"
  quietly "${as_root[@]}" apt-get update || die "apt-get update failed (see the lines above): check the network and /etc/apt"
  apt_refreshed=1
}

# install_packages NAME...: installs missing packages. Without apt-get, prints their names.
install_packages() {
  local missing package unknown=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'This system is not Debian or Ubuntu: make sure that the software in these packages is installed: %s\n' "$*"
    return
  fi
  missing_packages "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  refresh_apt "${missing[*]}"
  for package in "${missing[@]}"; do apt_offers "$package" || unknown+=("$package"); done
  [ ${#unknown[@]} -eq 0 ] ||
    die "apt does not offer ${unknown[*]}: Debian 12 and later have them in main, Ubuntu 22.04 and later in universe (add-apt-repository universe)"
  say "Installing ${missing[*]}"
  become_root "${missing[*]}"
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install ${missing[*]} (see the lines above)"
}

# install_optional WITHOUT NAME...: the same for optional packages, which not every system has; WITHOUT describes the
# effect of leaving them out.
install_optional() {
  local without=$1 missing package offered=() unknown=()
  shift
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
  missing_packages "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "This user cannot install packages, and ${missing[*]} is missing: $without"
    return
  fi
  # Updates the lists only if there are none: a package that the system lacks must not cause an update in every run.
  compgen -G "$apt_lists/*_Packages*" >/dev/null || refresh_apt "${missing[*]}"
  for package in "${missing[@]}"; do
    if apt_offers "$package"; then offered+=("$package"); else unknown+=("$package"); fi
  done
  [ ${#unknown[@]} -eq 0 ] || echo "This system has no package ${unknown[*]}: $without"
  [ ${#offered[@]} -eq 0 ] || install_packages "${offered[@]}"
}

# at_least VERSION LEAST: succeeds if VERSION is LEAST or newer.
at_least() { sort -V -C <<<"$2"$'\n'"$1"; }

# check_tools: checks the versions of compiler and CMake; dies before a build that would fail.
check_tools() {
  local compiler=${CXX:-c++} macros version
  # CXX may also contain options.
  # shellcheck disable=SC2086
  macros=$($compiler -dM -E -x c++ /dev/null 2>/dev/null) ||
    die "the compiler '$compiler' does not run: install g++, or set CXX to a C++20 compiler"
  if [[ $macros != *__clang__* && $macros =~ __GNUC__\ ([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -lt "$least_gcc" ]; then
    die "$compiler is GCC ${BASH_REMATCH[1]}, but C++20 needs GCC $least_gcc or later: install one and set CXX, for instance CXX=g++-12"
  fi
  command -v cmake >/dev/null || die "cmake not found: install CMake $least_cmake or later"
  command -v ninja >/dev/null || die "ninja not found: install it (Debian: ninja-build)"
  version=$(cmake --version)
  version=${version#cmake version }
  version=${version%%[!0-9.]*}
  at_least "$version" "$least_cmake" || die "cmake is version $version, but this project needs $least_cmake or later"
}

# check_disk MIB: dies if the build folder has less free space than that.
check_disk() {
  local free
  mkdir -p "$root/build" || die "$root/build cannot be written"
  free=$(($(df -Pk "$root/build" | awk 'NR == 2 {print $4}') / 1024))
  [ "$free" -ge "$1" ] || die "$root/build has $free MiB of disk space left, but the build needs $1 MiB"
}

# free_memory: prints the MiB available to processes, limited by the kernel and the container.
free_memory() {
  local free limit=max
  free=$(awk '$1 == "MemAvailable:" {print int($2 / 1024)}' /proc/meminfo 2>/dev/null || true)
  free=${free:-1048576}
  [ ! -r /sys/fs/cgroup/memory.max ] || limit=$(cat /sys/fs/cgroup/memory.max)
  [ "$limit" = max ] || [ $((limit / 1048576)) -ge "$free" ] || free=$((limit / 1048576))
  echo "$free"
}

# fit_memory: limits parallel compilations if memory is short.
fit_memory() {
  [ -z "${CMAKE_BUILD_PARALLEL_LEVEL:-}" ] || return 0
  local free jobs
  free=$(free_memory)
  jobs=$((free / compiler_mib))
  [ "$jobs" -ge 1 ] ||
    echo "Only $free MiB of memory are free, but the compiler needs up to $compiler_mib MiB: the build may run out of memory"
  if [ "$jobs" -lt $(($(nproc) + 2)) ]; then
    export CMAKE_BUILD_PARALLEL_LEVEL=$((jobs > 1 ? jobs : 1))
    echo "$free MiB of memory are free: compiling $CMAKE_BUILD_PARALLEL_LEVEL at a time"
  fi
}
