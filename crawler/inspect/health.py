"""Health gates: what a spider expects of a run, as short comparisons over its store.

    expect = ["items.quote >= 100", "error_rate < 2%", "filled(quote.author) > 95%"]

Left of the comparison stands `pages`, `errors`, `error_rate`, `walled`, `seconds`, `rejected`
(items that were refused; also `problems`), `items.TABLE`, `filled(TABLE.COLUMN)` or `outcome.NAME`;
right of it a number, with % for a share.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crawler.errors import SpiderError
from crawler.inspect.query import Reader
from crawler.web import outcome

_GATE = re.compile(
    r"\s*([\w.]+(?:\(\s*[\w.]+\s*\))?)\s*(<=|>=|==|!=|<|>)\s*(\d[\d_]*(?:\.\d+)?)\s*(%?)\s*"
)
_FILLED = re.compile(r"filled\(\s*\w+\.\w+\s*\)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_FAILED = f"outcome IN ({outcome.names('error')})"
_FIGURES = {
    "pages": f"SELECT count(*) FROM pages WHERE outcome IN ({outcome.names('stored')})",
    "errors": f"SELECT count(*) FROM pages WHERE {_FAILED}",
    "error_rate": f"SELECT coalesce(avg({_FAILED}), 0) FROM pages",
    "walled": "SELECT count(*) FROM pages WHERE outcome = 'walled'",
    **dict.fromkeys(("problems", "rejected"), "SELECT count(*) FROM problems"),
    "seconds": "SELECT coalesce(sum(seconds), 0) FROM runs",
}
_WRITTEN = {
    **dict.fromkeys(_FIGURES, "this figure stands alone, as in 'pages > 10'"),
    "items": "name the item type, as in 'items.quote >= 100'",
    "filled": "name a column, as in 'filled(quote.author) > 95%'",
    "outcome": "name the outcome, as in 'outcome.timeout == 0'",
}
_DRIFT = 0.2
_SHORT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class HealthGate:
    """One expectation, taken apart."""

    text: str
    figure: str
    compare: str
    bound: float


def gate(text: str) -> HealthGate:
    """Take an expectation apart; SpiderError says how to write one."""
    match = _GATE.fullmatch(text)
    if match is None:
        raise SpiderError(
            f"expect {text!r}: write it like 'items.quote >= 100', 'error_rate < 2%'"
            " or 'filled(quote.author) > 95%'"
        )
    figure, compare, number, percent = match.groups()
    head, _, rest = figure.partition("(" if "(" in figure else ".")
    known = list(_WRITTEN)
    if head not in known:
        near = difflib.get_close_matches(head, known, 1, 0.4)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        raise SpiderError(f"expect {text!r}: unknown figure {head!r}{hint}")
    if (head in _FIGURES) == bool(rest) or (head == "filled") != bool(_FILLED.fullmatch(figure)):
        raise SpiderError(f"expect {text!r}: {_WRITTEN[head]}")
    return HealthGate(
        text, figure.replace(" ", ""), compare, float(number) / (100 if percent else 1)
    )


def broken(reader: Reader, expect: Iterable[str]) -> list[str]:
    """Return each expectation that the store does not fulfil, with what there is instead."""
    found = []
    for text in expect:
        asked = gate(text)
        missing = _missing(reader, asked.figure)
        if missing:
            found.append(f"{text}: {missing}")
            continue
        value = _value(reader, asked.figure)
        if not _COMPARE[asked.compare](value, asked.bound):
            shown = f"{value:.1%}" if "%" in text else f"{value:,.6g}"
            found.append(f"{text}: it is {shown}")
    return found


def _missing(reader: Reader, figure: str) -> str:
    """Return the message for a column that its table, which is there, does not have."""
    table, dot, column = figure.removeprefix("filled(").removesuffix(")").partition(".")
    if not figure.startswith("filled(") or not dot or not _exists(reader, table):
        return ""
    columns = reader.names()[table]
    near = difflib.get_close_matches(column, columns, 1, 0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    return "" if column in columns else f"{table} has no column {column!r}{hint}"


def _value(reader: Reader, figure: str) -> float:
    sql = _FIGURES.get(figure)
    values: tuple[str, ...] = ()
    if figure.startswith("outcome."):
        sql, values = "SELECT count(*) FROM pages WHERE outcome = ?", (figure[8:],)
    elif figure.startswith("items."):
        if not _exists(reader, figure[6:]):
            return 0.0
        sql = f'SELECT count(*) FROM "{figure[6:]}"'
    elif figure.startswith("filled("):
        table, _, column = figure[7:-1].partition(".")
        if not _exists(reader, table):
            return 0.0
        sql = (
            f"SELECT coalesce(avg(\"{column}\" IS NOT NULL AND \"{column}\" NOT IN ('', '[]')), 0)"
            f' FROM "{table}"'
        )
    if sql is None:
        raise SpiderError(f"expect {figure}: unknown figure")
    [(value,)] = reader.query(sql, values).rows
    return float(value)


def _exists(reader: Reader, table: str) -> bool:
    return bool(list(reader.query("SELECT 1 FROM item_types WHERE name = ?", (table,)).rows))


def drift(reader: Reader) -> list[str]:
    """Yield by how much the last run differs from the one before, if that is over a fifth.

    A run that stored nothing, as one where nothing had changed, is compared with none, and the
    time of short runs says nothing.
    """
    runs = list(
        reader.query(
            "SELECT pages, errors, seconds FROM runs"
            " WHERE pages > 0 OR run_id = (SELECT max(run_id) FROM runs)"
            " ORDER BY run_id DESC LIMIT 2"
        ).rows
    )
    if len(runs) < 2 or not runs[0][0]:
        return []
    told = []
    for name, now, before in zip(("pages", "errors", "seconds"), runs[0], runs[1], strict=True):
        if name == "seconds" and max(now, before) < _SHORT:
            continue
        if not before and now:
            told.append(f"{name}: {now:,.6g}, none in the run before")
        elif before and abs(now - before) / before > _DRIFT:
            told.append(f"{name}: {now:,.6g}, {now / before - 1:+.0%} against the run before")
    return told
