"""Another try that the spider asked for: its visit becomes one try of several, or is refused."""

from __future__ import annotations

from crawler import urls
from crawler.web.download_stream import is_stream
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate
from crawler.web.visit import Visit


def heed(visit: Visit, retries: int) -> None:
    """Let a request start again as its spider asked, at most `retries` times.

    The answer was a try then, and no page. Where items came of it, or a file or messages, it stays
    what it is, and the other try is a request of its own.
    """
    asked, todo = visit.asked, visit.todo
    if asked is None:
        return
    if asked.tries > (retries if asked.most is None else asked.most):
        visit.refuse_asked(Refusal.RETRIES_SPENT, todo.url)
        return
    if visit.items or visit.problems or visit.file is not None or is_stream(visit):
        visit.candidates.append(
            Candidate(
                *(urls.host_of(todo.url), todo.url_hash, todo.url, todo.depth, todo.rank),
                *(todo.callback, asked.extra, True, asked.at),
            )
        )
        return
    if visit.outcome is Outcome.OK:
        visit.outcome = Outcome.RETRY_ASKED
    said = asked.reason or "asked for by the spider"
    visit.error = f"{said}\n{visit.error}" if visit.error else said
    visit.retry_at, visit.todo = asked.at, todo._replace(extra=asked.extra)
