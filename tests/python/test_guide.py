"""Runs the examples of docs/python.md."""

import pathlib
import re

import minception as mc
import numpy as np
import PIL.Image
import torch
import torchvision

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_first_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name, channel in (("cat", 0), ("dog", 2)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 100, (40, 48, 3), np.uint8)
            pixels[..., channel] += 120
            PIL.Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.jpg")
    (tmp_path / "cat.jpg").write_bytes((tmp_path / "pictures" / "cat" / "0.jpg").read_bytes())
    exec(BLOCKS[0].replace("size=96", "size=32"), {})
    printed = capsys.readouterr().out
    assert "epoch 10/10  train loss" in printed
    assert re.search(r"^cat (0\.\d+) \[\('cat', \1\), \('dog', 0\.", printed, re.MULTILINE)
    assert "Evaluation(samples=16, " in printed and "top1=1.0000" in printed


def test_state_dicts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = BLOCKS[1].replace('weights="DEFAULT"', "weights=None, init_weights=False")
    scope = {"torchvision": torchvision, "mc": mc}
    exec(code, scope)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    theirs = scope["theirs"].eval()
    theirs.transform_input = True  # as for torchvision's trained weights
    with torch.no_grad():
        expected = theirs(x)
    for model in (scope["model"], mc.Model.load("googlenet.safetensors")):
        assert (model.logits(x) - expected).norm() <= 1e-4 * expected.norm()


def test_single_layers(capsys):
    exec(BLOCKS[2], {"torch": torch, "mc": mc})
    assert "all agree" in capsys.readouterr().out
