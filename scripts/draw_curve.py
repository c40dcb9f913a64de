#!/usr/bin/env python3
"""Draws the learning curve of a run as SVG for a document: loss and accuracy of training and test.

    scripts/draw_curve.py RUN [--published ACCURACY|LOW:HIGH] > curve.svg

--published marks a test accuracy, or a range of accuracies, for comparison.
"""
import argparse
import json
import pathlib
import sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 56, 34, 76
TRAIN, TEST = "#0066a8", "#c24f00"


def ticks(low, high):
    """About five round numbers from low to high."""
    step = 10.0 ** -6
    while (high - low) / step > 6:
        for factor in (2, 2.5, 2):
            step *= factor
            if (high - low) / step <= 6:
                break
    first = -(-low // step)
    return [(first + i) * step for i in range(8) if (first + i) * step <= high + 1e-9]


def panel(x0, title, lines, high, epochs, band=None):
    """lines: (name, colour, width, [(epoch, value)])"""
    out = [f'<g transform="translate({x0},{TOP})">', f'<text y="-12" font-weight="bold">{title}</text>']
    x = lambda epoch: epoch / epochs * WIDTH
    y = lambda value: HEIGHT - min(value, high) / high * HEIGHT
    if band:
        out.append(f'<rect x="0" y="{y(band[-1]):.1f}" width="{WIDTH}" height="{max(y(band[0]) - y(band[-1]), 2):.1f}" '
                   'fill="#00775a" opacity="0.25"/>')
    for value in ticks(0, high):
        out.append(f'<path d="M0 {y(value):.1f}H{WIDTH}" stroke="#ddd"/>'
                   f'<text x="-8" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for epoch in range(0, epochs + 1, max(1, epochs // 5)):
        out.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT + 18}" text-anchor="middle">{epoch}</text>')
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 36}" text-anchor="middle">epoch</text>')
    for i, (name, colour, width, points) in enumerate(lines):
        path = "L".join(f"{x(e):.1f} {y(v):.1f}" for e, v in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        if name:
            key = 8 + 18 * i if title != "Accuracy" else HEIGHT - 12 - 18 * (len(lines) - 1 - i)
            out.append(f'<text x="{WIDTH - 8}" y="{key + 4}" text-anchor="end" fill="{colour}">{name}</text>')
    return out + ["</g>"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=pathlib.Path, help="run folder with metrics.jsonl")
    parser.add_argument("--published", help="published test accuracy to mark: ACCURACY or LOW:HIGH")
    options = parser.parse_args()
    try:
        lines = [json.loads(line) for line in (options.run / "metrics.jsonl").read_text().splitlines()]
    except (OSError, ValueError) as error:
        sys.exit(f"draw_curve.py: {options.run}/metrics.jsonl: {error}")
    epochs = [line for line in lines if line["event"] == "epoch"]
    steps = [line for line in lines if line["event"] == "step"]
    if not epochs:
        sys.exit(f"draw_curve.py: {options.run}/metrics.jsonl: has no finished epoch yet")
    count = epochs[-1]["epoch"]
    per_epoch = epochs[-1]["step"] / count
    of = lambda name: [(line["epoch"], line[name]) for line in epochs]
    band = tuple(float(part) for part in options.published.split(":")) if options.published else None
    mark = ""
    if band:
        mark = f" (line: published, {options.published})"
        if len(band) > 1:
            mark = f" (band: published, {options.published.replace(':', ' to ')})"
    every_step = lambda name: [(line["step"] / per_epoch, line[name]) for line in steps]
    width = LEFT + 2 * WIDTH + GAP + 16
    part = "validation" if "validation_loss" in epochs[-1] else "test"
    test, train = epochs[-1][f"{part}_accuracy"], epochs[-1]["train_accuracy"]
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 46}" '
           'font-family="sans-serif" font-size="13">', '<rect width="100%" height="100%" fill="#fff"/>']
    svg += panel(LEFT, "Loss", [
        ("training, each logged step", "#9cc3df", 1, every_step("loss")),
        (f"training, {epochs[-1]['train_loss']:.3f}", TRAIN, 2, of("train_loss")),
        (f"{part}, {epochs[-1][f'{part}_loss']:.3f}", TEST, 2, of(f"{part}_loss"))], 2.5, count)
    svg += panel(LEFT + WIDTH + GAP, "Accuracy", [
        ("", "#9cc3df", 1, every_step("accuracy")),
        (f"training, {train:.3f}", TRAIN, 2, of("train_accuracy")),
        (f"{part}, {test:.4f}{mark}", TEST, 2, of(f"{part}_accuracy"))], 1.0, count, band)
    print("\n".join(svg + ["</svg>"]))


if __name__ == "__main__":
    main()
