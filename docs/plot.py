#!/usr/bin/env python3
"""Draws docs/performance.svg from the figures of a measurement.

    cargo bench --bench load -- --csv docs/performance.csv
    python3 -m pip install matplotlib
    python3 docs/plot.py
"""

import csv
import pathlib

import matplotlib

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams["svg.hashsalt"] = "broadcast-chat"
from matplotlib import pyplot

HERE = pathlib.Path(__file__).parent
COLOURS = {
    "practical limit": "#8a8f98",
    "ours, in memory": "#1f6feb",
    "ours, on disk": "#54aeff",
    "Bun's publish": "#bf8700",
    "textbook": "#cf222e",
}


def read(path):
    """Returns {table: {row: {figure: value}}}."""
    tables = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            row = tables.setdefault(line["table"], {}).setdefault(line["row"], {})
            row[line["figure"]] = float(line["value"])
    return tables


def bars(axes, rows, title, unit):
    """Draws one bar a row, on a scale where each step is ten times the last."""
    names = list(rows)[::-1]
    values = [rows[name] for name in names]
    colours = [COLOURS.get(name.rsplit(", ", 1)[0], COLOURS.get(name, "#1f6feb")) for name in names]
    axes.barh(names, values, color=colours, height=0.7)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 6)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.tick_params(labelsize=8)
    axes.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    for place, value in enumerate(values):
        axes.text(value * 1.1, place, f"{value:.3g} {unit}", va="center", fontsize=8)


def main():
    tables = read(HERE / "performance.csv")
    panels = []
    for table, rows in tables.items():
        if table.startswith("throughput"):
            costs = {name: row["CPU seconds a million"] for name, row in rows.items()}
            panels.append((costs, f"CPU a million deliveries: {table.removeprefix('throughput ')}", "s"))
    if "memory" in tables:
        kilobytes = {name: row["bytes a connection"] / 1e3 for name, row in tables["memory"].items()}
        panels.append((kilobytes, "Memory an idle connection", "KB"))
    lines = (len(panels) + 1) // 2
    figure, grid = pyplot.subplots(lines, 2, figsize=(11, 2.1 * lines), layout="constrained")
    for axes in grid.flat[len(panels):]:
        axes.axis("off")
    for axes, (rows, title, unit) in zip(grid.flat, panels):
        bars(axes, rows, title, unit)
    figure.savefig(HERE / "performance.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
