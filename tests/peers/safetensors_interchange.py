"""Exchanges files with the Python package safetensors, in both directions.

    safetensors_interchange.py TOOL     TOOL is the executable of safetensors_tool.cpp

- Python writes, we rewrite: Python reads the same content, and the bytes are equal.
- We write a fixed set of tensors: Python reads the expected values.
- Files that Python rejects are rejected by us.

Tested with safetensors 0.8.0, numpy and torch. Exit code 77 if one of them is missing.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    import safetensors
    import safetensors.numpy
    import safetensors.torch
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torch and `pip install safetensors==0.8.0`")
    sys.exit(77)

failures = 0


def check(condition, what):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}")


def run(tool, *arguments):
    return subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def contents(path):
    """Names, dtypes, shapes and bits of all tensors, and the metadata, as read by the Python package."""
    with safetensors.safe_open(path, framework="pt") as file:
        result = {}
        for name in file.keys():
            tensor = file.get_tensor(name)
            bits = tensor.contiguous().flatten()
            if bits.dtype == torch.bfloat16:
                bits = bits.view(torch.int16)
            result[name] = (tensor.dtype, tuple(tensor.shape), bits.numpy().tobytes())
        return result, file.metadata() or {}


def python_files():
    """Files written by Python: name -> bytes."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    network = {
        "conv1.conv.weight": normal(64, 3, 7, 7),
        "inception3a.branch2.0.conv.weight": normal(96, 192, 1, 1),
        "conv1.bn.num_batches_tracked": torch.tensor(12345),
        "fc.bias": normal(10).to(torch.bfloat16),
        "fc.weight": normal(10, 1024).to(torch.float16),
        "double": normal(5).double(),
        "labels": torch.arange(-3, 4, dtype=torch.int32),
        "pixels": torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16),
        "special": torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0]),
        "empty": torch.zeros(0, 3),
        "empty.too": torch.zeros(2, 0, dtype=torch.uint8),
        "scalar": torch.tensor(0.1, dtype=torch.float64),
        "quote\" back\\slash \n \u00e9 \u5c64": torch.ones(1),
    }
    arrays = {
        "float32": numpy.linspace(-1, 1, 7, dtype=numpy.float32),
        "float64": numpy.array(numpy.pi),
        "float16": numpy.array([[1.5, -0.0]], dtype=numpy.float16),
        "int64": numpy.array([-(2**63), 2**63 - 1]),
        "int32": numpy.array([[[7]]], dtype=numpy.int32),
        "uint8": numpy.arange(3, dtype=numpy.uint8),
        "rank8": numpy.ones((1, 2, 1, 2, 1, 2, 1, 2), dtype=numpy.float32),
    }
    return {
        "torch": safetensors.torch.save(network),
        # Only one metadata entry: the package writes several in no fixed order.
        "torch with metadata": safetensors.torch.save(network, metadata={"classes": "[\"T-shirt\",\"\u00c9t\u00e9\"]"}),
        "numpy": safetensors.numpy.save(arrays),
        "nothing": safetensors.numpy.save({}),
        "many": safetensors.numpy.save({f"t{i}": numpy.full(i % 5, i, dtype=numpy.float32) for i in range(300)}),
    }


def from_python(tool, folder):
    for name, written in python_files().items():
        source, rewritten = folder / "python", folder / "rewritten"
        source.write_bytes(written)
        result = run(tool, "rewrite", source, rewritten)
        check(result.returncode == 0, f"{name}: rejected: {result.stderr.strip()}")
        if result.returncode == 0:
            check(contents(rewritten) == contents(source), f"{name}: Python reads different contents after our rewrite")
            check(rewritten.read_bytes() == written, f"{name}: our bytes differ from Python's")

    several = {"b": "2", "a": "1", "format": "pt"}
    source.write_bytes(safetensors.torch.save({"w": torch.ones(2)}, metadata=several))
    check(run(tool, "rewrite", source, rewritten).returncode == 0, "several metadata entries: rejected")
    check(contents(rewritten)[1] == several, "several metadata entries: Python reads different metadata after our rewrite")


def to_python(tool, folder):
    made = folder / "made"
    check(run(tool, "make", made).returncode == 0, "make failed")
    bfloat16 = torch.tensor([[1.0, -2.5], [0.0078125, 1e30]]).to(torch.bfloat16)
    expected = {
        "f32": torch.tensor([[0.0, -1.5, 3.25], [1e-40, 3e38, 0.1]]),
        "f64": torch.tensor([0.1, -1e300, 5e-324], dtype=torch.float64),
        "bf16": bfloat16,
        "f16": torch.tensor([1.0, -2.5, 65504.0], dtype=torch.float16),
        "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "i64": torch.tensor([-(2**63)]),
        "u8": torch.tensor([[[0], [128], [255]]], dtype=torch.uint8),
        "scalar": torch.tensor(42),
        "empty": torch.zeros(3, 0, 2),
        "\u5c64.weight": torch.tensor([7.0]),
    }
    reference = folder / "reference"
    reference.write_bytes(safetensors.torch.save(expected, metadata={"classes": "[\"T-shirt/top\",\"\u00c9t\u00e9\"]"}))
    check(contents(made) == contents(reference), "our file has different values from Python's")
    check(made.read_bytes() == reference.read_bytes(), "our file has different bytes from Python's")


