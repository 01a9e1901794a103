"""Draw docs/benchmarks.json as one SVG per table. Usage: plot.py JSON DIRECTORY (matplotlib)."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

LABELS = {"crawl": "crawl and store", "soup": "BeautifulSoup on every page"}


def draw(rows: list[dict], titles: dict[str, str], label: str, target: Path) -> None:
    """Draw CPU per page, one panel per corpus, one bar per system."""
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    systems = list(dict.fromkeys(row["system"] for row in rows))
    figure, panels = pyplot.subplots(
        1,
        len(corpora),
        sharey=True,
        squeeze=False,
        figsize=(11, 0.9 + 0.42 * len(systems)),
    )
    for panel, corpus in zip(panels[0], corpora, strict=True):
        cpu = {row["system"]: row["cpu_ms"] for row in rows if row["corpus"] == corpus}
        names = [system for system in systems if system in cpu]
        colours = ["#d1495b" if name.startswith("ours") else "#8d99ae" for name in names]
        bars = panel.barh(
            [titles[name] for name in names], [cpu[name] for name in names], color=colours
        )
        panel.bar_label(bars, fmt="%.2g", padding=3, fontsize=8)
        panel.set(title=corpus, xlabel="CPU ms per page")
        panel.margins(x=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].invert_yaxis()
    figure.suptitle(f"CPU per page: {label} (less is better)")
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def main(source: str, directory: str) -> None:
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"
    record = json.loads(Path(source).read_text())
    for table, rows in record["tables"].items():
        if rows:
            draw(rows, record["titles"], LABELS[table], Path(directory, f"benchmarks-{table}.svg"))


main(*sys.argv[1:3])
