"""The indexes of the Encoding standard, kept beside this file as `encoding_indexes.xz`.

Taken from https://github.com/whatwg/encoding (© WHATWG, CC BY 4.0), where each is a file of
pointers and code points. `python tests/parse/encoding_indexes.py FOLDER` takes them anew.
"""

from __future__ import annotations

import lzma
import sys
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("encoding_indexes.xz")
_NAME, _RUN = "\x1d", "\x1e"  # in no index


@cache
def indexes() -> dict[str, dict[int, int]]:
    """Return each index by its name: code points by pointer."""
    text = lzma.decompress(FILE.read_bytes()).decode("utf-8", "surrogatepass")
    found: dict[str, dict[int, int]] = {}
    for part in text.split(_NAME)[1:]:
        name, *runs = part.split(_RUN)
        found[name] = index = {}
        for run in runs:
            start, _, characters = run.partition(":")
            index |= {int(start) + number: ord(char) for number, char in enumerate(characters)}
    return found


def packed(folder: Path) -> bytes:
    """Return the indexes of a folder as runs of characters behind the pointer of the first."""
    pieces = []
    for file in sorted(folder.glob("index-*.txt")):
        pieces.append(f"{_NAME}{file.stem.removeprefix('index-')}")
        last = None
        for line in file.read_text("utf-8").split("\n"):
            if not line.strip() or line.startswith("#"):
                continue
            pointer, code = line.split()[:2]
            if last is None or int(pointer) != last + 1:
                pieces.append(f"{_RUN}{pointer}:")
            pieces.append(chr(int(code, 16)))
            last = int(pointer)
    return lzma.compress("".join(pieces).encode("utf-8", "surrogatepass"), preset=9)


if __name__ == "__main__":
    FILE.write_bytes(packed(Path(sys.argv[1])))
