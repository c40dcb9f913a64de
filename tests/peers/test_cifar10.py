"""Compares CIFAR-10 with archives written by Python's tarfile from numpy arrays.

    test_cifar10.py TOOL      TOOL is the executable of peer_tool.cpp
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

from googlenet_torch import numpy, safetensors

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COUNT = 300


def archive(path, files, tar_format):
    with tarfile.open(path, "w:gz", format=tar_format) as tar:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo("cifar-10-batches-bin/" + name)
            member.size = len(content)
            member.mtime = 1243890541.25  # a fraction makes PAX_FORMAT write an extended header
            tar.addfile(member, io.BytesIO(content))


def main(tool):
    random = numpy.random.default_rng(3)
    images = random.integers(0, 256, (6, COUNT, 3072), dtype=numpy.uint8)
    labels = random.integers(0, 10, (6, COUNT))
    batches = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]

    files = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for name, data, numbers in zip(batches, images, labels):
        files[name] = numpy.concatenate([numbers[:, None].astype(numpy.uint8), data], 1).tobytes()

    cases = [("GNU", tarfile.GNU_FORMAT), ("PAX", tarfile.PAX_FORMAT), ("USTAR", tarfile.USTAR_FORMAT)]
    expected = images.reshape(6, COUNT, 3, 32, 32).transpose(0, 1, 3, 4, 2)
    failed = 0
    for name, tar_format in cases:
        with tempfile.TemporaryDirectory() as folder:
            prepacked, result = pathlib.Path(folder, "archive.tar.gz"), pathlib.Path(folder, "out")
            archive(prepacked, files, tar_format)
            subprocess.run([tool, "dataset", "cifar10", prepacked, result], check=True, timeout=60)
            ours = safetensors.numpy.load_file(result)
            with safetensors.safe_open(result, "numpy") as file:
                class_names = file.metadata()["class_names"]
        right = (numpy.array_equal(ours["train.pixels"], expected[:5].reshape(-1, 32, 32, 3)) and
                 numpy.array_equal(ours["train.labels"], labels[:5].ravel()) and
                 numpy.array_equal(ours["test.pixels"], expected[5]) and
                 numpy.array_equal(ours["test.labels"], labels[5]) and class_names.split() == NAMES)
        print(f"{name}: {'equal' if right else 'FAILED: the data sets differ'}")
        failed += not right
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1])
