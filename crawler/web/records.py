"""Records of a feed: XML, CSV, JSON lines and JSON, one after the other, each as a dict or a type.

What is read is a binary file, of a page's body or on disk: a feed of gigabytes takes no more memory
than its largest record. No entity is expanded, and nothing is fetched. A record that cannot be, as
it does not fit its type or a row has fields too many, is refused alone; where the feed itself is
broken, ValueError says at which record, after those before it.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import re
import typing
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Literal

import msgspec

from crawler.errors import UsageError
from crawler.markup.words import plural
from crawler.parse import charset, json_array, json_text
from crawler.parse.encodings import to_text
from crawler.web.record_types import Record, Refuse, column_names, typed

Format = Literal["xml", "csv", "jsonl", "json"]

_HEAD = 64 * 1024  # bytes by which a format is told
_SMALL = 8 << 20  # bytes of JSON that are read at once
_FIELD = 64 << 20  # characters of one field of CSV
_GZIP = b"\x1f\x8b"
_LINES = re.compile(r"json-?l|ndjson|json-?seq|stream\+json|json-lines", re.IGNORECASE)
_UTF = {"utf-8": "utf-8", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}  # as Python has them
_FEEDS = ("item", "entry")  # of RSS and Atom


@dataclass(frozen=True, slots=True)
class RecordFeed:
    """Where the records of a feed come from, and how they are found in it; see `page.records`.

    Of the first `skip` records, which were read before, empty ones are given: quicker by far.
    """

    url: str
    content_type: str | None = None
    at: str | None = None
    format: Format | None = None
    delimiter: str | None = None
    skip: int = 0

    def read(
        self, file: IO[bytes], kind: type[Any] | None, refuse: Refuse
    ) -> Generator[Any, None, None]:
        """Yield records of a file, as dicts or as objects of `kind`; ValueError where it breaks.

        `refuse` is told of each record that cannot be.
        """
        found = self._checked(file, refuse)
        return found if kind is None else typed(found, kind, refuse)

    def _checked(self, file: IO[bytes], refuse: Refuse) -> Generator[Record, None, None]:
        """Yield the records; an error says behind which one."""
        number, known = 0, self.format
        try:
            head = _peek(file)
            if head.startswith(_GZIP):
                file = typing.cast(IO[bytes], gzip.GzipFile(fileobj=file))
                head = _peek(file)
            known = known or format_of(head, self.content_type, self.url)
            for record in self._found(known, file, head, refuse):
                number += 1
                yield record
        except UsageError:
            raise
        except (ValueError, EOFError, OSError, SyntaxError, csv.Error, RecursionError) as error:
            where = f"{self.url}: broken {known or 'feed'} behind record {number:,}"
            raise ValueError(f"{where}: {error}") from error

    def _found(
        self, known: Format, file: IO[bytes], head: bytes, refuse: Refuse
    ) -> Iterator[Record]:
        if known == "xml":
            return _xml(file, self.at, self.skip)
        if known == "csv":
            return _csv(file, head, self, refuse)
        if known == "jsonl":
            return _json_lines(file, refuse)
        return _json(file, self.content_type, self.at)


def format_of(head: bytes, content_type: str | None, url: str) -> Format:
    """Return the format of a feed, by its first bytes, and of JSON by what it is called."""
    start = _start(head)
    if start[:1] == b"<":
        return "xml"
    if start[:1] not in (b"{", b"["):
        return "csv"
    path = url.partition("?")[0].lower().removesuffix(".gz")
    if path.endswith((".jsonl", ".ndjson")) or _LINES.search(content_type or ""):
        return "jsonl"
    first, end, rest = start.partition(b"\n")
    if not end or rest.lstrip()[:1] not in (b"{", b"["):
        return "json"
    try:
        msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "json"
    return "jsonl"


def _peek(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _start(head: bytes) -> bytes:
    """Return the first bytes of a text in an encoding that writes ASCII as ASCII."""
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if head.startswith(mark):
            return head[len(mark) :].replace(b"\0", b"").lstrip()
    return head.removeprefix(codecs.BOM_UTF8).lstrip()


# ---------------------------------------------------------------- XML


def _xml(file: IO[bytes], at: str | None, skip: int) -> Iterator[Record]:
    """Yield the elements of a name; without one, the items of RSS and Atom, or what a root holds.

    That is the elements below the root, or below the only one that it has if they are all alike.
    """
    place = at or _xml_place(file)
    level = inside = number = 0
    for event, element in _xml_events(file):
        if isinstance(place, str):
            mine = _local(element.tag) == place
        else:
            mine = level - (event == "end") == place
        if event == "start":
            level += 1
            inside += mine
            continue
        level -= 1
        inside -= mine
        if not inside:
            if mine:
                number += 1
                yield _of_element(element) if number > skip else {}
            _forget(element)


def _xml_events(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Yield the starts and ends of elements; XMLSyntaxError behind those before what is broken."""
    from lxml import etree

    parser = _xml_parser("start", "end")
    while piece := file.read(_HEAD):
        broken = None
        try:
            parser.feed(piece)
        except etree.XMLSyntaxError as error:
            broken = error
        yield from parser.read_events()
        if broken is not None:
            raise broken
    parser.close()
    yield from parser.read_events()


def _xml_parser(*events: str) -> Any:
    from lxml import etree

    return etree.XMLPullParser(
        events=typing.cast(Any, events),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )


