"""The package: version, stubs, and other libraries in one process."""

import ast
import builtins
import pathlib
import subprocess
import sys

import minception
import pytest

FOLDER = pathlib.Path(minception.__file__).parent
ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_version_is_that_of_the_project():
    assert f"project(minception VERSION {minception.__version__} " in (ROOT / "CMakeLists.txt").read_text()


def test_available_devices():
    assert minception.available_devices()[-2:] == ["cpu", "reference"]


def test_stubs_describe_everything():
    assert (FOLDER / "py.typed").exists()
    tree = ast.parse((FOLDER / "_minception.pyi").read_text())
    defined = {node.name: node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    missing = [name for name in minception.__all__ if name not in defined]
    assert missing == []
    conv = next(node for node in defined["Conv2d"].body if getattr(node, "name", "") == "__init__")
    assert [argument.arg for argument in conv.args.args] == ["self", "out_channels", "kernel"]
    assert "padding" in [argument.arg for argument in conv.args.kwonlyargs]


def test_everything_public_is_documented():
    undocumented = [name for name in minception.__all__ if not getattr(minception, name).__doc__]
    assert undocumented == []


@pytest.mark.parametrize("order", [("torch", "minception"), ("minception", "torch")])
def test_pytorch_in_the_same_process(order, weights):
    """Two libraries with threads of their own: both compute, in turns and at the same time."""
    code = f"""
import {order[0]}, {order[1]}
import threading
import numpy as np
torch.set_num_threads(2)
x = torch.rand(64, 1, 28, 28)
w = torch.rand(32, 1, 3, 3)
classifier = minception.Classifier({str(weights)!r})
first, conv = classifier.logits(x), torch.nn.functional.conv2d(x, w)
def check():
    for _ in range(5):
        assert torch.equal(classifier.logits(x), first)
        torch.testing.assert_close(torch.nn.functional.conv2d(x, w), conv)
check()
threads = [threading.Thread(target=check) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("both agree")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout == "both agree\n", done.stderr


def test_names_in_the_stubs_are_defined():
    tree = ast.parse((FOLDER / "_minception.pyi").read_text())
    known = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            known |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            known.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            known.add(node.target.id)
    assert {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - known == set()
