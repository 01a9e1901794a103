"""Record real commands on a real terminal, and draw what it showed as an SVG that plays once.

`python docs/make/pictures/terminal.py` serves the practice site and writes docs/pictures/*.svg;
with `--check` it writes nothing, and ends with exit code 1 and a line for each picture that shows
other lines than the commands now print. Figures may differ: two runs do not take the same time.

What never changes again is there without the animation, too: on paper, for a reader who asked for
less motion, and in programs that show the first picture only. The animation begins with it, so that
nobody who comes to the page sees an empty box.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from html import escape, unescape
from itertools import pairwise
from pathlib import Path

from crawler.testing.site import served

PICTURES = Path(__file__).parents[2] / "pictures"
COLUMNS, ROWS = 96, 30
GAP = 0.5  # seconds that nothing is seen to happen, at most
POSTER = 3.0  # seconds that the last picture is seen before the story begins
TYPED = 0.9  # seconds between a command that is seen and its first output
LETTER, LINE, EDGE = 8.4, 19, 16  # px: the width of a letter, the height of a line, the margin
PORT = 8765
TOKEN = re.compile(r"\x1b\[(\d*(?:;\d+)*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")
STORIES = {
    "crawl": [
        "crawler crawl http://127.0.0.1:8765/shop/ --scope prefix",
        'crawler query "SELECT depth, count(*) AS pages FROM pages GROUP BY depth"',
        'crawler query "SELECT title, url FROM pages WHERE depth = 1 ORDER BY title LIMIT 5"',
    ],
}


@dataclass(frozen=True)
class Shown:
    """A line as it stood on the screen: where, from when until when (None: for good)."""

    row: int
    text: str
    since: float
    until: float | None


@dataclass
class Terminal:
    """What a terminal shows: lines, a cursor, and the two controls that our commands send."""

    now: float = 0.0
    rows: list[str] = field(default_factory=lambda: [""])
    column: int = 0
    history: list[tuple[float, list[str]]] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Show a piece of output, which ends between two controls."""
        for codes, control, carriage, newline, plain in TOKEN.findall(text):
            if carriage:
                self.column = 0
            elif newline:
                self.rows.append("")
            elif control == "K" and codes == "2":
                self.rows[-1] = ""
            elif control not in ("", "m"):
                raise ValueError(f"no such control is drawn: ESC [ {codes} {control}")
            self._write(plain)
        self.history.append((self.now, list(self.rows)))

    def _write(self, plain: str) -> None:
        for start in range(0, len(plain), COLUMNS):
            if start:
                self.rows.append("")
                self.column = 0
            piece = plain[start : start + COLUMNS]
            row = self.rows[-1].ljust(self.column)
            self.rows[-1] = row[: self.column] + piece + row[self.column + len(piece) :]
            self.column += len(piece)

    def shown(self) -> list[Shown]:
        """Return every line that was ever shown, in the order of its row."""
        lines = []
        for row in range(len(self.rows)):
            versions = [(at, rows[row] if row < len(rows) else "") for at, rows in self.history]
            changes = [versions[0]]
            changes += [b for a, b in pairwise(versions) if a[1] != b[1]]
            ends: list[float | None] = [at for at, _ in changes[1:]]
            for (since, text), until in zip(changes, [*ends, None], strict=True):
                if text.strip():
                    lines.append(Shown(row, text.rstrip(), since, until))
        return lines


def record(commands: list[str], folder: Path) -> list[Shown]:
    """Run the commands in a folder, on a terminal of their own, and return what it showed."""
    terminal = Terminal()
    for command in commands:
        terminal.feed(f"$ {command}")
        terminal.now += TYPED
        terminal.feed("\r\n")
        _run(command, folder, terminal)
    if len(terminal.rows) > ROWS:
        raise ValueError(f"{len(terminal.rows)} lines do not fit into {ROWS}")
    return terminal.shown()


