#!/usr/bin/env python3
"""Prints the results of scripts/gpu_check.sh, gpu-STAGE.json in a folder, as Markdown.

    scripts/gpu_table.py FOLDER > FOLDER/README.md
"""
import json
import pathlib
import statistics
import sys

STAGES = ["start", "tests", "memcheck", "racecheck", "kernels", "train", "classic", "published"]


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(heads, rows):
    return [row(*heads), row(*["---"] * len(heads))] + [row(*cells) for cells in rows] + [""]


def part_lines(stage):
    return table(["part", "result", "seconds", ""],
                 [(p["part"], p["result"], p["seconds"], p["summary"].strip()) for p in stage["parts"]])


def kernel_lines(detail):
    """One line per case, pass and dtype: our fastest kernel and the vendor's library."""
    lines, rows, ratios = [], [], {}
    by_work = {}
    for result in detail["results"]:
        key = (result["case"], result["pass"], result["dtype"])
        by_work.setdefault(key, {})[result["contender"]] = result
    for (case, pass_, dtype), found in by_work.items():
        ours = min((r for name, r in found.items() if name.startswith("ours")), key=lambda r: r["median_us"], default=None)
        vendor = found.get("vendor")
        if not ours:
            continue
        ratio = vendor["median_us"] / ours["median_us"] if vendor else None
        if ratio:
            ratios.setdefault((pass_, dtype), []).append(ratio)
        rows.append((case, pass_, dtype, f"{ours['median_us']:.1f} ({ours['contender'].split('/')[1]})",
                     f"{ours['tflop_s']:.1f}", f"{ours['gb_s']:.0f}", f"{vendor['median_us']:.1f}" if vendor else "",
                     f"{ratio:.2f}" if ratio else ""))
    for device, ceilings in detail["ceilings"].items():
        products = ", ".join(f"{rate:.1f} TFLOP/s in {dtype}" for dtype, rate in ceilings["product_tflop_s"].items())
        lines.append(f"{device}: a copy moves {ceilings['copy_gb_s']:.0f} GB/s; large products reach {products or 'unknown rates'}."
                     + (" **Emulated: these are not GPU times.**" if detail["emulated"] else ""))
    lines.append("")
    if ratios:
        lines += table(["pass", "dtype", "cases", "geometric mean of vendor's time / ours", "worst", "best"],
                       [(p, d, len(r), f"{statistics.geometric_mean(r):.2f}", f"{min(r):.2f}", f"{max(r):.2f}")
                        for (p, d), r in sorted(ratios.items())])
    lines += table(["case", "pass", "dtype", "ours, us", "TFLOP/s", "GB/s", "vendor, us", "vendor / ours"], rows)
    skipped = len(detail["skipped"])
    return lines + ([f"{skipped} timings were skipped.", ""] if skipped else [])


def train_lines(stage):
    lines = []
    for part in stage["parts"]:
        detail = part["detail"]
        if not detail:
            lines += [f"{part['part']}: {part['result']}", ""]
            continue
        work = detail["work"]
        lines.append(f"{work['model']}, {work['image-size']}x{work['image-size']}, batch {work['batch']}, {work['compute']}:")
        lines.append("")
        lines += table(["program", "images/s (median)", "lowest", "highest"],
                       [(c["name"], f"{c['images_per_s']['median']:.0f}", f"{c['images_per_s']['min']:.0f}",
                         f"{c['images_per_s']['max']:.0f}")
                        for c in sorted(detail["contenders"], key=lambda c: -c["images_per_s"]["median"])])
        for failure in detail["failed"]:
            lines += [f"{failure['name']} was skipped: {failure['why']}", ""]
        if "ratio" in detail:
            lines += [f"{detail['best_ours']} / {detail['best_pytorch']} = **{detail['ratio']:.2f}**", ""]
    return lines


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = pathlib.Path(sys.argv[1])
    lines = ["# GPU results", "", "Written by `scripts/gpu_check.sh table` from the files in this folder; see docs/gpu.md.",
             ""]
    found = False
    for name in STAGES:
        path = folder / f"gpu-{name}.json"
        if not path.exists():
            continue
        found = True
        try:
            stage = json.loads(path.read_text())
        except ValueError as error:
            sys.exit(f"gpu_table.py: {path}: {error}")
        lines += [f"## {name}", "", f"{stage['device']}, driver {stage['driver']}, commit {stage['commit']}, {stage['date']}.", ""]
        lines += part_lines(stage)
        if name == "kernels":
            for part in stage["parts"]:
                lines += kernel_lines(part["detail"]) if part["detail"] else []
        if name == "train":
            lines += train_lines(stage)
    if not found:
        sys.exit(f"gpu_table.py: {folder} has no gpu-STAGE.json; run scripts/gpu_check.sh on a machine with a GPU first")
    print("\n".join(lines).rstrip())


if __name__ == "__main__":
    main()
