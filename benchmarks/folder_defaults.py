"""Measures the default options of `train --data folder:PATH` on folders of many sizes.

    folder_defaults.py BIN [SET]...      BIN is the folder of the tools; SET is a name from SETS (default: all)

Creates each folder, trains on it with three seeds and prints a Markdown table: the defaults, the accuracy of the last
epoch on held-out images, and the training time. Needs Pillow and NumPy, and Fashion-MNIST for the sets of clothes
(Debian: dataset-fashion-mnist).
"""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image, ImageDraw

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ((255, 80, 80), (80, 255, 80), (90, 90, 255), (255, 255, 70), (240, 240, 240))
GROUNDS = ((0, 0, 0), (90, 30, 0), (0, 70, 60), (60, 0, 90), (80, 80, 80))
SEEDS = 3


def draw(random, shape, ground, fill):
    image = Image.new("RGB", (64, 64), tuple(map(int, ground)))
    canvas, fill = ImageDraw.Draw(image), tuple(map(int, fill))
    x, y, s = map(int, (random.integers(18, 46), random.integers(18, 46), random.integers(8, 17)))
    if shape == "circle":
        canvas.ellipse((x - s, y - s, x + s, y + s), fill=fill)
    elif shape == "square":
        canvas.rectangle((x - s, y - s, x + s, y + s), fill=fill)
    elif shape == "triangle":
        canvas.polygon(((x, y - s), (x - s, y + s), (x + s, y + s)), fill=fill)
    else:
        canvas.line((x - s, y, x + s, y), fill=fill, width=5)
        canvas.line((x, y - s, x, y + s), fill=fill, width=5)
    return image


def shapes(random, classes):
    """One image per class: 2 or 4 classes differ in shape; 100 differ in shape, colour and background, with noise."""
    for c in range(classes):
        if classes <= 4:
            yield SHAPES[c], draw(random, SHAPES[c], random.integers(0, 90, 3), random.integers(140, 256, 3))
        else:
            noise = random.integers(-25, 26, 6)
            ground, fill = GROUNDS[c // 4 % 5] + noise[:3], COLOURS[c // 20] + noise[3:]
            yield f"{c:02}", draw(random, SHAPES[c % 4], ground.clip(0, 255), fill.clip(0, 255))


def write_shapes(root, classes, train, test, seed):
    random = numpy.random.default_rng(seed)
    for part, count in (("train", train), ("test", test)):
        for i in range(count // classes):
            for name, image in shapes(random, classes):
                folder = root / part / name
                folder.mkdir(parents=True, exist_ok=True)
                image.save(folder / f"{i}.png")


def write_clothes(root, classes, train, test, seed):
    for part, prefix, count in (("train", "train", train), ("test", "t10k", test)):
        with gzip.open(FASHION / f"{prefix}-images-idx3-ubyte.gz") as file:
            pixels = numpy.frombuffer(file.read()[16:], numpy.uint8).reshape(-1, 28, 28)
        with gzip.open(FASHION / f"{prefix}-labels-idx1-ubyte.gz") as file:
            labels = numpy.frombuffer(file.read()[8:], numpy.uint8)
        order = numpy.random.default_rng(seed).permutation(len(labels))
        for c in range(classes):
            folder = root / part / str(c)
            folder.mkdir(parents=True)
            for i in order[labels[order] == c][:count // classes]:
                Image.fromarray(pixels[i]).save(folder / f"{i}.png")


#        name: writer, classes, training images, test images
SETS = {"shapes-10": (write_shapes, 2, 10, 200), "shapes-100": (write_shapes, 4, 100, 200),
        "shapes-1000": (write_shapes, 4, 1000, 1000), "shapes-1000-100": (write_shapes, 100, 1000, 1000),
        "shapes-10000-100": (write_shapes, 100, 10000, 1000), "clothes-10": (write_clothes, 2, 10, 1000),
        "clothes-100": (write_clothes, 10, 100, 1000), "clothes-1000": (write_clothes, 10, 1000, 1000),
        "clothes-10000": (write_clothes, 10, 10000, 10000)}


def main(programs, names):
    print("| images | classes | defaults | test accuracy, three seeds | chance | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for name in names or SETS:
        write, classes, train, test = SETS[name]
        accuracies, seconds, defaults = [], [], ""
        for seed in range(1, SEEDS + 1):
            with tempfile.TemporaryDirectory() as folder:
                root = pathlib.Path(folder)
                write(root / "images", classes, train, test, seed)
                start = time.monotonic()
                done = subprocess.run([programs / "train", "--data", f"folder:{root / 'images'}", "--seed", str(seed), "--out",
                                       root / "run"], capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(f"{name}: {done.stderr}")
                seconds.append(time.monotonic() - start)
                defaults = done.stdout.split("\n")[0].split(": ", 1)[1]
                lines = map(json.loads, (root / "run/metrics.jsonl").read_text().splitlines())
                accuracies.append([line["test_accuracy"] for line in lines if "test_accuracy" in line][-1])
        print(f"| {train:,} ({name.split('-')[0]}) | {classes} | `{defaults}` | "
              f"{', '.join(f'{accuracy:.3f}' for accuracy in accuracies)} | {1 / classes:.2f} | "
              f"{sum(seconds) / SEEDS:.0f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(SETS):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
