"""Reads compiled CUDA kernels with NVIDIA's cuobjdump and nvdisasm: resources, instructions, the main loop.

cuobjdump and nvdisasm come from the CUDA toolkit, or from scripts/cuda_tools.sh.
"""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

SHARED_RESERVED = 1024  # bytes of shared memory in each block, from compute capability 8.0
ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Resources:
    registers: int
    shared: int  # static, bytes
    stack: int   # bytes per thread: spilled registers, and arrays with dynamic indices


@dataclasses.dataclass(frozen=True)
class Instruction:
    address: int
    opcode: str          # "HMMA.16816.F32.BF16"
    target: int = None   # address of a branch's target


class ToolMissing(Exception):
    pass


def tool(name):
    """The path of a tool of the CUDA toolkit."""
    toolkit = pathlib.Path(os.environ.get("CUDA_PATH", "/usr/local/cuda"))
    installed = sorted(ROOT.glob(f"build/cuda-tools/lib/python3*/site-packages/nvidia/*/bin/{name}"))
    for path in [*installed, toolkit / "bin" / name, shutil.which(name)]:
        if path and os.access(path, os.X_OK):
            return str(path)
    raise ToolMissing(f"{name} was not found: run scripts/cuda_tools.sh, or put the CUDA toolkit's on the PATH")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[:500]}")
    return done.stdout


def demangled(symbols):
    """{symbol: name} with names as those of launches: without namespaces, return type and parameters."""
    names = run(["c++filt"], input="".join(s + "\n" for s in symbols)).splitlines()
    return {symbol: short_name(name) for symbol, name in zip(symbols, names)}


def short_name(name):
    """"void minception::cuda::cast<float, minception::bf16, 4>(...)" -> "cast<float, bf16, 4>"."""
    name = re.sub(r"^void ", "", name)
    name = re.sub(r"\b(minception|cuda|simt)::|\(anonymous namespace\)::", "", name)
    depth = 0
    for i, c in enumerate(name):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            return name[:i]
    return name


def parse_resources(text):
    """{(architecture, symbol): Resources} from the output of `cuobjdump --dump-resource-usage`."""
    found, architecture, symbol = {}, None, None
    for line in text.splitlines():
        if match := re.match(r"arch = sm_(\w+)", line):
            architecture = match[1]
        elif match := re.match(r"\s*Function (\S+):", line):
            symbol = match[1]
        elif match := re.match(r"\s*REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", line):
            registers, stack, shared, local = map(int, match.groups())
            if int(re.match(r"\d+", architecture)[0]) >= 90:  # includes what the system reserves in each block
                shared = max(0, shared - SHARED_RESERVED)
            found[architecture, symbol] = Resources(registers, shared, stack + local)
    return found


def parse_code(text):
    """{symbol: [Instruction]} from the output of `nvdisasm -c`."""
    kernels, labels, symbol, pending = {}, {}, None, []
    for line in text.splitlines():
        if match := re.match(r"\.text\.(\S+):$", line):
            symbol, labels, pending = match[1], {}, []
            kernels[symbol] = code = []
        elif symbol and (match := re.match(r"(\.L\w+):", line)):
            pending.append(match[1])
        elif symbol and (match := re.match(r"\s*/\*([0-9a-f]+)\*/\s+(?:@!?U?P\w+ )?\s*([A-Z][\w.]*)(.*)", line)):
            address = int(match[1], 16)
            for label in pending:
                labels[label] = address
            pending = []
            branch = re.search(r"`\((\.L\w+)\)", match[3]) if match[2].startswith(("BRA", "JMP")) else None
            code.append((address, match[2], branch and branch[1], labels))
    return {symbol: [Instruction(address, opcode, labels.get(label)) for address, opcode, label, labels in code]
            for symbol, code in kernels.items()}


