"""The rows of the table `control`: what may be asked of a crawl."""

from __future__ import annotations

from typing import NamedTuple

ACTIONS = {
    "pause": "start nothing more, of the crawl or of a host; what is in flight comes to its end",
    "resume": "go on",
    "stop": "end the run; all that was found is committed, the rest stays queued",
    "add": "queue URLs, one a line, in scope or not",
    "block": "drop what is queued of a host, pattern or URL, and take no more of it",
    "unblock": "take URLs of a host or pattern again",
    "prioritize": "let queued URLs come sooner (10) or later (-10) within their host",
    "set": "set delay, per_host or max_pages: of the crawl, or delay and per_host of a host",
    "retry": "queue again what ended without a page",
    "reopen": "take URLs of a pattern again that was closed as endless",
}
"""Every action, and what it does."""

STANDING = ("block", "unblock", "pause", "resume", "set", "prioritize")
"""The actions of which something holds on in the next run."""

COLUMNS = (
    *("control_id", "at", "who", "via", "action", "target", "value", "expected", "reason"),
    *("state", "result", "applied_at"),
)


class ControlRow(NamedTuple):
    """What was asked, by whom, and what came of it."""

    control_id: int
    at: str
    who: str
    via: str
    action: str
    target: str
    value: str | None
    expected: int | None
    reason: str | None
    state: str
    result: str | None
    applied_at: str | None
