"""What a request of a page that is visited again carries: that of the first, and validators."""

from __future__ import annotations

import json
import re

from crawler.web.body import VALIDATORS


def extra(request: str | None, headers: str | None) -> str | None:
    """Return what a request carried, as if it were the first; with the validators of `headers`."""
    found = _validators(headers or "")
    if not request or _CONDITIONS.fullmatch(request):  # nearly all: their strings stay as they are
        told = ", ".join(f'"{name}": {value}' for name, value in found.items())
        return f'{{"headers": {{{told}}}}}' if told else None
    extra = json.loads(request)
    extra.pop("hops", None)
    old = {k: v for k, v in (extra.pop("headers", None) or {}).items()
           if k not in VALIDATORS.values()}  # fmt: skip
    old |= {name: json.loads(value) for name, value in found.items()}
    if old:
        extra["headers"] = old
    return json.dumps(extra) if extra else None


# A name in a JSON object with the string that it names. Within a string both quotes of such a name
# have a backslash. (re.IGNORECASE would take four times as long.)
_VALIDATOR = re.compile(
    r'"([eE][tT][aA][gG]|[lL][aA][sS][tT]-[mM][oO][dD][iI][fF][iI][eE][dD])"'
    r'\s*+:\s*+("(?:[^"\\]|\\.)++")'
)

_ASKS = "|".join(VALIDATORS.values())
_CONDITION = rf'"(?:{_ASKS})": "(?:[^"\\]|\\.)*+"'
_CONDITIONS = re.compile(rf'\{{"headers": \{{{_CONDITION}(?:, {_CONDITION})*+\}}\}}')
"""What a recrawl before has asked, and nothing else."""


def _validators(headers: str) -> dict[str, str]:
    """Return what asks for changes only, by the headers of a page (JSON): name → string of JSON."""
    if not isinstance(headers, str):
        return {}  # damaged headers prove nothing: the page is fetched whole, which mends them
    found = {name.lower(): value for name, value in _VALIDATOR.findall(headers)}
    return {asks: found[name] for name, asks in VALIDATORS.items() if name in found}
