#!/usr/bin/env python3
"""Compares the speed of training steps of several builds of step_speed on this CPU.

    benchmarks/compare_builds.py [--rounds N] COMMAND COMMAND...

    benchmarks/compare_builds.py build/cpu/bin/step_speed build/portable/bin/step_speed \\
        'MINCEPTION_CPU=v3 build/portable/bin/step_speed'

All commands run at the same time and take turns of a few steps, so that a slow phase of the machine affects all of them.
Prints a table: the fastest turn of the first command in ms/step and, for each other command, the ratio of the fastest
turns and the median of the ratios within one round. Above 1 the other command is slower.
"""

import argparse
import shlex
import statistics
import subprocess

WORK = [(model, size, compute) for model in ("googlenet", "googlenet_bn") for size in (32, 96) for compute in ("f32", "bf16")]


class Contender:
    """A step_speed that waits for its turns."""

    def __init__(self, command, options):
        self.process = subprocess.Popen(["env", *shlex.split(command), *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.steps = int(self.read("ready"))

    def read(self, word):
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            raise SystemExit(f"step_speed printed {line} instead of '{word}'")
        return line[1]

    def turn(self):
        """Milliseconds per step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return 1e3 * float(self.read("repetition")) / self.steps

    def end(self):
        self.process.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    o = parser.parse_args()
    print("| model | image | compute | ms/step |" + "".join(f" {command} | by round |" for command in o.commands[1:]))
    print("| --- | ---: | --- | ---: |" + " ---: | ---: |" * (len(o.commands) - 1))
    for model, size, compute in WORK:
        options = ["--device", "cpu", "--batch", "128", "--model", model, "--image-size", str(size), "--compute", compute,
                   "--seconds", "0.5", "--repetitions", str(o.rounds), "--turns"]
        contenders = [Contender(command, options) for command in o.commands]
        rounds = [[contender.turn() for contender in contenders] for _ in range(o.rounds)]
        for contender in contenders:
            contender.end()
        times = list(zip(*rounds))
        row = f"| {model} | {size} | {compute} | {min(times[0]):.1f} |"
        for other in times[1:]:
            by_round = statistics.median(b / a for a, b in zip(times[0], other))
            row += f" {min(other) / min(times[0]):.3f} | {by_round:.3f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
