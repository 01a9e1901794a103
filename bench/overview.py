"""Draw the figure of the README from docs/benchmarks.json: CPU per page, one bar for each system.

    .venv/bin/python bench/overview.py docs/benchmarks.json > docs/benchmarks-overview.svg

A bar is the geometric mean over the sites that every system crawled; the date and the machine of
the figures stand in it. By hand in SVG, so that it needs no library and
reads well in light and dark.
"""

import json
import statistics
import sys
from html import escape
from pathlib import Path
from typing import Any

WIDTH, LEFT, ROW, BAR = 760, 250, 34, 20
OURS = "ours"
COLOURS = {True: "#d1495b", False: "#8d99ae"}
IN_MEMORY = {"colly", "crawlee-parsel-memory"}  # their queue: killed, they begin anew
UNCOMPARED = {"sketch", "bare", "heads", "lxml-floor", "ours-2"}  # more of our own


def means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return CPU ms a page of each system over the sites that all of them crawled, least first."""
    cpu: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["system"] not in UNCOMPARED:
            cpu.setdefault(row["system"], {})[row["corpus"]] = row["cpu_ms"]
    shared = set.intersection(*(set(sites) for sites in cpu.values()))
    found = {
        system: statistics.geometric_mean(sites[site] for site in sorted(shared))
        for system, sites in cpu.items()
    }
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def drawn(record: dict[str, Any]) -> str:
    """Return the figure as SVG."""
    rows = record["tables"]["crawl"]
    found = means(rows)
    sites = list(dict.fromkeys(row["corpus"] for row in rows))
    scale = (WIDTH - LEFT - 190) / max(found.values())
    height = 74 + ROW * len(found) + 26
    machine = f"{record['machine']['cores']} cores, {record['machine']['processor']}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="14" fill="#6b7280">',
        f"<title>CPU per page, {escape(record['date'])}</title>",
        '<text x="0" y="22" font-size="18" font-weight="600">CPU a page, in ms: less is better'
        "</text>",
        f'<text x="0" y="44">{escape(" · ".join(sites))} documentation, everything stored that'
        " each can store</text>",
    ]
    for number, (system, cpu) in enumerate(found.items()):
        y, length = 66 + ROW * number, max(2.0, cpu * scale)
        told = "" if system == OURS else f" · {cpu / found[OURS]:.2g} ×"
        told += " · queue in memory" if system in IN_MEMORY else ""
        weight = ' font-weight="700"' if system == OURS else ""
        lines += [
            f'<text x="{LEFT - 12}" y="{y + 15}" text-anchor="end"{weight}>'
            f"{escape(record['titles'][system])}</text>",
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"'
            f' fill="{COLOURS[system == OURS]}"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 15}"{weight}>{cpu:.2f}{told}</text>',
        ]
    lines += [
        f'<text x="0" y="{height - 8}" font-size="12">Geometric mean of {len(sites)} sites,'
        f" start-up included; measured {escape(record['date'])} on {escape(machine)}</text>",
        "</svg>",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(drawn(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
