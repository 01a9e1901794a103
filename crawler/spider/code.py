"""Whether a spider's code is what it was: a run keeps the hash of its file."""

from __future__ import annotations

import sys
from pathlib import Path

import xxhash

from crawler.spider import Spider


def code_of(spider: Spider) -> str | None:
    """Return the hash of the file that a spider is written in; None for ours, and for a prompt."""
    name = type(spider).__module__
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name.partition(".")[0] == "crawler":
        return None
    try:
        return xxhash.xxh3_64_hexdigest(Path(file).read_bytes())
    except OSError:
        return None
