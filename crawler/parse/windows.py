"""Texts window by window: what the fast pass finds in large ones, while other threads run.

A match holds the GIL however long it is: what the end of a window cuts off is matched again from
its own start, and what is longer than a window is cut there and passed over. Pictures and formulas
that are not plain are read by the tokenizer, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from crawler.lazy_regex import lazy
from crawler.parse.fast_expression import APART, LAST, TAG
from crawler.parse.fast_pass import WINDOW, Match, attribute, by_machine_code
from crawler.parse.foreign import NAMESPACES
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import END
from crawler.parse.tokenizer import spans


def one_by_one(text: str, expired: Callable[[], bool], window: int = WINDOW) -> Iterator[Match]:
    """Yield what `fast_pass.at_once` returns; TimeoutError once `expired` says so."""
    at, size, odd_met = 0, len(text), False
    while at < size:
        if expired():
            raise TimeoutError(f"at character {at:,} of {size:,}")
        end = min(size, at + window)
        # With one odd picture on a page there are others: they end a window.
        is_foreign = odd_met and _FOREIGN.match(text, at) is not None
        found = None if is_foreign else _window(text, at, _calm_end(text, at, end, odd_met))
        if found is None and not odd_met:
            found = _window(text, at, before_foreign(text, at, end))
        if found is not None:
            matches, at = found
            yield from matches
            continue
        start, at = at, end - (end < size and text[end - 1] == "<")
        for match in TAG.finditer(text, start, end):
            # Foreign content is not plain where the window cuts it off.
            odd = match[2] is not None and match[2].lower() in NAMESPACES
            cut = match.end() == end
            if not odd and (not cut or end == size):
                yield match.groups("")
                if is_foreign:
                    at = match.end()
                    break
            elif match.start() > start:
                at = match.start()
                break
            elif odd:
                inside = _foreign(text, start, expired)
                if inside is None:
                    yield ODD
                    return
                odd_met, (matches, at) = True, inside
                yield from matches
                break
            elif (match[5] or "").lower() in APART:
                yield ODD
                return
            elif match[5] or not text[start + 1 : start + 3].lstrip("/")[:1].isalpha():
                yield match.groups("")
                at = _end_of(text, match)
                break
            else:  # a tag that fills a window
                yield ODD
                return


_FOREIGN = lazy("<(?:svg|math)", re.IGNORECASE)


def _window(text: str, start: int, end: int) -> tuple[list[Match], int] | None:
    """Return the matches of a window by machine code, and where the next begins; None if unsure."""
    found = by_machine_code(text[start:end], whole=end == len(text))
    if found is None or end == len(text):
        return None if found is None else (found[0], end)
    matches, cut = found
    # Foreign content is not plain where the window cuts it off.
    odd = (match[1].lower() in NAMESPACES for match in matches if not isinstance(match, str))
    at = end - (cut or text[end - 1] == "<")
    return None if at <= start or any(odd) else (matches, at)


def _calm_end(text: str, start: int, end: int, odd_met: bool) -> int:
    """Return where the next picture or formula may begin, if an odd one was met, else the end."""
    found = (text.find(f"<{name}", start + 1, end) for name in NAMESPACES if odd_met)
    return min((at for at in found if at >= 0), default=end)


def _foreign(text: str, start: int, expired: Callable[[], bool]) -> tuple[list[Match], int] | None:
    """Return the matches of the picture or formula that begins at `start`, and where it ends.

    The tokenizer finds them. None if it holds HTML that is no part of the document.
    """
    matches: list[Match] = []
    end = start
    for number, span in enumerate(spans(text, start, foreign_only=True)):
        if not number % 4096 and expired():
            raise TimeoutError(f"at character {end:,} of {len(text):,}")
        end, name = max(span.end, span.after), span.name
        if not span.foreign and (name in APART or name == "plaintext"):
            return None
        if span.ends:
            continue
        if span.foreign == "svg" and name == "a":
            href = attribute(span.attributes, "href")
            href = attribute(span.attributes, "xlink:href") if href is None else href
            matches += () if href is None else (href,)
        elif not span.foreign and name in ("a", "area", "base", "meta"):
            matches.append(("", name, span.attributes, ">", "", ""))
        elif not span.foreign and name == "title":
            matches.append(("", "", "", "", name, text[span.end : span.after]))
    return matches, end


def before_foreign(text: str, start: int, end: int) -> int:
    """Return the end of a window that cuts off no picture and no formula, as far as it is seen."""
    for name in ("svg", "math"):
        begins = text.rfind(f"<{name}", start + 1, end)
        if begins >= 0 and text.find(f"</{name}", begins, end) < 0:
            end = begins
    return end


def replaced(code: MachineCode, template: str, text: str) -> str | None:
    """Return what `code.replaced` does, window by window.

    Whatever the end of a text cuts off the expression takes to that end, which its group `last` is.
    """
    if len(text) <= WINDOW:
        return code.replaced(template, text)
    if LAST in text:
        return None
    template = f"${{last:+{LAST}$0{LAST}:}}{template}"
    pieces: list[str] = []
    at, size, window = 0, len(text), WINDOW
    while at < size:
        end = text.find(">", at + window) + 1 or size  # within no tag
        if window == WINDOW:
            end = before_foreign(text, at, end)
        found = code.replaced(template, text[at:end])
        if found is None:
            return None
        before, _, rest = found.partition(LAST)
        match, _, written = rest.partition(LAST)
        if end == size or not match:
            pieces += (before, written)
            at, window = end, WINDOW
        elif len(match) < end - at:  # again, from its own start
            pieces.append(before)
            at, window = end - len(match), WINDOW
        else:
            window *= 2
    return "".join(pieces)


ODD = ("", "svg", "", ">", "", "")  # which only the tokenizer can read


def _end_of(text: str, match: re.Match[str]) -> int:
    """Return where a tag, a comment or an element that fills a whole window ends."""
    if match[5]:
        return _search(re.compile(rf"</{match[5]}{END}", re.IGNORECASE), text, match.end() - 16)
    comment = text.startswith("<!--", match.start())
    end = text.find("-->" if comment else ">", match.end() - 2)
    return len(text) if end < 0 else end + 1


def _search(pattern: re.Pattern[str], text: str, at: int) -> int:
    size = len(text)
    while at < size:
        match = pattern.search(text, at, min(size, at + WINDOW))
        if match and (match.end() < at + WINDOW or at + WINDOW >= size):
            return match.start()
        at += WINDOW - 16
    return size
