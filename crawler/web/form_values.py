"""What form controls send, and how: values made valid, entries in the encoding of the page.

Value sanitization by https://html.spec.whatwg.org/#value-sanitization-algorithm, serializing by
https://url.spec.whatwg.org/#urlencoded-serializing.
"""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import chain

import xxhash
from lxml.html import HtmlElement

from crawler import urls
from crawler.lazy_regex import lazy
from crawler.parse.encodings import name_of, to_bytes
from crawler.web import colors

_NUMBER = lazy(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_NO_SECONDS = lazy(r"(?<=:\d\d)(?::00(?:\.0+)?|\.0+)\Z|(?<=\.[1-9])0+\Z|(?<=\.\d[1-9])0+\Z")
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,3})?)?"
_DATE = r"(\d{4,})-(\d\d)-(\d\d)"
_PATTERNS = {
    "date": lazy(_DATE, re.ASCII),
    "month": lazy(r"(\d{4,})-(\d\d)", re.ASCII),
    "week": lazy(r"(\d{4,})-W(\d\d)", re.ASCII),
    "time": lazy(_TIME, re.ASCII),
    "datetime-local": lazy(rf"{_DATE}[T ]{_TIME}", re.ASCII),
}
_SPACE = "\t\n\f\r "
_LINES = str.maketrans("", "", "\r\n")
# Left as they are; a space becomes "+" and everything else is escaped.
_SAFE = frozenset(b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def sanitized(kind: str, value: str, attributes: Mapping[str, str]) -> str:
    """Return what an input of this type makes of a value: valid as the type asks, or empty.

    An input of a type that takes any text loses its line ends.
    """
    if kind in _PATTERNS:
        return _moment(kind, value)
    if kind == "number":
        return "" if _number(value) is None else value
    if kind == "range":
        return _ranged(value, attributes)
    if kind == "color":
        return colors.simple(value)
    if kind == "hidden":
        return value
    text = value.translate(_LINES)
    if kind == "email":
        several = text.split(",") if "multiple" in attributes else [text]
        return ",".join(_address(one.strip(_SPACE)) for one in several)
    return text.strip(_SPACE) if kind == "url" else text


def _address(text: str) -> str:
    """Return a mail address with its domain as DNS has it, as browsers write it."""
    local, _, domain = text.partition("@")
    if domain.isascii() or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return text
    url = urls.parse(f"http://{domain}/")
    return f"{local}@{urls.hostname_of(url)}" if url else text


_LOCAL = lazy(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")
_DOMAIN = lazy(r"[\w.-]+")


_LAST = (275760, 9, 13)  # the last day that browsers know


def _moment(kind: str, value: str) -> str:
    found = _PATTERNS[kind].fullmatch(value)
    if found is None:
        return ""
    numbers = [int(number.lstrip("0")[:9] or 0) for number in found.groups()]
    if numbers and not _is_date(kind, *numbers):
        return ""
    return _NO_SECONDS.sub("", value.replace(" ", "T")) if kind == "datetime-local" else value


def _is_date(kind: str, year: int, part: int, day: int = 1) -> bool:
    """Return whether there is such a day, month or week."""
    if (year, part, day) > _LAST:
        return False
    if not 1 <= year <= 9999:  # beyond that the calendar repeats itself every 400 years
        year = year % 400 + 400 if year else 0
    if year == 0 or part == 0:
        return False
    if kind == "week":
        return part <= date(year, 12, 28).isocalendar().week
    return part <= 12 and 1 <= day <= calendar.monthrange(year, part)[1]


def _number(text: str) -> float | None:
    """Return a number of HTML; what is beyond a double is none."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _ranged(value: str, attributes: Mapping[str, str]) -> str:
    """Return the number on the slider: in the middle unless told, within its ends, on a step."""

    def said(name: str, default: float) -> float:
        number = _number(attributes.get(name, ""))
        return default if number is None else number

    low, step = said("min", 0.0), said("step", 1.0)
    high = max(low, said("max", 100.0))
    given = _number(value)
    number = min(max(low + (high - low) / 2 if given is None else given, low), high)
    if attributes.get("step", "").strip().lower() != "any":
        base = said("min", said("value", 0.0))
        step = step if step > 0 else 1.0
        steps = (number - base) / step
        if not math.isfinite(steps):  # a step too small to count
            return f"{number:.12g}"
        whole = steps // 1 + (steps % 1 >= 0.5)  # the nearest one, upwards of two
        number = base + whole * step
        if number > high:
            number -= step
    return f"{number:.12g}"


# ---------------------------------------------------------------- encodings

_SPELLED = {"big5": "Big5", "shift_jis": "Shift_JIS", "gb18030": "gb18030"}
_SMALL = ("windows-", "mac", "x-")


def picked(accepted: str | None, encoding: str) -> str:
    """Return the encoding that a form is sent in: its `accept-charset`, or that of its page."""
    if accepted is not None:
        names = filter(None, map(name_of, re.split(r"[\t\n\f\r ]+", accepted)))
        encoding = next(names, encoding)  # browsers stay with the page's where none is known
    # "Get an output encoding": these are only read.
    return "utf-8" if encoding in ("utf-16le", "utf-16be", "replacement") else encoding


def spelled(encoding: str) -> str:
    """Return the name of an encoding as the standard spells it, which `_charset_` sends."""
    return _SPELLED.get(encoding) or (encoding if encoding.startswith(_SMALL) else encoding.upper())


def encoded(text: str, encoding: str) -> bytes:
    """Return text in an encoding; what it has not is written as `&#8364;`, as browsers do."""
    return to_bytes(text, encoding, lambda char: b"&#%d;" % ord(char))


def urlencoded(pairs: Iterable[tuple[str, str]], encoding: str) -> str:
    """Return entries as application/x-www-form-urlencoded."""
    return "&".join(
        f"{_escaped(name, encoding)}={_escaped(text, encoding)}" for name, text in pairs
    )


def _escaped(text: str, encoding: str) -> str:
    if text.isascii() and text.isalnum():
        return text
    return "".join(
        chr(byte) if byte in _SAFE else "+" if byte == 0x20 else f"%{byte:02X}"
        for byte in encoded(text, encoding)
    )


def plain(pairs: Iterable[tuple[str, str]], encoding: str) -> bytes:
    """Return entries as text/plain: a line each, of which nothing tells where a value ends."""
    return encoded("".join(f"{name}={value}\r\n" for name, value in pairs), encoding)


def multipart(
    pairs: Iterable[tuple[str, str]], encoding: str, unfilled: Iterable[str] = ()
) -> tuple[str, bytes]:
    """Return the boundary and the body of entries as multipart/form-data (RFC 7578).

    `unfilled` names the fields for files that have none; their values are empty.
    """
    unfilled = frozenset(unfilled)
    parts = [
        b'Content-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (
            encoded(quoted(name), encoding),
            _NO_FILE if name in unfilled and value == "" else b"",
            encoded(value, encoding),
        )
        for name, value in pairs
    ]
    mark = f"form-{xxhash.xxh3_128_hexdigest(b''.join(parts))}"  # the same for the same entries
    line = f"--{mark}".encode()
    return mark, b"".join(b"%b\r\n%b" % (line, part) for part in parts) + line + b"--\r\n"


_NO_FILE = b'; filename=""\r\nContent-Type: application/octet-stream'


def quoted(name: str) -> str:
    """Return a name as the HTML standard quotes it in multipart/form-data."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def direction_of(element: HtmlElement, value: str) -> str:
    """Return the direction of a text control: as it or what is around it says, or its text."""
    is_tel = element.get("type", "").lower() == "tel"  # by itself, whatever is around it
    for around in element.xpath("self::*[@dir]" if is_tel else "ancestor-or-self::*[@dir]")[::-1]:
        said = around.get("dir").lower()
        if said == "auto":
            return direction(value if around is element else chain.from_iterable(around.itertext()))
        if said in ("ltr", "rtl"):
            return str(said)
    return "ltr"


def direction(text: Iterable[str]) -> str:
    """Return `rtl` or `ltr`, by the first character of a text that has a direction."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def collapsed(text: str) -> str:
    """Return text stripped and its ASCII white space collapsed; no-break spaces are none."""
    return " ".join([word for word in re.split(f"[{_SPACE}]+", text) if word])


def crlf(text: str) -> str:
    """Return text with its line ends as forms send them."""
    if "\r" not in text and "\n" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
