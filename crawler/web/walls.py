"""Walls: bot checks, login and consent forms that stand in place of a page and answer 200.

A wall is known by what its maker publishes of it (headers, scripts, elements), or by what it says
where it says little else. Precision comes first: what pages of protected sites have as well (the
scripts that watch visitors, a captcha beside a form, a cookie banner) is no sign, nor is a text
*about* walls. What has no published sign is known by the same few words under several URLs.

Plain pages are told apart by their size and title, at about a microsecond.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from urllib.parse import parse_qsl

import xxhash
from msgspec import Struct

from crawler import urls
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.response import Response
from crawler.web.visit import Visit
from crawler.web.wall_signatures import (
    BLOCKED,
    CAPTCHAS,
    CHECKING,
    CONSENT,
    CONSENT_TITLE,
    FIELDS,
    HEADERS,
    HUMAN,
    LOG_IN,
    LOGIN_PATH,
    LOGIN_TITLE,
    SAYINGS,
    STRUCTURES,
    TITLE,
    TITLE_WORDS,
)

_LARGEST = 64 * 1024  # bytes of a page that may be a wall
_MEDIUM = 16 * 1024  # bytes of one whose title may be any
_HEAD = 500  # bytes in which such a one asks not to be indexed
_MOST_TEXT = 2500  # characters of text on a wall with a structure that is published
_LITTLE_TEXT = 800  # on one that only says what it is
_MOST_LINKS = 15
_SAME, _SAME_PATH = 3, 10  # paths that give the same few words, or URLs whose queries differ
_TEXTS = 10_000  # texts that are remembered
_VARIES = r"\S*\d\S*"  # incident ids and times
_NOTHING_THERE = (404, 410)  # statuses that say all there is to say
# What does something, or is in the source and may not be seen.
_ACTS_OR_HIDES = (
    *("<script", "<style", "<form", "<input", "<button", "<template", "<noscript"),
    *("hidden", "<svg", "<select", "<textarea", "<iframe", "<object", "<video", "<audio"),
    *("<canvas", "<dialog", "<details", "<math", "<!--", "refresh", "<![cdata["),
)
_HARMLESS = r"clear|list-style|text-align|vertical-align|white-space"
_STYLED = rf"""style\s*=(?!["'](?:{_HARMLESS})[\w\s:-]*;?\s*["'])"""
_IN_A_LINE = (
    r"</?(?:a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|label|mark|nobr|q|s"
    r"|samp|small|span|strike|strong|sub|sup|time|tt|u|var|wbr)(?=[\s/>])[^>]*+>?"
)
_MARKUP = r"<title[^<>]*+>[^<]*+|<[^>]*+>?"


class Wall(Struct, frozen=True):
    """A wall: whose or what it is, and the sign by which it is known."""

    name: str
    sign: str

    def __str__(self) -> str:
        return f"{self.name}, known by {self.sign}"


class Walls:
    """Knows walls, and remembers the few words that hosts say again and again."""

    def __init__(self, *, keep: bool = False) -> None:
        """`keep`: take them for pages all the same, and look for none."""
        self._keep = keep
        self._texts: OrderedDict[int, set[str]] = OrderedDict()

    def bars(self, visit: Visit, page: ScrapedPage) -> bool:
        """Return whether a wall stands in place of the page; then the visit has its outcome."""
        if self._keep or not suspect(page.response, redirected=page.request.first_url is not None):
            return False
        wall = wall_of(page) or self._repeated(page)
        if wall is None:
            return False
        visit.outcome, visit.error = Outcome.WALLED, str(wall)
        visit.title, visit.encoding = page.title, page.encoding
        return True

    def name(self, visit: Visit, page: ScrapedPage) -> None:
        """Name the wall in the error of a visit that failed by its status, such as 403."""
        plain = page.status in _NOTHING_THERE or visit.error
        wall = None if self._keep or plain else wall_of(page)
        if wall is not None:
            visit.error = f"wall: {wall}"

    def _repeated(self, page: ScrapedPage) -> Wall | None:
        """Return the wall that the same few words are which other URLs of the host gave."""
        kind = _resembles(page)
        if kind is None:
            return None
        words = re.sub(_VARIES, "", page.text)
        key = xxhash.xxh3_64_intdigest(
            f"{urls.host_of(page.url)} {words}".encode("utf-8", "replace")
        )
        known = self._texts.setdefault(key, set())
        self._texts.move_to_end(key)
        if len(self._texts) > _TEXTS:
            self._texts.popitem(last=False)
        if len(known) < _SAME_PATH:
            # A login page is asked for with the way back to here and there.
            known.add(page.url.partition("?")[0] if kind == "login wall" else page.url)
        if len({url.partition("?")[0] for url in known}) < _SAME and len(known) < _SAME_PATH:
            return None
        return Wall(kind, f"the same few words under {len(known)} and more URLs of its host")


# ---------------------------------------------------------------- at a glance


def suspect(response: Response, *, redirected: bool = False) -> bool:
    """Return, in about a microsecond, whether an answer may be a wall; False for plain pages."""
    body = response.body
    if not response.headers.keys().isdisjoint(HEADERS):
        return True
    size = len(body)
    if size > _LARGEST:
        return False
    at = body.find(b"<title", 0, 4096)
    if redirected or at < 0:
        return size <= _MEDIUM or redirected
    at = body.find(b">", at, at + 200) + 1
    title = body[at : body.find(b"<", at, at + 300)].lower()
    words = title.replace(b"\xc2\xa0", b" ").split()
    if not TITLE_WORDS.isdisjoint(words):
        return True
    if size > _MEDIUM:
        return False
    if body.find(b"noindex", 0, _HEAD) >= 0:
        return True
    if len(words) < 2 and (not words or b"." in title):  # a host's name, as DataDome has it
        return True
    first = body.find(b"<a ")
    if first >= 0 and body.find(b"<a ", first + 3) >= 0:
        return False
    return b"<script" in body or b"<form" in body or b"<button" in body


# ---------------------------------------------------------------- at a closer look


def wall_of(page: ScrapedPage) -> Wall | None:
    """Return the wall that an answer is by its own signs, None if it may be a page."""
    for name, (values, maker) in HEADERS.items():
        value = page.headers.get(name)
        if value is not None and any(known in value.lower() for known in values):
            return Wall(maker, f"its header {name}")
    if len(page.body) > _LARGEST or not page.response.is_html:
        return None
    moved = _moved_to_login(page)
    if moved is not None or len(page.found.hrefs) > _MOST_LINKS:
        return moved
    source = page.html.lower()
    text = _text_of(page, source)
    if len(text) > _MOST_TEXT:
        return None
    return (
        _by_structure(source, text)
        or _by_saying(text)
        or _captcha(source, text)
        or _check(page, source, text)
        or _login(page, source, text)
        or _consent(page, source, text)
    )


def _text_of(page: ScrapedPage, source: str) -> str:
    """Return what a reader sees of a page, in lower case.

    Where nothing acts and nothing may be hidden that is its text without the markup, for a tenth
    of the time.
    """
    if any(map(source.__contains__, _ACTS_OR_HIDES)) or re.search(_STYLED, source):
        return page.text.lower()
    from crawler.parse.references import unescape  # with the first page: its table is large

    lines = re.sub(_MARKUP, "\n", re.sub(_IN_A_LINE, "", source.replace("\n", " "))).split("\n")
    return "\n".join([words for line in lines if (words := " ".join(unescape(line).split()))])


def _by_structure(source: str, text: str) -> Wall | None:
    """Look for what only a wall has in its markup; what stands in the text is about walls."""
    for maker, needles, most in STRUCTURES:
        there = all(map(source.__contains__, needles)) and len(text) <= most
        if there and not any(map(text.__contains__, needles)):
            return Wall(maker, " and ".join(needles))
    return None


def _by_saying(text: str) -> Wall | None:
    if len(text) <= _LITTLE_TEXT:
        for maker, needles in SAYINGS:
            if all(map(text.__contains__, needles)):
                return Wall(maker, f"«{needles[0]}»")
    return None


def _captcha(source: str, text: str) -> Wall | None:
    """A captcha that asks who we are, and protects no form."""
    widget = next((name for name in CAPTCHAS if name in source), None)
    said = re.search(HUMAN, text)
    if widget is None or said is None or len(text) > _LITTLE_TEXT or re.search(FIELDS, source):
        return None
    return Wall("captcha", f"{widget} beside «{said[0]}», and no other form")


def _check(page: ScrapedPage, source: str, text: str) -> Wall | None:
    """A page that says it checks the browser, in its title as well, and runs a script."""
    title = (page.title or "").lower()
    said = re.search(CHECKING, text) or (re.search(HUMAN, text) if "<script" in source else None)
    if said is None or len(text) > _LITTLE_TEXT or re.search(FIELDS, source):
        return None
    if title and not re.fullmatch(TITLE, title) and title != urls.hostname_of(page.url):
        return None
    if "<script" not in source and "http-equiv" not in source:
        return None
    return Wall("bot check", f"«{said[0]}»")


def _moved_to_login(page: ScrapedPage) -> Wall | None:
    """A redirect to a login form, away from what is no such form's place."""
    origin = page.request.first_url
    if origin is None or not re.search(LOGIN_PATH, _path(page.url)):
        return None
    back = _leads_back(page.url, origin)
    if (re.search(LOGIN_PATH, _path(origin)) and not back) or not _has_password(page.html.lower()):
        return None
    sign = "a redirect to a login form" + (" that carries the way back" if back else "")
    return Wall("login wall", sign)


def _login(page: ScrapedPage, source: str, text: str) -> Wall | None:
    """A login form in place of what was asked for; one that was asked for is a page."""
    if not _has_password(source):
        return None
    asked_for = page.request.first_url is None and re.search(LOGIN_PATH, _path(page.url))
    said = re.search(LOG_IN, text)
    if asked_for or said is None or len(text) > _LITTLE_TEXT:
        return None
    if not re.search(LOGIN_TITLE, (page.title or "").lower()) and page.request.first_url is None:
        return None
    return Wall("login wall", f"a login form and «{said[0]}»")


def _consent(page: ScrapedPage, source: str, text: str) -> Wall | None:
    """A form that asks for consent before anything is shown; a banner stands over a page."""
    if "<form" not in source and "<button" not in source:
        return None
    title = (page.title or "").lower()
    if re.match(CONSENT_TITLE, title) and re.search(CONSENT, text) and "<article" not in source:
        return Wall("consent wall", f"its title «{title[:60]}» and what it asks")
    host = urls.hostname_of(page.url)
    origin = page.request.first_url
    moved = origin is not None and urls.hostname_of(origin) != host
    if moved and host.partition(".")[0] in ("consent", "guce", "cmp") and re.search(CONSENT, text):
        return Wall("consent wall", f"a redirect to {host}")
    return None


def _resembles(page: ScrapedPage) -> str | None:
    """Return what kind of wall a page resembles that says little; None for any other."""
    if not page.response.is_html or len(page.body) > _LARGEST:
        return None
    if len(page.found.hrefs) > _MOST_LINKS:
        return None
    source = page.html.lower()
    text = _text_of(page, source)
    if not text or len(text) > _LITTLE_TEXT:
        return None
    asked_for = page.request.first_url is None and re.search(LOGIN_PATH, _path(page.url))
    if _has_password(source):
        return None if asked_for else "login wall"
    if re.search(FIELDS, source):
        return None
    if re.search(CHECKING, text) or re.search(HUMAN, text) or re.search(BLOCKED, text):
        return "bot check"
    if re.search(LOG_IN, text) and not asked_for:
        return "login wall"
    asks = "cookie" in text and "<button" in source and re.search(CONSENT, text)
    return "consent wall" if asks else None


def _path(url: str) -> str:
    return urls.split(url)[1].partition("?")[0]


def _has_password(source: str) -> bool:
    return re.search(r"""<input\b[^>]*\btype\s*=\s*["']?password""", source) is not None


def _leads_back(url: str, origin: str) -> bool:
    """Return whether the query of a URL says to come back to the one first asked for."""
    target = urls.split(origin)[1]
    values = {value for _, value in parse_qsl(url.partition("?")[2])}
    return not values.isdisjoint((origin, target, target.partition("?")[0]))
