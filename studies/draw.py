#!/usr/bin/env python3
"""Draws the results of a study.

    studies/draw.py RESULT.json OUT.svg [--mode inference|training]

RESULT.json is compare_models.json (rooflines; --mode, inference by default), compare_variants.json (accuracy over time and over
images) or transfer.json (accuracy by epoch, and by images per class). OUT may also end in .png or .pdf. Needs Matplotlib (Debian:
python3-matplotlib).
"""

import argparse
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402 (the backend comes first)

pyplot.rcParams.update({"svg.hashsalt": "minception", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                        "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})


def note(result):
    return f"{result['machine']}; {result['device']}; {result['date']}"


def rooflines(result, mode):
    """Speed over arithmetic intensity of every layer (Williams, Waterman & Patterson 2009), a panel per model."""
    ceilings = result["ceilings"]
    copy = ceilings["copy_bytes_per_s"]
    arithmetic = max(ceilings["product_flop_per_s"], ceilings["convolution_flop_per_s"])
    models = result["models"]
    figure, panels = pyplot.subplots((len(models) + 1) // 2, 2, figsize=(11, 4.2 * ((len(models) + 1) // 2)), squeeze=False,
                                     sharex=True, sharey=True, layout="constrained")
    for panel in panels.flat[len(models):]:
        panel.set_visible(False)
    for panel, model in zip(panels.flat, models):
        points = []
        for layer in model["layers"]:
            work = layer[mode]
            if work["flops"] > 0 and work["bytes"] > 0:
                points.append((work["flops"] / work["bytes"], work["flops"] / work["seconds"] / 1e9, layer["layer"]))
        low = min(point[0] for point in points) / 2
        high = max(max(point[0] for point in points) * 2, 2 * arithmetic / copy)
        ridge = arithmetic / copy
        panel.plot([low, ridge, high], [low * copy / 1e9, arithmetic / 1e9, arithmetic / 1e9], color="0.4", linewidth=1)
        panel.scatter([point[0] for point in points], [point[1] for point in points], s=14, zorder=3)
        for intensity, speed, name in points:
            panel.annotate(name, (intensity, speed), textcoords="offset points", xytext=(3, 3), fontsize=6)
        total = model[mode]
        panel.set(xscale="log", yscale="log")
        panel.set_title(f"{model['model']}: {1e3 * total['seconds']:.0f} ms per step, "
                        f"{total['flops'] / total['seconds'] / 1e9:.0f} GFLOP/s", loc="left")
    for panel in panels[-1]:
        panel.set_xlabel("FLOP per byte")
    for row in panels:
        row[0].set_ylabel("GFLOP/s")
    figure.suptitle(f"Layers in {mode}, batch {result['batch']}\n{note(result)}", fontsize=10)


def accuracy_axis(panel, lines):
    """Cuts off the first tests, which lie far below the rest."""
    late = [value for _, values in lines for value in values[len(values) // 2:]]
    top, bottom = max(late), min(late)
    panel.set_ylim(bottom - 0.15 * (top - bottom) - 0.002, top + 0.08 * (top - bottom) + 0.002)
    panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.1f} %")


def variants(result, _):
    """Test accuracy of each model over training time and over images."""
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
    for panel, key, label in zip(panels, ("seconds", "images"), ("seconds of training steps", "training images seen")):
        lines = []
        for model in result["models"]:
            x, y = [test[key] for test in model["tests"]], [test["accuracy"] for test in model["tests"]]
            panel.plot(x, y, marker=".", label=f"{model['model']} {100 * y[-1]:.1f} %")
            lines.append((x, y))
        accuracy_axis(panel, lines)
        panel.set_xlabel(label)
    panels[0].set_ylabel("test accuracy")
    panels[1].legend(loc="lower right", fontsize=8)
    budget = result["budget"]
    size = "x".join(map(str, result["models"][0]["input"][1:]))
    amount = f"{budget['minutes']} minutes" if "minutes" in budget else f"{budget['epochs']} epochs"
    figure.suptitle(f"Test accuracy, {amount} for each model, {size}\n{note(result)}", fontsize=10)


def transfer(result, _):
    """Test accuracy of three ways to learn new classes: a panel per number of images, and one over all of them."""
    trials = result["second"]["trials"]
    count = len(trials) + (len(trials) > 1)
    figure, panels = pyplot.subplots((count + 1) // 2, 2, figsize=(11, 3.8 * ((count + 1) // 2)), squeeze=False,
                                     layout="constrained")
    for panel in panels.flat[count:]:
        panel.set_visible(False)
    for panel, trial in zip(panels.flat, trials):
        lines = []
        for way in trial["ways"]:
            x, y = [test["epochs"] for test in way["tests"]], [test["accuracy"] for test in way["tests"]]
            panel.plot(x, y, marker=".", label=f"{way['way']} {100 * y[-1]:.1f} %")
            lines.append((x, y))
        accuracy_axis(panel, lines)
        panel.set_xlabel("epochs")
        panel.set_title(f"{trial['images_per_class']} images per class ({trial['images']} images)", loc="left")
        panel.legend(loc="lower right", fontsize=8)
    if len(trials) > 1:
        panel = panels.flat[len(trials)]
        classes = len(result["second"]["classes"])
        for k, way in enumerate(trials[0]["ways"]):
            panel.plot([trial["images"] / classes for trial in trials],
                       [trial["ways"][k]["tests"][-1]["accuracy"] for trial in trials], marker=".", label=way["way"])
        panel.set(xscale="log", xlabel="images per class")
        panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        panel.set_title("at the end, by images per class", loc="left")
        panel.legend(loc="lower right", fontsize=8)
    figure.suptitle(f"Test accuracy on {len(result['second']['classes'])} new classes, {result['model']}\n{note(result)}",
                    fontsize=10)


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
    pyplot.savefig(arguments.out, metadata={"Date": None} if arguments.out.endswith(".svg") else None)


if __name__ == "__main__":
    main()
