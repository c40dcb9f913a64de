"""Compares training with PyTorch on Fashion-MNIST: same initial weights, same images in the same order.

    test_training.py TOOL      TOOL is the executable of peer_tool.cpp

- the classic recipe: 20 steps of googlenet at learning rate 0.1 in double at 48x48, 3 steps in f32 at 96x96;
- the quickstart recipe: 12 steps of googlenet_small at 32x32, one cycle to 0.1, Nesterov, weight decay 5e-4, the last
  batch partial, in double;
- Adam with weight decay in the gradient; AdamW, and SGD through BatchNorm, with clipped gradients, two batches per step
  and moving averages of weights and statistics, in double.

In double we must agree with PyTorch nearly up to rounding. In f32 a pre-activation near zero may have either sign, in
our steps or in PyTorch's, and the trainings diverge. Several draws of images are tried: our best one must end as close
to PyTorch's double as the best one of PyTorch's f32, within a factor. An error would affect every draw. In both cases a
training on other images must end much further away.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, make, numpy, relative, safetensors, state_of, torch

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
MARGIN = 30  # distance for other images, at least this many times the tolerance
DRAWS = 12   # of images in f32
#          model, device, dtype, size, batch, images, lr, momentum or beta1, base momentum, weight decay, optimizer,
#          max norm, decay of averages, batches per step
RECIPES = [("googlenet", "reference", "f64", 48, 4, 40, 0.1, 0, 0, 0, "sgd", 0, 0, 1),
           ("googlenet_small", "reference", "f64", 32, 16, 90, 0.1, 0.95, 0.85, 5e-4, "sgd", 0, 0, 1),
           ("googlenet_small", "reference", "f64", 64, 4, 8, 0.001, 0.9, 0, 0.01, "adam", 0, 0, 1),
           ("googlenet_small", "reference", "f64", 64, 4, 14, 0.001, 0.8, 0, 0.1, "adamw", 1.0, 0.9, 2),
           ("googlenet_small", "reference", "f64", 32, 4, 12, 0.05, 0, 0, 0.1, "sgd", 1.0, 0.2, 2),
           ("googlenet", "cpu", "f32", 96, 4, 12, 0.1, 0, 0, 0, "sgd", 0, 0, 1)]


def images_of(draw, count):
    begin, end = draw * count, (draw + 1) * count
    with gzip.open(DATA / "train-images-idx3-ubyte.gz") as file:
        pixels = numpy.frombuffer(file.read(16 + end * 784)[16 + begin * 784:], numpy.uint8).reshape(count, 1, 28, 28)
    with gzip.open(DATA / "train-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(8 + end)[8 + begin:], numpy.uint8)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(numpy.int64))


def single(value):
    """Rounded to f32, like the constants of our steps."""
    return float(numpy.float32(value))


def train(recipe, dtype, pixels, labels):
    model, _, _, size, batch, count, rate, momentum, lowest, decay, kind, largest, averaging, passes = recipe
    network = make(model).to(dtype).train()
    images = F.interpolate(pixels.to(dtype) * single(1 / 255), size, mode="bilinear", align_corners=False)
    if kind == "sgd":
        optimizer = torch.optim.SGD(network.parameters(), rate, momentum=momentum, nesterov=momentum > 0,
                                    weight_decay=decay)
    else:
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](
            network.parameters(), single(rate), betas=(single(momentum), 0.999), weight_decay=decay)
    # Warm-up: decay min(D, (1 + t) / (10 + t)) at update t; PyTorch's count is t - 1.
    average = torch.optim.swa_utils.AveragedModel(
        network, use_buffers=True,
        avg_fn=lambda mean, new, count: mean + (1 - min(averaging, (2 + int(count)) / (11 + int(count)))) * (new - mean))
    steps = -(-count // (batch * passes))
    cycle = kind == "sgd" and momentum > 0 and torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.2, base_momentum=lowest, max_momentum=momentum)
    total = 0.0
    group = optimizer.param_groups[0]
    for step in range(steps):
        first, end = step * batch * passes, min((step + 1) * batch * passes, count)
        exact = {name: group[name] for name in ("lr", "momentum") if name in group}
        group.update({name: single(value) for name, value in exact.items()})
        optimizer.zero_grad()
        for begin in range(first, end, batch):
            part = slice(begin, min(begin + batch, end))
            loss = F.cross_entropy(network(images[part]), labels[part], reduction="sum")
            (loss / (end - first)).backward()
            total += float(loss.detach())
        if largest:
            torch.nn.utils.clip_grad_norm_(network.parameters(), largest)
        optimizer.step()
        average.update_parameters(network)
        group.update(exact)
        if cycle and step + 1 < steps:
            cycle.step()
    return total / count, state_of(average.module if averaging else network)


def distance(ours, theirs):
    """Relative distance of all parameters together, and of all statistics together."""
    def flat(state, statistics):
        return numpy.concatenate([state[name].ravel().astype(numpy.float64) for name in sorted(theirs)
                                  if ("running" in name) == statistics] or [numpy.ones(1)])
    return relative(flat(ours, False), flat(theirs, False)), relative(flat(ours, True), flat(theirs, True))


def our_training(tool, recipe, first, pixels, labels):
    """Our mean loss and final state."""
    model, device, dtype, size, batch, _, *numbers = recipe
    with tempfile.TemporaryDirectory() as folder:
        given, result = pathlib.Path(folder, "in.safetensors"), pathlib.Path(folder, "out.safetensors")
        safetensors.numpy.save_file({"images": pixels.numpy(), "labels": labels.int().numpy(),
                                     **state_of(first, "state.")}, given)
        subprocess.run([tool, "train", model, device, dtype, *map(str, (size, batch, *numbers)), given, result],
                       check=True, timeout=300)
        ours = safetensors.numpy.load_file(result)
    return float(ours.pop("loss")), {name[6:]: value for name, value in ours.items()}


class Difference:
    """Distance of a run from PyTorch's in double precision: loss, weights, statistics."""

    def __init__(self, result, exact):
        assert result[1].keys() == exact[1].keys()
        self.loss = abs(result[0] - exact[0])
        self.weights, self.statistics = distance(result[1], exact[1])

    def __str__(self):
        return f"loss {self.loss:.1e}, weights {self.weights:.1e}, statistics {self.statistics:.1e}"


