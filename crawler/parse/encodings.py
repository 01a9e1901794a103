"""The encodings of the web: labels → names → text, by https://encoding.spec.whatwg.org/.

Python's codecs differ from the standard's in places. Single-byte ones are decoded here by
tables of 256 characters, those of East Asia in `east_asian`.
"""

import codecs
import re
from collections.abc import Iterator
from functools import cache

from crawler.parse import east_asian

# One encoding per line: its name, then its labels other than the name. A label in brackets
# stands for the four spellings "iso-8859-N", "iso8859-N", "iso8859N" and "iso_8859-N".
_TABLE = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8
ibm866: 866 cp866 csibm866
iso-8859-2: [2] csisolatin2 iso-ir-101 iso_8859-2:1987 l2 latin2
iso-8859-3: [3] csisolatin3 iso-ir-109 iso_8859-3:1988 l3 latin3
iso-8859-4: [4] csisolatin4 iso-ir-110 iso_8859-4:1988 l4 latin4
iso-8859-5: [5] csisolatincyrillic cyrillic iso-ir-144 iso_8859-5:1988
iso-8859-6: [6] arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e \
iso-8859-6-i iso-ir-127 iso_8859-6:1987
iso-8859-7: [7] csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso_8859-7:1987 \
sun_eu_greek
iso-8859-8: [8] csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso_8859-8:1988 visual
iso-8859-8-i: csiso88598i logical
iso-8859-10: csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso-8859-13: iso8859-13 iso885913
iso-8859-14: iso8859-14 iso885914
iso-8859-15: csisolatin9 iso8859-15 iso885915 iso_8859-15 l9
iso-8859-16:
koi8-r: cskoi8r koi koi8 koi8_r
koi8-u: koi8-ru
macintosh: csmacintosh mac x-mac-roman
windows-874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620
windows-1250: cp1250 x-cp1250
windows-1251: cp1251 x-cp1251
windows-1252: [1] ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-ir-100 \
iso_8859-1:1987 l1 latin1 us-ascii x-cp1252
windows-1253: cp1253 x-cp1253
windows-1254: [9] cp1254 csisolatin5 iso-ir-148 iso_8859-9:1989 l5 latin5 x-cp1254
windows-1255: cp1255 x-cp1255
windows-1256: cp1256 x-cp1256
windows-1257: cp1257 x-cp1257
windows-1258: cp1258 x-cp1258
x-mac-cyrillic: x-mac-ukrainian
gbk: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk
gb18030:
big5: big5-hkscs cn-big5 csbig5 x-x-big5
euc-jp: cseucpkdfmtjapanese x-euc-jp
iso-2022-jp: csiso2022jp
shift_jis: csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis
euc-kr: cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 \
windows-949
replacement: csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr
utf-16be: unicodefffe
utf-16le: csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16
x-user-defined:
"""


def _labels() -> dict[str, str]:
    labels: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        name, _, others = line.partition(":")
        labels[name] = name
        for label in others.split():
            if label[0] == "[":
                for spelling in ("iso-8859-{}", "iso8859-{}", "iso8859{}", "iso_8859-{}"):
                    labels[spelling.format(label[1:-1])] = name
            else:
                labels[label] = name
    return labels


LABELS = _labels()
"""Every label of the standard, lower case → the name of its encoding, lower case."""
NAMES = frozenset(LABELS.values())

# Python's name of each single-byte encoding that it calls otherwise.
_SINGLE_BYTE = {
    "ibm866": "cp866", "koi8-r": "koi8_r", "koi8-u": "koi8_u", "macintosh": "mac_roman",
    "windows-874": "cp874", "x-mac-cyrillic": "mac_cyrillic", "iso-8859-8-i": "iso8859_8",
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-125{n}": f"cp125{n}" for n in range(9)},
}  # fmt: skip
_UTF_16 = {"utf-16le": "utf_16_le", "utf-16be": "utf_16_be"}
# Where the standard's tables differ from Python's on bytes that Python knows.
_OTHERWISE = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}


def name_of(label: str) -> str | None:
    """Return the name of the encoding that `label` stands for; None if there is none."""
    return LABELS.get(label.strip("\t\n\f\r ").lower())


def to_text(body: bytes, name: str) -> str:
    """Decode by the encoding called `name`, one of `NAMES`; what is wrong becomes U+FFFD."""
    if len(body) > PIECEWISE and name != "replacement":
        return "".join(_in_pieces(body, name))
    return _to_text(body, name)


PIECEWISE = 1 << 20
"""Bytes over which a body is decoded piece by piece."""
_PIECE = 1 << 16
# No byte within a character of any of the encodings of East Asia but ISO-2022-JP.
_BREAK = re.compile(rb"[\0-/:-?]")


def _in_pieces(body: bytes, name: str) -> Iterator[str]:
    """Decode piece by piece: a codec holds the GIL, for a second on 10 MB of wrong bytes."""
    if name == "utf-8" or name in _UTF_16:
        decoder = codecs.getincrementaldecoder(_UTF_16.get(name, name))("replace")
        for at in range(0, len(body), _PIECE):
            yield decoder.decode(body[at : at + _PIECE], at + _PIECE >= len(body))
        return
    whole = name in east_asian.NAMES
    at, size = 0, len(body)
    while at < size:
        end = min(size, at + _PIECE)
        if whole and name != "iso-2022-jp" and (found := _BREAK.search(body, end)):
            end = found.end()
        elif whole:
            end = size
        yield _to_text(body[at:end], name)
        at = end


def _to_text(body: bytes, name: str) -> str:
    if name == "utf-8":
        return body.decode("utf-8", "replace")
    if name in east_asian.NAMES:
        return east_asian.decode(body, name)
    if name == "replacement":
        return "\ufffd" if body else ""
    if name in _UTF_16:
        return body.decode(_UTF_16[name], "replace")
    return codecs.charmap_decode(body, "replace", _characters(name))[0]


@cache
def _characters(name: str) -> str:
    """Return the 256 characters of a single-byte encoding, U+FFFD where it has none."""
    if name == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    codec, otherwise = _SINGLE_BYTE[name], _OTHERWISE.get(name, {})
    characters = []
    for byte in range(256):
        character = otherwise.get(byte) or bytes([byte]).decode(codec, "replace")
        if character == "\ufffd" and byte < 0xA0:
            character = chr(byte)  # The standard fills the gaps among the controls.
        characters.append(character)
    return "".join(characters)


# ---------------------------------------------------------------- the query of a link

_BEYOND_ASCII = re.compile(r"[^\0-\x7f]+")
# Bytes that the standard escapes in the query of an http(s) URL, besides those over 0x7E.
_ESCAPED = frozenset(b" \"#<>'")


def encode_query(text: str, name: str) -> str:
    """Escape what is not ASCII in the query of a link as a page in the encoding `name` sends it.

    A browser writes a query in the encoding of the page and the rest of a URL in UTF-8
    (https://url.spec.whatwg.org/#query-state). Call it before `parse`; in UTF-8 it changes
    nothing.
    """
    if text.isascii() or name in ("utf-8", "utf-16le", "utf-16be", "replacement"):
        return text
    rest, sharp, fragment = text.partition("#")
    path, mark, query = rest.partition("?")
    if name == "iso-2022-jp":  # its escapes change what ASCII stands for
        query = _escape(query, name)
    else:
        query = _BEYOND_ASCII.sub(lambda run: _escape(run.group(), name), query)
    return path + mark + query + sharp + fragment


def _escape(text: str, name: str) -> str:
    data = to_bytes(text, name, lambda char: b"%%26%%23%d%%3B" % ord(char))
    return "".join(
        f"%{byte:02X}" if byte > 0x7E or byte < 0x20 or byte in _ESCAPED else chr(byte)
        for byte in data
    )


def to_bytes(text: str, name: str, bad: east_asian.Bad) -> bytes:
    """Return text in an encoding; `bad` gives the bytes for a character that is not in it."""
    if name in ("utf-8", "utf-16le", "utf-16be", "replacement"):  # the last ones are only read
        return text.encode("utf-8", "replace")
    if name in east_asian.NAMES:
        return east_asian.encode(text, name, bad)
    known = _bytes(name)
    return b"".join(
        bytes((known[ord(char)],)) if ord(char) in known else bad(char) for char in text
    )


@cache
def _bytes(name: str) -> dict[int, int]:
    return {ord(c): byte for byte, c in enumerate(_characters(name)) if c != "\ufffd"}
