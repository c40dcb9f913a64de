#!/usr/bin/env python3
"""What nvcc made of the CUDA kernels: registers, shared memory, spills, blocks per multiprocessor, main loops.

    benchmarks/kernel_report.py [--architectures 80,90] [--top 10] [KERNEL...]    prints a table; needs build/cuda
    benchmarks/kernel_report.py --check       compares with benchmarks/kernel_resources.txt; exit code 1: it differs
    benchmarks/kernel_report.py --update      rewrites that file

KERNEL selects the kernels whose names contain it. Exit code 77: the tools or the objects are missing.
"""
import argparse
import dataclasses
import pathlib
import re
import sys

import kernel_code
from kernel_code import ROOT, SHARED_RESERVED

RESOURCES = ROOT / "benchmarks/kernel_resources.txt"
LAUNCHES = ROOT / "benchmarks/kernel_launches.txt"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of one multiprocessor: CUDA Programming Guide, "Technical Specifications per Compute Capability"."""
    warps: int
    blocks: int
    shared: int        # KiB
    shared_block: int  # KiB


LIMITS = {
    "8.0": Limits(64, 32, 164, 163),
    "8.6": Limits(48, 16, 100, 99),
    "8.9": Limits(48, 24, 100, 99),
    "9.0": Limits(64, 32, 228, 227),
    "10.0": Limits(64, 32, 228, 227),
    "12.0": Limits(48, 24, 100, 99),
}
# The same for all of them. Granularities are those of cuda_occupancy.h of the CUDA toolkit.
REGISTERS = 65536           # of a multiprocessor
SCHEDULERS = 4              # each has a quarter of the registers
REGISTERS_PER_WARP = 256    # allocation granularity
SHARED_GRANULARITY = 128    # bytes


def round_up(value, unit):
    return -(-value // unit) * unit


def blocks_per_sm(limits, registers, shared, threads):
    """Resident blocks per multiprocessor; 0: such a block cannot be launched. `shared`: static and dynamic bytes."""
    warps = -(-threads // 32)
    if shared > limits.shared_block * 1024 or threads > 1024:
        return 0
    warp_registers = round_up(registers * 32, REGISTERS_PER_WARP)
    resident_warps = REGISTERS // SCHEDULERS // warp_registers * SCHEDULERS if registers else limits.warps
    return min(limits.blocks, limits.warps // warps, resident_warps // warps,
               limits.shared * 1024 // round_up(shared + SHARED_RESERVED, SHARED_GRANULARITY))


def by_number(architecture):
    """Sort key: "90", "90a", "100"."""
    return int(re.match(r"\d+", architecture)[0]), architecture


def capabilities(architecture):
    """The compute capabilities whose GPUs run code for an architecture: the same major, the same or a later minor; code
    for "90a" runs only on 9.0."""
    major, minor = divmod(by_number(architecture)[0], 10)
    return [c for c in LIMITS if int(c.split(".")[0]) == major and int(c.split(".")[1]) >= minor and
            (not architecture.endswith("a") or c == f"{major}.{minor}")]


def read_launches(text):
    """{kernel: [(threads, dynamic shared bytes)]} from the lines of the program kernel_launches."""
    launches = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            threads, shared, kernel = line.split(None, 2)
            launches.setdefault(kernel, []).append((int(threads), int(shared)))
    return launches


@dataclasses.dataclass(frozen=True)
class Line:
    """One kernel for one architecture, as in kernel_resources.txt; "-": not known."""
    architecture: str
    registers: str
    static: str
    dynamic: str
    threads: str
    spills: str  # bytes stored/loaded
    blocks: str  # per multiprocessor, for each of capabilities()
    kernel: str

    HEADS = ("code", "registers", "static", "dynamic", "threads", "spills", "blocks", "kernel")

    def cells(self):
        return (f"sm_{self.architecture}", self.registers, self.static, self.dynamic, self.threads, self.spills,
                self.blocks, self.kernel)


WIDTHS = (6, 9, 6, 7, 7, 9, 8)


def row(cells):
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS)) + " " + cells[len(WIDTHS)]


def write_table(lines, compiler):
    architectures = sorted({line.architecture for line in lines}, key=by_number)
    heads = ["# Registers, bytes of static and dynamic shared memory, threads per block, bytes of local memory",
             "# (stored/loaded), and resident blocks per multiprocessor of every CUDA kernel.",
             "# Made by benchmarks/kernel_report.py --update.",
             "# Blocks: " + "; ".join(f"sm_{a} on {'/'.join(capabilities(a))}" for a in architectures),
             f"# nvcc {compiler}", "# " + row(Line.HEADS)[2:]]
    return "\n".join(heads + [row(line.cells()) for line in lines]) + "\n"


def read_table(text):
    """(version of nvcc, [Line])"""
    compiler, lines = "unknown", []
    for line in text.splitlines():
        if line.startswith("# nvcc "):
            compiler = line.split()[2]
        elif line and not line.startswith("#"):
            cells = line.split(None, len(WIDTHS))
            lines.append(Line(cells[0].removeprefix("sm_"), *cells[1:]))
    return compiler, lines


def differences(expected, actual):
    """Sentences about the lines that differ."""
    key = lambda line: (line.architecture, line.kernel)
    old, new = {key(l): l for l in expected}, {key(l): l for l in actual}
    for k in sorted(old.keys() | new.keys(), key=lambda k: (by_number(k[0]), k[1])):
        name = f"sm_{k[0]} {k[1]}"
        if k not in new:
            yield f"{name}: no longer compiled"
        elif k not in old:
            yield f"{name}: new"
        elif changed := [f"{head} {before} -> {after}" for head, before, after
                         in zip(Line.HEADS, old[k].cells(), new[k].cells()) if before != after]:
            yield f"{name}: {', '.join(changed)}"


def make_line(architecture, kernel, resources, spills, shapes):
    """The line of a kernel, for the launch with the fewest blocks per multiprocessor."""
    def blocks(shape):
        threads, dynamic = shape
        return [blocks_per_sm(LIMITS[c], resources.registers, resources.shared + dynamic, threads)
                for c in capabilities(architecture)]
    shape = min(shapes, key=lambda s: (blocks(s), -s[0]), default=None)
    threads, dynamic = map(str, shape or ("-", "-"))
    return Line(architecture, str(resources.registers), str(resources.shared), dynamic, threads,
                "/".join(map(str, spills)), "/".join(map(str, blocks(shape))) if shape else "-", kernel)


def compiled_kernels(folder, architectures):
    """[(architecture, kernel, symbol, Resources, object)] of the objects whose sources still exist, and their nvcc."""
    objects = [o for o in sorted(folder.glob("kernels/CMakeFiles/*/cuda/*.cu.o"))
               if (ROOT / "kernels/cuda" / o.name.removesuffix(".o")).exists()]
    found = kernel_code.resources_of(objects)
    names = kernel_code.demangled(sorted({symbol for _, symbol in found}))
    kernels = [(architecture, names[symbol], symbol, resources, path)
               for (architecture, symbol), (resources, path) in found.items()
               if architecture in architectures or not architectures]
    kernels.sort(key=lambda kernel: (by_number(kernel[0]), kernel[1]))
    return kernels, kernel_code.compiler_of(objects[0]) if objects else "unknown"


class Code:
    """Disassembles each object once per architecture, when needed."""
    def __init__(self):
        self.cache = {}

    def of(self, kernel):
        architecture, _, symbol, _, path = kernel
        if (architecture, path) not in self.cache:
            self.cache[architecture, path] = kernel_code.code_of(path, architecture)
        return self.cache[architecture, path][symbol]

    def line(self, kernel, launches):
        architecture, name, _, resources, _ = kernel
        spills = kernel_code.local_bytes(self.of(kernel)) if resources.stack else (0, 0)
        return make_line(architecture, name, resources, spills, launches.get(name, []))


def report(kernels, launches, top):
    """A table in Markdown, most registers first, with the instructions of the main loop by kind."""
    code = Code()
    heads = [*Line.HEADS[-1:], *Line.HEADS[:-1], "loop", *kernel_code.KINDS]
    print("| " + " | ".join(heads) + " |\n| --- | --- " + "| ---: " * (len(heads) - 2) + "|")
    for kernel in sorted(kernels, key=lambda k: (by_number(k[0]), -k[3].registers, k[1]))[:top]:
        loop = kernel_code.main_loop(code.of(kernel))
        *cells, name = code.line(kernel, launches).cells()
        counts = kernel_code.count_kinds(loop).values()
        print("| " + " | ".join([f"`{name}`", *cells, str(len(loop)), *map(str, counts)]) + " |")


def check(lines, compiler, architectures):
    recorded, expected = read_table(RESOURCES.read_text())
    common = {l.architecture for l in expected} & architectures
    if not common:
        print("SKIPPED: build/cuda has no code for the architectures of benchmarks/kernel_resources.txt")
        return 77
    expected = [l for l in expected if l.architecture in common]
    found = list(differences(expected, [l for l in lines if l.architecture in common]))
    for line in found:
        print(line)
    print(f"{len(lines)} kernels: {len(found)} differ from benchmarks/kernel_resources.txt")
    if found and compiler != recorded:
        print(f"no failure: the file was made by nvcc {recorded}, these kernels by nvcc {compiler}")
        return 0
    if found:
        names = ','.join(sorted(common, key=by_number))
        print(f"If this is intended: benchmarks/kernel_report.py --update --architectures {names}")
    return 1 if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="part of the name of a kernel to print")
    parser.add_argument("--architectures", help="comma-separated, as 80,90; default: all of the build")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/cuda", help="folder of the build with nvcc")
    parser.add_argument("--top", type=int, help="print so many kernels of most registers")
    parser.add_argument("--check", action="store_true", help="compare with kernel_resources.txt")
    parser.add_argument("--update", action="store_true", help="rewrite kernel_resources.txt")
    o = parser.parse_args()
    architectures = set(o.architectures.split(",")) if o.architectures else set()
    try:
        kernels, compiler = compiled_kernels(o.build, architectures)
        if missing := architectures - {k[0] for k in kernels}:
            sys.exit(f"{o.build} has no code for {', '.join(sorted(missing))}: "
                     f"cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES='80-real;90-real' and build minception_kernels")
        if not kernels:
            print(f"SKIPPED: {o.build} has no compiled kernels: cmake --preset cuda && cmake --build build/cuda")
            return 77
        launches = read_launches(LAUNCHES.read_text())
        if not o.check and not o.update:
            report([k for k in kernels if not o.kernels or any(part in k[1] for part in o.kernels)], launches, o.top)
            return 0
        code = Code()
        lines = [code.line(kernel, launches) for kernel in kernels]
    except kernel_code.ToolMissing as missing:
        print(f"SKIPPED: {missing}")
        return 77
    if o.update:
        RESOURCES.write_text(write_table(lines, compiler))
        return 0
    return check(lines, compiler, {k[0] for k in kernels})


if __name__ == "__main__":
    sys.exit(main())
