#!/usr/bin/env bash
# gpu_first_contact.sh FOLDER: runs scripts/gpu_check.sh as on a machine with a GPU, with stand-ins for the packed
# programs, nvidia-smi, compute-sanitizer and python3, through everything that can go wrong there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/stand_ins.sh"
test_folder "$1"
usual_path=$PATH
only_tools "$folder"
for tool in ln readlink tar timeout uname; do
  PATH=$usual_path ln -s "$(PATH=$usual_path command -v "$tool")" "$stand_ins/"
done

checkout=$folder/checkout
mkdir -p "$checkout/build" "$folder/programs" "$folder/does"
cp -r "$here/../../scripts" "$checkout/"
cd "$checkout"
logs=build/gpu-logs summary=benchmarks/results/gpu-summary.md
export CUDA_PATH=$folder/no-toolkit DRIVER_VERSION=$folder/driver-version
unset RESULTS PYTHON CUDACXX CUDA_VISIBLE_DEVICES CIFAR10 GPU_CHECK

# A program does what $folder/does/NAME says, or succeeds.
for program in minception_ptx_record minception_cuda_tests minception_vendor_tests minception_cuda_network_tests \
  minception_cuda_training_tests kernel_speed step_speed train; do
  cat >"$folder/programs/$program" <<SH
#!/bin/bash
[ ! -e "$folder/does/$program" ] || . "$folder/does/$program"
case $program in
  *ptx_record) echo '{"device": "NVIDIA Test", "outputs": {}}' ;;
  *) echo "All tests passed (\$*)" ;;
esac
SH
  chmod +x "$folder/programs/$program"
done
echo abc1234 >"$folder/programs/commit"
echo 90 >"$folder/programs/architectures"

# fresh: a machine on which nothing is wrong.
fresh() {
  rm -rf build benchmarks/results tests "$folder/does" "$stand_ins/nvidia-smi" "$stand_ins/compute-sanitizer"
  mkdir -p build/gpu-programs "$folder/does"
  tar -czf build/gpu-programs/programs.tar.gz -C "$folder/programs" .
  stand_in nvidia-smi <<'SH'
case "$*" in
  -L) echo "GPU 0: NVIDIA Test (UUID: GPU-1)" ;;
  *=name*) echo "NVIDIA Test" ;;
  *driver*) echo 580.65 ;;
  *compute_cap*) echo 9.0 ;;
  *memory.total*) echo "81559 MiB" ;;
esac
SH
  stand_in compute-sanitizer <<<'echo "========= ERROR SUMMARY: 0 errors ($*)"'
  stand_in python3 <<'SH'
case "$*" in
  *"import torch"*) exit 1 ;;
  *json.load*) [[ $(cat "${@: -1}") == *'}' ]] ;;
  *compare_pytorch*) echo "minception 100 images/s" ;;
esac
SH
}
# does PROGRAM: from now on PROGRAM runs the bash commands on standard input first.
does() { cat >"$folder/does/$1"; }

# check STAGE EXIT_CODE: runs a stage; sets output and page (the summary).
check() {
  local status=0
  output=$(scripts/gpu_check.sh "$1" 2>&1) || status=$?
  page=$(cat "$summary" 2>/dev/null || echo none)
  if [ "$status" -ne "$2" ]; then
    printf '%s\n%s\nexit code %s of stage %s, expected %s\n' "$output" "$page" "$status" "$1" "$2" >&2
    exit 1
  fi
}

fresh
check all 0
expect "all is well" "$page" '# GPU check: * passed, 0 failed, * skipped*Finished at *| GPU | NVIDIA Test |*| compute capability | 9.0 |*81559 MiB*580.65*'
expect "parts" "$page" '*start/ptx*tests/operations*tests/vendor*memcheck/memcheck-tf32*racecheck/racecheck-bf16*kernels/kernels*train/train-f32*classic/classic*published/nin*'
expect "no PyTorch" "$page" '*## Skipped*- train/pytorch: python3 has no PyTorch*'
expect "no CIFAR-10" "$page" '*- published/cifar10: CIFAR10 is not set*'
expect "what to send" "$page" '*Send ?build/gpu-results.tar.gz? to*'
expect "archive" "$(tar -tzf build/gpu-results.tar.gz)" '*gpu-logs/operations.log*gpu-tests.json*gpu-summary.md*'
expect "sharded" "$(cat $logs/memcheck-f32.log)" '*--tool memcheck --error-exitcode 9 */minception_cuda_tests cuda: f32 gives the same bits*'
[ -s tests/simt/golden/ptx.json ]

