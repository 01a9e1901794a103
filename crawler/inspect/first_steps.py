"""What a reader of a report should do first: what is wrong with a run, the worst first, and how."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from crawler.inspect.query import Reader
from crawler.markup import Html, el, join, words
from crawler.markup.parts import empty
from crawler.spider import SiteSpider
from crawler.web import outcome
from crawler.web.outcome import Outcome

_KINDS = 4  # outcomes, and types of items, that are told of
_MINE = {Outcome.SPIDER_ERROR, Outcome.PARSE_TIMEOUT, Outcome.PARSE_CRASHED, Outcome.STEP_FAILED}
"""Errors of the spider: another try ends as the first did."""


class FirstStep(NamedTuple):
    """What is wrong, whether it is bad, and where in the report it stands."""

    told: Html
    bad: bool
    anchor: str


class RunEnd(NamedTuple):
    """How a run ended, as far as it matters for what comes next."""

    run_id: int
    spider: str
    state: str
    queued: int


def first_steps(reader: Reader, run: RunEnd) -> list[FirstStep]:
    """Return what should be done about a run; nothing where all went well."""
    return [*_unfinished(reader, run), *_errors(reader, run), *_refused(reader, run)]


def _command(reader: Reader, words_: str) -> Html:
    parts = ("crawler", *words_.split(), "--store", shlex.quote(str(reader.path)))
    return el("code", join((el("span", part, class_="word") for part in parts), " "))


def _unfinished(reader: Reader, run: RunEnd) -> Iterator[FirstStep]:
    urls = words.plural(run.queued, "URL is", "URLs are")
    queued = join([el("b", urls), " still queued"])
    if run.state == "running":
        told = join(["It still runs: ", queued, ". This is how it stands now."])
        yield FirstStep(told, False, "whole")
    elif run.queued:
        way: Any = "the command that began it"
        if run.spider != SiteSpider.name:  # of which the seeds are only on the command line
            way = _command(reader, f"run {run.spider}")
        told = join([queued, f": the run is {run.state}. Go on with ", way, "."])
        yield FirstStep(told, True, "whole")


def _errors(reader: Reader, run: RunEnd) -> Iterator[FirstStep]:
    sql = (
        "SELECT outcome, count(*) FROM pages WHERE run_id = ? AND outcome <> 'ok' AND outcome IN"
        f" ({outcome.names('error')}) GROUP BY 1 ORDER BY 2 DESC"
    )
    rows = list(reader.query(sql, (run.run_id,)).rows)
    for name, number in rows[:_KINDS]:
        about = _plain(outcome.MEANINGS[Outcome(name)].about)
        told: list[Any] = [el("b", name), f" ended {words.plural(number, 'request')}: {about}. "]
        if name in _MINE:
            told += ["Mend the spider, then run it over what is stored: "]
            told += [_command(reader, f"reparse {run.spider} --apply")]
        elif name == Outcome.NOT_FOUND:
            told += ["The pages that link there are below."]
        else:
            told += ["Once that has passed: ", _command(reader, "retry")]
        bad = name in _MINE or name == Outcome.HOST_GIVEN_UP
        yield FirstStep(join(told), bad, "links" if name == Outcome.NOT_FOUND else "errors")
    if len(rows) > _KINDS:
        rest = sum(number for _, number in rows[_KINDS:])
        more = f"{words.plural(rest, 'request')} more ended in {len(rows) - _KINDS} other ways."
        yield FirstStep(Html(more), False, "outcomes")


def _plain(about: str) -> str:
    text = about.replace("`", "").rstrip(".")
    return text[:1].lower() + text[1:]


def _refused(reader: Reader, run: RunEnd) -> Iterator[FirstStep]:
    sql = "SELECT item, count(*) FROM problems WHERE run_id = ? GROUP BY item ORDER BY 2 DESC"
    rows = list(reader.query(sql, (run.run_id,)).rows)
    for name, number in rows[:_KINDS]:
        fit = f": {words.plural(number, 'item')} did not fit. Mend the spider, then: "
        told = join([el("b", name), fit, _command(reader, f"reparse {run.spider} --apply")])
        yield FirstStep(told, True, "refused")
    if len(rows) > _KINDS:
        rest = words.plural(sum(number for _, number in rows[_KINDS:]), "item")
        more = f"{rest} more, of {words.plural(len(rows) - _KINDS, 'other type')}, did not fit."
        yield FirstStep(Html(more), True, "refused")


def listed(steps: list[FirstStep]) -> Html:
    """Return the steps as a list; it says so where there are none."""
    if not steps:
        return empty("Nothing: no error, every item fits, nothing is queued.")
    items = (
        el(
            "li",
            el("span", step.told),
            " ",
            el("span", el("a", "Look", href=f"#{step.anchor}"), class_="act"),
            class_="bad" if step.bad else None,
        )
        for step in sorted(steps, key=lambda one: not one.bad)
    )
    return el("ul", *items, class_="needs")