TENSOR = re.compile(r"(H|I|D|B|Q|O|HG|QG|IG|BG|UTCH|UTCQ|UTCI|UTCO)MMA$")
KINDS = ("tensor", "float", "integer", "convert", "shared", "global", "control", "other")
OF_KIND = {
    "float": "FFMA FFMA2 FADD FADD2 FMUL FMUL2 FMNMX FMNMX3 FSEL FSET FSETP FCHK MUFU DADD DMUL DFMA DSETP "
             "HADD2 HMUL2 HFMA2 HMNMX2 HSET2 HSETP2",
    "integer": "IADD IADD3 IMAD IMUL IMNMX IABS IDP ISETP ISCADD LEA LOP3 LOP PLOP3 SHF SHL SHR PRMT POPC FLO BREV "
               "BMSK SGXT BFE BFI VIADD VIADDMNMX VIMNMX VIMNMX3 VABSDIFF XMAD",
    "convert": "F2F F2FP F2I F2IP I2F I2FP I2I I2IP FRND",
    "shared": "LDS LDSM",
    "global": "LDG LDGSTS LD UTMALDG UBLKCP",
    "control": "BRA BRX JMP CALL RET EXIT BAR BSSY BSYNC BREAK BMOV WARPSYNC NANOSLEEP YIELD DEPBAR LDGDEPBAR SYNCS "
               "ARRIVES WARPGROUP ERRBAR MEMBAR NOP VOTE ELECT",
}
KIND_OF = {opcode: kind for kind, opcodes in OF_KIND.items() for opcode in opcodes.split()}


def kind(opcode):
    """The kind of an instruction. "other" are stores, moves and constants, also those written as arithmetic."""
    base, _, modifiers = opcode.partition(".")
    if TENSOR.match(base):
        return "tensor"
    if (base, modifiers.partition(".")[0]) in {("IMAD", "MOV"), ("HFMA2", "MMA")}:
        return "other"
    if base in KIND_OF:
        return KIND_OF[base]
    return "integer" if base.startswith("U") and base[1:] in KIND_OF and KIND_OF[base[1:]] == "integer" else "other"


def main_loop(code):
    """The instructions of the main loop, or [].

    A loop is what lies between a backward branch and its target. Of the loops with tensor instructions (if there are
    none: with FFMA), those count that contain no other such loop; the main loop is the one with the most of them.
    """
    for works in (lambda i: kind(i.opcode) == "tensor", lambda i: i.opcode.startswith("FFMA")):
        loops = {}
        for branch in code:
            if branch.target is not None and branch.target <= branch.address:
                body = [i for i in code if branch.target <= i.address <= branch.address]
                if work := sum(map(works, body)):
                    loops[branch.target, branch.address] = (work, body)
        inner = [(begin, end) for begin, end in loops
                 if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in loops)]
        if inner:
            return max((loops[span] for span in inner), key=lambda loop: (loop[0], -len(loop[1])))[1]
    return []


def count_kinds(code):
    counts = dict.fromkeys(KINDS, 0)
    for instruction in code:
        counts[kind(instruction.opcode)] += 1
    return counts


def local_bytes(code):
    """Bytes per thread that the instructions store to and load from local memory, each counted once."""
    bytes_of = {"STL": 0, "LDL": 0}
    for instruction in code:
        base, *modifiers = instruction.opcode.split(".")
        if base in bytes_of:
            bits = next((int(m.lstrip("US")) for m in modifiers if re.fullmatch(r"[US]?(8|16|64|128)", m)), 32)
            bytes_of[base] += bits // 8
    return bytes_of["STL"], bytes_of["LDL"]


def resources_of(objects):
    """{(architecture, symbol): (Resources, object)} of object files."""
    found = {}
    for path in objects:
        for key, resources in parse_resources(run([tool("cuobjdump"), "--dump-resource-usage", str(path)])).items():
            found[key] = (resources, path)
    return found


def cubins(path, folder):
    """{architecture: cubin}, extracted from an object file into `folder`."""
    run([tool("cuobjdump"), "-xelf", "all", str(path)], cwd=folder)
    return {re.search(r"\.sm_(\w+)\.cubin$", cubin.name)[1]: cubin for cubin in pathlib.Path(folder).glob("*.cubin")}


def code_of(path, architecture):
    """{symbol: [Instruction]} of an object file."""
    with tempfile.TemporaryDirectory() as folder:
        return parse_code(run([tool("nvdisasm"), "-c", str(cubins(path.resolve(), folder)[architecture])]))


def compiler_of(path):
    """The version of the nvcc that made an object file: "13.0.88"."""
    with tempfile.TemporaryDirectory() as folder:
        for cubin in cubins(path.resolve(), folder).values():
            if match := re.search(rb"Cuda compilation tools, release [\d.]+, V([\d.]+)", cubin.read_bytes()):
                return match[1].decode()
    return "unknown"
