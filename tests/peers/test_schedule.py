"""The one-cycle schedule beside PyTorch's OneCycleLR.

    test_schedule.py TOOL      TOOL is the program built from peer_tool.cpp
"""

import subprocess
import sys

from googlenet_torch import Checks, numpy, torch


def schedule(tool, checks):
    for steps, rate, momentum, lowest, warmup in [(938, 0.1, 0.95, 0.85, 0.2), (10, 0.5, 0.9, 0.8, 0.3), (7, 1, 0.9, 0.9, 0.5)]:
        command = [tool, "schedule", *map(str, (steps, rate, momentum, lowest, warmup))]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        ours = numpy.array(lines, numpy.float64).reshape(-1, 2)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=momentum)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=warmup,
                                                    base_momentum=lowest, max_momentum=momentum)
        theirs = []
        for step in range(steps):
            group = optimizer.param_groups[0]
            theirs.append((group["lr"], group["momentum"]))
            optimizer.step()
            if step + 1 < steps:
                cycle.step()
        for column, kind in enumerate(("learning rate", "momentum")):
            checks.close(kind, f"({steps} steps)", ours[:, column], numpy.array(theirs)[:, column], 1e-12)


if __name__ == "__main__":
    all_checks = Checks()
    schedule(sys.argv[1], all_checks)
    all_checks.finish()
