#!/usr/bin/env python3
"""Compares our inference of GoogLeNet with ONNX Runtime's and OpenVINO's of the exported file, in f32.

    build/onnx_peers/bin/python3 benchmarks/compare_onnx.py [--weights FILE] [--batch 1 32] [--threads 2] [--rounds 5]
                                                            [--json FILE]

scripts/onnx_environment.sh makes the environment; `step_speed` and `export` must be built in build/cpu. Without --weights the
model is `googlenet` with the weights of one training step on random images. The programs take turns, each a process of its own,
and the median of the rounds is printed, in images per second. Run it on an idle machine.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "cpu" / "bin"
SECONDS = 3.0  # per round


def time_runtime(name, path, batch, threads):
    """Images per second of a runtime; runs in a process of its own."""
    import numpy
    if name == "ONNX Runtime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        argument = session.get_inputs()[0]
        shape, infer = argument.shape, lambda x: session.run(None, {argument.name: x})
    else:
        import openvino
        model = openvino.Core().read_model(path)
        shape = [dimension.get_length() if dimension.is_static else "N" for dimension in model.input(0).partial_shape]
        model.reshape([batch, *shape[1:]])  # a fixed batch lets it choose its kernels
        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1,
                                                                "INFERENCE_NUM_THREADS": threads})
        infer = compiled.create_infer_request().infer
    x = numpy.random.default_rng(1).normal(size=(batch, *shape[1:])).astype(numpy.float32)
    feed = [x] if name == "OpenVINO" else x
    for _ in range(3):
        infer(feed)
    runs, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        infer(feed)
        runs += 1
    return batch * runs / (time.perf_counter() - begin)


def time_ours(model, size, channels, classes, batch, threads):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([BIN / "step_speed", "--mode", "infer", "--compute", "f32", "--device", "cpu", "--model", model,
                        "--image-size", size, "--channels", str(channels), "--classes", str(classes), "--batch", str(batch),
                        "--threads", str(threads), "--seconds", str(SECONDS), "--repetitions", "1", "--json", file.name],
                       check=True, capture_output=True)
        return json.loads(pathlib.Path(file.name).read_text())["images_per_s"]["median"]


def random_weights(folder):
    """The weights of googlenet after one step."""
    data = folder / "data"
    for label in "01":
        (data / label).mkdir(parents=True)
        for number in range(4):
            pixels = bytes((37 * (i + number) + 91 * int(label)) % 256 for i in range(96 * 96))
            (data / label / f"{number}.pgm").write_bytes(b"P5 96 96 255\n" + pixels)
    subprocess.run([BIN / "train", "--model", "googlenet", "--data", f"folder:{data}", "--image-size", "96",
                    "--epochs", "1", "--batch-size", "4", "--out", folder / "run"], check=True, capture_output=True)
    return folder / "run" / "model.safetensors"


def description(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(json.loads(file.read(length))["__metadata__"]["model"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=pathlib.Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(time_runtime(*options.one, options.batch[0], options.threads))
        return
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        weights = options.weights or random_weights(folder)
        model = description(weights)
        path = folder / "model.onnx"
        subprocess.run([BIN / "export", "--weights", weights, "--onnx", path], check=True, capture_output=True)
        channels, height, width = model["input"]

        def run_one(name, batch):
            if name == "ours":
                return time_ours(model["name"], f"{height}x{width}", channels, model["classes"], batch, options.threads)
            done = subprocess.run([sys.executable, __file__, "--one", name, path, "--batch", str(batch), "--threads",
                                   str(options.threads)], check=True, capture_output=True, text=True)
            return float(done.stdout)

        for batch in options.batch:
            speeds = {"ours": [], "ONNX Runtime": [], "OpenVINO": []}
            for _ in range(options.rounds):
                for name, values in speeds.items():
                    values.append(run_one(name, batch))
            for name, values in speeds.items():
                results.append({"program": name, "batch": batch, "threads": options.threads, "model": model["name"],
                                "images_per_second": statistics.median(values), "rounds": values})
                print(f"{model['name']} {channels}x{height}x{width}, batch {batch}, {options.threads} threads: {name:13}"
                      f"{statistics.median(values):9.1f} images/s ({min(values):.1f} to {max(values):.1f})", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
