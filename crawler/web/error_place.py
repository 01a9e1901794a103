"""Where in a user's own code an error arose, read from the text of its traceback.

The text, because that is what the store keeps and what worker processes send.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from crawler.lazy_regex import lazy

_BEGIN = "Traceback (most recent call last)"
_FRAME = lazy(r'^\s*File "(?P<file>.+?)", line (?P<line>\d+)', re.MULTILINE)
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARY = str(Path(os.__file__).parent) + os.sep
_INSTALLED = ("site-packages", "dist-packages")
_OUR_ERRORS = "crawler.errors."  # which say themselves what is wrong and where
_INSTALLED_CODE = 2  # the rank of a file that a package brought
_MOST = 500  # characters of a message


def error_line(traceback: str | None) -> str | None:
    """Return `file:line: what was raised`; None for a text that is no traceback.

    The line is the last one of the user's own code: neither ours, nor Python's, nor, where there is
    any other, an installed package's.
    """
    if not traceback or _BEGIN not in traceback:
        return None
    last = traceback[traceback.rindex(_BEGIN) :]  # of a chain of them, what was raised in the end
    frames = list(_FRAME.finditer(last))
    raised = _raised(last[frames[-1].end() :] if frames else last)
    best = max(frames, key=lambda frame: (_rank(frame["file"]), frame.start()), default=None)
    if best is None or (_rank(best["file"]) < _INSTALLED_CODE and raised.startswith(_OUR_ERRORS)):
        return raised.removeprefix(_OUR_ERRORS)
    return f"{shown(best['file'])}:{best['line']}: {raised.removeprefix(_OUR_ERRORS)}"


def own_line(error: BaseException) -> str | None:
    """Return the `error_line` of what was raised, None where no code of the user's took part."""
    from traceback import format_exception

    text = "".join(format_exception(type(error), error, error.__traceback__, chain=False))
    if not any(is_users(frame["file"]) for frame in _FRAME.finditer(text)):
        return None
    return error_line(text)


def is_own(error: BaseException) -> bool:
    """Return whether the line that raised is the user's own, and none that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and is_users(trace.tb_frame.f_code.co_filename)


def is_users(file: str) -> bool:
    """Return whether a file of code is the user's: neither ours, nor Python's, nor installed."""
    return _rank(file) > _INSTALLED_CODE


def place_of(line: str) -> str:
    """Return the `file:line` that an `error_line` begins with."""
    return ":".join(line.split(":", 2)[:2]) if os.name != "nt" else line.partition(": ")[0]


def last_line(error: str) -> str:
    """Return what an error says, in one line: the place and the message of a traceback."""
    return error_line(error) or error.strip().rpartition("\n")[2]


def shown(file: str | Path) -> str:
    """Return the path of a file as one would type it here."""
    try:
        return str(Path(file).absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)


def _rank(file: str) -> int:
    """Return how much a file is the user's own."""
    if file.startswith("<"):
        return 0
    if file.endswith(".pyx") and not os.path.isabs(file):  # noqa: PTH117
        return 1  # a compiled package names its source by a path that is nowhere here
    path = str(Path(file).absolute())
    if any(f"{os.sep}{name}{os.sep}" in path for name in _INSTALLED):
        return 2
    if path.startswith((_OURS, _LIBRARY)):
        return 1
    return 3


def _raised(text: str) -> str:
    """Return the message behind the frames; one of several lines (pydantic's) is made one."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if n and line[:1] not in ("", " ")), 0)
    return " ".join(" ".join(lines[start:]).split())[:_MOST]
