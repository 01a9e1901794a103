"""The number that a text says, as people write numbers: "1,234.56", "1.234,56 €", "−3", "12%".

Which of "," and "." begins the fraction differs by country (Unicode CLDR, number symbols), and a
text does not tell its own. What it shows decides; `number` says how.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar, overload

N = TypeVar("N", int, float, Decimal)

_SPACES = " \u00a0\u2009\u202f"
_RUN = re.compile(
    rf"([0-9](?:[0-9.,'’{_SPACES}]*[0-9])?)(?:[eE]([+-]?[0-9]{{1,3}})(?![0-9A-Za-z]))?"
)
_BARE_SCALE = re.compile(r"[kKMB](?![^\W\d_])")
_WORD_SCALE = re.compile(
    r"\s?(?:bn|mn|mln|mio|mrd|thousand|million|billion|lakh|crore)s?(?![^\W\d_])", re.IGNORECASE
)
_MINUS = "-\u2212\ufe63\uff0d"
_WRITTEN = {"\u066b": ".", "\u066c": "'", "\uff0c": ",", "\uff0e": "."}  # Arabic, full width
_MOST = 400  # digits and separators of a number; a double has no more than 309 before its point


@overload
def number(*, decimal: Literal[".", ","] | None = None) -> Callable[..., Any]: ...
@overload
def number(found: str, /, *, decimal: Literal[".", ","] | None = None) -> float: ...
@overload
def number(found: str, /, *, decimal: Literal[".", ","] | None = None, kind: type[N]) -> N: ...
def number(
    found: str | None = None,
    /,
    *,
    decimal: Literal[".", ","] | None = None,
    kind: type[Any] = float,
) -> Any:
    """Return the one number in a text, currency, unit and percent sign left out.

    Groups of digits are parted by ",", ".", spaces or apostrophes. Of "," and "." the last is the
    decimal separator where both stand, where another sign parts the groups, or where other than
    three digits follow it; a single one with three digits behind one to three (`1,234`, `1.234`)
    parts thousands, unless zero comes first. `decimal` says it for certain.
    `kind` is float, int or Decimal. ValueError for no number, for several, for a fraction where an
    int is wanted, for groups of wrong lengths, and for what is scaled by a word (`1.2k`).
    Without a text it returns the function for such texts: `css(".price", number(decimal=","))`.
    """
    if found is None:
        return partial(number, decimal=decimal)
    text = _ascii(found)
    runs = list(_RUN.finditer(text))
    if len(runs) != 1:
        raise ValueError("no number" if not runs else f"{len(runs)} numbers, one is wanted")
    start, end = runs[0].span(1)
    if end - start > _MOST:
        raise ValueError("a number of too many digits")
    whole, fraction = _parts(text[start:end], decimal)
    if _leads_fraction(text, start, decimal):
        if len(whole) != end - start:
            raise ValueError("no number: a separator stands before it")
        whole, fraction, start = "0", whole, start - 1
    exponent = runs[0][2]
    if exponent is None and (_BARE_SCALE.match(text, end) or _WORD_SCALE.match(text, end)):
        raise ValueError("a number with a word that scales it")
    power = f"e{exponent}" if exponent else ""
    sign = "-" if _is_negative(text, start) else ""
    return _made(f"{sign}{whole}.{fraction or '0'}{power}", kind)


def _made(written: str, kind: type[int | float | Decimal]) -> int | float | Decimal:
    if kind is float:
        value = float(written)
        if value in (float("inf"), float("-inf")):
            raise ValueError("a number beyond what a float holds")
        return value
    exact = Decimal(written)
    if kind is not int:
        return exact if "e" in written else _as_written(written)
    if exact != exact.to_integral_value():
        raise ValueError("no whole number")
    return int(exact)


def _as_written(written: str) -> Decimal:
    """Return a Decimal with the digits that were written: "12" and "12.50", not "12.0"."""
    return Decimal(written.removesuffix(".0"))


def _ascii(found: str) -> str:
    """Return a text with its decimal digits, of whatever script, as those of ASCII."""
    if found.isascii():
        return found
    if any("<fraction>" in unicodedata.decomposition(one) for one in found):
        raise ValueError("a number with a vulgar fraction")
    return "".join(
        str(unicodedata.decimal(one)) if one.isdecimal() else _WRITTEN.get(one, one)
        for one in found
    )


def _parts(run: str, decimal: str | None) -> tuple[str, str]:
    """Return the digits before and behind the decimal separator."""
    point = decimal or _decimal_of(run)
    whole, _, fraction = run.partition(point) if point else (run, "", "")
    if fraction and not fraction.isdigit():
        raise ValueError(f"no number: digits are parted behind {point!r}")
    groups = re.split(r"\D", whole)
    if len(groups) > 1:
        lengths = [len(group) for group in groups]
        inner = set(lengths[1:-1])
        first = 1 <= lengths[0] <= 3 and lengths[-1] == 3
        alike = len(set(re.findall(r"\D", whole))) == 1
        indian = inner == {2} and lengths[0] < 3 and "," in whole
        if not (first and alike and (inner <= {3} or indian)):
            raise ValueError("no number: its groups of digits have other lengths than three")
    return "".join(groups), fraction


def _decimal_of(run: str) -> str:
    """Return the decimal separator that a run of digits shows, "" where it has none."""
    marks: list[str] = re.findall(r"[^0-9]", run)
    if not marks or marks[-1] not in ".,":
        return ""
    last = marks[-1]
    if marks.count(last) > 1:
        return ""
    if len(marks) > 1:
        return last
    before, _, behind = run.partition(last)
    is_group = len(behind) == 3 and len(before) <= 3 and before[0] != "0"
    return "" if is_group else last


def _leads_fraction(text: str, start: int, decimal: str | None) -> bool:
    """Return whether a separator before the digits makes them a fraction: ".5", "$.50"."""
    if start == 0 or text[start - 1] not in (decimal or ".,"):
        return False
    before = text[start - 2 : start - 1]  # "Nr.5" and "Rs.500" are no fractions
    return start == 1 or not (before.isalnum() or before in ".,")


def _is_negative(text: str, start: int) -> bool:
    """Return whether a minus stands before the number, or before its currency: "-$3", "€ −3"."""
    before = text[:start].rstrip(_SPACES)
    gap = len(text[:start]) - len(before)
    while before and unicodedata.category(before[-1]) == "Sc":
        before, gap = before[:-1], 0
    if not before or before[-1] not in _MINUS:
        return False
    lead = before[:-1]
    if gap and lead.strip():  # "Tea - 3" has a dash
        return False
    return not lead or not (lead[-1].isalnum() or lead[-1] in ".,")