rm "$stand_ins/compute-sanitizer"
check memcheck 0
expect "no compute-sanitizer" "$page" '*- memcheck/memcheck-bf16: compute-sanitizer, part of the CUDA toolkit, was not found on the PATH*'
expect "stages of earlier calls" "$page" '*tests/operations*'

fresh
does minception_vendor_tests <<<'echo "SKIPPED: cuDNN is not installed"; exit 77'
check tests 0
expect "exit status 77" "$page" '* 0 failed, 1 skipped*- tests/vendor: SKIPPED: cuDNN is not installed*'
rm "$folder/programs/minception_vendor_tests"
fresh
check tests 0
expect "packed without cuDNN" "$page" '*- tests/vendor: the programs were packed on a machine without cuDNN*'
cp "$folder/programs/train" "$folder/programs/minception_vendor_tests"

fresh
does minception_cuda_network_tests <<<'echo "train: out of memory: needs 9000 MiB, 200 MiB are free"; exit 1'
check tests 1
expect "small memory" "$page" '*1 failed*## Failed*tests/networks?? failed with exit code 1*gpu-logs/networks.log*needs 9000 MiB, 200 MiB are free*tests/training*'
expect "in the JSON" "$(cat benchmarks/results/gpu-tests.json)" '*"networks", "result": "failed with exit code 1"*needs 9000 MiB*"training", "result": "passed"*'
does minception_cuda_network_tests <<<'kill -SEGV $$'
check tests 1
expect "crash" "$page" '*tests/networks?? crashed (signal 11)*'
does minception_cuda_network_tests <<<'kill -KILL $$'
check tests 1
expect "killed" "$page" '*tests/networks?? was killed (signal 9: out of host memory?)*'

does kernel_speed <<<'printf "\e[31m\"red\"\e[0m|x" ; echo "{}" >"${@: -1}"; exit 3'
check kernels 1
expect "results of a part" "$(cat benchmarks/results/gpu-kernels.json)" '*exit code 3*"summary": "?31mred?0mx", "detail": {}}*'
does kernel_speed <<<'echo "{\"results\": [" >"${@: -1}"; exit 3'
check kernels 1
expect "half a JSON" "$(cat benchmarks/results/gpu-kernels.json)" '*exit code 3*"detail": null}*'

fresh
real_timeout=$(readlink "$stand_ins/timeout")
rm "$stand_ins/timeout"
printf '#!/bin/bash\n[ "$1" != --kill-after=10 ] || [ "$2" != 150 ] || set -- --kill-after=0.3 0.3 "${@:3}"\nexec %s "$@"\n' "$real_timeout" >"$stand_ins/timeout"
chmod +x "$stand_ins/timeout"
does minception_cuda_tests <<<'echo begun; sleep 60'
check tests 1
expect "time limit" "$page" '*tests/operations?? took more than 150 s*begun*## Passed*tests/networks*'
rm "$stand_ins/timeout"
ln -s "$real_timeout" "$stand_ins/timeout"

fresh
stand_in nvidia-smi <<'SH'
case "$*" in
  -L) printf 'GPU 0: NVIDIA Test (UUID: GPU-1)\n  MIG 1g.10gb     Device  0: (UUID: MIG-2)\n' ;;
  *=name*) echo "NVIDIA Test" ;;
  *) echo "[N/A]" ;;
esac
SH
check tests 0
expect "MIG" "$page" '*| GPU | NVIDIA Test (MIG slice 1g.10gb) |*The GPU is divided (MIG)*'
rm "$stand_ins/nvidia-smi"
echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build" >"$DRIVER_VERSION"
check tests 0
expect "no nvidia-smi" "$page" '*| GPU | unknown |*| driver | 580.65.06 |*nvidia-smi was not found*'
stand_in nvidia-smi <<<'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18'
check tests 0
expect "nvidia-smi fails" "$page" '*nvidia-smi failed: Failed to initialize NVML*'

