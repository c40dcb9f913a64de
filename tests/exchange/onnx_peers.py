"""Helpers of the comparisons with ONNX Runtime and OpenVINO."""

import subprocess
import sys

try:
    import numpy
    import onnx
    import onnxruntime
    import openvino
    import safetensors.numpy
except ImportError as error:
    print(f"SKIPPED: {error}; scripts/long_tests.sh onnx installs what this test needs")
    sys.exit(77)

TOLERANCE = 1e-4  # relative norm of logits in f32


class Checks:
    """Prints each comparison, and the number of failures at the end."""

    def __init__(self):
        self.failures = 0
        self.count = 0

    def check(self, holds, text):
        self.count += 1
        self.failures += not holds
        print(("ok      " if holds else "FAILED  ") + text, flush=True)

    def close(self, ours, theirs, text):
        error = relative(ours, theirs)
        self.check(error <= TOLERANCE, f"{text}: {error:.1e}")

    def finish(self):
        print(f"{self.count - self.failures} of {self.count} checks hold")
        sys.exit(0 if self.failures == 0 and self.count > 0 else 1)


def relative(ours, theirs):
    """Relative norm of the difference; NaN and different shapes count as infinitely far."""
    ours, theirs = numpy.asarray(ours, numpy.float64), numpy.asarray(theirs, numpy.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    difference = numpy.linalg.norm((ours - theirs).ravel()) / max(numpy.linalg.norm(theirs.ravel()), 1e-30)
    return float(difference) if numpy.isfinite(difference) else float("inf")


def spread(logits):
    """How much the logits depend on the image: the relative norm of their deviation from the mean image's."""
    return float(numpy.linalg.norm(logits - logits.mean(0)) / numpy.linalg.norm(logits))


def images(shape, seed, pixels):
    """Images of different contrast, so that the logits depend on them: u8, or f32."""
    random = numpy.random.default_rng(seed)
    contrast = numpy.linspace(0.3, 1.0, shape[0]).reshape(-1, 1, 1, 1)
    noise = random.uniform(-1.0, 1.0, shape) + random.uniform(-1.0, 1.0, shape[:2] + (1, 1))
    values = noise * contrast
    return (127.5 + 63.0 * values).astype(numpy.uint8) if pixels else values.astype(numpy.float32)


def run_tool(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in words)}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def refusal(*words):
    """The message of a command that must fail."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    return f"exit {done.returncode}: {done.stderr.strip()}"


def our_logits(tool, weights, batch, folder, device="cpu"):
    safetensors.numpy.save_file({"images": batch}, folder / "images.safetensors")
    run_tool(tool, "logits", weights, device, folder / "images.safetensors", folder / "logits.safetensors")
    return safetensors.numpy.load_file(folder / "logits.safetensors")["logits"]


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3  # no warnings about initializers that no node reads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, batch):
        return self.session.run(None, {self.session.get_inputs()[0].name: batch})[0]


class OpenVino:
    name = "OpenVINO"

    def __init__(self, path):
        # The default may compute in bf16 or f16.
        self.model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32",
                                                                     "INFERENCE_NUM_THREADS": 2})

    def __call__(self, batch):
        return self.model(batch)[0]


RUNTIMES = (OnnxRuntime, OpenVino)
