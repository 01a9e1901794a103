"""Crawl each corpus with each system, interleaved, and print what each page cost.

Exit code 1 when a system missed a page that the sketch found.

python bench/run.py                     # both tables, 5 rounds, everything installed first
python bench/run.py --rounds 1 --systems ours sketch --corpora postgresql
python bench/run.py --save              # also write docs/benchmarks.json and the plots
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

import shop_pages
from install import PLOT_ENVIRONMENT, environment, install, versions
from measure import RunError, run
from results import Figures, Sample, figures, markdown
from sites import SHOP, Corpus, available, missing, served
from systems import HERE, OURS, ROOT, SYSTEMS, WORK, System, python_of

TABLES = {"crawl": "Crawl and store", "soup": "Crawl and touch page.soup on every page"}
DOCS = ROOT / "docs"


def main() -> int:
    make_shop()
    options = arguments()
    chosen = [system for system in SYSTEMS if wanted(system, options)]
    if absent := missing():
        print(f"skipped, install for more: {' '.join(absent)}", file=sys.stderr)
    problems = install([*chosen, system_named("sketch")])
    for name, problem in problems.items():
        print(f"skipped {name}: {problem}", file=sys.stderr)
    ready = [system for system in chosen if system.name not in problems]
    corpora = [corpus for corpus in available() if corpus.name in options.corpora]
    with served(corpora) as port:
        samples = list(rounds(ready, corpora, port, options.rounds))
    tables = {table: rows_of(table, samples, ready) for table in TABLES}
    show(tables)
    if options.save:
        save(tables, samples, problems)
    return 1 if any(sample.missing for sample in samples) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [system.name for system in SYSTEMS]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=names, default=names)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    corpora = [corpus.name for corpus in available()]
    parser.add_argument("--corpora", nargs="+", choices=corpora, default=corpora)
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks.json and plots")
    return parser.parse_args()


def make_shop() -> None:
    """Write the shop, once."""
    if not SHOP.exists():
        unfinished = SHOP.with_name("shop.unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        shop_pages.write(unfinished)
        unfinished.rename(SHOP)


def wanted(system: System, options: argparse.Namespace) -> bool:
    return system.name in options.systems and system.table in options.tables


def system_named(name: str) -> System:
    return next(system for system in SYSTEMS if system.name == name)


def rounds(systems: list[System], corpora: list[Corpus], port: int, count: int) -> Iterator[Sample]:
    """Run everything `count` times, each round every system once on every corpus."""
    expected = {corpus.name: pages_of(corpus, port) for corpus in corpora}
    for number in range(count):
        for corpus in corpora:
            for system in systems:
                sample = one_run(system, corpus, port, number, expected[corpus.name])
                if sample is not None:
                    yield sample


def pages_of(corpus: Corpus, port: int) -> set[str]:
    """Return the pages of a corpus: those the sketch finds, in a run that also warms the cache."""
    with tempfile.TemporaryDirectory(dir=WORK) as result:
        sketch = system_named("sketch")
        run(command_of(sketch, corpus, port, Path(result)), Path(result, "log"))
        found = pages_among(sketch.found(Path(result)))
    urls_file(corpus).write_text("\n".join(sorted(found)))
    return found


def pages_among(urls: set[str]) -> set[str]:
    """Return the HTML pages, without fragments: some systems also keep the odd text or image."""
    return {page for url in urls if (page := url.partition("#")[0]).endswith((".html", "/"))}


def urls_file(corpus: Corpus) -> Path:
    return WORK / f"{corpus.name}.urls"


def command_of(system: System, corpus: Corpus, port: int, result: Path) -> list[str]:
    seed = corpus.seed(port)
    values = {
        "python": python_of(system.environment),
        "seed": seed,
        "prefix": seed.rpartition("/")[0] + "/",
        "result": result,
        "urls": urls_file(corpus),
        "root": ROOT,
        "here": HERE,
    }
    return [word.format(**values) for word in system.command]


def one_run(
    system: System, corpus: Corpus, port: int, number: int, expected: set[str]
) -> Sample | None:
    """Run one system on one corpus in an empty directory; None, said aloud, when it fails."""
    result = Path(tempfile.mkdtemp(prefix=f"{system.name}-", dir=WORK))
    try:
        os.sync()  # what the last system left to write is not this one's to wait for
        cost = run(command_of(system, corpus, port, result), result / "log")
        found = pages_among(system.found(result))
    except RunError as error:
        print(f"{system.name} on {corpus.name} failed: {error}", file=sys.stderr)
        return None
    finally:
        shutil.rmtree(result, ignore_errors=True)
    off = (len(expected - found), len(found - expected))
    sample = Sample(number, corpus.name, system.name, len(found), *off, cost)
    print(
        f"round {number + 1} {corpus.name:<11}{system.name:<22}{sample.cpu_ms:8.2f} ms/page"
        f"{cost.wall:8.2f} s{cost.peak_mb:6.0f} MB",
        *(f" {sign}{url}" for sign, url in differences(expected, found)),
        file=sys.stderr,
    )
    return sample


def differences(expected: set[str], found: set[str]) -> list[tuple[str, str]]:
    """Return up to three URLs that a system missed (-) and up to three that only it found (+)."""
    missed, extra = sorted(expected - found)[:3], sorted(found - expected)[:3]
    return [*(("-", url) for url in missed), *(("+", url) for url in extra)]


def rows_of(table: str, samples: list[Sample], ready: list[System]) -> list[Figures]:
    names = [system.name for system in ready if system.table == table]
    return figures([s for s in samples if s.system in names], reference(table, names))


def reference(table: str, names: list[str]) -> str:
    """Name the system that ratios are taken against: ours, or the first when ours is absent."""
    ours = OURS if table == "crawl" else f"{OURS}-{table}"
    stand_in = "sketch" if "sketch" in names else next(iter(names), ours)
    return ours if ours in names else stand_in


def show(tables: dict[str, list[Figures]]) -> None:
    titles = {system.name: system.title for system in SYSTEMS}
    for table, rows in tables.items():
        if rows:
            names = list(dict.fromkeys(row.system for row in rows))
            print(f"\n## {TABLES[table]}\n")
            print(markdown(rows, titles, reference(table, names)))


def save(tables: dict[str, list[Figures]], samples: list[Sample], problems: dict[str, str]) -> None:
    """Write docs/benchmarks.json, then the plot of each table beside it."""
    record = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "skipped": problems,
        "titles": {system.name: system.title for system in SYSTEMS},
        "tables": {table: [asdict(row) for row in rows] for table, rows in tables.items() if rows},
        "samples": [asdict(sample) for sample in samples],
    }
    target = DOCS / "benchmarks.json"
    target.write_text(json.dumps(record, indent=1) + "\n")
    python = environment(PLOT_ENVIRONMENT, ("matplotlib",))
    subprocess.run([python, HERE / "plot.py", target, DOCS], check=True)


def machine() -> dict[str, str]:
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
    }


if __name__ == "__main__":
    sys.exit(main())
