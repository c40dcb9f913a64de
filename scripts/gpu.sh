# Selects the GPUs that the CUDA kernels are built for. Sourced by quickstart.sh and test.sh.

least_cuda=12.0  # first nvcc that compiles C++20

# find_nvcc: prints the path of nvcc.
find_nvcc() {
  local nvcc
  for nvcc in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_PATH:-/usr/local/cuda}/bin/nvcc"; do
    if [ -n "$nvcc" ] && [ -x "$nvcc" ]; then
      echo "$nvcc"
      return
    fi
  done
  return 1
}

# cuda_version COMMAND...: prints the first CUDA version in the output of COMMAND.
cuda_version() {
  local text
  text=$("$@" 2>/dev/null) || true
  [[ $text =~ (release|CUDA( UMD)? Version:)\ *([0-9]+\.[0-9]+) ]] || return 1
  echo "${BASH_REMATCH[3]}"
}

# gpu_without_driver: succeeds if an NVIDIA GPU is on the PCI bus.
gpu_without_driver() {
  local device
  for device in "${PCI_DEVICES:-/sys/bus/pci/devices}"/*; do
    [ -r "$device/vendor" ] && [ -r "$device/class" ] || continue
    [[ $(cat "$device/vendor") == 0x10de && $(cat "$device/class") == 0x03* ]] && return 0
  done
  return 1
}

# toolkit_advice VERSION: prints how to install a CUDA toolkit of at least that version.
toolkit_advice() {
  local offered
  offered=$(LC_ALL=C apt-cache policy nvidia-cuda-toolkit 2>/dev/null || true)
  if [[ $offered =~ Candidate:\ ([0-9]+\.[0-9]+) ]] && at_least "${BASH_REMATCH[1]}" "$1"; then
    echo "install the package nvidia-cuda-toolkit (${BASH_REMATCH[1]})"
  else
    echo "install NVIDIA's CUDA toolkit $1 or later (tested with 13.0): https://developer.nvidia.com/cuda-downloads"
  fi
}

# try_nvcc NVCC ARCHITECTURE: compiles an empty kernel; sets complaint to the first line of nvcc's error.
try_nvcc() {
  local host=()
  [ -z "${CUDAHOSTCXX:-}" ] || host=(-ccbin "$CUDAHOSTCXX")
  mkdir -p "$logs"
  echo '__global__ void kernel() {}' >"$logs/kernel.cu"
  complaint=$("$1" -std=c++20 "${host[@]}" "-gencode=arch=compute_$2,code=sm_$2" -c -o "$logs/kernel.o" "$logs/kernel.cu" 2>&1) &&
    return
  complaint=${complaint%%$'\n'*}
  return 1
}

# choose_gpu: sets gpu_architectures to the CMAKE_CUDA_ARCHITECTURES of the GPUs found, gpu_name to their names and nvcc
# to its path. Fails if no GPU can be used; if one is present, gpu_problem says in one line why and what to do.
choose_gpu() {
  local answer line capability sm release driver index=0 usable=() visible=() refused='' complaint=''
  gpu_architectures='' gpu_name='' gpu_problem=''
  if [ -n "${CUDA_VISIBLE_DEVICES+set}" ] && [[ $CUDA_VISIBLE_DEVICES == '' || $CUDA_VISIBLE_DEVICES == -* ]]; then
    return 1
  fi
  if ! command -v nvidia-smi >/dev/null; then
    ! gpu_without_driver || gpu_problem="there is a GPU, but no driver: install NVIDIA's driver (Debian, Ubuntu: nvidia-driver)"
    return 1
  fi
  if ! answer=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>&1); then
    gpu_problem="no GPU is available: ${answer%%$'\n'*}"
    return 1
  fi
  while IFS= read -r line; do
    capability=${line//[[:space:]]/}
    if [[ $capability =~ ^([0-9]+)\.([0-9])$ ]]; then
      sm=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
      if [ "$sm" -ge 80 ]; then
        usable+=("$sm")
        visible+=("$index")
      else
        refused=$capability
      fi
      index=$((index + 1))
    elif [ -n "$capability" ]; then
      refused=${refused:-$line}
      index=$((index + 1))
    fi
  done <<<"$answer"
  if [ ${#usable[@]} -eq 0 ]; then
    [ -z "$refused" ] || gpu_problem="the GPU has compute capability $refused, but the CUDA kernels need 8.0 or later"
    return 1
  fi

  local least=$least_cuda newest
  mapfile -t usable < <(printf '%s\n' "${usable[@]}" | sort -nu)
  newest=${usable[-1]}
  [ "$newest" -lt 100 ] || least=13.0  # first toolkit that supports all of them
  if ! nvcc=$(find_nvcc); then
    gpu_problem="there is a GPU (compute capability ${newest%?}.${newest: -1}), but no nvcc: $(toolkit_advice "$least")"
    return 1
  fi
  release=$(cuda_version "$nvcc" --version) || release=unknown
  if [ "$release" != unknown ] && ! at_least "$release" "$least_cuda"; then
    gpu_problem="$nvcc is from CUDA $release, which cannot compile C++20: $(toolkit_advice "$least")"
    return 1
  fi
  # Within a major version, older drivers run programs built with newer toolkits.
  if driver=$(cuda_version nvidia-smi) && [ "$release" != unknown ] && [ "${driver%%.*}" -lt "${release%%.*}" ]; then
    gpu_problem="the driver supports CUDA $driver but $nvcc is from CUDA $release: install a newer driver, or the CUDA toolkit $driver"
    return 1
  fi
  for sm in "${usable[@]}"; do
    if ! try_nvcc "$nvcc" "$sm"; then
      gpu_problem="$nvcc (CUDA $release) does not compile for compute capability ${sm%?}.${sm: -1}: $complaint; set CUDAHOSTCXX to another host compiler, or $(toolkit_advice "$least")"
      return 1
    fi
  done

  gpu_architectures=$(printf '%s-real;' "${usable[@]}")
  gpu_architectures=${gpu_architectures%;}
  gpu_name=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null || true)
  gpu_name=${gpu_name//$'\n'/, }
  # Hides GPUs that are too old: programs use the first visible one.
  if [ -n "$refused" ] && [ -z "${CUDA_VISIBLE_DEVICES:-}" ]; then
    export CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES
    CUDA_VISIBLE_DEVICES=$(IFS=,; echo "${visible[*]}")
  fi
}
