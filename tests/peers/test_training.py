"""Training beside PyTorch on the real Fashion-MNIST: same first weights, same images in the same order.

    test_training.py TRAIN      TRAIN is our training program

- 20 steps of the classic recipe: googlenet, 96x96, learning rate 0.1, batch 8
- 12 steps of the quickstart's optimizer: googlenet_bn, 32x32, one cycle, Nesterov, weight decay, last batch partial. At
  the quickstart's learning rate of 0.1 the first steps are chaotic (PyTorch's f32 and double part ways entirely), so it
  is 0.002 here, and the weight decay so large that it shows.

PyTorch trains in double and in f32. Rounding grows with every step, so what is allowed is a few times the distance that
PyTorch's own f32 has from its double, and far less than what the training moved.
"""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, make, numpy, relative, safetensors, state_of, torch

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
RECIPES = {
    "classic": dict(model="googlenet", size=96, batch=8, images=160, lr=0.1, momentum=0.0, decay=0.0, options=[]),
    "quickstart": dict(model="googlenet_bn", size=32, batch=32, images=370, lr=0.002, momentum=0.95, decay=0.1,
                       options=["--schedule", "one-cycle", "--warmup", "0.2", "--momentum", "0.95",
                                "--lowest-momentum", "0.85", "--nesterov", "--weight-decay", "0.1"]),
}


def first_images(count):
    with gzip.open(DATA / "train-images-idx3-ubyte.gz") as file:
        pixels = numpy.frombuffer(file.read(16 + count * 784)[16:], numpy.uint8).reshape(count, 1, 28, 28)
    with gzip.open(DATA / "train-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(8 + count)[8:], numpy.uint8)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(numpy.int64))


def train(recipe, network, dtype, pixels, labels):
    network = network.to(dtype).train()
    images = F.interpolate(pixels.to(dtype) / 255, recipe["size"], mode="bilinear", align_corners=False)
    cycle = recipe["model"] == "googlenet_bn"
    optimizer = torch.optim.SGD(network.parameters(), recipe["lr"], momentum=recipe["momentum"], nesterov=cycle,
                                weight_decay=recipe["decay"])
    steps = -(-len(images) // recipe["batch"])
    schedule = None
    if cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe["lr"], total_steps=steps, pct_start=0.2)
    total = 0.0
    for step in range(steps):
        part = slice(step * recipe["batch"], (step + 1) * recipe["batch"])
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images[part]), labels[part])
        loss.backward()
        optimizer.step()
        if schedule and step + 1 < steps:
            schedule.step()
        total += float(loss.detach()) * len(labels[part])
    return total / len(images), state_of(network)


def distance(ours, theirs):
    """Relative distance of all values together, statistics apart: their scale differs."""
    def flat(state, statistics):
        return numpy.concatenate([state[name].ravel().astype(numpy.float64) for name in sorted(theirs)
                                  if ("running" in name) == statistics] or [numpy.ones(1)])
    return relative(flat(ours, False), flat(theirs, False)), relative(flat(ours, True), flat(theirs, True))


def main(program):
    torch.set_num_threads(2)
    failed = False
    for name, recipe in RECIPES.items():
        pixels, labels = first_images(recipe["images"])
        first = state_of(make(recipe["model"]))
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder, "first.safetensors")
            safetensors.numpy.save_file(first, weights)
            run = pathlib.Path(folder, "run")
            subprocess.run([program, "--model", recipe["model"], "--image-size", str(recipe["size"]), "--epochs", "1",
                            "--batch-size", str(recipe["batch"]), "--lr", str(recipe["lr"]), "--no-shuffle",
                            "--limit-train", str(recipe["images"]), "--limit-test", "16", "--data-dir", DATA,
                            "--init", weights, "--out", run, *recipe["options"]],
                           check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ours = safetensors.numpy.load_file(run / "model.safetensors")
            our_loss = json.loads((run / "metrics.jsonl").read_text())["train_loss"]

        double_loss, double_state = train(recipe, make(recipe["model"]), torch.float64, pixels, labels)
        single_loss, single_state = train(recipe, make(recipe["model"]), torch.float32, pixels, labels)
        moved = distance(first, double_state)
        rounding = distance(single_state, double_state)
        mine = distance(ours, double_state)
        bound = [5 * value + 1e-6 for value in rounding]
        loss_bound = 5 * abs(single_loss - double_loss) + 1e-5 * double_loss
        good = (set(ours) == set(double_state) and all(a <= b for a, b in zip(mine, bound))
                and abs(our_loss - double_loss) <= loss_bound and moved[0] > 10 * mine[0])
        failed = failed or not good
        print(f"{'passed' if good else 'FAILED'}: {name}: loss {our_loss:.6f}, PyTorch {double_loss:.6f} (f64) "
              f"{single_loss:.6f} (f32); weights from f64: ours {mine[0]:.1e}, PyTorch f32 {rounding[0]:.1e}, "
              f"training moved them {moved[0]:.1e}; statistics: ours {mine[1]:.1e}, PyTorch f32 {rounding[1]:.1e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if not (DATA / "train-images-idx3-ubyte.gz").exists():
        print(f"SKIPPED: {DATA} is missing; install dataset-fashion-mnist")
        sys.exit(77)
    main(sys.argv[1])