fresh
does minception_ptx_record <<<'echo "minception_ptx_record: no GPU is available: CUDA driver version is insufficient (the driver supports CUDA 12.4, and this build needs 13.0); install a newer driver"; exit 1'
check all 1
expect "old driver" "$page" '*# GPU check: 0 passed, 1 failed*Stopped: the programs cannot use a GPU here: *install a newer driver, or pack with an older CUDA toolkit.*start/ptx*## Not run yet*tests memcheck*'
expect "error" "$output" '*gpu_check.sh: the programs cannot use a GPU here: *'
stand_in nvidia-smi <<<'[ "$1" = -L ] && echo "GPU 0: NVIDIA Other" || echo 8.6'
does minception_ptx_record <<<'echo "the GPU NVIDIA Other (compute capability 8.6, driver 13.0) is not supported by this build, which was made for 9.0: configure it"; exit 1'
check tests 1
expect "architecture not packed" "$page" '*| programs | commit abc1234, built for 90 |*'
expect "advice" "$page" '*On the machine with nvcc: scripts/gpu_check.sh pack 86; then copy build/gpu-programs*'
does minception_ptx_record <<<'echo "no GPU is available: none was found"; exit 77'
check tests 1
expect "no GPU" "$page" '*Stopped: *none was found*'

fresh
rm build/gpu-programs/programs.tar.gz
check tests 1
expect "no archive" "$page" '*Stopped: build/gpu-programs/programs.tar.gz is missing, and there is no nvcc to build it*gpu_check.sh pack 90; then copy build/gpu-programs*'
for damage in 'half an archive' ''; do
  echo "$damage" >build/gpu-programs/programs.tar.gz
  check tests 1
  expect "damaged archive" "$page" '*Stopped: build/gpu-programs/programs.tar.gz cannot be unpacked (*): copy it again*'
done

# An end in the middle of a part leaves a true summary: SIGINT and SIGTERM are handled, SIGKILL cannot be.
for signal in INT TERM HUP KILL; do
  fresh
  does minception_cuda_network_tests <<<"echo \$\$ >$folder/running; exec sleep 60"
  rm -f "$folder/running"
  # Bash ignores SIGINT in the background, and a script cannot undo that.
  env --default-signal=INT setsid scripts/gpu_check.sh tests >"$folder/output" 2>&1 &
  script=$!
  for ((i = 0; i < 100; ++i)); do
    [ ! -s "$folder/running" ] || break
    sleep 0.1
  done
  running=$(cat "$folder/running")
  kill -"$signal" "$script"
  status=0 begin=$SECONDS
  wait "$script" 2>/dev/null || status=$?
  page=$(cat "$summary")
  if [ "$signal" = KILL ]; then
    kill "$running"
    expect "SIGKILL" "$page" '*Running tests/networks since *tests/operations*'
  else
    [ "$status" -eq 130 ] || { cat "$folder/output" >&2; echo "exit code $status after SIG$signal" >&2; exit 1; }
    [ $((SECONDS - begin)) -lt 40 ] || { echo "SIG$signal waited for the running program" >&2; exit 1; }
    expect "SIG$signal" "$page" '*Interrupted while running tests/networks since*tests/operations*'
    ! kill -0 "$running" 2>/dev/null || { echo "a program still runs after SIG$signal" >&2; exit 1; }
    [ -s build/gpu-results.tar.gz ]
  fi
done

fresh
mkdir -p benchmarks
echo file >benchmarks/results
check tests 1
expect "read-only results" "$output" '*benchmarks/results cannot be written: set RESULTS to another folder*'
fresh
mkdir -p benchmarks/results
ln -s /dev/full benchmarks/results/gpu-tests.json.part
does minception_cuda_tests <<<'rm -f benchmarks/results/gpu-tests.json.part; ln -s /dev/full benchmarks/results/gpu-tests.json.part'
does minception_cuda_training_tests <<<'ln -sf /dev/full benchmarks/results/gpu-tests.json.part; ln -sf /dev/full benchmarks/results/gpu-summary.md.part'
check tests 1
expect "full disk" "$output" '*cannot be written (disk full?): the check goes on*The summary, because *could not be written*# GPU check: *tests/training*'

fresh
stand_in python3 <<<'exit 1'
check train 0
expect "no Python" "$page" '*- train/train: python3 does not run: set PYTHON*'
echo "first contact is rehearsed"
