#!/usr/bin/env python3
"""Draws the results of a study.

    studies/draw.py RESULT.json OUT.svg [--mode inference|training]

RESULT.json is compare_models.json (rooflines; --mode, inference by default), compare_variants.json (accuracy over time and over
images) or transfer.json (accuracy by epoch, and by images per class). OUT may also end in .png or .pdf. Needs Matplotlib
(Debian: python3-matplotlib).
"""

import argparse
import io
import json
import math

import matplotlib
import numpy

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402 (the backend comes first)
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator  # noqa: E402

# Text as paths: a substitute font has other widths, and labels would overlap. Colours: Okabe & Ito (2008).
pyplot.rcParams.update({"svg.hashsalt": "minception", "svg.fonttype": "path", "font.size": 9, "axes.grid": True,
                        "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
                        "axes.prop_cycle": pyplot.cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#9a6b00",
                                                                "#56b4e9", "#5b4fc0", "#5d6670"])})


def note(result):
    return f"{result['machine']}; {result['device']}; {result['date']}"


def place_labels(panel, points, names, roof):
    """Puts a name next to each point where it covers neither names, points nor the roof; with a thin line if far away."""
    pixel = panel.figure.dpi / 72  # pixels per typographic point
    area = panel.get_window_extent()
    dots = [tuple(panel.transData.transform(point)) for point in points]
    corners = [panel.transData.transform(point) for point in roof]
    line = [(a[0] + (b[0] - a[0]) * t / 200, a[1] + (b[1] - a[1]) * t / 200)
            for a, b in zip(corners, corners[1:]) for t in range(201)]
    offsets = [(distance, distance * math.cos(angle * math.pi / 12), distance * math.sin(angle * math.pi / 12))
               for distance in (5, 7, 10, 15, 22, 30, 40, 52, 66, 80) for angle in (0, 2, 22, 10, 14, *range(24))]
    sizes = []
    for name in names:
        text = panel.text(0, 0, name, fontsize=7)
        extent = text.get_window_extent(panel.figure.canvas.get_renderer())
        sizes.append((extent.width, extent.height))
        text.remove()

    def inside(box, spots, margin):
        return sum(box[0] - margin < x < box[2] + margin and box[1] - margin < y < box[3] + margin for x, y in spots)

    def gap(box, dot):
        return math.hypot(max(box[0] - dot[0], 0, dot[0] - box[2]), max(box[1] - dot[1], 0, dot[1] - box[3]))

    def place(k, others):
        """The best of the candidates: cost, offset, box of the text, points on the line."""
        (x, y), (width, height), best = dots[k], sizes[k], None
        for distance, dx, dy in offsets:
            if best is not None and best[0] <= distance:
                break
            left = x + dx * pixel - (width if dx < -0.01 else width / 2 if abs(dx) < 0.01 else 0)
            base = y + dy * pixel - height / 2
            box = (left, base, left + width, base + height)
            spots = 3 * int(distance) if distance > 10 else 0
            leader = [(x + dx * pixel * t / spots, y + dy * pixel * t / spots) for t in range(2, spots + 1)]
            cost = distance + 2000 * (box[0] < area.x0 or box[2] > area.x1 or box[1] < area.y0 or box[3] > area.y1)
            cost += 200 * inside(box, dots, 2 * pixel) + 50 * (inside(box, line, 1) > 0)
            if not leader:  # the nearest point must be its own
                cost += 60 * sum(gap(box, dot) < gap(box, (x, y)) + 2 * pixel for dot in dots if dot != (x, y))
            cost += 200 * any(math.dist(spot, dot) < 4 * pixel for spot in leader for dot in dots if dot != (x, y))
            for _, _, other, lead in others:
                cost += 400 * (box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3])
                cost += 150 * (inside(box, lead, 1) > 0) + 150 * (inside(other, leader, 1) > 0)
                cost += 150 * any(math.dist(a, b) < 2 * pixel for a in leader for b in lead)
            if best is None or cost < best[0]:
                best = (cost, (dx, dy), box, leader)
        return best

    tries = []
    for key in (lambda k: dots[k], lambda k: -dots[k][0], lambda k: dots[k][1], lambda k: -dots[k][1]):
        placed = {}
        for _ in range(3):  # later rounds move names that were in the way of others
            for k in sorted(range(len(dots)), key=key):
                placed[k] = place(k, [other for j, other in placed.items() if j != k])
        tries.append((sum(best[0] for best in placed.values()), placed))
    placed = min(tries, key=lambda attempt: attempt[0])[1]
    for k, (_, (dx, dy), _, leader) in placed.items():
        side = "right" if dx < -0.01 else "center" if abs(dx) < 0.01 else "left"
        arrow = {"arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 0, "shrinkB": 2,
                 "relpos": ({"right": 1, "center": 0.5, "left": 0}[side], 0.5)}
        panel.annotate(names[k], points[k], xytext=(dx, dy), textcoords="offset points", fontsize=7, ha=side, va="center",
                       in_layout=False, arrowprops=arrow if leader else None)


