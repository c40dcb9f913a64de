#!/usr/bin/env python3
"""Compares Minception with PyTorch: the same training step, or inference, measured alternately in one run.

    compare_pytorch.py --ours build/cpu/bin/step_speed --python /usr/bin/python3 [--python OTHER] [--json FILE] [WORK...]

Starts step_speed and, for every Python interpreter and variant, pytorch_speed.py. After a warm-up they take turns
repeatedly, so that other load on the machine slows all of them. Prints the rates and the ratio of our best to PyTorch's
best. The JSON file is written after each round. WORK is passed to both: --model, --image-size, --batch, --mode,
--compute, --device, --threads, --momentum and so on. This program needs only Python's standard library; the
interpreters of --python need PyTorch.
"""

import argparse
import datetime
import json
import os
import pathlib
import queue
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from pytorch_speed import default_variants

HERE = pathlib.Path(__file__).resolve().parent
SHARED = ["model", "image-size", "channels", "classes", "batch", "mode", "compute", "device", "threads", "data", "data-dir",
          "images", "lr", "momentum", "weight-decay", "warmup", "steps", "seconds"]


class Failed(Exception):
    pass


class Contender:
    """A program that runs one repetition per turn."""

    def __init__(self, name, side, command, batch):
        self.name, self.side, self.command, self.batch = name, side, command, batch
        self.rates, self.detail = [], {}

    def start(self, timeout):
        handle, self.result_path = tempfile.mkstemp(suffix=".json")
        os.close(handle)
        self.stderr = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen(self.command + ["--turns", "--json", self.result_path], text=True, bufsize=1,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr)
        except OSError as error:
            raise Failed(f"{self.command[0]}: {error.strerror}") from None
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.steps = int(self.expect("ready", timeout, "to warm up"))

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def expect(self, word, timeout, what):
        """Returns the second word of the next line that starts with `word`."""
        end = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"took more than {timeout:.0f} s {what}") from None
            if line is None:
                self.process.wait()
                self.stderr.seek(0)
                said = [text.strip() for text in self.stderr if text.strip()]
                raise Failed((said or [f"exited with code {self.process.returncode}"])[-1][:300])
            if line.startswith(word + " "):
                return line.split()[1]

    def turn(self, timeout):
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # `expect` reports how the program ended
        self.rates.append(self.steps * self.batch / float(self.expect("repetition", timeout, "for a repetition")))

    def finish(self):
        """Waits for the program to exit and reads its result file."""
        try:
            self.process.stdin.close()
            self.process.wait(timeout=30)
            self.detail = json.loads(pathlib.Path(self.result_path).read_text())
            if self.side == "pytorch":
                run = self.detail.pop("results")[0]
                self.detail.pop("skipped")
                self.detail.update(run)
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
            self.detail = {"problem": f"its result could not be read: {error}"}

    def kill(self):
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait()
        if hasattr(self, "result_path"):
            pathlib.Path(self.result_path).unlink(missing_ok=True)

    def result(self):
        return {"name": self.name, "side": self.side, "images_per_s": spread(self.rates),
                "ms_per_step": spread([1e3 * self.batch / rate for rate in self.rates]), "rates": self.rates,
                "detail": self.detail}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", default="build/cpu/bin/step_speed", help="path of step_speed")
    parser.add_argument("--ours-with", action="append", help="more options for ours, such as --ours-with=--no-graph; "
                        "repeatable, each use adds a contender")
    parser.add_argument("--python", action="append", default=[], help="Python interpreter with PyTorch; repeatable")
    parser.add_argument("--variants", help="comma-separated PyTorch variants (see pytorch_speed.py)")
    parser.add_argument("--rounds", type=int, default=5, help="number of measuring rounds")
    parser.add_argument("--budget", type=float, default=170, help="total seconds; a contender that is not ready after 70 %% "
                        "of the budget is skipped")
    parser.add_argument("--commit", help="commit to record (default: that of this checkout)")
    parser.add_argument("--json", help="write the result to this file")
    work = parser.add_argument_group("measured work")
    for name, default in (("model", "googlenet"), ("image-size", "96"), ("channels", None), ("classes", None),
                          ("batch", "128"), ("mode", "train"), ("compute", "f32"), ("device", "cpu"), ("threads", None),
                          ("data", None), ("data-dir", None), ("images", None), ("lr", None), ("momentum", None),
                          ("weight-decay", None), ("warmup", None), ("steps", None), ("seconds", None)):
        work.add_argument("--" + name, default=default)
    work.add_argument("--nesterov", action="store_true")
    return parser.parse_args()


def output_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def commit_here():
    beside = HERE / "commit"  # present if the programs were copied to another machine
    if beside.exists():
        return beside.read_text().strip()
    return output_of(["git", "-C", str(HERE), "describe", "--always", "--dirty"]) or "unknown"


