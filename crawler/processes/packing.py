"""A visit on its way from a worker process to the owner: packed there, unpacked here."""

from __future__ import annotations

import traceback

import msgspec

from crawler.errors import FetchError
from crawler.http.cookies import CookieJars
from crawler.items import Record, Table
from crawler.processes.discovery import WorkerVisit
from crawler.processes.messages import Answer, pack
from crawler.store import rows
from crawler.store.rows import Packed, PackedResponse
from crawler.web.outcome import Outcome
from crawler.web.visit import Visit

_UNSENDABLE = (TypeError, ValueError, OverflowError, RecursionError)


def answer_of(
    number: int,
    visit: WorkerVisit,
    response: Packed | None,
    *,
    failure: int,
    counts: dict[str, int],
    widened: list[str],
    jars: CookieJars,
) -> bytes:
    """Return the answer to a task as it goes through the channel.

    What an item holds that cannot go there is an error of the spider, told with its traceback.
    """
    tables: dict[Table, int] = {}
    items = [
        (tables.setdefault(record.table, len(tables)), record.values, record.replaced)
        for record in visit.items
    ]
    answer = Answer(
        number=number,
        outcome=visit.outcome,
        at=visit.at,
        status=visit.status,
        error=rows.clean(visit.error),
        failure=failure,
        read=visit.read,
        response=response,
        title=rows.clean(visit.title),
        encoding=visit.encoding,
        links=visit.links,
        candidates=visit.candidates,
        asked_from=len(visit.candidates) if visit.asked_from is None else visit.asked_from,
        redirect_to=visit.redirect_to,
        not_taken=visit.not_taken,
        canonical=visit.canonical,
        tables=list(tables),
        items=items,
        problems=[_cleaned(problem) for problem in visit.problems],
        text=rows.clean(visit.text),
        hidden=visit.hidden,
        refusals=visit.refusals,
        refused=visit.refused,
        deep=visit.deep,
        only_new=visit.only_new,
        fragments=visit.fragments,
        anchors=visit.anchors,
        widened=widened,
        asked=visit.asked,
        stop=visit.stop,
        counts=counts,
        counted=visit.counted or {},
        cookies=jars.changes(),
        cookie_refusals=jars.take_refusals(),
        dropped={rows.clean(kind) or "": number for kind, number in visit.dropped.items()},
    )
    return _packed(answer)


def _packed(answer: Answer) -> bytes:
    """Return an answer as it goes through the channel, with the error where its items cannot."""
    try:
        return pack(answer)
    except _UNSENDABLE:
        return pack(
            msgspec.structs.replace(
                answer,
                items=[],
                candidates=[one for one in answer.candidates if one.extra is None],
                outcome=Outcome.SPIDER_ERROR,
                error=rows.clean(traceback.format_exc()),
            )
        )


def _cleaned(problem: tuple[str, str, str]) -> tuple[str, str, str]:
    name, reason, value = (rows.clean(text) or "" for text in problem)
    return name, reason, value


def fill(visit: Visit, answer: Answer) -> None:
    """Put into a visit what an answer says, but for what `Processes.take` judges.

    FetchError where the try failed.
    """
    if answer.counted:
        visit.count(answer.counted)
    if answer.failure:
        raise FetchError(answer.error or "", answer.outcome, final=answer.failure > 1)
    if answer.response is not None:
        visit.response = PackedResponse(answer.response)
    visit.outcome, visit.at, visit.status = answer.outcome, answer.at, answer.status
    visit.error, visit.title, visit.encoding = answer.error, answer.title, answer.encoding
    visit.links, visit.redirect_to = answer.links, answer.redirect_to
    visit.not_taken, visit.canonical = answer.not_taken, answer.canonical
    if answer.items:
        tables = answer.tables
        visit.items += [Record(tables[at], values, lost) for at, values, lost in answer.items]
    visit.problems += answer.problems
    visit.text, visit.hidden = answer.text, answer.hidden
    visit.refusals = answer.refusals
    visit.fragments, visit.anchors = answer.fragments, answer.anchors
    visit.asked, visit.stop, visit.dropped = answer.asked, answer.stop, answer.dropped
