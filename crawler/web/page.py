"""ScrapedPage: a response made into a page, with all that a spider may ask it for."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

from crawler import urls
from crawler.parse import mime
from crawler.web.outcome import Outcome as Outcome  # many know it from here
from crawler.web.request import Callback, Request
from crawler.web.response import Response
from crawler.web.targets import each, encoded, found_in, reference_of

if TYPE_CHECKING:  # all are slow to import and only needed where a spider asks for them
    from bs4 import BeautifulSoup
    from parsel import Selector, SelectorList

    from crawler.parse.fast_pass import Scan
    from crawler.parse.text import Readable
    from crawler.web.form import Form
    from crawler.web.records import Format
    from crawler.web.rendered import Xhr
    from crawler.web.structured import OpenGraph
    from crawler.web.visit import Visit

T = TypeVar("T")


class ScrapedPage:
    """A response made into a page. Everything dear is built on first touch, and only then."""

    __slots__ = (
        "_html",
        "_links",
        "_readable",
        "_scan",
        "_selector",
        "_soup",
        "encoding",
        "request",
        "response",
        "visit",
    )

    def __init__(
        self, response: Response, request: Request, links: list[str] | None = None
    ) -> None:
        """Take the response, the request it answers, and its links where they are known."""
        self.response = response
        self.request = request
        self.encoding = "utf-8"
        self.visit: Visit | None = None
        """What its callbacks give, and what is refused of it, goes here."""
        self._html: str | None = None
        self._links = links
        self._readable: Readable | None = None
        self._scan: Scan | None = None
        self._selector: Selector | None = None
        self._soup: BeautifulSoup | None = None

    @property
    def url(self) -> str:
        """The canonical URL of the page."""
        return self.response.url

    @property
    def requested_url(self) -> str:
        """The URL first asked for, before any redirect."""
        return self.request.first_url or self.request.url

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers, case-insensitive."""
        return self.response.headers

    @property
    def body(self) -> bytes:
        """The body after its content codings."""
        return self.response.body

    @property
    def depth(self) -> int:
        """Links from a seed to here."""
        return self.request.depth

    @property
    def timestamp(self) -> datetime:
        """When the fetch began, in UTC."""
        return datetime.fromtimestamp(self.response.started, UTC)

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the request carried along."""
        return self.request.meta

    @property
    def console_errors(self) -> Sequence[str]:
        """What the scripts of a rendered page raised, or wrote as errors to the console."""
        rendered = self.response.rendered
        return rendered.errors if rendered is not None else ()

    @property
    def xhr(self) -> Sequence[Xhr]:
        """What its scripts were answered in JSON, of the URLs that `browser.xhr` names."""
        rendered = self.response.rendered
        return rendered.xhr if rendered is not None else ()

    @property
    def html(self) -> str:
        """The body as text, decoded as the HTML standard says; never raises."""
        if self._html is None:
            from crawler.parse import charset  # with the first page: a start need not wait for it

            kind = self.response.declared_type or self.response.content_type
            is_xml = self.response.is_xml
            self._html, self.encoding = charset.decode(self.body, kind, xml=is_xml)
        return self._html

    @property
    def found(self) -> Scan:
        """The result of the fast pass; empty for what is no HTML."""
        if self._scan is None:
            from crawler.parse import fast_pass  # as above

            html = self.html if self.response.is_html else ""
            raw = self.body if html and self.encoding == "utf-8" else None
            self._scan = fast_pass.scan(html, xml=self.response.is_xml, raw=raw)
        return self._scan

    @found.setter
    def found(self, found: Scan) -> None:
        self._scan = found

    @property
    def asks(self) -> bool:
        """Whether it says anything to crawlers, or leads on by itself: see `links.follow`."""
        headers = self.response.headers
        return bool(self.found.robots) or "X-Robots-Tag" in headers or "Refresh" in headers

    @property
    def title(self) -> str | None:
        """The text of the first `<title>`, white space collapsed; None if there is none."""
        return self.found.title

    @property
    def base_url(self) -> str:
        """The URL that relative references resolve against (`<base href>` heeded)."""
        if self._scan is None and not self._may_have_base():
            return self.url
        base = self.found.base
        return (urls.parse(base, self.url) or self.url) if base is not None else self.url

    def _may_have_base(self) -> bool:
        """Return, at a tenth of its cost, whether the fast pass can find a `<base>`."""
        if not self.response.is_html or not self.html:  # which finds the encoding
            return False
        # But for UTF-16, all encodings of the web write ASCII as ASCII.
        return self.encoding.startswith("utf-16") or b"<base" in self.body.lower()

    @property
    def references(self) -> list[str]:
        """The `href` of every `a` and `area`, its query written in the encoding of the page."""
        hrefs, encoding = self.found.hrefs, self.encoding
        if self._scan is not None and self._scan.base is not None and self._is_elsewhere():
            hrefs = [href for href in hrefs if urls.parse(href) is not None]
        if encoding == "utf-8" or all(map(str.isascii, hrefs)):
            return hrefs
        return [encoded(href, encoding) for href in hrefs]

    def _is_elsewhere(self) -> bool:
        """Whether `<base href>` is a URL of another kind, below which no relative link leads."""
        base = urls.join(self.url, self.found.base or "")
        return base is not None and not base.startswith(("http:", "https:", "data:", "javascript:"))

    @property
    def links(self) -> list[str]:
        """Canonical http(s) URLs of every `a` and `area`, unique, in document order."""
        if self._links is None:
            base = urls.BaseURL(self.base_url)
            found = dict.fromkeys(base.parse(href.partition("#")[0]) for href in self.references)
            self._links = [url for url in found if url]
        return self._links

    @links.setter
    def links(self, links: list[str]) -> None:
        self._links = links

    @property
    def soup(self) -> BeautifulSoup:
        """The page as BeautifulSoup on lxml: handy, at ten times the cost of `links`."""
        if self._soup is None:
            from crawler.parse.soup import soup_of

            self._soup = soup_of(self.html)
        return self._soup

    @property
    def selector(self) -> Selector:
        """The page as a parsel Selector on lxml."""
        if self._selector is None and self.response.is_html:
            from crawler.parse.selector import selector_of  # lxml, which most crawls never need

            html = self.html  # which finds the encoding
            self._selector = selector_of(html, self.body, self.encoding, self.url)
        elif self._selector is None:
            from parsel import Selector

            # Left to itself, parsel takes a feed without an XML declaration for HTML.
            kind = "xml" if mime.is_xml(self.response.content_type) else None
            self._selector = Selector(self.html or "<html></html>", kind, base_url=self.url)
        return self._selector

    def css(self, query: str) -> SelectorList[Selector]:
        """Select by CSS, `::text` and `::attr(name)` included."""
        return self.selector.css(query)

    def xpath(self, query: str, **variables: Any) -> SelectorList[Selector]:
        """Select by XPath 1.0."""
        return self.selector.xpath(query, **variables)

    @property
    def text(self) -> str:
        """What a reader sees: the text of the page, one line a block; no scripts, no markup."""
        return self._read().text

    @property
    def all_text(self) -> str:
        """The same with what is hidden; how much that is says `hidden`."""
        from crawler.parse.text import text_of

        return text_of(self.html, hidden=True) if self.response.is_html else self.html

    @property
    def hidden(self) -> int:
        """The characters that `text` leaves out as no reader sees them (docs/text.md)."""
        return self._read().hidden

    @property
    def styles_left_out(self) -> bool:
        """Whether `text` was asked for, and the page's styles would take too long to heed."""
        return self._readable is not None and self._readable.styles_left_out

    def _read(self) -> Readable:
        if self._readable is None:
            from crawler.parse.text import Readable, read

            if self.response.is_html:
                html = self.html  # which finds the encoding
                raw = None if self.encoding.startswith("utf-16") else self.body
                self._readable = read(html, raw, xml=self.response.is_xml)
            else:
                self._readable = Readable(self.html, 0)
        return self._readable

    @property
    def markdown(self) -> str:
        """The whole page as Markdown; UsageError without the extra `markdown`."""
        from crawler.parse.markdown import markdown_of  # imports an extra: only for those who ask

        return markdown_of(self.html, self.url)

    @property
    def article(self) -> str:
        """The main content as Markdown, navigation and other boilerplate left out."""
        from crawler.parse.markdown import markdown_of

        return markdown_of(self.html, self.url, main=True)

    def json(self) -> Any:
        """Return the body parsed as JSON; ValueError with the first bytes where it is none."""
        return self.response.json()

    @overload
    def records(
        self, *, at: str | None = None, format: Format | None = None, delimiter: str | None = None
    ) -> Iterator[dict[str, Any]]: ...
    @overload
    def records(
        self,
        kind: type[T],
        *,
        at: str | None = None,
        format: Format | None = None,
        delimiter: str | None = None,
    ) -> Iterator[T]: ...
    def records(
        self,
        kind: type[Any] | None = None,
        *,
        at: str | None = None,
        format: Format | None = None,
        delimiter: str | None = None,
    ) -> Iterator[Any]:
        """Yield the records of a feed: XML, CSV, JSON lines or JSON, also gzipped.

        Dicts, or objects of `kind`. `at` names the elements of XML (`product`; by default those of
        RSS and Atom, or what the root holds), or the path to an array of JSON (`data.items`; by
        default the first array of objects). A record that does not fit is refused alone, and kept
        among the problems; ValueError where the feed itself is broken. docs/feeds.md has it all.
        """
        from crawler.web import record_types, records  # csv, which most crawls never need

        feed = records.RecordFeed(self.url, self.response.declared_type, at, format, delimiter)
        refuse = record_types.refuse_for(self.visit, self.url)
        return feed.read(io.BytesIO(self.body), kind, refuse)

    def items(self, kind: type[T], at: str | None = None, /, **given: Any) -> Iterator[T]:
        """Yield the item that `css(…)` fields of a type find, or one for each element that `at`
        selects; `given` are fields known already. What does not fit is refused alone, and kept
        among the problems (docs/spiders.md, Loading values).
        """
        from crawler.web import loading, record_types

        refuse = record_types.refuse_for(self.visit, self.url)
        return loading.load_each(kind, self, at, given, refuse)

    @property
    def jsonld(self) -> list[dict[str, Any]]:
        """The objects of its JSON-LD, those of a `@graph` one by one; [] where there is none."""
        from crawler.web import structured  # lxml, as above

        return structured.jsonld(self)

    @property
    def microdata(self) -> list[dict[str, Any]]:
        """The top items of its microdata: `type`, `properties`, and `id` where one is given."""
        from crawler.web import structured

        return structured.microdata(self)

    @property
    def opengraph(self) -> OpenGraph:
        """Its Open Graph and Twitter properties, the first value of each; `.all(name)` has all."""
        from crawler.web import structured

        return structured.opengraph(self)

    def table(self, css: str = "table") -> list[dict[str, str]]:
        """Return the rows of the first table that a CSS selector finds, by the names of its header.

        Cells that span rows or columns stand in each of them. UsageError where there is no table.
        """
        from crawler.web import structured

        return structured.table(self, css)

    def form(self, css: str = "form") -> Form:
        """Return the form that a CSS selector finds, to be filled: `page.form("#login").fill(…)`.

        UsageError where the page has none.
        """
        from crawler.web.form import find  # lxml and Lexbor, which most crawls never need

        html, xml = self.html, self.response.is_xml  # which finds the encoding
        encoding = self.encoding
        return find(html, css, self.base_url, url=self.url, encoding=encoding, xml=xml)

    def urljoin(self, reference: str) -> str | None:
        """Return the canonical http(s) URL of a reference on this page, None if it is none.

        Its query is written in the encoding of the page, as browsers write that of a link.
        """
        base = self.base_url
        encoding = self.encoding if not reference.isascii() and self.html else "utf-8"
        return urls.parse(encoded(reference, encoding), base)

    def follow(self, target: Any, callback: Callback = None, **options: Any) -> Request:
        """Return the Request for a URL, a reference, a Link, or an element with `href` or `src`.

        An element is a selector of one (or of its `::attr(href)`), a BeautifulSoup tag, or one of
        lxml. UsageError for anything else, BadUrl where it leads to no http(s) URL. `options` are
        fields of Request.
        """
        reference = reference_of(target)
        url = self.urljoin(reference)
        return Request(url or reference, callback=callback, depth=self.depth + 1, **options)

    def follow_all(
        self, targets: str | Iterable[Any], callback: Callback = None, **options: Any
    ) -> Iterator[Request]:
        """Yield a Request for each element that a CSS selector finds, or for each of `targets`.

        What leads to no http(s) URL is passed over.
        """
        for target in self.css(targets) if isinstance(targets, str) else each(targets):
            reference = found_in(target)
            url = self.urljoin(reference) if reference is not None else None
            if url is not None:
                yield Request(url, callback=callback, depth=self.depth + 1, **options)

    def __repr__(self) -> str:
        return f"<ScrapedPage {self.status} {self.url}>"
