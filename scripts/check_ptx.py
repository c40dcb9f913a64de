#!/usr/bin/env python3
"""Compiles the CUDA kernels to PTX and checks what nvcc made of them.

    scripts/check_ptx.py [--nvcc FILE] [--arch sm_90] [SOURCE...]      default: all of kernels/cuda

  - No access to generic memory: it is slower than one to global or shared memory. nvcc uses it where it loses the address
    space of a pointer, for instance of one that is selected from several kernel arguments.
  - No local memory: nvcc puts an array there that is indexed by a variable.
  - In load_batch, which draws the augmentation in double, the only fused multiply-adds are those of the source, because
    all devices must draw the same.

Needs nvcc but no GPU. Two minutes on two cores. The exit status is 1 if a check fails.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-ptx", "-O3", "-std=c++20", "--expt-relaxed-constexpr", "--extended-lambda", "-diag-suppress=554", f"-I{ROOT}"]
SPACES = {"global", "shared", "shared::cta", "local", "param", "const"}
MEMORY = {"ld", "ldu", "st", "atom", "red"}
FUSED_IN_LOAD_BATCH = 2  # kernels/augmentation.h, draw_resized_crop


def instructions(body):
    """(opcode, its dot-separated parts, operands) of each instruction."""
    for line in body.splitlines():
        match = re.match(r"\s*(?:@!?%p\d+\s+)?([a-z][\w.:]*)\s+(.*);", line)
        if match:
            yield match[1], match[1].split("."), re.findall(r"%\w+", match[2])


def faults(name, body):
    generic, fused, products = [], 0, set()
    for opcode, parts, operands in instructions(body):
        if parts[0] in MEMORY and not SPACES.intersection(parts):
            generic.append(opcode)
        if "load_batch" not in name:
            continue
        if opcode == "fma.rn.f64":
            fused += 1
        elif opcode == "mul.f64":
            products.add(operands[0])
        elif opcode in ("add.f64", "sub.f64") and products.intersection(operands[1:]):
            yield f"{opcode} of a product, which ptxas may fuse: write std::fma"
    if generic:
        yield f"{len(generic)} accesses to generic memory ({generic[0]}): the address space of a pointer is lost"
    if re.search(r"^\s*\.local\b", body, re.MULTILINE):
        yield "local memory: an array is indexed by a variable"
    if "load_batch" in name and fused != FUSED_IN_LOAD_BATCH:
        yield f"{fused} fused multiply-adds in double, but the source has {FUSED_IN_LOAD_BATCH}"


def check(source, nvcc, arch):
    """Number of kernels in the source, and the faults found."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.ptx"
        command = [nvcc, *FLAGS, f"-arch={arch}", str(source), "-o", str(out)]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            return 0, [f"{source}: nvcc fails: {compiled.stderr.strip()}"]
        ptx = out.read_text()
    kernels = re.split(r"^(?:\.visible |\.weak )*\.entry ", ptx, flags=re.MULTILINE)[1:]
    found = []
    for kernel in kernels:
        name = re.match(r"\w+", kernel)[0]
        found += [f"{source.name}: {name}: {fault}" for fault in faults(name, kernel)]
    return len(kernels), found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=pathlib.Path)
    parser.add_argument("--nvcc", default=shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc")
    parser.add_argument("--arch", default="sm_90")
    arguments = parser.parse_args()
    sources = arguments.sources or sorted((ROOT / "kernels/cuda").glob("*.cu"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda source: check(source, arguments.nvcc, arguments.arch), sources))
    found = [fault for _, faults_of_source in results for fault in faults_of_source]
    print("\n".join(found + [f"{sum(count for count, _ in results)} kernels for {arguments.arch}, {len(found)} faults"]))
    sys.exit(1 if found or not any(count for count, _ in results) else 0)


if __name__ == "__main__":
    main()
