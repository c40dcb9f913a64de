"""Compares CIFAR-10 with archives written by Python's tarfile and pickle from numpy arrays.

    test_cifar10.py TOOL      TOOL is the executable of peer_tool.cpp
"""

import io
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile

from googlenet_torch import numpy, safetensors

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COUNT = 300  # more file names than fit into a one-byte count


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes like Python 2's str."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        value = value.encode("latin-1") if isinstance(value, str) else value
        self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value if len(value) < 256 else
                   pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def pickled(value):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    content = file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    loaded = pickle.loads(content, encoding="bytes")  # checks that Python can read the content
    assert set(loaded) == {key.encode() for key in value}
    return content


def archive(path, files, tar_format):
    with tarfile.open(path, "w:gz", format=tar_format) as tar:
        folder = tarfile.TarInfo("cifar-10-batches-py")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo("cifar-10-batches-py/" + name)
            member.size = len(content)
            member.mtime = 1243890541.25  # a fraction makes PAX_FORMAT write an extended header
            tar.addfile(member, io.BytesIO(content))


def main(tool):
    random = numpy.random.default_rng(3)
    images = random.integers(0, 256, (6, COUNT, 3072), dtype=numpy.uint8)
    labels = random.integers(0, 10, (6, COUNT))
    batches = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]

    def python_files(array_of):
        files = {"batches.meta": pickled({"num_cases_per_batch": 10000, "label_names": NAMES, "num_vis": 3072})}
        for name, data, numbers in zip(batches, images, labels):
            files[name] = pickled({"batch_label": name, "labels": numbers.tolist(), "data": array_of(data),
                                   "filenames": [f"frog_s_{i:06}.png" for i in range(COUNT)]})
        return files

    binary_files = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for name, data, numbers in zip(batches, images, labels):
        binary_files[name + ".bin"] = numpy.concatenate([numbers[:, None].astype(numpy.uint8), data], 1).tobytes()

    cases = [("rows", python_files(numpy.ascontiguousarray), tarfile.GNU_FORMAT),
             ("columns", python_files(numpy.asfortranarray), tarfile.PAX_FORMAT),
             ("binary", binary_files, tarfile.USTAR_FORMAT)]
    expected = images.reshape(6, COUNT, 3, 32, 32).transpose(0, 1, 3, 4, 2)
    failed = 0
    for name, files, tar_format in cases:
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