def merged(points):
    """Points at the same place, within 2 %, as one, with the names of all."""
    kept = []
    for x, y, name in points:
        same = next((k for k in kept if abs(math.log(k[0] / x)) < 0.02 and abs(math.log(k[1] / y)) < 0.02), None)
        if same is None:
            kept.append([x, y, name])
        else:
            same[2] += ", " + name
    return kept


def rooflines(result, mode):
    """Speed over arithmetic intensity of every layer (Williams, Waterman & Patterson 2009), a panel per model."""
    ceilings = result["ceilings"]
    copy = ceilings["copy_bytes_per_s"]
    arithmetic = max(ceilings["product_flop_per_s"], ceilings["convolution_flop_per_s"])
    ridge = arithmetic / copy
    models = result["models"]
    figure, panels = pyplot.subplots((len(models) + 1) // 2, 2, figsize=(11, 4.2 * ((len(models) + 1) // 2)), squeeze=False,
                                     sharex=True, sharey=True, layout="constrained")
    for panel in panels.flat[len(models):]:
        panel.set_visible(False)
    by_model = [merged([(layer[mode]["flops"] / layer[mode]["bytes"], layer[mode]["flops"] / layer[mode]["seconds"] / 1e9,
                         layer["layer"].removeprefix("inception")) for layer in model["layers"]
                        if layer[mode]["flops"] > 0 and layer[mode]["seconds"] > 0.005 * model[mode]["seconds"]])
                for model in models]
    everything = [point for points in by_model for point in points]
    low, high = min(ridge, min(point[0] for point in everything)) / 2, max(ridge, max(point[0] for point in everything)) * 3
    roof = [(low, low * copy / 1e9), (ridge, arithmetic / 1e9), (high, arithmetic / 1e9)]
    bottom = min(point[1] for point in everything) / 1.5
    top = max(arithmetic / 1e9, max(point[1] for point in everything)) * 1.7
    for panel, model, points in zip(panels.flat, models, by_model):
        panel.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bottom, top))
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
        panel.plot(*zip(*roof), color="0.4", linewidth=1)
        panel.scatter([point[0] for point in points], [point[1] for point in points], s=14, zorder=3)
        total = model[mode]
        panel.set_title(f"{model['model']}: {1e3 * total['seconds']:.1f} ms per step, "
                        f"{total['flops'] / total['seconds'] / 1e9:.0f} GFLOP/s", loc="left")
        blocks = [layer["layer"] for layer in model["layers"] if layer["layer"].startswith("inception")]
        if blocks:
            panel.text(0.98, 0.03, f"{blocks[0].removeprefix('inception')} to {blocks[-1].removeprefix('inception')}: "
                       "Inception blocks", transform=panel.transAxes, ha="right", fontsize=8)
    for panel in panels[-1]:
        panel.set_xlabel("FLOP per byte")
    for row in panels:
        row[0].set_ylabel("GFLOP/s")
    figure.suptitle(f"Layers with 0.5 % or more of the time, {mode}, batch {result['batch']}; roof: {copy / 1e9:.1f} GB/s, "
                    f"{arithmetic / 1e9:.0f} GFLOP/s\n{note(result)}", fontsize=10)
    figure.canvas.draw()  # the layout, in which the labels are placed
    for panel, points in zip(panels.flat, by_model):
        place_labels(panel, [point[:2] for point in points], [point[2] for point in points], roof)


def accuracy_axis(panel, accuracies):
    """Makes an axis logarithmic in the error, down to 0.01 %: it separates 92 % from 93 % and still shows 20 %."""
    def height(accuracy):
        return -numpy.log10(numpy.maximum(1 - accuracy, 1e-4))

    least, most = min(accuracies), min(max(accuracies), 0.9999)
    panel.set_yscale("function", functions=(height, lambda value: 1 - 10.0 ** -value))
    bottom, top = 1 - (1 - least) * 1.12, 1 - (1 - most) / 1.12
    panel.set_ylim(bottom, top)
    ticks = []
    for few, wanted in ((99, (0.9, 0.99, 0.8, 0.95, 0.6, 0.7, 0.85, 0.92, 0.98, 0.2, 0.4, 0.75, 0.94, 0.96, 0.91, 0.93, 0.97,
                              0.995, 0.999)), (3, [k / 100 for k in range(100)])):
        if len(ticks) >= few:
            continue
        for tick in wanted:  # the important ones first; others where there is room
            if bottom <= tick <= top and all(abs(height(tick) - height(kept)) > 0.04 * (height(top) - height(bottom))
                                             for kept in ticks):
                ticks.append(tick)
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")


def end_labels(panel, lines):
    """Names at the right edge, in the colours of the lines and at the height of their last points."""
    height = 12 * panel.figure.dpi / 72
    ends = sorted(((panel.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1]))[1], line) for line in lines),
                  key=lambda end: end[0])
    heights = [end[0] for end in ends]
    for _ in range(100):  # pushes labels that overlap apart
        for k in range(len(heights) - 1):
            lacking = height - (heights[k + 1] - heights[k])
            if lacking > 0:
                heights[k] -= lacking / 2
                heights[k + 1] += lacking / 2
    for y, (_, line) in zip(heights, ends):
        panel.text(1.01, panel.transAxes.inverted().transform((0, y))[1], line.get_label(), transform=panel.transAxes,
                   color=line.get_color(), va="center", fontsize=8, in_layout=False)