def gpu():
    said = output_of(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]).splitlines()
    return [part.strip() for part in said[0].split(",")] if said else ["unknown", "unknown"]


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return "unknown"


def contenders(o, failed):
    work = {name: getattr(o, name.replace("-", "_")) for name in SHARED}
    given = [part for name, value in work.items() if value is not None for part in (f"--{name}", value)]
    given += ["--nesterov"] if o.nesterov else []
    batch = int(o.batch)
    for more in o.ours_with or [""]:
        yield Contender(f"minception {more.strip()}".strip(), "ours", [o.ours] + given + shlex.split(more), batch)
    for python in o.python:
        version = output_of([python, "-c", "import torch; print(torch.__version__)"])
        if not version:
            failed.append({"name": f"PyTorch of {python}", "why": "this interpreter cannot import torch"})
            continue
        for variant in o.variants.split(",") if o.variants else default_variants(o.device, o.mode):
            yield Contender(f"PyTorch {version} {variant}", "pytorch",
                            [python, str(HERE / "pytorch_speed.py")] + given + ["--variants", variant], batch)


def summary(o, ready, failed, complete):
    measured = [contender.result() for contender in ready if contender.rates]
    result = {"what": "compare_pytorch", "commit": o.commit or commit_here(),
              "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "device": o.device,
              "processor": processor(), "complete": complete,
              "work": {name: getattr(o, name.replace("-", "_")) for name in SHARED + ["nesterov"]},
              "contenders": measured, "failed": failed}
    if o.device == "cuda":
        result["gpu"], result["driver"] = gpu()

    def best(side):
        return max((c for c in measured if c["side"] == side), key=lambda c: c["images_per_s"]["median"], default=None)

    ours, theirs = best("ours"), best("pytorch")
    if ours and theirs:
        result["best_ours"], result["best_pytorch"] = ours["name"], theirs["name"]
        result["ratio"] = ours["images_per_s"]["median"] / theirs["images_per_s"]["median"]
        result["ratios_by_round"] = [a / b for a, b in zip(ours["rates"], theirs["rates"])]
    return result


def write(result, path):
    if path:
        with open(path + ".part", "w") as file:
            json.dump(result, file, indent=1)
        os.replace(path + ".part", path)


def print_table(result):
    work = result["work"]
    print(f"{work['model']}, {work['image-size']} pixels, {work['mode']}, batch {work['batch']}, {work['compute']} on "
          f"{result.get('gpu', result['processor'])}")
    for contender in sorted(result["contenders"], key=lambda c: -c["images_per_s"]["median"]):
        rate, memory = contender["images_per_s"], contender["detail"].get("memory", {})
        peak = memory.get("device_reserved_bytes") or (memory.get("host_peak_bytes") if work["device"] == "cpu" else None) or \
            memory.get("plan_bytes")
        print(f"  {contender['name']:44} {rate['median']:10.1f} images/s ({rate['min']:.1f} to {rate['max']:.1f})"
              + (f"  {peak / 2**20:7.0f} MiB" if peak else ""))
    for failure in result["failed"]:
        print(f"  {failure['name']:44} skipped: {failure['why']}")
    if "ratio" in result:
        rounds = result["ratios_by_round"]
        print(f"  {result['best_ours']} / {result['best_pytorch']} = {result['ratio']:.2f} "
              f"(by round {min(rounds):.2f} to {max(rounds):.2f})")


def main():
    o = options()
    end = time.monotonic() + o.budget
    failed, ready, every = [], [], []
    try:
        for contender in contenders(o, failed):
            every.append(contender)
            left = end - 0.3 * o.budget - time.monotonic()
            try:
                if left < 1:
                    raise Failed("the warm-up time was used up before this contender started")
                contender.start(left)
                ready.append(contender)
            except Failed as problem:
                failed.append({"name": contender.name, "why": str(problem)})
                contender.kill()
        longest = 0.0
        for _ in range(o.rounds):
            start = time.monotonic()
            if start + longest > end:
                break  # another round would exceed the budget
            for contender in list(ready):
                try:
                    contender.turn(max(1.0, end - time.monotonic()))
                except Failed as problem:
                    failed.append({"name": contender.name, "why": str(problem)})
                    ready.remove(contender)
            longest = max(longest, time.monotonic() - start)
            write(summary(o, ready, failed, False), o.json)
        for contender in ready:
            if contender.rates:
                contender.finish()
    finally:
        for contender in every:
            contender.kill()
    result = summary(o, ready, failed, True)
    write(result, o.json)
    print_table(result)
    if not result["contenders"]:
        print("compare_pytorch.py: nothing could be measured (see the lines above)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
