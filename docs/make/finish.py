"""Do what the generator leaves to do in the built documentation: `python docs/make/finish.py site`.

- It loads nothing from elsewhere, also where it is opened from a folder: docs/make/worker.js, by
  which search works from a folder, takes the place of the script that the theme loads for it.
- `\\|` in the code of a table is `|`, as on GitHub: a query is copied as it has to be.

Exit code 1, and a line for each page that still loads something from elsewhere.
"""

import re
import sys
from pathlib import Path

THEIRS = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"[^>]*></script>')
ELSEWHERE = re.compile(
    r'<(?:script|img|iframe|link rel="stylesheet")\b[^>]*\b(?:src|href)="(https?:[^"]+)'
)
OURS = Path(__file__).with_name("worker.js")
CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)


def main(folder: Path) -> int:
    """Change every page in place; return the exit code."""
    script = f"<script>\n{OURS.read_text(encoding='utf-8')}</script>"
    wrong = []
    for page in sorted(folder.rglob("*.html")):
        text = THEIRS.sub(lambda _: script, page.read_text(encoding="utf-8"))
        text = CELL.sub(lambda cell: cell[0].replace("\\|", "|"), text)
        page.write_text(text, encoding="utf-8")
        wrong += [f"{page}: loads {url}" for url in ELSEWHERE.findall(text)]
    print("\n".join(wrong) or "nothing is loaded from elsewhere")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
