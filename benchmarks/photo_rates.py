"""Measures how fast 12-megapixel photos are loaded, compared with PIL, and how fast training reads them from a cache.

    photo_rates.py BIN [COUNT [SMALL]]      BIN is the folder of the programs

Creates COUNT photos (default 60), which share four files, and SMALL images (default 0) of 64x64. Prints Markdown tables of
photos per second and of memory. PIL decodes on one thread, at full size and with its reduced decoding (`Image.draft`); `train`
decodes on all threads. Memory is the anonymous memory of the process (RssAnon), without the cache file. Needs Pillow and NumPy.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import numpy
from PIL import Image

SIZE = 96


def photo(seed):
    """A smooth 4000x3000 picture with camera noise, about 3 MB as JPEG."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:3000, 0:4000].astype(numpy.float32)
    waves = [127 + 90 * numpy.sin(x / random.uniform(90, 900) + k) * numpy.cos(y / random.uniform(90, 900)) for k in range(3)]
    noise = random.normal(0, 6, (3000, 4000, 1)).astype(numpy.float32)
    return Image.fromarray((numpy.stack(waves, 2) + noise).clip(0, 255).astype(numpy.uint8))


def make(folder, count):
    files = [folder / f"{k}.jpg" for k in range(4)]
    for k, file in enumerate(files):
        photo(k).save(file, quality=90)
    for i in range(count):
        path = folder / "photos" / "ab"[i % 2] / f"{i:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(files[i % 4], path)
    return sorted((folder / "photos").rglob("*.jpg")), sum(file.stat().st_size for file in files) / 4e6


def make_small(folder, count):
    random = numpy.random.default_rng(0)
    for i in range(count):
        path = folder / "small" / f"{i % 10}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        tile = random.integers(0, 256, (4, 4, 3), numpy.uint8)
        tile[i % 10 % 4, i % 10 // 4] = 255
        Image.fromarray(tile).resize((64, 64), Image.NEAREST).save(path, quality=85)


def pil_rate(paths, draft):
    start = time.monotonic()
    for path in paths:
        with Image.open(path) as image:
            if draft:
                image.draft("RGB", (2 * SIZE, 2 * SIZE))
            image.convert("RGB").resize((SIZE, SIZE), Image.BILINEAR)
    return len(paths) / (time.monotonic() - start)


def memory(process):
    """Anonymous memory of the process in MiB."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def train(programs, folder, images, *options):
    """Seconds until the images are loaded, images per second of the last epoch, and the largest memory in MiB."""
    start = time.monotonic()
    command = [programs / "train", "--data", f"folder:{folder / images}", "--out", folder / "run", "--overwrite", *options]
    loaded, rate, most = 0.0, 0.0, [0.0]

    def watch(process):
        while process.poll() is None:
            most[0] = max(most[0], memory(process))
            time.sleep(0.2)

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        threading.Thread(target=watch, args=(process,), daemon=True).start()
        for line in process.stdout:
            if line.startswith("folder:"):
                loaded = time.monotonic() - start
            if line.startswith("epoch"):
                rate = float(line.split(" images/s")[0].split()[-1])
    if process.returncode != 0:
        sys.exit(f"train exited with code {process.returncode}")
    return loaded, rate, most[0]


def main(programs, count, small):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        paths, megabytes = make(folder, count)
        some = paths[:8]
        pil_rate(some, False)  # warm up
        rows = [("PIL, full size, 1 thread", pil_rate(some, False)), ("PIL, reduced, 1 thread", pil_rate(some, True))]
        threads = len(os.sched_getaffinity(0))
        defaults = ("--image-size", str(SIZE), "--epochs", "3")
        loaded, resident, _ = train(programs, folder, "photos", *defaults)
        rows.append((f"train, decoding into memory, {threads} threads", count / loaded))
        loaded, _, held = train(programs, folder, "photos", *defaults, "--cache", folder / "cache")
        rows.append((f"train, decoding into a cache, {threads} threads", count / loaded))
        rows.append(("training, images in memory", resident))
        for loaders in (1, 2):
            loaded, rate, _ = train(programs, folder, "photos", *defaults, "--cache", folder / "cache", "--num-workers", str(loaders))
            rows.append((f"training from the cache, {loaders} loader threads", rate))
        rows.append(("loading from the cache", count / loaded))
        print(f"{count} photos of 4000x3000, {megabytes:.1f} MB each, to {SIZE}x{SIZE}\n\n| | photos/s |\n| --- | --- |")
        for name, rate in rows:
            print(f"| {name} | {rate:.1f} |")
        print(f"\nmemory of the run that builds the cache: {held:.0f} MiB")
        if small > 0:
            make_small(folder, small)
            print(f"\n{small} images of 64x64, an epoch of googlenet_small\n\n| | images/s | memory, MiB |\n| --- | --- | --- |")
            options = ("--model", "googlenet_small", "--batch-size", "128", "--epochs", "1")
            for name, extra in (("in memory", ()), ("cache, first run", ("--cache", folder / "small_cache")),
                                ("cache, 1 loader thread", ("--cache", folder / "small_cache")),
                                ("cache, 2 loader threads", ("--cache", folder / "small_cache", "--num-workers", "2"))):
                _, rate, held = train(programs, folder, "small", *options, *extra)
                print(f"| {name} | {rate:.0f} | {held:.0f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60, int(sys.argv[3]) if len(sys.argv) > 3 else 0)