def _run(command: str, folder: Path, terminal: Terminal) -> None:
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": str(COLUMNS)}
    line = [sys.executable, "-m", *shlex.split(command)]
    process = subprocess.Popen(line, cwd=folder, env=environ, stdout=other, stderr=other)
    os.close(other)
    last, held = time.monotonic(), b""
    while piece := _read(main):
        terminal.now += min(time.monotonic() - last, GAP)
        last = time.monotonic()
        whole, held = _whole(held + piece)
        terminal.feed(whole)
    os.close(main)
    if process.wait():
        raise ValueError(f"{command}: exit code {process.returncode}")
    terminal.column = 0


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so that the other side is closed
        return b""


def _whole(data: bytes) -> tuple[str, bytes]:
    """Split off the start of a letter or of a control whose end is still to come."""
    cut = len(data)
    while cut and (data[cut - 1] & 0xC0) == 0x80:
        cut -= 1
    if cut and data[cut - 1] >= 0xC0 and not _decodes(data[cut - 1 :]):
        return data[: cut - 1].decode(), data[cut - 1 :]
    if unfinished := re.search(rb"\x1b(\[[\d;]*)?$", data):
        return data[: unfinished.start()].decode(), unfinished.group()
    return data.decode(), b""


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def draw(lines: list[Shown], title: str) -> str:
    """Return the SVG of what was shown; it plays once, from the first command to the last line."""
    width = COLUMNS * LETTER + 2 * EDGE
    height = (max(line.row for line in lines) + 1) * LINE + 2 * EDGE
    said = "; ".join(line.text[2:] for line in lines if line.text.startswith("$ "))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>",
        "<style>",
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "fill:#d5dbe3;white-space:pre}.c{fill:#fff;font-weight:600}.t{opacity:0}",
        "@keyframes off{from,to{opacity:0}}@keyframes on{from,to{opacity:1}}",
        f".s{{animation:off 0s {POSTER}s}}.t{{animation:on 1s}}",
        "@media(prefers-reduced-motion:reduce){.s,.t{animation:none}}",
        "</style>",
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#16202c"/>',
        *map(_line, lines),
        "</svg>\n",
    ])  # fmt: skip


def _line(line: Shown) -> str:
    kind = "s" if line.until is None else "t"
    kind += " c" if line.text.startswith("$ ") else ""
    if line.until is None:
        style = f"animation-duration:{line.since:.2f}s"
    else:
        seen = line.until - line.since
        style = f"animation-delay:{POSTER + line.since:.2f}s;animation-duration:{seen:.2f}s"
    y = EDGE + (line.row + 0.75) * LINE
    long = len(line.text) * LETTER
    return (
        f'<text class="{kind}" style="{style}" x="{EDGE}" y="{y:.0f}" textLength="{long:.1f}"'
        f' lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(line.text)}</text>'
    )


def lasting(svg: str) -> list[str]:
    """Return the lines that stay in the end, figures and the widths of columns aside."""
    found = re.findall(r'<text class="s[^>]*>(.*?)</text>', svg)
    plain = (re.sub(r"[\d.]*\d", "#", unescape(line)) for line in found)
    return [" ".join(re.sub("━+|─+", "─", line).split()) for line in plain]


def make(name: str, *, port: int = PORT, delay: float = 0.02) -> str:
    """Return the picture of a story, recorded now.

    With port 0 the site is at any that is free; with a delay of 0 there is less to see move.
    """
    with tempfile.TemporaryDirectory() as desk, served(port=port) as site:
        folder, at = Path(desk), site.url.rpartition(":")[2].rstrip("/")
        (folder / "config.toml").write_text(f"[politeness]\ndelay = {delay}\n", encoding="utf-8")
        commands = [command.replace(str(PORT), at) for command in STORIES[name]]
        svg = draw(record(commands, folder), "A crawl, and two questions to what it stored")
        return svg.replace(at, str(PORT))


def main() -> int:
    """Write the pictures; with --check, say which are behind."""
    behind = 0
    for name in STORIES:
        path = PICTURES / f"{name}.svg"
        svg = make(name)
        if "--check" not in sys.argv:
            path.write_text(svg, encoding="utf-8")
        elif lasting(path.read_text(encoding="utf-8")) != lasting(svg):
            behind += 1
            print(f"docs/pictures/{name}.svg shows other lines than now: make pictures")
    return behind


if __name__ == "__main__":
    sys.exit(main())
