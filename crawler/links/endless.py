"""What the pages of one pattern of URLs said, and which of them is looked at next.

To look at a page is to compare its text with those of the pages before it; where a pattern is
large, a title that none of these had is enough. A pattern that says something new each time is
looked at ever more seldom, up to every `STRIDE`th page; from the first repeat on each page is
looked at again, so that its end is never further away than docs/links.md says. All of it is
bounded, and `PatternNote` is what of it goes into the store.
"""

from __future__ import annotations

from collections import OrderedDict

import xxhash

from crawler.lazy_regex import lazy
from crawler.parse.words import unmarked

TEXTS = 4096
"""Titles and texts of one pattern that are remembered: the last ones that were new."""
ALL_TEXTS = 100_000
"""Titles and texts of all patterns that are remembered; some 130 bytes each."""
STRIDE = 16
"""Of so many pages of a pattern that always says something new one is looked at."""
_TITLE = lazy(r"<[tT][iI][tT][lL][eE](?=[\s/>])[^>]*+>([^<]*+)")
_MOST_TEXT = 1 << 18  # characters of a page that are compared
ID = r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{12,}|[0-9a-fA-F]{8,}"
"""An id: long, of letters and digits. "2026-11-21" and "python3.11" are none."""
_ID = lazy(ID)
_PART = lazy(r"[^/?&=]+")
_NUMBER = lazy(r"[0-9]+")
_DATE = lazy(r"([0-9]{4})([01][0-9])([0-3][0-9])")


class Pattern:
    """How many pages of a pattern there were, what they said, and the repeats in a row.

    `said` leads from each title and each text to the page that said it first: a page that is
    visited again repeats nobody. `alone` are titles whose text was not looked at: a title that is
    new makes a page new.
    """

    __slots__ = ("alone", "known", "new", "pages", "repeats", "said", "skip", "stride")

    def __init__(self, pages: int = 0, known: int = 0, repeats: int = 0) -> None:
        self.pages, self.known, self.repeats = pages, known, repeats
        self.skip, self.stride, self.new = 0, 1, known
        self.said: dict[int, int] = {}
        self.alone: set[int] = set()

    def due(self) -> bool:
        """Return whether this page is to be looked at, and count it among those that were not."""
        if not self.skip:
            return True
        self.skip -= 1
        return False

    def hear(self, title: int | None, text: int | None, page: int, sure: int) -> tuple[int, ...]:
        """Take in what a page says, and return what of it is new.

        `text` is None where the new title is enough; `sure` is the number of new pages up to
        which every page is looked at.
        """
        first = self.said.get(text) if text is not None else None
        late = title in self.alone
        if first is not None and first != page:
            self.repeats += 1
            self.stride = 1
        elif first is None and late:  # of the two texts under this title one was not looked at
            self.stride = 1
        elif first is None:
            self.repeats = 0
            self.new += 1
            self.stride = min(2 * self.stride, STRIDE) if self.new > sure else 1
        self.skip = self.stride - 1
        if title is not None:
            (self.alone.add if text is None else self.alone.discard)(title)
        new = tuple(one for one in (title, text) if one is not None and one not in self.said)
        for one in new:
            self._remember(one, page)
        return new

    def _remember(self, one: int, page: int) -> None:
        self.said[one] = page
        self.known += 1
        if len(self.said) > TEXTS:
            oldest = next(iter(self.said))
            del self.said[oldest]
            self.alone.discard(oldest)

    def forget(self) -> None:
        """Forget what was said: as many pages are looked at again."""
        self.said, self.alone = {}, set()
        self.known = self.new = self.repeats = self.skip = 0
        self.stride = 1


class RecentPatterns:
    """The patterns whose texts are remembered; those not met for the longest time go first."""

    def __init__(self) -> None:
        self._patterns: OrderedDict[str, Pattern] = OrderedDict()
        self._texts = 0

    def grew(self, name: str, pattern: Pattern, before: int) -> None:
        """Take note of a pattern that had `before` texts; let others forget theirs for it."""
        self._patterns[name] = pattern
        self._patterns.move_to_end(name)
        self._texts += len(pattern.said) - before
        while self._texts > ALL_TEXTS and len(self._patterns) > 1:
            self.drop(next(iter(self._patterns)))

    def drop(self, name: str) -> None:
        """Forget the texts of a pattern, if there are any."""
        pattern = self._patterns.pop(name, None)
        if pattern is not None:
            self._texts -= len(pattern.said)
            pattern.forget()

    @property
    def room(self) -> int:
        """How many more texts may be remembered."""
        return ALL_TEXTS - self._texts


def title_of(url: str, html: str) -> int | None:
    """Return what stands for a page's title, without its URL's numbers; None if there is none."""
    found = _TITLE.search(html)
    return _digest(f"title {found[1].strip()}", url) if found and found[1].strip() else None


def text_of(url: str, html: str) -> int:
    """Return what stands for the title and the text of a page, without the numbers of its URL."""
    html = html[:_MOST_TEXT]
    found = _TITLE.search(html)
    return _digest(f"{found[1].strip() if found else ''} {unmarked(html)}", url)


def _digest(text: str, url: str) -> int:
    return xxhash.xxh3_64_intdigest(_without_numbers(text, url).encode("utf-8", "replace"))


def page_id(url: str) -> int:
    """Return what stands for a page beside its text."""
    return xxhash.xxh32_intdigest(url.encode("utf-8", "replace"))


def _without_numbers(text: str, url: str) -> str:
    """Take out the numbers of the URL and their neighbours: pages name themselves, and the next."""
    parts = _PART.findall(url, url.find("/", 8))
    parts = [part for part in parts if part.isdecimal() or not _ID.fullmatch(part)]
    found = [number for part in parts for number in _NUMBER.findall(part) if len(number) < 10]
    found += [part for number in found for date in _DATE.findall(number) for part in date]
    near = {(int(number) + step, len(number)) for number in found for step in (-1, 0, 1)}
    spellings = {f"{one:0{width}}" for one, size in near if one >= 0 for width in (1, 2, size)}
    for spelled in spellings:
        if spelled in text:
            text = _without(text, spelled)
    return text


def _without(text: str, number: str) -> str:
    """Take out a number where it is not a part of a longer one; a text may have thousands."""
    first, *rest = text.split(number)
    kept, before, last = [first], first[-1:], len(rest)
    for at, piece in enumerate(rest, start=1):
        after = piece[:1] or ("0" if at < last else "")  # nothing between two of them
        if before.isdecimal() or after.isdecimal():
            kept.append(number)
        kept.append(piece)
        before = piece[-1:] or "0"
    return "".join(kept)
