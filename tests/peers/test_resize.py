"""Compares bilinear resize with PyTorch.

    test_resize.py TOOL      TOOL is the executable of peer_tool.cpp
"""

import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, Checks, safetensors, torch


def resize(tool, checks):
    generator = torch.Generator().manual_seed(2)
    for device in ("reference", "cpu"):
        for source, target in [((1, 28, 28), (96, 96)), ((1, 28, 28), (32, 32)), ((3, 20, 31), (17, 40)),
                               ((1, 28, 28), (28, 28)), ((2, 9, 5), (4, 13)), ((1, 1, 1), (5, 3)), ((1, 28, 28), (1, 1))]:
            images = torch.randint(0, 256, (3, *source), dtype=torch.uint8, generator=generator)
            with tempfile.TemporaryDirectory() as folder:
                given, result = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
                safetensors.numpy.save_file({"images": images.numpy()}, given)
                subprocess.run([tool, "resize", device, *map(str, target), given, result], check=True, timeout=60)
                ours = safetensors.numpy.load_file(result)["images"]
            theirs = F.interpolate(images.double() / 255, target, mode="bilinear", align_corners=False)
            checks.close("resize", f"({device}, {source} to {target})", ours, theirs.numpy(), 1e-6)


if __name__ == "__main__":
    all_checks = Checks()
    resize(sys.argv[1], all_checks)
    all_checks.finish()
