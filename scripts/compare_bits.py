#!/usr/bin/env python3
"""Checks that two commits compute the same bits.

    scripts/compare_bits.py OLD NEW [--work FOLDER] [--json FILE]

Builds both commits on this machine in the cpu and the emulated cuda configuration, performs a fixed set of short runs
with each, and compares every loss and accuracy, every tensor of the final weights and checkpoints, the predictions, and
the counters of the kernels. Rates, times and the names of kernels are not compared. Needs Fashion-MNIST
(Debian: dataset-fashion-mnist), git and the build requirements. Takes about half an hour on two cores; --work keeps the
builds. The exit status is 1 if anything differs.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Option names that both commits accept. A later value of an option replaces an earlier one.
SMALL = ("--image-size 32 --limit-train 256 --limit-test 64 --batch-size 32 --epochs 2 --seed 5 --log-every 1 --device cpu "
         "--threads 2 ")
EMULATED = "--image-size 32 --limit-train 32 --limit-test 16 --batch-size 16 --epochs 1 --seed 5 --log-every 1 --device cuda "
TRAININGS = {
    "batch norm, SGD, one cycle, augmented": SMALL + "--model googlenet_bn --lr 0.05 --momentum 0.9 --nesterov "
        "--schedule one-cycle --lowest-momentum 0.85 --weight-decay 5e-4 --flip --crop-padding 2 --ema 0.9",
    "classic, step, clipped": SMALL + "--model googlenet --image-size 96 --limit-train 64 --lr 0.01 --momentum 0.9 "
        "--schedule step --step-epochs 1 --step-factor 0.5 --clip-norm 1 --label-smoothing 0.1",
    "AdamW, cosine, accumulated, bf16": SMALL + "--model googlenet_bn --optimizer adamw --lr 0.002 --compute bf16 "
        "--schedule cosine --lowest-lr 1e-5 --accumulate 2 --warmup-epochs 1 --epsilon 1e-7",
    "residual, resized crops": SMALL + "--model googlenet_residual --lr 0.05 --crop-area 0.3 --crop-aspect 1.5 "
        "--brightness 0.3 --contrast 0.2",
    "dropout": SMALL + "--model alexnet --image-size 96 --limit-train 64 --lr 0.01",
    "auxiliary heads, response normalization": SMALL + "--model googlenet_v1 --image-size 128 --limit-train 16 "
        "--limit-test 8 --batch-size 8 --lr 0.01",
    "reference": SMALL + "--model googlenet_small --limit-train 32 --epochs 1 --device reference --threads 0 --lr 0.05",
    "emulated, f32": EMULATED + "--model googlenet_small --lr 0.05 --momentum 0.9 --flip --crop-padding 2",
    "emulated, tf32": EMULATED + "--model googlenet --image-size 96 --limit-train 4 --limit-test 2 --batch-size 2 "
        "--compute tf32 --lr 0.01 --clip-norm 1",
    "emulated, bf16": EMULATED + "--model googlenet_small --compute bf16 --optimizer adamw --lr 0.002",
}
TIMES = {"examples_per_second", "seconds"}


def run(command, **options):
    print("+", " ".join(map(str, command)), flush=True)
    subprocess.run(list(map(str, command)), check=True, **options)


def build(commit, folder):
    """Folders of the tools in the cpu build and in the emulated build."""
    source = folder / "source"
    if not source.exists():
        run(["git", "clone", "--quiet", "--shared", ROOT, source])
    run(["git", "-C", source, "checkout", "--quiet", "--detach", commit])
    programs = {}
    for name, targets, options in (("cpu", ["train", "predict"], []),
                                   ("emulated", ["train", "kernel_counters"], ["-DMINCEPTION_CUDA=EMULATED"])):
        out = folder / name
        run(["cmake", "-S", source, "-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *options],
            stdout=subprocess.DEVNULL)
        run(["cmake", "--build", out, "--target", *targets], stdout=subprocess.DEVNULL)
        programs[name] = out / "bin"
    return programs


def tensors(path):
    """Name, type, shape and hash of the bytes of every tensor in a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: [entry["dtype"], entry["shape"],
                   hashlib.sha256(data[8 + length + entry["data_offsets"][0]:8 + length + entry["data_offsets"][1]]).hexdigest()]
            for name, entry in sorted(header.items())}


def words_of(options):
    """Splits options into words; a repeated option keeps its last value."""
    values = {}
    for option in options.split("--")[1:]:
        name, _, value = option.strip().partition(" ")
        values[name] = value
    return [word for name, value in values.items() for word in ([f"--{name}", value] if value else [f"--{name}"])]


def metrics(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines if line["event"] != "notice"]


def results(programs, folder):
    """All compared values, by name."""
    found = {}
    environment = dict(os.environ, OMP_NUM_THREADS="2")
    for name, options in TRAININGS.items():
        kind = "emulated" if options.startswith(EMULATED) else "cpu"
        words = words_of(options)
        out = folder / "runs" / re.sub(r"\W+", "-", name)
        run([programs[kind] / "train", *words, "--out", out, "--overwrite"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=environment)
        found[f"{name}: metrics"] = metrics(out / "metrics.jsonl")
        for file in sorted(out.rglob("*.safetensors")):
            found[f"{name}: {file.relative_to(out)}"] = tensors(file)
    counters = subprocess.run(
        [programs["emulated"] / "kernel_counters", "--model", "googlenet", "--image-size", "32", "--batch", "2"],
        check=True, capture_output=True, text=True, env=environment).stdout
    rows = [line.rsplit(None, 6)[1:-1] for line in counters.splitlines() if line.split()[-1:] and "." in line.split()[-1]]
    found["counters of a training step"] = sorted(row for row in rows if all(word.isdigit() for word in row))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="file for the compared values and their hashes")
    arguments = parser.parse_args()
    # Resolved here: in the clones, HEAD and branches name other commits.
    commits = [subprocess.run(["git", "-C", ROOT, "rev-parse", "--verify", name + "^{commit}"], check=True,
                              capture_output=True, text=True).stdout.strip() for name in (arguments.old, arguments.new)]
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or pathlib.Path(temporary)
        both = []
        for role, commit in zip(("old", "new"), commits):
            folder = work / role
            folder.mkdir(parents=True, exist_ok=True)
            both.append(results(build(commit, folder), folder))
    old, new = both
    differing = 0
    report = []
    for name in sorted(set(old) | set(new)):
        same = name in old and name in new and old[name] == new[name]
        differing += not same
        size = len(new.get(name, old.get(name)))
        report.append({"compared": name, "entries": size, "same": same,
                       "sha256": hashlib.sha256(json.dumps(new.get(name)).encode()).hexdigest()})
        print(f"{'same     ' if same else 'DIFFERENT'} {name} ({size} entries)")
    if arguments.json:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            processor = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
        arguments.json.write_text(json.dumps({"old": commits[0], "new": commits[1], "processor": processor,
                                              "compared": report}, indent=1) + "\n")
    print(f"{len(report)} compared, {differing} different")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
