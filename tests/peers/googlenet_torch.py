"""GoogLeNet in PyTorch (benchmarks/torch_googlenet.py), and helpers shared by the comparisons."""

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
from torch_googlenet import make  # noqa: E402 (the imports above detect missing packages first)


def state_of(network, prefix=""):
    return {prefix + key: value.detach().numpy().copy() for key, value in network.state_dict().items()
            if not key.endswith("num_batches_tracked")}


def sensitive(network, images, affine=True):
    """Sets weights with which the logits of a network depend on the image, and returns the network.

    BatchNorm gets the statistics of `images`; outputs of layers with biases get mean 0 and variance 1 per channel.
    Otherwise biases dominate: every image has nearly the same logits, half of the units are dead, and a comparison can
    hardly fail. `affine`: all weights and biases of a BatchNorm differ, so that a wrong position is detected.
    """
    momenta, hooks = {}, []

    def normalize(module, _, output):
        mean = output.mean([axis for axis in range(output.dim()) if axis != 1], keepdim=True)
        deviation = (output - mean).square().mean().sqrt()
        module.weight /= deviation
        module.bias -= mean.flatten()
        module.bias /= deviation
        return (output - mean) / deviation

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    hooks.append(module.register_forward_hook(normalize))
            if isinstance(module, nn.BatchNorm2d):
                if affine:
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0.0, 0.3)
                module.reset_running_stats()
                momenta[module], module.momentum = module.momentum, None  # the mean over all batches
        network.train()(images)
    for hook in hooks:
        hook.remove()
    for module, momentum in momenta.items():
        module.momentum = momentum
    return network


def relative(ours, theirs):
    """Relative norm of the difference; NaN counts as infinitely far."""
    ours, theirs = numpy.asarray(ours, numpy.float64), numpy.asarray(theirs, numpy.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    difference = numpy.linalg.norm((ours - theirs).ravel()) / max(numpy.linalg.norm(theirs.ravel()), 1e-30)
    return float(difference) if numpy.isfinite(difference) else float("inf")


def zeros(values):
    """Fraction of values that are 0; for weights, the fraction of outputs or inputs for which all are 0."""
    nonzero = numpy.asarray(values) != 0
    if nonzero.ndim < 2:
        return 1.0 - float(nonzero.mean())
    nonzero = nonzero.reshape(*nonzero.shape[:2], -1).any(2)
    return 1.0 - float(min(nonzero.any(0).mean(), nonzero.any(1).mean()))


class Checks:
    """Counts comparisons and records the worst difference of each kind."""

    SENSITIVITY = 30  # change caused by other images, in multiples of the tolerance

    def __init__(self):
        self.failed = 0
        self.worst = {}
        self.least = {}

    def fail(self, text):
        self.failed += 1
        print("FAILED: " + text)

    def close(self, kind, name, ours, theirs, tolerance, of_other_images=None):
        """`of_other_images`: PyTorch's result for other images. Fails if the tolerance cannot tell it from `theirs`."""
        difference = relative(ours, theirs)
        if not self.worst.get(kind, (-1, ""))[0] > difference:
            self.worst[kind] = (difference, name)
        if not difference <= tolerance:
            self.fail(f"{kind} {name}: relative difference {difference:.2e}, allowed {tolerance:.0e}")
        if of_other_images is None:
            return
        change = relative(of_other_images, theirs) / tolerance
        if not change >= self.least.get(kind, (float("inf"), ""))[0]:
            self.least[kind] = (change, name)
        if not change >= self.SENSITIVITY:
            self.fail(f"{kind} {name}: other images change it by only {change:.1f} times the tolerance")
        if not zeros(theirs) <= 0.5:
            self.fail(f"{kind} {name}: {100 * zeros(theirs):.0f} % of the expected values are 0")

    def finish(self):
        for kind, (difference, name) in self.worst.items():
            sensitivity = f"; other images change it by {self.least[kind][0]:.0f} times the tolerance or more" \
                if kind in self.least else ""
            print(f"{kind}: at most {difference:.2e} ({name}){sensitivity}")
        sys.exit(1 if self.failed else 0)
