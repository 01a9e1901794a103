"""A span for each visit with its stages, as the SDK of OpenTelemetry sees them."""

import sys
from collections import Counter

import pytest
from crawl_story import Follow, crawl, story

from crawler import Rule, Spider
from crawler.errors import ConfigError
from crawler.practice import PracticeSite

STAGES = {"robots", "GET", "read", "hand over", "callback"}


@pytest.fixture(scope="module")
def exported():
    """The spans that were exported; the provider of a process can be set once."""
    trace = pytest.importorskip("opentelemetry.trace")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


class Traced(Spider):
    """Opens a span of its own, and raises on one page."""

    name = "traced"
    rules = (Rule(callback="parse"),)

    def parse(self, page):
        from opentelemetry import trace

        with trace.get_tracer("mine").start_as_current_span("mine"):
            if page.url.endswith("/bad"):
                raise ValueError("no good")
        yield {"url": page.url}


def web_of(site: PracticeSite) -> str:
    site.add_links("/", ["/a", "/bad", "/missing", "/down"])
    for path in ("/a", "/bad"):
        site.add_page(path, f"<title>{path}</title>")
    site.add_page("/missing", "", status=404)
    site.add_page("/down", "", status=500)
    return site.at("/")


def test_every_visit_is_a_span_with_its_stages_below_it(exported, tmp_path):
    exported.clear()

    @story()
    async def tell(site, path):
        await crawl(Traced, path / "crawl.db", web_of(site), engine__traces=True, fetch__retries=1)

    tell(tmp_path)
    spans = exported.get_finished_spans()
    known = {span.context.span_id: span for span in spans}
    every = [span for span in spans if span.name == "visit"]
    visits = [span for span in every if not span.attributes.get("crawl.put_back")]
    assert len(every) == len(visits) + 1  # the first waits until robots.txt is known
    assert Counter(span.attributes["crawl.outcome"] for span in visits) == {
        **{"ok": 2, "spider_error": 1, "not_found": 1, "server_error": 2},
    }
    for span in spans:
        if span.name in STAGES | {"mine"}:
            top = span
            while top.parent is not None:
                top = known[top.parent.span_id]
                assert top.start_time <= span.start_time <= span.end_time <= top.end_time
            assert top.name == "visit"
    below = {
        visit.attributes["url.full"].rpartition("/")[2]: {
            span.name
            for span in spans
            if span.parent and span.parent.trace_id == visit.context.trace_id
        }
        for visit in visits
    }
    assert below["a"] == STAGES | {"mine"}
    assert below["missing"] == STAGES - {"callback"}
    [client] = [
        s for s in spans if s.name == "GET" and s.attributes["url.full"].endswith("/missing")
    ]
    assert client.attributes["http.response.status_code"] == 404
    assert client.attributes["http.request.method"] == "GET"
    [bad] = [s for s in visits if s.attributes["url.full"].endswith("/bad")]
    assert not bad.status.is_ok and bad.status.description == "ValueError: no good"


def test_without_the_setting_nothing_of_it_is_imported_or_made(exported, tmp_path, monkeypatch):
    exported.clear()
    monkeypatch.delitem(sys.modules, "crawler.engine.tracing", raising=False)

    @story()
    async def tell(site, path):
        await crawl(Follow, path / "crawl.db", web_of(site))

    tell(tmp_path)
    assert exported.get_finished_spans() == ()
    assert "crawler.engine.tracing" not in sys.modules


def test_a_missing_library_is_told_with_the_way_to_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "crawler.engine.tracing", raising=False)

    @story()
    async def tell(site, path):
        with pytest.raises(ConfigError, match=r"crawlkeep\[otel\]"):
            await crawl(Follow, path / "crawl.db", site.url, engine__traces=True)

    tell(tmp_path)