def check(tool, recipe):
    """Whether the run agrees with PyTorch, and a report line."""
    model, device, dtype, size, batch, count, *_, passes = recipe
    first = make(model)
    ours, theirs = [], []
    for draw in range(DRAWS if dtype == "f32" else 1):
        pixels, labels = images_of(draw, count)
        exact = train(recipe, torch.float64, pixels, labels)
        ours.append(Difference(our_training(tool, recipe, first, pixels, labels), exact))
        if dtype == "f64":
            moved = distance(state_of(first), exact[1])[0]
            allowed = (1e-6, 1e-6 * moved, 1e-6)
        else:
            theirs.append(Difference(train(recipe, torch.float32, pixels, labels), exact))
            least = min(theirs, key=lambda one: one.weights)
            allowed = (5 * least.loss + 1e-6, 5 * least.weights + 1e-6, 5 * least.statistics + 1e-6)
        best = min(ours, key=lambda one: one.weights)
        good = best.loss <= allowed[0] and best.weights <= allowed[1] and best.statistics <= allowed[2]
        if good:
            break
    other = Difference(train(recipe, torch.float64, pixels.flip(0), labels), exact)
    margins = [other.loss / allowed[0], other.weights / allowed[1]]
    if other.statistics:
        margins.append(other.statistics / allowed[2])
    good = good and min(margins) >= MARGIN
    line = f"{model}, {recipe[-4]}, {device} {dtype}, {size}x{size}, {-(-count // (batch * passes))} steps: differs by {best}"
    if theirs:
        line += f" (PyTorch's own f32: {least}; {len(ours)} draws)"
    return good, f"{line}; other images differ by {min(margins):.0f} times the tolerance"


def main(tool):
    torch.set_num_threads(1)
    results = [check(tool, recipe) for recipe in RECIPES]
    for good, line in results:
        print(f"{'passed' if good else 'FAILED'}: {line}")
    sys.exit(0 if all(good for good, _ in results) else 1)


if __name__ == "__main__":
    if not (DATA / "train-images-idx3-ubyte.gz").exists():
        print(f"SKIPPED: {DATA} is missing; install dataset-fashion-mnist")
        sys.exit(77)
    main(sys.argv[1])
