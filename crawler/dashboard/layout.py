"""The frame of every page: head with state, search and steering, the menu of views, the foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crawler.dashboard.sources import Look
from crawler.dashboard.state import WORDS, State
from crawler.dashboard.view import PagePart, View
from crawler.markup import Html, el, join, words
from crawler.version import __version__

_KEYS = (
    ("/", "find"),
    ("j", "next row"),
    ("k", "row before"),
    ("g o", "overview"),
    ("g h", "hosts"),
    ("g p", "pages"),
    ("g m", "map"),
    ("g e", "problems"),
    ("g t", "traps"),
    ("g i", "items"),
    ("g s", "SQL"),
    ("g r", "runs"),
    ("g w", "workers"),
    ("g c", "control"),
    ("Ctrl Enter", "runs SQL"),
)


def state(look: Look, now: State) -> Html:
    """Return the state of the crawl in a word."""
    word = now.state if now.state in WORDS else "new"
    return el("span", WORDS[word], class_="state", data_state=word, id="state", role="status")


def steer(look: Look, now: State) -> Html:
    """Return the buttons that steer the crawl as a whole."""
    buttons = []
    if now.state == "running":
        buttons.append(el("button", "Pause", name="action", value="pause"))
    if now.state == "paused":
        buttons.append(el("button", "Resume", name="action", value="resume", class_="first"))
    if now.state in ("running", "paused"):
        buttons.append(el("a", "Stop…", class_="button", href=look.href("ask", action="stop")))
    buttons.append(el("a", "Add URLs", class_="button", href=look.href("control")))
    action = look.href("control")
    return el("form", *buttons, class_="steer", id="steering", method="post", action=action)


def menu(look: Look, now: State, views: Sequence[View], here: str) -> Html:
    """Return the menu of views, with what there is of each."""
    counts = _counts(now)
    links = [
        el(
            "a",
            join([view.title, counts.get(view.path)], " "),
            href=look.href(view.path),
            data_key=view.key,
            aria_current="page" if view.path == here else None,
        )
        for view in views
        if view.key
    ]
    return el("nav", *links, class_="views", id="views", aria_label="Views")


def _counts(now: State) -> Mapping[str, Html]:
    problems = now.ended("error")
    numbers: dict[str, int] = {
        "hosts": now.hosts.number,
        "problems": problems,
        "traps": int(now.look.one("SELECT count(*) FROM endless") or 0),
        "items": sum(now.item_types.values()),
        "runs": now.runs,
        "workers": len(now.workers),
    }
    return {
        path: el("span", words.number(number), class_="bad" if path == "problems" else None)
        for path, number in numbers.items()
        if number
    }


def live_parts(views: Sequence[View], here: str) -> tuple[PagePart, ...]:
    """Return the parts of the frame that are sent anew."""
    return (
        PagePart("state", 0.5, state),
        PagePart("steering", 0.5, steer),
        PagePart("views", 5.0, lambda look, now: menu(look, now, views, here)),
    )


def title_of(look: Look, now: State, view: View) -> str:
    """Return what the window is called: the rate first, where it runs."""
    pace = sum(worker["pace"] for worker in now.living) if now.state == "running" else None
    first = f"{words.rate(pace)}/s" if pace is not None else WORDS.get(now.state, "")
    return f"{first} · {view.title} · {look.source.name} · Crawlkeep"


def page(
    look: Look, now: State, view: View, body: Html, *, views: Sequence[View], live: bool, many: bool
) -> Html:
    """Return a whole page."""
    runs = f"run {now.runs}" if now.state in ("running", "paused") else _runs(now.runs)
    where = f"{runs} · {look.source.path}" if now.runs else str(look.source.path)
    crawl = el(
        "p",
        state(look, now),
        " ",
        el("b", el("a", look.source.name, class_="url", href="/") if many else look.source.name),
        " ",
        el("span", where, class_="soft mid"),
        " ",
        el("output", "", class_="soft", id="contact"),
        class_="crawl",
    )
    find = el(
        "form",
        el(
            "input",
            type="search",
            name="q",
            value=look.params.get("q"),
            aria_label="Find a URL, a host, or words of a page",
            placeholder="URL, host or words",
            autocomplete="off",
            spellcheck="false",
        ),
        el("kbd", "/", aria_hidden="true"),
        class_="search",
        role="search",
        action=look.href("search"),
    )
    theme = el("button", "Dark", class_="plain", id="theme", type="button")
    bar = el("div", crawl, find, steer(look, now), theme, class_="bar")
    header = el("header", bar, menu(look, now, views, view.under or view.path))
    events = look.href("events", **{**look.params, "view": view.path}) if live else None
    return document(title_of(look, now, view), join([header, el("main", body, id="main")]), events)


def _runs(number: int) -> str:
    return "no run yet" if not number else words.plural(number, "run")


def document(title: str, body: Any, events: str | None = None) -> Html:
    """Return an HTML document around a body."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("title", title),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("link", rel="stylesheet", href="/assets/live.css"),
        el("script", src="/assets/live.js"),
    )
    keys = join((join([el("kbd", k), " ", told]) for k, told in _KEYS), " · ")
    foot = el(
        "footer",
        el("p", f"Crawlkeep {__version__} · times are UTC"),
        el("details", el("summary", "Keys"), el("p", keys), id="keys"),
    )
    skip = el("a", "Skip to the content", class_="skip", href="#main")
    whole = el("html", head, el("body", skip, body, foot, data_events=events), lang="en")
    return Html(f"<!doctype html>\n{whole}\n")