def variants(result, _):
    """Test accuracy of each model over training time and over images."""
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
    accuracies = [test["accuracy"] for model in result["models"] for test in model["tests"]]
    lines = []
    for panel, key, label in zip(panels, ("seconds", "images"), ("seconds of training steps", "training images seen")):
        for model in result["models"]:
            x, y = [test[key] for test in model["tests"]], [test["accuracy"] for test in model["tests"]]
            lines += panel.plot(x, y, marker=".", label=f"{model['model']} {100 * y[-1]:.2f} %")
        accuracy_axis(panel, accuracies)
        panel.set_xlim(left=0)
        panel.set_xlabel(label)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    panels[1].xaxis.set_major_locator(MaxNLocator(5))
    panels[0].set_ylabel("test accuracy (logarithmic in the error)")
    budget = result["budget"]
    size = "x".join(map(str, result["models"][0]["input"][1:]))
    amount = f"{budget['minutes']} minutes" if "minutes" in budget else f"{budget['epochs']} epochs"
    figure.suptitle(f"Test accuracy on {result['recipe']['data']} at {size}, {amount} for each model\n{note(result)}",
                    fontsize=10)
    figure.get_layout_engine().set(rect=(0, 0, 0.84, 1))
    figure.canvas.draw()
    end_labels(panels[1], lines[len(result["models"]):])


def transfer(result, _):
    """Test accuracy of three ways to learn new classes: a panel per number of images, and one over all of them."""
    trials = result["second"]["trials"]
    classes = len(result["second"]["classes"])
    count = len(trials) + (len(trials) > 1)
    figure, panels = pyplot.subplots((count + 1) // 2, 2, figsize=(11, 3.8 * ((count + 1) // 2)), squeeze=False,
                                     layout="constrained")
    for panel in panels.flat[count:]:
        panel.set_visible(False)
    labelled = []
    for panel, trial in zip(panels.flat, trials):
        lines = []
        for way in trial["ways"]:
            x, y = [test["epochs"] for test in way["tests"]], [test["accuracy"] for test in way["tests"]]
            lines += panel.plot(x, y, marker=".", label=f"{way['way']} {100 * y[-1]:.2f} %")
        accuracy_axis(panel, [test["accuracy"] for way in trial["ways"] for test in way["tests"]])
        panel.set_xticks([test["epochs"] for test in trial["ways"][0]["tests"]])
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_xlabel("epochs")
        panel.set_title(f"all {trial['images']:,} images" if trial["images_per_class"] == "all" else
                        f"{trial['images_per_class']} images per class ({trial['images']:,} images)", loc="left")
        labelled.append((panel, lines))
    if len(trials) > 1:
        panel = panels.flat[len(trials)]
        lines = []
        for k, way in enumerate(trials[0]["ways"]):
            lines += panel.plot([trial["images"] / classes for trial in trials],
                                [trial["ways"][k]["tests"][-1]["accuracy"] for trial in trials], marker=".", label=way["way"])
        accuracy_axis(panel, [way["tests"][-1]["accuracy"] for trial in trials for way in trial["ways"]])
        panel.set(xscale="log", xlabel="images per class")
        panel.set_xticks([trial["images"] / classes for trial in trials],
                         [f"{trial['images_per_class']}" for trial in trials])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_title("after the last epoch", loc="left")
        labelled.append((panel, lines))
    for row in panels:
        row[0].set_ylabel("test accuracy (logarithmic in the error)")
    figure.suptitle(f"Test accuracy on {classes} new classes, {result['model']}\n{note(result)}", fontsize=10)
    # Room for the labels at the right edges.
    figure.get_layout_engine().set(rect=(0, 0, 0.88, 1), wspace=0.3)
    figure.canvas.draw()
    for panel, lines in labelled:
        end_labels(panel, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result")
    parser.add_argument("out")
    parser.add_argument("--mode", choices=("inference", "training"), default="inference")
    arguments = parser.parse_args()
    with open(arguments.result, encoding="utf-8") as file:
        result = json.load(file)
    draw = {"compare_models": rooflines, "compare_variants": variants, "transfer": transfer}.get(result.get("what"))
    if draw is None or (draw is rooflines and not result["ceilings"]):
        parser.error(f"{arguments.result}: nothing to draw; use a result of compare_models (with times), "
                     "compare_variants or transfer")
    draw(result, arguments.mode)
    if not arguments.out.endswith(".svg"):
        pyplot.savefig(arguments.out)
        return
    text = io.StringIO()
    pyplot.savefig(text, format="svg", metadata={"Date": None})
    with open(arguments.out, "w", encoding="utf-8") as file:  # Matplotlib leaves spaces at the ends of lines
        file.write("".join(line.rstrip() + "\n" for line in text.getvalue().splitlines()))


if __name__ == "__main__":
    main()
