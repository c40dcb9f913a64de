"""Compares the schedules with PyTorch's OneCycleLR, StepLR, CosineAnnealingLR and LinearLR.

    test_schedule.py TOOL      TOOL is the executable of peer_tool.cpp
"""

import subprocess
import sys

from googlenet_torch import Checks, numpy, torch


def ours(tool, kind, steps, rate, momentum=0.9, warmup=0, interval=1, factor=1, lowest_rate=0, base_momentum=0.9, rise=0.3):
    """Learning rate and momentum of every step, (steps, 2)."""
    command = [tool, "schedule", kind, steps, rate, momentum, warmup, interval, factor, lowest_rate, base_momentum, rise]
    lines = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.split()
    return numpy.array(lines, numpy.float64).reshape(-1, 2)


def theirs(make_scheduler, steps, rate, momentum=0.9):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=momentum)
    scheduler = make_scheduler(optimizer)
    values = []
    for step in range(steps):
        group = optimizer.param_groups[0]
        values.append((group["lr"], group["momentum"]))
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return numpy.array(values)


def compare(checks, what, mine, reference):
    for column, kind in enumerate(("learning rate", "momentum")):
        checks.close(kind, what, mine[:, column], reference[:, column], 1e-12)


def main(tool):
    checks = Checks()
    schedulers = torch.optim.lr_scheduler
    for steps, rate, momentum, lowest, rise in [(938, 0.1, 0.95, 0.85, 0.2), (10, 0.5, 0.9, 0.8, 0.3), (7, 1, 0.9, 0.9, 0.5)]:
        cycle = lambda optimizer: schedulers.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=rise,
                                                        base_momentum=lowest, max_momentum=momentum)
        compare(checks, f"(one cycle, {steps} steps)",
                ours(tool, "one-cycle", steps, rate, momentum, base_momentum=lowest, rise=rise),
                theirs(cycle, steps, rate, momentum))
    for steps, interval, factor in [(100, 8, 0.96), (30, 7, 0.1)]:
        compare(checks, f"(step, {steps} steps)", ours(tool, "step", steps, 0.1, interval=interval, factor=factor),
                theirs(lambda optimizer: schedulers.StepLR(optimizer, interval, factor), steps, 0.1))
    for steps, lowest in [(200, 0.0), (11, 0.003)]:
        compare(checks, f"(cosine, {steps} steps)", ours(tool, "cosine", steps, 0.1, lowest_rate=lowest),
                theirs(lambda optimizer: schedulers.CosineAnnealingLR(optimizer, steps, lowest), steps, 0.1))
    for steps, warmup in [(50, 9), (8, 1)]:
        linear = lambda optimizer: schedulers.LinearLR(optimizer, 1 / (warmup + 1), 1.0, warmup)
        compare(checks, f"(warm-up, {warmup} steps)", ours(tool, "constant", steps, 0.3, warmup=warmup),
                theirs(linear, steps, 0.3))
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1])