def malformed_files():
    def file(header, data=b"data"):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def tensor(dtype="U8", shape=(4,), offsets=(0, 4), **others):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **others}

    good = file({"w": tensor()})
    yield "empty", b""
    yield "seven bytes", good[:7]
    yield "length only", good[:8]
    yield "cut in the header", good[:30]
    yield "cut in the data", good[:-1]
    yield "trailing data", good + b"!"
    yield "length of all ones", b"\xff" * 8 + good[8:]
    yield "header over the limit", struct.pack("<Q", 100_000_001) + good[8:]
    yield "list", file(b"[]", b"")
    yield "invalid JSON", file(b"{\"w\":}", b"")
    yield "two objects", file(b"{}{}", b"")
    yield "zero byte after the object", file(b"{}\0\0", b"")
    yield "invalid UTF-8", file(b"{\"\xff\":" + json.dumps(tensor()).encode() + b"}")
    yield "lone surrogate", file(b"{\"\\ud800\":" + json.dumps(tensor()).encode() + b"}")
    yield "metadata with numbers", file({"__metadata__": {"k": 1}}, b"")
    yield "metadata is a list", file({"__metadata__": []}, b"")
    yield "no description", file({"w": 1})
    yield "no dtype", file({"w": {"shape": [4], "data_offsets": [0, 4]}})
    yield "no shape", file({"w": {"dtype": "U8", "data_offsets": [0, 4]}})
    yield "no offsets", file({"w": {"dtype": "U8", "shape": [4]}})
    yield "unknown dtype", file({"w": tensor("U9")})
    yield "lower-case dtype", file({"w": tensor("u8")})
    yield "negative extent", file({"w": tensor(shape=(-4,))})
    yield "fractional extent", file({"w": tensor(shape=(4.0,))})
    yield "huge extent", file({"w": tensor(shape=(2**64,))})
    yield "product that wraps around", file({"w": tensor(shape=(2**62 + 1, 4))})
    yield "bytes that wrap around", file({"w": tensor("F64", (2**61,), (0, 0))}, b"")
    yield "reversed offsets", file({"w": tensor(offsets=(4, 0))})
    yield "negative offset", file({"w": tensor(offsets=(-4, 0))})
    yield "three offsets", file({"w": tensor(offsets=(0, 4, 4))})
    yield "shape beyond the range", file({"w": tensor(shape=(5,))})
    yield "shape below the range", file({"w": tensor(shape=(3,))})
    yield "range beyond the data", file({"w": tensor(shape=(5,), offsets=(0, 5))})
    yield "gap at the start", file({"w": tensor(shape=(3,), offsets=(1, 4))})
    yield "gap between tensors", file({"a": tensor(shape=(1,), offsets=(0, 1)), "b": tensor(shape=(2,), offsets=(2, 4))})
    yield "overlap", file({"a": tensor(shape=(3,), offsets=(0, 3)), "b": tensor(shape=(2,), offsets=(2, 4))})
    yield "two tensors at the same offsets", file({"a": tensor(), "b": tensor()})
    yield "data without tensors", file({})


def refused_alike(tool, folder):
    accepted_by_python = []
    for name, content in malformed_files():
        path, rewritten = folder / "malformed", folder / "never"
        path.write_bytes(content)
        try:
            safetensors.torch.load(content)
            accepted_by_python.append(name)
        except Exception:  # SafetensorError, or other types for some files
            pass
        result = run(tool, "rewrite", path, rewritten)
        check(result.returncode == 1, f"malformed, {name}: exit code {result.returncode}, expected 1")
        check(result.stderr.startswith(f"{path}: ") and result.stderr.count("\n") == 1,
              f"malformed, {name}: expected one line with the file name, got {result.stderr!r}")
        check(not rewritten.exists(), f"malformed, {name}: something was written")
    check(not accepted_by_python, f"Python accepts these files, so they are not malformed: {accepted_by_python}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: safetensors_interchange.py TOOL")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        from_python(sys.argv[1], folder)
        to_python(sys.argv[1], folder)
        refused_alike(sys.argv[1], folder)
    if failures:
        sys.exit(1)
    print(f"interchange with safetensors {safetensors.__version__}: all files agree")


main()
