"""Checks that TensorBoard reads our event files.

    test_tensorboard.py TOOL      TOOL is the executable of peer_tool.cpp

Every tag, step and value must be read, and nothing else; a truncated file is read up to its last complete record. Exit
code 77 if tensorboard is not installed.
"""

import math
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, SCALARS
except ImportError as error:
    print(f"SKIPPED: {error}; `pip install tensorboard` (scripts/test.sh does)")
    sys.exit(77)

failures = 0


def check(condition, what):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}")


def as_float(value):
    """Rounded to f32 as in the file."""
    return math.inf if value > 3.5e38 else struct.unpack("<f", struct.pack("<f", value))[0]


def expected_scalars():
    """Scalars written by `peer_tool events`: tag -> [(step, value)]."""
    scalars = {}
    for i, step in ((1, 100), (2, 200), (3, 5_000_000_000)):
        for tag, value in {
            "loss/train": math.nan if i == 2 else 2.3 / i,
            "accuracy/train": 0.1 * i,
            "learning_rate": 0.1 / i,
            "momentum": 0.95 - 0.01 * i,
            "examples_per_second": 1234.5 * i,
            "gradient_norm/all": 10 * i,
            "gradient_norm/conv1": i,
            "gradient_norm/inception3a": 0.5 * i,
            "gradient_norm/aux1": 1e300,
        }.items():
            scalars.setdefault(tag, []).append((step, as_float(value)))
    for i in (1, 2):
        for tag, value in {
            "epoch/train_loss": 2 / i,
            "epoch/train_accuracy": 0.3 * i,
            "epoch/test_loss": 1.5 / i,
            "epoch/test_accuracy": 0.35 * i,
            "epoch/test_top5": 0.45 * i,
        }.items():
            scalars.setdefault(tag, []).append((469 * i, as_float(value)))
    return scalars


def scalars_in(path):
    """Scalars as read by TensorBoard, and the times of all scalars."""
    accumulator = EventAccumulator(str(path), size_guidance={SCALARS: 0})
    accumulator.Reload()
    check(accumulator.file_version == 2.0, f"{path.name}: file version {accumulator.file_version}, expected 2")
    others = {kind: tags for kind, tags in accumulator.Tags().items() if tags and kind != SCALARS}
    check(not others, f"{path.name}: has more than scalars: {others}")
    events = {tag: accumulator.Scalars(tag) for tag in accumulator.Tags()[SCALARS]}
    return ({tag: [(event.step, event.value) for event in series] for tag, series in events.items()},
            [event.wall_time for series in events.values() for event in series])


def same(a, b):
    """Equal, with NaN equal to itself."""
    return repr(a) == repr(b)


def whole_folders(folder):
    expected = dict(sorted(expected_scalars().items()))
    for name in ("appended", "rewritten"):
        scalars, times = scalars_in(folder / name)
        check(sorted(scalars) == list(expected), f"{name}: tags {sorted(scalars)}, expected {list(expected)}")
        for tag in expected:
            check(same(scalars.get(tag), expected[tag]), f"{name}: {tag} is {scalars.get(tag)}, expected {expected[tag]}")
        written = max(path.stat().st_mtime for path in (folder / name).iterdir())
        check(times and all(abs(time - written) < 60 for time in times), f"{name}: times {set(times)}, expected {written}")


def torn_record(folder):
    (file,) = (folder / "appended").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    expected = expected_scalars()
    expected["epoch/test_top5"].pop()
    check(same(dict(sorted(scalars_in(folder / "appended")[0].items())), dict(sorted(expected.items()))),
          "a file cut short is not read up to its last whole record")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], "events", folder], check=True)
        whole_folders(folder)
        torn_record(folder)
    if failures:
        sys.exit(1)
    print(f"TensorBoard reads {sum(map(len, expected_scalars().values()))} scalars with the written values, twice")


main()
