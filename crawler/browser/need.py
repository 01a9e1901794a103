"""Whether a page is anything without its scripts, judged by its source alone.

Pure, and without a tree: in `auto` mode every page passes here. What is said in navigation,
header, footer, forms and consent boxes is not counted: the shell of an empty page has these, too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.markup.words import plural
from crawler.parse.words import words_of

_MOST = 1_000_000  # characters of a page that are looked at
WORDS, LINKS = 50, 10
"""So much beside the shell is a page, whatever its scripts would add."""

_SCRIPT = lazy(r"<script\b([^<>]*+)>(.*?)(?:</script\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TYPE = lazy(r"""\btype\s*=\s*["']?\s*([^"'\s>]+)""", re.IGNORECASE)
_SRC = lazy(r"""\bsrc\s*=\s*["']?\s*([^"'\s>]+)""", re.IGNORECASE)
_RUN = ("module", "text/javascript", "application/javascript", "text/ecmascript", "text/babel")
# Scripts that count visitors or show advertisements: a page is whole without them.
_OTHERS = lazy(
    r"google-?analytics|googletagmanager|googlesyndication|doubleclick|gtag\(|dataLayer|fbq\("
    r"|connect\.facebook|hotjar|matomo|piwik|plausible|clarity\.ms|segment\.(?:com|io)|newrelic"
    r"|adsbygoogle|cookielaw|onetrust|cookiebot|recaptcha|cloudflareinsights|_paq|umami",
    re.IGNORECASE,
)
_NO = lazy(
    r"<html[^<>]{0,300}\s(?:amp|⚡)(?:[\s=>])|<meta[^<>]{0,300}http-equiv\s*=\s*[\"']?refresh|<frameset\b",
    re.IGNORECASE,
)
_COMMENT = lazy(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BLOCKS = ("head", "nav", "header", "footer", "form", "noscript", "template", "svg", "select")
_SHELL = lazy(
    "|".join(rf"<{name}\b[^<>]*+>.*?(?:</{name}\s*>|\Z)" for name in _BLOCKS)
    + r"|<(?P<box>div|section|aside|dialog)\b[^<>]{0,300}(?:cookie|consent|gdpr)[^<>]*+>"
    r".*?(?:</(?P=box)\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_LINK = lazy(r"<a\b[^<>]{0,500}\shref\b", re.IGNORECASE)
_MOUNT = lazy(
    r"<(?P<tag>div|main|section|body)\b[^<>]{0,200}\b(?:id|class)\s*=\s*[\"']?"
    r"(?:app|root|main|content|mount|application|react-root|__next|__nuxt|q-app|svelte|gatsby"
    r"|___gatsby|ember-app|app-root|page|site|wrapper|container|shell|view|outlet|results|feed)"
    r"[\w -]{0,80}[\"']?[^<>]{0,200}>\s*+"
    r"(?:<(?P<in>div|p|span|img|i)\b[^<>]*+>[^<]{0,60}+(?:</(?P=in)>)?\s*){0,3}"
    r"</(?P=tag)>",
    re.IGNORECASE,
)
_CUSTOM = lazy(
    r"<(?P<tag>[a-z][a-z0-9]{0,30}-[a-z0-9-]{0,40})\b[^<>]*+>[^<]{0,60}+</(?P=tag)>", re.IGNORECASE
)
_NOSCRIPT = lazy(r"<noscript\b[^<>]*+>(.*?)(?:</noscript|\Z)", re.IGNORECASE | re.DOTALL)
_PLEA = lazy(r"java\s?script", re.IGNORECASE)
_HOLE = lazy(
    r"aria-busy\s*=\s*[\"']?true|\bclass\s*=\s*[\"'][^\"'<>]{0,200}\b(?:skeleton|shimmer|spinner|loading"
    r"|loader|placeholder)|<(?P<tag>main|ul|ol|tbody|article)\b[^<>]*+>\s*+</(?P=tag)>"
    r"|\bng-app\b|\bv-cloak\b|\bdata-reactroot\b|\{\{[^{}<]{1,60}\}\}",
    re.IGNORECASE,
)


class Need(NamedTuple):
    """Whether a page is to be rendered, why, and what it had: words and links beside its shell."""

    renders: bool
    reason: str
    words: int
    links: int


def needed(html: str) -> Need:
    """Judge the source of a page."""
    text = _COMMENT.sub("", html[:_MOST])
    scripted = any(_is_own(match[1], match[2]) for match in _SCRIPT.finditer(text))
    if not scripted or _NO.search(text):
        return Need(False, "no script of its own" if not scripted else "whole as it is", 0, 0)
    bare = _SCRIPT.sub("", text)
    rest = _SHELL.sub(" ", bare)
    words, links = content_of(rest)
    if words >= WORDS or links >= LINKS:
        said = f"{plural(words, 'word')} and {plural(links, 'link')} without scripts"
        return Need(False, said, words, links)
    reason = _sign(bare, rest)
    if reason is None and not words and not links:
        reason = "nothing but its shell"
    return Need(
        reason is not None, reason or f"{plural(words, 'word')}, no sign of a gap", words, links
    )


def content_of(html: str) -> tuple[int, int]:
    """Return the number of words and of links of a page, or a part of one."""
    return len(words_of(html).split()), len(_LINK.findall(html))


def shown_of(html: str) -> tuple[int, int]:
    """Return the words and links that a rendered page has beside its shell."""
    return content_of(_SHELL.sub(" ", _SCRIPT.sub("", _COMMENT.sub("", html))))


def _sign(bare: str, rest: str) -> str | None:
    """Return what shows that scripts would fill the page, None if nothing does."""
    if _MOUNT.search(rest):
        return "an empty mount"
    if _CUSTOM.search(rest):
        return "an empty custom element"
    if any(_PLEA.search(match[1]) for match in _NOSCRIPT.finditer(bare)):
        return "a plea for JavaScript"
    if _HOLE.search(rest):
        return "a place that is to be filled"
    return None


def _is_own(attributes: str, code: str) -> bool:
    """Return whether a script may write the page: code that runs, and does not just count."""
    kind = _TYPE.search(attributes)
    if kind is not None and kind[1].lower() not in _RUN:
        return False
    source = _SRC.search(attributes)
    if source is not None:
        return not _OTHERS.search(source[1])
    return bool(code.strip()) and not _OTHERS.search(code)
