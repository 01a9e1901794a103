"""One URL: why was it fetched, or why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from crawler import urls
from crawler.dashboard.parts import hidden, outcome_of, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State, decoded, quoted
from crawler.dashboard.view import PagePart, View
from crawler.errors import CrawlerError, UsageError
from crawler.inspect.life import Line
from crawler.inspect.sources import sources_of
from crawler.inspect.why import why
from crawler.markup import Html, el, join, words
from crawler.markup.parts import TableColumn, empty, note, section, soft, table
from crawler.web import outcome

_LINKS, _SOURCES = 12, 12
_TEXT = 4000  # characters of the stored text that are shown
_LAWS = ("canonical", "visited as", "scope", "traps", "bounds", "host", "robots", "rules", "note")
_PAGE = (
    "page_id, title, status, outcome, depth, fetched_at, elapsed, content_type, encoding, size,"
    " content_hash, attempts, redirect_to, run_id, headers, error, host_id"
)


def _asked(look: Look) -> str:
    given = look.params.get("url", "")
    url = urls.parse(given)
    if url is None:
        raise UsageError(f"{given[:200]} is no URL; give one like https://example.com/page")
    return url


def _page(look: Look) -> dict[str, Any] | None:
    sql = f"SELECT {_PAGE} FROM pages WHERE url = ? ORDER BY page_id DESC LIMIT 1"
    found = look.reader.query(sql, (_asked(look),))
    for row in found.rows:
        return dict(zip(found.columns, row, strict=True))
    return None


def head(look: Look, now: State) -> Html:
    """Return what became of the URL, in a sentence."""
    url, page = _asked(look), _page(look)
    title, told = _sentence(look, url, page)
    shown = el("p", el("bdi", url, dir="ltr"), class_="text")
    web = el("a", "open on the web", href=url, rel="noreferrer noopener")
    body = [el("h1", title), shown, el("p", join([told, web], " · ") if told else web)]
    return el("section", el("div", *body, class_="lead"), id="head")


def _sentence(look: Look, url: str, page: dict[str, Any] | None) -> tuple[Any, Any]:
    queued = look.one(
        "SELECT attempts FROM todo WHERE url = ? AND host_id ="
        " (SELECT host_id FROM hosts WHERE name = ?)",
        url,
        urls.host_of(url),
    )
    if queued is not None:
        return "Queued", f"{words.plural(queued, 'try', 'tries')} so far"
    if page is None:
        return "Not fetched, and not queued", None
    name, tries = page["outcome"], page["attempts"]
    sent = name in outcome.having("sent")
    how = "once" if tries == 1 else f"in {words.plural(tries, 'try', 'tries')}"
    status = f" {page['status']}" if page["status"] and page["status"] != 200 else ""
    title = f"Fetched {how}, {name}{status}" if sent else f"Not sent: {name}"
    return title, el("bdi", page["title"]) if page["title"] else None


def story(look: Look, now: State) -> Html:
    """Return how it came to this, and what would decide now."""
    return section(
        "story", "How it came to this", _list(line for line in _lines(look, now) if _tells(line))
    )


def laws(look: Look, now: State) -> Html:
    """Return what scope, traps, rules and robots.txt say now, and what can be done."""
    rows = [
        (el("th", line.about, scope="row"), el("td", line.text, class_="text"))
        for line in _lines(look, now)
        if not _tells(line)
    ]
    body = el("table", el("tbody", *(el("tr", *row) for row in rows)))
    url = _asked(look)
    kept = hidden(target=url, back=look.again("url"))
    page = _page(look)
    act, verb = ("retry", "Fetch again") if page is not None else ("add", "Fetch it")
    button = el("button", verb, name="action", value=act)
    form = el("form", kept, button, method="post", action=look.href("control"))
    like = el(
        "a",
        "Block URLs like it…",
        class_="button",
        href=look.href("ask", action="block", target=_like(url)),
    )
    acts = el("div", form, like, class_="form")
    return section("laws", "What would decide now", body, acts)


def _like(url: str) -> str:
    """Return the pattern of what stands beside a URL."""
    return url.partition("?")[0].rpartition("/")[0].partition("://")[2] + "/*"


def _tells(line: Line) -> bool:
    return line.about not in _LAWS and not line.about.startswith("rule")


def _lines(look: Look, now: State) -> list[Line]:
    return now.once("why", lambda: _why(look))


def _why(look: Look) -> list[Line]:
    try:
        return why(look.reader, _asked(look), (), sources=False)
    except CrawlerError as error:
        return [Line("note", str(error))]


def _list(lines: Iterator[Line]) -> Html:
    items = (el("li", el("time", line.about), el("div", line.text)) for line in lines)
    return el("ol", *items, class_="story")


def text(look: Look, now: State) -> Html:
    """Return the text that is stored."""
    page = _page(look)
    links = []
    if page is not None:
        url = _asked(look)
        links = [
            el("a", "Text", href=look.href("stored", url=url, what="text")),
            el("a", "Body", href=look.href("stored", url=url, what="body")),
        ]
    found = None
    if page is not None:
        sql = "SELECT substr(text, 1, ?) FROM texts WHERE page_id = ?"
        found = look.one(sql, _TEXT, page["page_id"])
    if not found:
        told = (
            "No text is stored; with store.text = true it is, and crawler search --index makes it."
        )
        return section("text", "Stored text", empty(told), links=links)
    cut = "…" if len(found) >= _TEXT else ""
    shown = el(
        "pre", found + cut, class_="plain-text", tabindex="0", role="region", aria_label="Text"
    )
    return section("text", "Stored text", shown, links=links)


def stored(look: Look, now: State) -> Html:
    """Return what is stored of the page, and its items."""
    page, url = _page(look), _asked(look)
    quoted_url = url.replace("'", "''")
    links = [look.sql(f"SELECT * FROM pages WHERE url = '{quoted_url}'")]
    if page is None:
        return section("stored", "Stored", empty("Nothing."), links=links)
    size = look.one("SELECT length(body) FROM bodies WHERE page_id = ?", page["page_id"])
    facts = [
        ("type", ", ".join(t for t in (page["content_type"], page["encoding"]) if t)),
        ("size", _size(page["size"], size)),
        ("hash", el("code", page["content_hash"]) if page["content_hash"] else ""),
        ("page, run", f"{page['page_id']}, run {page['run_id']}"),
        ("at", page["fetched_at"]),
        ("took", words.duration(page["elapsed"]) if page["elapsed"] is not None else ""),
        ("leads to", url_link(look, page["redirect_to"]) if page["redirect_to"] else ""),
        ("items", join(_items(look, page["page_id"]), ", ")),
        ("error", _scrolled(page["error"], "Error") if page["error"] else ""),
    ]
    shown = el(
        "dl",
        *(part for k, v in facts if v for part in (el("dt", k), el("dd", v))),
        class_="facts",
    )
    return section("stored", "Stored", shown, *_headers(page["headers"]), links=links)


def _scrolled(text: str, label: str) -> Html:
    """Return lines that are scrolled where they are long, by keys too."""
    return el("pre", text, tabindex="0", role="region", aria_label=label)


def _size(size: int | None, kept: int | None) -> str:
    if size is None:
        return ""
    return words.plural(size, "byte") + (f", {kept:,} stored" if kept else "")


def _headers(text: str | None) -> Iterator[Html]:
    found = decoded(text, {})
    if isinstance(found, dict) and found:
        lines = "\n".join(f"{name}: {value}" for name, value in found.items())
        yield el("details", el("summary", f"All {len(found)} headers"), _scrolled(lines, "Headers"))


def _items(look: Look, page_id: int) -> Iterator[Html]:
    for (name,) in look.rows("SELECT name FROM item_types ORDER BY name"):
        number = look.one(f"SELECT count(*) FROM {quoted(name)} WHERE page_id = ?", page_id)
        if number:
            where = f"page_id = {page_id}"
            href = look.href("items", type=name, where=where)
            yield join([words.number(number), " ", el("a", name, href=href)])


def links_out(look: Look, now: State) -> Html:
    """Return where the links of the page lead."""
    page = _page(look)
    targets = (
        decoded(look.one("SELECT targets FROM link_lists WHERE page_id = ?", page["page_id"]), [])
        if page
        else []
    )
    targets = [target for target in targets if isinstance(target, str)]
    if not targets:
        return section("out", "Links", empty("No link of it is stored."))
    all_ = look.params.get("links") == "all"
    shown = targets if all_ else targets[:_LINKS]
    found = _outcomes(look, shown)
    rows = ((url_link(look, target), found.get(target, soft("not taken"))) for target in shown)
    columns = (TableColumn("target", "fill wrap"), TableColumn("outcome"))
    more = [] if all_ else [el("a", "All", href=look.again("url", links="all"))]
    title = f"Links to {words.plural(len(targets), 'URL')}"
    return section("out", title, table("Links", columns, rows), links=more)


def _outcomes(look: Look, targets: list[str]) -> dict[str, Html]:
    text = json.dumps(targets)
    sql = "SELECT url, outcome, status FROM pages WHERE url IN (SELECT value FROM json_each(?))"
    found = {url: outcome_of(name, status) for url, name, status in look.rows(sql, text)}
    rest = [target for target in targets if target not in found]
    if rest:
        names = json.dumps(sorted({urls.host_of(target) for target in rest if "://" in target}))
        if look.params.get("wait") or len(names) < 400:
            known = "SELECT host_id FROM hosts WHERE name IN (SELECT value FROM json_each(?))"
            # Their numbers in the query let PostgreSQL take the key of `todo`.
            ids = ", ".join(str(host_id) for (host_id,) in look.rows(known, names)) or "NULL"
            sql = (
                f"SELECT url FROM todo WHERE host_id IN ({ids})"
                " AND url IN (SELECT value FROM json_each(?))"
            )
            found |= {url: soft("queued") for (url,) in look.rows(sql, json.dumps(rest))}
    return found


def links_in(look: Look, now: State) -> Html:
    """Return pages that link here: of the first lists of links, or of all where one waits."""
    url, wait = _asked(look), look.params.get("wait")
    most = "" if wait else " LIMIT 20000"
    sql = (
        f"SELECT pages.url FROM (SELECT page_id, targets FROM link_lists{most}) AS l"
        f" JOIN pages USING (page_id) WHERE instr(targets, ?) > 0 LIMIT {_SOURCES + 1}"
    )
    text = json.dumps(url, ensure_ascii=False)
    rows = [(url_link(look, one),) for (one,) in look.rows(sql, text)]
    last = look.one("SELECT max(page_id) FROM link_lists") or 0
    rest = note(
        "Of the first 20,000 pages. ",
        el("a", "Read every list of links", href=look.again("url", wait="30")),
        f": about {words.duration(max(1.0, last * 5e-6))}.",
    )
    told = [] if wait or last <= 20_000 else [rest]
    if not rows:
        return section("in", "Linked from", empty("No stored page that was looked at."), *told)
    columns = (TableColumn("page", "fill wrap"),)
    shown = table("Pages that link here", columns, rows[:_SOURCES])
    if len(rows) > _SOURCES:
        told.insert(0, note(f"The first {_SOURCES}; SQL has all."))
    return section("in", "Linked from", shown, *told, links=[look.sql(sources_of(url))])


VIEW = View(
    "url",
    "URL",
    (
        PagePart("head", 2.0, head),
        (PagePart("story", 2.0, story), PagePart("laws", 2.0, laws)),
        (PagePart("text", 0, text), PagePart("stored", 2.0, stored)),
        (PagePart("out", 0, links_out), PagePart("in", 0, links_in)),
    ),
    under="pages",
)