def _xml_place(file: IO[bytes]) -> str | int:
    """Return what the records of a feed are called, or how deep they stand, by its beginning."""
    from lxml import etree

    parser = _xml_parser("start")
    with contextlib.suppress(etree.XMLSyntaxError):
        parser.feed(file.read(_HEAD))
    file.seek(0)
    below: tuple[list[str], list[str]] = ([], [])
    for _, element in parser.read_events():
        depth, name = sum(1 for _ in element.iterancestors()), _local(element.tag)
        if depth in (1, 2):
            if name in _FEEDS:
                return name
            below[depth - 1].append(name)
    alike = len(below[1]) > 1 and len(set(below[1])) == 1
    return 2 if len(below[0]) == 1 and alike else 1


def _forget(element: Any) -> None:
    """Let go of what is in an element that was read, and of what stands before it."""
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del element.getparent()[0]


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _of_element(element: Any) -> Record:
    """Return an element as a dict: texts by the names of children, attributes as `@name`.

    A child with children is a dict, one that comes several times a list; an attribute of a child
    with a text is `child@name`. A name of another namespace that is taken is `prefix:name`.
    """
    record: Record = {f"@{_local(name)}": value for name, value in element.items()}
    spaces: dict[str, str | None] = {}
    own, known = [element.text or ""], 0
    for child in element.iterchildren("*"):
        known += 1
        own.append(child.tail or "")
        space, _, name = child.tag.rpartition("}")
        if spaces.setdefault(name, space) != space and child.prefix:
            name = f"{child.prefix}:{name}"
        if len(child) and child.find("*") is not None:
            value: Any = _of_element(child)
        else:
            value = _text(child) if len(child) else (child.text or "").strip()
            if said := child.items():
                record |= {f"{name}@{_local(k)}": v for k, v in said}
        if name not in record:
            record[name] = value
        elif isinstance(record[name], list):
            record[name].append(value)
        else:
            record[name] = [record[name], value]
    # Beside elements there may be references to entities.
    text = "".join(own).strip() if known == len(element) else _text(element)
    return record | {"text": text} if text else record


def _text(element: Any) -> str:
    """Return the text of an element; a reference to an entity stays as it is written."""
    parts = [element.text or ""]
    for child in element:
        parts += ["" if isinstance(child.tag, str) else child.text or "", child.tail or ""]
    return "".join(parts).strip()


# ---------------------------------------------------------------- CSV


def _csv(file: IO[bytes], head: bytes, feed: RecordFeed, refuse: Refuse) -> Iterator[Record]:
    """Yield the rows of a CSV (RFC 4180) with a header; another delimiter is found by it."""
    name = charset.encoding_of(head, feed.content_type)
    if name == "replacement":
        raise ValueError("its encoding is one that browsers do not read, either")
    python = _UTF.get(name, "latin-1")
    text = io.TextIOWrapper(typing.cast(Any, file), python, "replace", newline="")
    first = to_text(head, name).removeprefix("\ufeff").lstrip("\r\n").partition("\n")[0]
    try:
        yield from _rows(
            _decoded(text, name), feed.delimiter or _delimiter(first), refuse, feed.skip
        )
    finally:
        text.detach()  # the file is its opener's to close


def _decoded(text: IO[str], name: str) -> Iterable[str]:
    """Return the lines of a text in an encoding of the web; those of most are here as bytes."""
    if name in _UTF:
        return itertools.chain([next(text, "").removeprefix("\ufeff")], text)
    return (to_text(line.encode("latin-1"), name) for line in text)


def _rows(text: Iterable[str], delimiter: str, refuse: Refuse, skip: int) -> Iterator[Record]:
    csv.field_size_limit(max(_FIELD, csv.field_size_limit()))
    rows = csv.reader(text, delimiter=delimiter, strict=False)
    header: list[str] | None = None
    number = 0
    for row in rows:
        if not row or row == [""]:
            continue
        if header is None:
            header = column_names(cell.strip().removeprefix("\ufeff") for cell in row)
        elif len(row) != len(header):
            why = f"a row of {plural(len(row), 'field')}, of {len(header):,}"
            refuse("csv", why, dict(zip(header, row, strict=False)))
        else:
            number += 1
            yield dict(zip(header, row, strict=True)) if number > skip else {}


def _delimiter(header: str) -> str:
    """Return what parts the names of a header: the most frequent of these outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


# ---------------------------------------------------------------- JSON


def _json_lines(file: IO[bytes], refuse: Refuse) -> Iterator[Record]:
    """Yield the objects of JSON lines; a line that is none is refused alone."""
    for line in file:
        bare = line.strip(b" \t\r\n\x1e").removeprefix(codecs.BOM_UTF8)
        if not bare:
            continue
        try:
            value = json_text.read(bare)
        except (ValueError, RecursionError) as error:
            refuse("json", f"a line is no JSON: {error}", bare[:2000].decode("utf-8", "replace"))
            continue
        yield _object(value)


def _json(file: IO[bytes], content_type: str | None, at: str | None) -> Iterator[Record]:
    """Yield the objects of an array: that `at` names (`data.items`), or the first of objects."""
    data = file.read(_SMALL + 1)
    if len(data) <= _SMALL:
        value = json_text.read(data, content_type)
        yield from map(_object, _array_at(value, at))
        return
    file.seek(0)
    yield from map(_object, json_array.values_of(file, at))


def _array_at(value: Any, at: str | None) -> list[Any]:
    if at is None:
        found = value if isinstance(value, list) else _first_list(value)
        if found is None:
            raise ValueError("there is no array of objects; name another with at=")
        return found
    for name in at.split(".") if at else ():
        if not isinstance(value, Mapping) or name not in value:
            raise ValueError(f"there is nothing at {at!r}")
        value = value[name]
    if not isinstance(value, list):
        raise ValueError(f"what stands at {at!r} is no array")
    return value


def _first_list(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value if value and isinstance(value[0], dict) else None
    for one in value.values() if isinstance(value, dict) else ():
        found = _first_list(one)
        if found is not None:
            return found
    return None


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {"value": value}
