"""Install the peers, each family in a virtual environment of its own under `bench/.work/`."""

import json
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

from systems import HERE, OURS, ROOT, WORK, System, python_of

PLOT_ENVIRONMENT = "plot"
VERSIONS_OF = {
    "scrapy": ("scrapy", "twisted", "parsel", "lxml"),
    "crawlee": ("crawlee", "impit", "parsel", "beautifulsoup4", "lxml"),
    "scrapling": ("scrapling", "curl_cffi", "lxml", "uvloop"),
    "sketch": ("aiohttp", "uvloop", "selectolax", "ada-url", "zstandard", "xxhash"),
}


def install(systems: Iterable[System]) -> dict[str, str]:
    """Make every system runnable; give, for each that cannot be, the reason by name."""
    problems: dict[str, str] = {}
    for system in systems:
        if system.environment:
            python = environment(system.environment, system.requirements)
            if system.environment == OURS:
                _install_this_tree(python)
        elif system.build:
            if problem := BUILDS[system.build](WORK / system.build):
                problems[system.name] = problem
        elif not Path(system.command[0].format(root=ROOT, here=HERE)).exists():
            problems[system.name] = f"{system.command[0].format(root='.')} is not installed"
    return problems


def _install_this_tree(python: Path) -> None:
    """Install the tree as it is now the way a user does: compiled, not linked to its source.

    pip installs a folder again though its version is there, and what it needs by now.
    """
    subprocess.run([python, "-m", "pip", "install", "-qq", str(ROOT)], check=True)


def environment(name: str, requirements: tuple[str, ...]) -> Path:
    """Create the environment `name` with `requirements`, once; give its Python."""
    python = python_of(name)
    ready = python.parent.parent / "ready"
    wanted = "\n".join(requirements)
    if not ready.exists() or ready.read_text() != wanted:
        print(f"installing {', '.join(requirements)} …", file=sys.stderr)
        venv.create(python.parent.parent, clear=True, symlinks=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", *requirements], check=True)
        ready.write_text(wanted)
    return python


def build_colly(target: Path) -> str:
    """Build the Colly crawler, whose modules Go fetches; give the reason when that fails.

    A program that is there already, and newer than its source here, is taken as it is.
    """
    crawler = HERE / "peers" / "colly"
    if target.exists() and target.stat().st_mtime > (crawler / "main.go").stat().st_mtime:
        return ""
    if shutil.which("go") is None:
        return "go is not installed (Debian: golang-go)"
    source = WORK / "colly-source"
    shutil.copytree(crawler, source, dirs_exist_ok=True)
    for command in (["go", "mod", "tidy"], ["go", "build", "-o", str(target), "."]):
        try:
            subprocess.run(
                command, cwd=source, capture_output=True, text=True, timeout=300, check=True
            )
        except subprocess.SubprocessError as error:
            (WORK / "colly.log").write_text(str(getattr(error, "stderr", None) or error))
            return f"`{' '.join(command[:3])}` failed; see bench/.work/colly.log"
    return ""


def install_crawlee_js(target: Path) -> str:
    """Install Crawlee for JavaScript with npm beside its script; give the reason if that fails."""
    source = HERE / "peers" / "crawlee_js"
    if shutil.which("npm") is None:
        return "npm is not installed (Debian: npm)"
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copy(file, target)
    if (target / "node_modules").exists():
        return ""
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=target, check=False)
    return f"npm install ended with exit code {done.returncode}" if done.returncode else ""


BUILDS: dict[str, Callable[[Path], str]] = {"colly": build_colly, "crawlee-js": install_crawlee_js}
"""What makes a peer that is no Python, by its name below `bench/.work/`."""


def versions() -> dict[str, dict[str, str]]:
    """Return the versions of every library measured, by environment, and of the interpreter."""
    code = (
        "import sys; from importlib.metadata import version\n"
        "for name in sys.argv[1:]: print(name, version(name))"
    )
    found = {"interpreter": {"python": platform.python_version()}}
    for name, packages in VERSIONS_OF.items():
        if python_of(name).exists():
            run = [python_of(name), "-c", code, *packages]
            lines = subprocess.run(run, check=True, capture_output=True, text=True).stdout
            found[name] = dict(line.split() for line in lines.splitlines())
    package = WORK / "crawlee-js" / "node_modules" / "@crawlee" / "cheerio" / "package.json"
    if package.exists():
        found["crawlee-js"] = {"@crawlee/cheerio": json.loads(package.read_text())["version"]}
    if (WORK / "colly").exists() and shutil.which("go"):
        found["colly"] = modules_of(WORK / "colly")
    return found


def modules_of(program: Path) -> dict[str, str]:
    """Return the versions of Go and of the modules that a Go program says it was built of."""
    command = ["go", "version", "-m", str(program)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split() for line in lines[1:]]
    found = {row[1]: row[2] for row in rows if row[0] == "dep" and row[2:]}
    return {"go": lines[0].split()[-1].removeprefix("go"), **found}
