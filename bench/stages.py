"""Profile a crawl by stage, in microseconds of CPU per page, start-up shown apart.

    python bench/stages.py                      # ours, on every corpus
    python bench/stages.py --system sketch --corpora python --rounds 3

(Not called profile.py: that would shadow the standard library's module of the same name.)
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from install import install
from run import command_of, pages_among, system_named
from sites import Corpus, available, served
from systems import HERE, WORK, System, python_of

ORDER = (
    *("start-up", "fetch", "loop, sockets, rest", "engine", "request", "decode", "parse", "soup"),
    *("spider", "links", "dedupe", "frontier", "compress", "commit", "other threads"),
)
ENTRIES = {
    "ours": "crawler.__main__:main",
    "ours-soup": "crawler.__main__:main",
    "sketch": "sketch:main",
}


def main() -> int:
    options = arguments()
    system = system_named(options.system)
    if problem := install([system]).get(system.name):
        print(f"{system.name}: {problem}", file=sys.stderr)
        return 1
    corpora = [corpus for corpus in available() if corpus.name in options.corpora]
    with served(corpora) as port:
        columns = {c.name: microseconds(system, c, port, options.rounds) for c in corpora}
    print(table(columns))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", choices=list(ENTRIES), default="ours")
    names = [corpus.name for corpus in available()]
    parser.add_argument("--corpora", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def microseconds(system: System, corpus: Corpus, port: int, rounds: int) -> dict[str, float]:
    """Return the mean CPU per page of each stage, over `rounds` crawls."""
    seconds: Counter[str] = Counter()
    pages = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=WORK) as result:
            command = watched(system, command_of(system, corpus, port, Path(result)), result)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.update(json.loads(Path(result, "stages.json").read_text())["stages"])
            pages += len(pages_among(system.found(Path(result))))
    return {stage: 1e6 * value / pages for stage, value in seconds.items()}


def watched(system: System, command: list[str], result: str) -> list[str]:
    """Return the command with the stopwatch in front, run by the system's own Python."""
    program, *arguments = command
    python = str(python_of(system.environment))
    if program == python:
        arguments = arguments[1:]  # the script, which is named as a module instead
    watch = [str(HERE / "stopwatch.py"), f"{result}/stages.json", ENTRIES[system.name]]
    return [python, *watch, *arguments]


def table(columns: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table, stages down, corpora across; the last line is their sum."""
    lines = [f"| µs CPU per page | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for stage in ORDER:
        if any(stage in column for column in columns.values()):
            cells = (f"{column.get(stage, 0.0):.0f}" for column in columns.values())
            lines.append(f"| {stage} | {' | '.join(cells)} |")
    sums = (f"{sum(column.values()):.0f}" for column in columns.values())
    return "\n".join([*lines, f"| **sum** | {' | '.join(sums)} |"])


if __name__ == "__main__":
    sys.exit(main())
