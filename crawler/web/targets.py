"""What `page.follow` takes: a URL, a Link, or an element or selector that leads somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from yarl import URL

from crawler.errors import UsageError
from crawler.web.request import Request

_ATTRIBUTES = ("href", "src")  # of an element, in this order
_TAKEN = (
    "a URL, a Link, a selector of one element, of ::attr(href) or of @href, a BeautifulSoup tag"
    " or an lxml element"
)


def reference_of(target: Any) -> str:
    """Return the reference that a target stands for; UsageError if it stands for none."""
    reference = found_in(target)
    if reference is None:
        shown = " ".join(str(target).split())
        raise UsageError(f"nothing to follow: {shown:.80} has neither href nor src")
    return reference


def found_in(target: Any) -> str | None:
    """Return the reference that a target stands for, None for an element that leads nowhere.

    UsageError for what is no target at all.
    """
    if isinstance(target, str):
        return str(target)  # a string of BeautifulSoup is one, too
    root = getattr(target, "root", None)  # of a parsel Selector
    if isinstance(root, str):
        return root
    if isinstance(target, Request):
        raise UsageError(f"{target!r} is a Request already: yield it as it is")
    if isinstance(target, (list, tuple, set, frozenset, dict)):
        raise UsageError(
            f"follow takes one target, not a {type(target).__name__} of {len(target)};"
            " give them to follow_all, or one of them to follow"
        )
    url = target if isinstance(target, URL) else getattr(target, "url", None)  # of a Link
    if isinstance(url, (str, URL)):
        return str(url)
    attributes = _attributes(target if root is None else root)
    if attributes is None:
        raise UsageError(
            f"follow takes {_TAKEN}; {target!r:.80} is none of them"
            + ("; the selector found nothing" if target is None else "")
        )
    return next((str(attributes[n]) for n in _ATTRIBUTES if n in attributes), None)


def _attributes(element: Any) -> Any:
    """Return the attributes of a BeautifulSoup tag or an lxml element, None of anything else."""
    if isinstance(getattr(element, "tag", None), str):
        return element.attrib
    attributes = getattr(element, "attrs", None)
    return attributes if isinstance(getattr(element, "name", None), str) else None


def each(targets: Iterable[Any]) -> Iterable[Any]:
    """Return the targets to go through; UsageError for a single one, or for what is no target."""
    if isinstance(targets, (str, bytes, dict)) or not isinstance(targets, Iterable):
        single = f"{targets!r:.80} is none"
    elif isinstance(getattr(targets, "name", None) or getattr(targets, "tag", None), str):
        single = f"{' '.join(str(targets).split()):.80} is one element, and goes to follow"
    else:
        return targets
    raise UsageError(f"follow_all takes a CSS selector or several targets; {single}")


def encoded(reference: str, encoding: str) -> str:
    """Return a reference with its query in the encoding of its page, as browsers write it."""
    if encoding == "utf-8" or reference.isascii():
        return reference
    from crawler.parse.encodings import encode_query  # few pages are in another encoding

    return encode_query(reference, encoding)
