"""How fast photos of 12 megapixels become training images, next to PIL, and how fast training reads them from a cache.

    photo_rates.py BIN [COUNT]      BIN is the folder of the programs; COUNT photos (60) are made

Prints a table in Markdown, in photos per second. PIL decodes on one thread, in full size and with its own reduced decoding
(`Image.draft`); `train` with one and with all threads. Needs Pillow and NumPy.
"""

import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image

SIZE = 96


def photo(seed):
    """A smooth picture with the noise of a camera, 4000x3000, some 3 MB as JPEG."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:3000, 0:4000].astype(numpy.float32)
    waves = [127 + 90 * numpy.sin(x / random.uniform(90, 900) + k) * numpy.cos(y / random.uniform(90, 900)) for k in range(3)]
    noise = random.normal(0, 6, (3000, 4000, 1)).astype(numpy.float32)
    return Image.fromarray((numpy.stack(waves, 2) + noise).clip(0, 255).astype(numpy.uint8))


def make(folder, count):
    files = []
    for k in range(4):
        content = io.BytesIO()
        photo(k).save(content, "JPEG", quality=90)
        files.append(content.getvalue())
    for i in range(count):
        path = folder / "photos" / "ab"[i % 2] / f"{i:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[i % 4])
    return sorted((folder / "photos").rglob("*.jpg")), sum(map(len, files)) / 4e6


def pil_rate(paths, draft):
    start = time.monotonic()
    for path in paths:
        with Image.open(path) as image:
            if draft:
                image.draft("RGB", (2 * SIZE, 2 * SIZE))
            image.convert("RGB").resize((SIZE, SIZE), Image.BILINEAR)
    return len(paths) / (time.monotonic() - start)


def train(programs, folder, *options):
    """Seconds until the images are loaded, and images per second of the last epoch."""
    start = time.monotonic()
    command = [programs / "train", "--data", f"folder:{folder / 'photos'}", "--image-size", str(SIZE), "--out",
               folder / "run", "--overwrite", *options]
    loaded, rate = 0.0, 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            if line.startswith("folder:"):
                loaded = time.monotonic() - start
            if line.startswith("epoch"):
                rate = float(line.split(" images/s")[0].split()[-1])
    if process.returncode != 0:
        sys.exit(f"train ended with {process.returncode}")
    return loaded, rate


def main(programs, count):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        paths, megabytes = make(folder, count)
        some = paths[:8]
        pil_rate(some, False)  # warm up
        rows = [("PIL, full size, 1 thread", pil_rate(some, False)), ("PIL, reduced, 1 thread", pil_rate(some, True))]
        threads = len(os.sched_getaffinity(0))
        defaults = ("--epochs", "3")
        loaded, resident = train(programs, folder, *defaults)
        rows.append((f"train, decoding into memory, {threads} threads", count / loaded))
        loaded, _ = train(programs, folder, *defaults, "--cache", folder / "cache")
        rows.append((f"train, decoding into a cache, {threads} threads", count / loaded))
        rows.append(("training, images in memory", resident))
        for loaders in (1, 2):
            loaded, rate = train(programs, folder, *defaults, "--cache", folder / "cache", "--loader-threads", str(loaders))
            rows.append((f"training from the cache, {loaders} loader threads", rate))
        rows.append(("loading from the cache", count / loaded))
        print(f"{count} photos of 4000x3000, {megabytes:.1f} MB each, to {SIZE}x{SIZE}\n\n| | photos/s |\n| --- | --- |")
        for name, rate in rows:
            print(f"| {name} | {rate:.1f} |")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 60)
