"""Training beside PyTorch on the real Fashion-MNIST: same first weights, same images in the same order.

    test_training.py TOOL      TOOL is the program built from peer_tool.cpp

- the classic recipe: 20 steps of googlenet at learning rate 0.1 in double at 48x48, 3 steps in f32 at 96x96;
- the quickstart's recipe: 12 steps of googlenet_bn at 32x32, one cycle to 0.1, Nesterov, weight decay 5e-4, the last
  batch partial, in double;
- Adam with weight decay in the gradient; AdamW, and SGD through BatchNorm, with clipped gradients, two batches to a step
  and moving averages of weights and statistics, in double.

In double we must agree with PyTorch nearly to rounding. In f32 rounding grows with every step (ReLUs near zero fall on
either side), so there we must be as close to PyTorch's double as PyTorch's own f32 is, within a factor. In both cases a
training on other images must end much further away.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, make, numpy, relative, safetensors, state_of, torch

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
MARGIN = 30  # how many times further away other images must be than what is allowed
#          model, device, dtype, size, batch, images, lr, momentum or beta1, lowest momentum, weight decay, optimizer,
#          largest norm, decay of averages, batches to a step
RECIPES = [("googlenet", "reference", "f64", 48, 4, 40, 0.1, 0, 0, 0, "sgd", 0, 0, 1),
           ("googlenet_bn", "reference", "f64", 32, 16, 90, 0.1, 0.95, 0.85, 5e-4, "sgd", 0, 0, 1),
           ("googlenet", "reference", "f64", 32, 4, 8, 0.001, 0.9, 0, 0.01, "adam", 0, 0, 1),
           ("googlenet", "reference", "f64", 32, 3, 14, 0.001, 0.8, 0, 0.1, "adamw", 1.0, 0.9, 2),
           ("googlenet_bn", "reference", "f64", 32, 4, 12, 0.05, 0, 0, 0.1, "sgd", 1.0, 0.2, 2),
           ("googlenet", "cpu", "f32", 96, 4, 12, 0.1, 0, 0, 0, "sgd", 0, 0, 1)]


def first_images(count):
    with gzip.open(DATA / "train-images-idx3-ubyte.gz") as file:
        pixels = numpy.frombuffer(file.read(16 + count * 784)[16:], numpy.uint8).reshape(count, 1, 28, 28)
    with gzip.open(DATA / "train-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(8 + count)[8:], numpy.uint8)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(numpy.int64))


def single(value):
    """As our steps take their constants: rounded to f32."""
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
    # The warm-up: decay min(D, (1 + t) / (10 + t)) at update t, of which PyTorch's count is one behind.
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


def main(tool):
    torch.set_num_threads(1)
    failed = False
    for recipe in RECIPES:
        model, device, dtype, size, batch, count, *numbers = recipe
        pixels, labels = first_images(count)
        first = make(model)
        with tempfile.TemporaryDirectory() as folder:
            given, result = pathlib.Path(folder, "in.safetensors"), pathlib.Path(folder, "out.safetensors")
            safetensors.numpy.save_file({"images": pixels.numpy(), "labels": labels.int().numpy(),
                                         **state_of(first, "state.")}, given)
            subprocess.run([tool, "train", model, device, dtype, *map(str, (size, batch, *numbers)), given, result],
                           check=True, timeout=300)
            ours = safetensors.numpy.load_file(result)
        our_loss = float(ours.pop("loss"))
        ours = {name[6:]: value for name, value in ours.items()}

        loss, state = train(recipe, torch.float64, pixels, labels)
        moved = distance(state_of(first), state)
        mine = distance(ours, state)
        label = f"{model}, {recipe[-4]}, {device} {dtype}, {size}x{size}, {-(-count // (batch * recipe[-1]))} steps"
        line = f"loss {our_loss:.9f}, PyTorch {loss:.9f}; weights differ by {mine[0]:.1e}, statistics by {mine[1]:.1e}"
        other_loss, other_state = train(recipe, torch.float64, pixels.flip(0), labels)
        other = distance(other_state, state)
        if dtype == "f64":
            allowed, allowed_loss = (1e-6 * moved[0], 1e-6), 1e-6
        else:
            f32_loss, f32_state = train(recipe, torch.float32, pixels, labels)
            rounding = distance(f32_state, state)
            # Where PyTorch's f32 falls on the other side of a ReLU it is no yardstick: other images are then.
            allowed = [min(5 * rounding[0] + 1e-6, other[0] / MARGIN), 5 * rounding[1] + 1e-6]
            allowed_loss = min(5 * abs(f32_loss - loss) + 1e-6 * loss, abs(other_loss - loss) / MARGIN)
            line += f" (PyTorch's own f32: {f32_loss:.9f}, {rounding[0]:.1e}, {rounding[1]:.1e})"
        margins = [other[0] / allowed[0], abs(other_loss - loss) / allowed_loss]
        if model == "googlenet_bn":
            margins.append(other[1] / allowed[1])
        line += f"; other images would be {min(margins):.0f} times what is allowed away"
        good = (ours.keys() == state.keys() and all(a <= b for a, b in zip(mine, allowed))
                and abs(our_loss - loss) <= allowed_loss and min(margins) >= MARGIN * 0.999)
        failed = failed or not good
        print(f"{'passed' if good else 'FAILED'}: {label}: {line}; training moved the weights by {moved[0]:.1e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if not (DATA / "train-images-idx3-ubyte.gz").exists():
        print(f"SKIPPED: {DATA} is missing; install dataset-fashion-mnist")
        sys.exit(77)
    main(sys.argv[1])
