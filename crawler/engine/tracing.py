"""A span for each visit and one for each of its stages, for OpenTelemetry (extra `otel`).

Only a crawl with `engine.traces` imports this: the plain path has neither a test nor a call for it.
Who runs the crawl chooses the exporter; without one the API's own spans record nothing. Names and
attributes are those of the semantic conventions for HTTP clients, and `crawl.*` beside them.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from crawler.engine.engine import Engine
from crawler.engine.fetching import Fetching
from crawler.errors import FetchError
from crawler.frontier.host_queue import HostQueue
from crawler.spider.collector import Collector
from crawler.urls import host_of
from crawler.version import __version__
from crawler.web.outcome import having
from crawler.web.request import Request, Todo
from crawler.web.response import Response
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.processes.pool import Processes

_ERRORS = having("error")


@contextmanager
def _span(name: str, kind: SpanKind = SpanKind.INTERNAL, **said: Any) -> Iterator[Span]:
    """Make a span the current one: those of stages and of the spider's own calls are below it.

    What it raises is named by its outcome or its kind, without a traceback: that is in the store.
    """
    tracer = trace.get_tracer("crawlkeep", __version__)
    attributes = {key.replace("__", "."): value for key, value in said.items()}
    with (
        tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        ExitStack() as stack,
    ):
        stack.push(partial(_end, span))
        yield span


def _end(span: Span, _: object, error: BaseException | None, __: object) -> None:
    if isinstance(error, Exception):
        kind_of = error.outcome if isinstance(error, FetchError) else type(error).__qualname__
        span.set_attribute("error.type", str(kind_of))
        span.set_status(StatusCode.ERROR, str(error))


class TracedFetching(Fetching):
    """The ways to a response, each a span of an HTTP client."""

    async def fetch(self, request: Request, host: HostQueue) -> Response:
        """See `Fetching.fetch`."""
        said = {
            "http__request__method": request.method,
            "url__full": request.url,
            "server__address": host_of(request.url).partition("://")[2],
        }
        with _span(request.method, SpanKind.CLIENT, **said) as span:
            response = await super().fetch(request, host)
            span.set_attribute("http.response.status_code", response.status)
            span.set_attribute("http.response.body.size", len(response.body))
            return response


class TracedEngine(Engine):
    """An engine of which every visit and its stages are spans."""

    fetching = TracedFetching

    async def crawl_one(self, todo: Todo) -> Visit | None:
        """See `Engine.crawl_one`; a request that goes back to the queue says so."""
        said: dict[str, Any] = {
            "url__full": todo.url,
            "crawl__depth": todo.depth,
            "crawl__attempts": todo.attempts,
        }
        with _span("visit", **said) as span:
            visit = await super().crawl_one(todo)
            if visit is None:
                span.set_attribute("crawl.put_back", True)
            else:
                _tell(span, visit)
            return visit

    async def _lets_in(self, host: HostQueue) -> bool:
        with _span("robots", server__address=host.name) as span:
            let_in = await super()._lets_in(host)
            span.set_attribute("crawl.let_in", let_in)
            return let_in

    async def _read(self, visit: Visit, request: Request, response: Response) -> None:
        with _span("read", crawl__bytes=len(response.body)) as span:
            await super()._read(visit, request, response)
            span.set_attribute("crawl.links", len(visit.links))
            span.set_attribute("crawl.items", len(visit.items))

    async def _let_visit(
        self, processes: Processes, visit: Visit, request: Request, host: HostQueue
    ) -> Visit | None:
        with _span("worker process"):
            return await super()._let_visit(processes, visit, request, host)

    async def _hand_over(self, visit: Visit) -> bool:
        with _span("hand over"):  # to the next commit, which may let it wait
            return await super()._hand_over(visit)


def _tell(span: Span, visit: Visit) -> None:
    span.set_attribute("crawl.outcome", str(visit.outcome))
    if visit.status is not None:
        span.set_attribute("http.response.status_code", visit.status)
    if visit.outcome in _ERRORS:
        span.set_attribute("error.type", str(visit.outcome))
        span.set_status(StatusCode.ERROR, (visit.error or "").rstrip().rpartition("\n")[2])


class TracedCollector(Collector):
    """Calls a spider's methods, each call a span."""

    async def _call(
        self, visit: Visit, name: str, /, *arguments: object, **named: object
    ) -> str | None:
        function = f"{type(self.spider).__qualname__}.{name}"
        with _span("callback", code__function__name=function) as span:
            error = await super()._call(visit, name, *arguments, **named)
            if error is not None:
                last = error.rstrip().rpartition("\n")[2]
                span.set_attribute("error.type", last.partition(":")[0])
                span.set_status(StatusCode.ERROR, last)
            return error
