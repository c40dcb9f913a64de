"""GoogLeNet in PyTorch (benchmarks/torch_googlenet.py), and what the comparisons share."""

import pathlib
import sys

try:
    import numpy
    import safetensors.numpy
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torch and `pip install safetensors==0.8.0`")
    sys.exit(77)

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))
from torch_googlenet import make  # noqa: E402 (what is imported above is asked for first)


def state_of(network, prefix=""):
    return {prefix + key: value.detach().numpy().copy() for key, value in network.state_dict().items()
            if not key.endswith("num_batches_tracked")}


def relative(ours, theirs):
    """Relative norm of the difference; NaN counts as infinitely far."""
    ours, theirs = numpy.asarray(ours, numpy.float64), numpy.asarray(theirs, numpy.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    difference = numpy.linalg.norm((ours - theirs).ravel()) / max(numpy.linalg.norm(theirs.ravel()), 1e-30)
    return float(difference) if numpy.isfinite(difference) else float("inf")


class Checks:
    """Counts comparisons and remembers the worst of each kind."""

    def __init__(self):
        self.failed = 0
        self.worst = {}

    def close(self, kind, name, ours, theirs, tolerance):
        difference = relative(ours, theirs)
        if not self.worst.get(kind, (-1, ""))[0] > difference:
            self.worst[kind] = (difference, name)
        if not difference <= tolerance:
            self.failed += 1
            print(f"FAILED: {kind} {name}: relative difference {difference:.2e}, allowed {tolerance:.0e}")

    def finish(self):
        for kind, (difference, name) in self.worst.items():
            print(f"{kind}: at most {difference:.2e} ({name})")
        sys.exit(1 if self.failed else 0)
