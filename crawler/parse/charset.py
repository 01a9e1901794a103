"""Which encoding a page is in, by the order of the HTML standard, and its text.

Byte order mark, HTTP header, `<meta>` or XML declaration, then what the bytes look like:
https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding
Nothing here raises, whatever the bytes.
"""

import codecs
import re
from functools import cache, lru_cache

from crawler.lazy_regex import lazy
from crawler.parse import mime
from crawler.parse.encodings import PIECEWISE, name_of, to_text
from crawler.parse.references import unescape

PRESCAN = 1024
"""Bytes in which a `<meta>` declares it wherever it stands, as in the standard's prescan.

Behind them, as in Chromium, one does that in the head alone, however long that is.
"""
_FARTHEST = 1 << 20
FALLBACK = "windows-1252"
"""The standard's default where nothing tells: of ASCII alone every reading is the same."""

_SAMPLE = 16 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
)


def encoding_of(body: bytes, content_type: str | None = None) -> str:
    """Return the WHATWG name, in lower case, of the encoding of `body`.

    `content_type` is the value of the HTTP header.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name
    essence, declared = _header(content_type) if content_type else ("", None)
    if declared == "utf-16le" and _is_big_endian(body):
        return "utf-16be"
    found = declared or _declared_inside(body, essence)
    if found is None and essence in _UNTOLD and mime.computed(None, body) == "text/xml":
        return "utf-8"
    return found or _looks_like(body)


_UNTOLD = ("", "*/*", "unknown/unknown", "application/unknown")  # what is looked at instead
_MAY_BE_HTML = (*_UNTOLD, "text/html")  # of all other text a <meta> declares nothing


def _is_big_endian(body: bytes) -> bool:
    """Return whether what is called UTF-16 has the zeros of ASCII where only the other order has.

    The standard calls "utf-16" little-endian, RFC 2781 big-endian; without a mark the bytes tell.
    """
    head = body[:256]
    return len(head) >= 2 and head[::2].count(0) > len(head) // 3 and 0 not in head[1::2]


def decode(body: bytes, content_type: str | None = None, *, xml: bool = False) -> tuple[str, str]:
    """Return the text of `body`, without a byte order mark, and the name of its encoding.

    `xml` says that it is a document in XML: there the first bytes that are none of its encoding
    become U+FFFF, which no XML may hold, so that it is read up to them.
    """
    name = encoding_of(body, content_type)
    if name.startswith("utf-16"):  # browsers show nothing of a part of a character
        body = body[: len(body) // 2 * 2]
        if body and body[-1 if name == "utf-16le" else -2] & 0xFC == 0xD8:
            body = body[:-2]
    text = _text_of(body, name)
    if xml and "\ufffd" in text and not name.startswith("utf-16"):  # of which browsers bear it
        meant = _REPLACEMENT.get(name)
        at = (_text_of(body.replace(meant, b"?"), name) if meant else text).find("\ufffd")
        text = f"{text[:at]}\uffff{text[at + 1 :]}" if at >= 0 else text
    return text, name


_GB = b"\x84\x31\xa4\x37"
_REPLACEMENT = {"utf-8": b"\xef\xbf\xbd", "gb18030": _GB, "gbk": _GB}
"""What stands for U+FFFD itself, in the encodings that have it."""


def _text_of(body: bytes, name: str) -> str:
    if name == "utf-8" and len(body) <= PIECEWISE:
        return body.decode("utf-8", "replace").removeprefix("\ufeff")
    return to_text(body, name).removeprefix("\ufeff")


# ---------------------------------------------------------------- the HTTP header


_NAMED_AGAIN = lazy(r"^\s*content-type:\s*", re.IGNORECASE)


@lru_cache(maxsize=512)
def _header(content_type: str) -> tuple[str, str | None]:
    """Return the type in lower case, and the encoding that its charset names."""
    # Some servers say the name of the header once more in its value.
    found = mime.extract(_NAMED_AGAIN.sub("", content_type, count=1))
    if found is None:
        return "", None
    charset = found.parameters.get("charset")
    return found.essence, name_of(charset) if charset is not None else None


# ---------------------------------------------------------------- declarations in the page

_SPACE = rb"[\t\n\f\r ]"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE = rb"""(?:"([^"]*+)"|'([^']*+)'|(?=>)|([^\t\n\f\r >"'][^\t\n\f\r >]*+)(?=[\t\n\f\r >]))"""
# "Get an attribute" of the standard. Where bytes run out within one, nothing matches.
_ATTRIBUTE = lazy(rb"[\t\n\f\r /]*+(%b)%b*+(?:=%b*+%b|(?=[^=]))" % (_NAME, _SPACE, _SPACE, _VALUE))
_TAG = lazy(
    rb"<(/?)([A-Za-z][^\t\n\f\r />]*+)(?:%b)*+[\t\n\f\r /]*+>"
    % _ATTRIBUTE.pattern.replace(rb"(%b)" % _NAME, _NAME)
)
_TAG_START = lazy(rb"</?[A-Za-z]")
_BOGUS = lazy(rb"<[!/?]")
_CHARSET = lazy(rb"charset%b*+" % _SPACE, re.IGNORECASE)
_LABEL = lazy(rb"""=%b*+(?:"([^"]*+)"|'([^']*+)'|([^"'\t\n\f\r ;][^\t\n\f\r ;]*+))""" % _SPACE)
# Elements whose content is text, which browsers pass over where the standard's prescan does not.
_RAW = frozenset(
    (b"script", b"style", b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes")
)
_CODE = frozenset((b"script", b"style"))  # where the standard takes one, if there is no other
# What a head is made of: the start of anything else ends it, and so does any other end tag.
_IN_HEAD = frozenset(
    (b"base", b"link", b"meta", b"noscript", b"object", b"script", b"style", b"title")
)
_HEAD_STARTS = frozenset((b"html", b"head"))
_XML_STARTS = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))
_XML = lazy(rb"""<\?xml[^>]*?encoding[\0- ]*=[\0- ]*(?:"([^"\0- ]*)"|'([^'\0- ]*)')""")


def _declared_inside(body: bytes, essence: str) -> str | None:
    if essence.endswith(("/json", "+json")):
        return "utf-8"  # RFC 8259 8.1
    if mime.is_xml(essence):
        found = xml_encoding(body)
        return found if found or essence == "text/xsl" else "utf-8"  # XML 1.0 4.3.3
    return prescan(body) if essence in _MAY_BE_HTML else None


def prescan(body: bytes) -> str | None:
    """Return the encoding that a `<meta>` or an XML declaration names, where browsers look for it.

    None if there is none, or where the bytes end within a tag or comment before one.
    """
    head = body[:_FARTHEST]
    return (
        _prescan_tags(head, _RAW)
        or _prescan_tags(head[:PRESCAN], _RAW - _CODE)
        or xml_encoding(head)
    )


def xml_encoding(body: bytes) -> str | None:
    """Return the encoding of a leading XML declaration; None if there is none or it is unknown."""
    for start, name in _XML_STARTS:
        if body.startswith(start):
            return name
    found = _XML.match(body, 0, _SAMPLE)
    return _declarable(_name(found)) if found else None


def _prescan_tags(head: bytes, raws: frozenset[bytes]) -> str | None:
    """Return what the first `<meta>` declares, none of those in elements that `raws` names.

    As Chromium's HTMLMetaCharsetParser does, without a tree.
    """
    in_head = True
    at = head.find(b"<")
    while at >= 0 and (in_head or at < PRESCAN):
        if head.startswith(b"<!--", at):
            at = head.find(b"-->", at + 2)
        elif tag := _TAG.match(head, at):
            name, at = tag[2].lower(), tag.end()
            if name == b"meta" and not tag[1] and (found := _declared_by(tag[0][5:])):
                return found
            in_head = in_head and (name in _IN_HEAD or (not tag[1] and name in _HEAD_STARTS))
            if name in raws and not tag[1]:
                end = _end_of(name).search(head, at)
                at = end.start() if end else -1
        elif _TAG_START.match(head, at):  # cut off
            at = -1
        elif _BOGUS.match(head, at):
            at = head.find(b">", at)
        else:
            at += 1
        at = head.find(b"<", at) if at >= 0 else -1
    return None


@cache
def _end_of(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"</%b(?=[\t\n\f\r />])" % name, re.IGNORECASE)


def _declared_by(attributes: bytes) -> str | None:
    """Return the encoding that the attributes of a `<meta>` declare; the last `charset` counts."""
    charset: bytes | None = None
    content: str | None = None
    pragma = False
    for key, *values in _ATTRIBUTE.findall(attributes):
        key, value = key.lower(), b"".join(values)
        if b"&" in value:  # as Chromium; the standard knows no character references here
            value = unescape(value.decode("latin-1")).encode("latin-1", "replace")
        if key == b"charset":
            charset = value
        elif key == b"content" and charset is None:
            content = _from_content(value) or content
        pragma = pragma or (key == b"http-equiv" and value.lower() == b"content-type")
    if charset is not None:
        return _declarable(name_of(charset.decode("latin-1")))
    return _declarable(content) if pragma else None


def _from_content(value: bytes) -> str | None:
    """Extract an encoding from the `content` of a `<meta>`."""
    for found in _CHARSET.finditer(value):
        if value[found.end() : found.end() + 1] == b"=":
            label = _LABEL.match(value, found.end())
            return _name(label) if label else None
    return None


def _name(found: re.Match[bytes]) -> str | None:
    return name_of(next((g for g in found.groups() if g is not None), b"").decode("latin-1"))


def _declarable(name: str | None) -> str | None:
    # What could be read as ASCII cannot be UTF-16; and x-user-defined is not for pages.
    return {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": FALLBACK}.get(
        name or "", name
    )


# ---------------------------------------------------------------- the look of the bytes

_MULTI = lazy(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# What the detector says and the standard has no label for.
_DETECTED = {
    "gb18030": "gbk",
    "gb2312": "gbk",
    "uhc": "euc-kr",
    "cp949": "euc-kr",
    "mac-cyrillic": "x-mac-cyrillic",
}

_UNLIKELY = frozenset(("utf-8", "replacement", "x-user-defined"))


def _looks_like(body: bytes) -> str:
    """Guess the encoding of bytes that declare none."""
    if body.isascii():
        return "iso-2022-jp" if b"\x1b$" in body else FALLBACK
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        if _nearly_utf8(body, error):
            return "utf-8"
        hinted = _hinted(body)
        if hinted is not None:
            return hinted
        start = max(0, error.start - 512)
        return _detect(body[start : start + _SAMPLE])
    return "utf-8"


def _nearly_utf8(body: bytes, error: UnicodeDecodeError) -> bool:
    """Return whether the first `error` is a cut-off end, or one of few among much that is right."""
    if error.start >= len(body) - 3 and error.reason == "unexpected end of data":
        return True
    sample = body[:_SAMPLE]
    good = sum(map(len, _MULTI.findall(sample)))
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    return good > 20 and good >= 0.95 * high


_HINT = lazy(
    rb"""<!--.*?-->|<meta[^>]*?charset\s*=\s*["']?\s*([a-z0-9_:-]+)""", re.IGNORECASE | re.DOTALL
)
_LEAST_THAI = 40  # bytes beyond ASCII: of fewer the detector takes about anything for Thai
_LEAST_LATIN = 6  # the same: of fewer nothing tells one alphabet of Latin letters from another
_LEAST_OTHER = 4  # and of fewer that stand side by side, nothing tells a script without Latin ones
_LATIN = frozenset(
    "iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16"
    " macintosh windows-1250 windows-1254 windows-1257 windows-1258".split()
)
_ASCII = bytes(range(128))
_SIDE_BY_SIDE = lazy(rb"[\x80-\xff]{2,}")


def _hinted(body: bytes) -> str | None:
    """Return the encoding that a broken declaration names, if there is enough text to be right."""
    label = next(filter(None, _HINT.findall(body, 0, PRESCAN)), b"")
    name, sample = _declarable(name_of(label.decode("latin-1"))), body[:_SAMPLE]
    if name in (None, "utf-8", "replacement") or "\ufffd" in to_text(sample, name or ""):
        return None
    return name if len(sample.translate(None, _ASCII)) >= _LEAST_OTHER else None


def _detect(sample: bytes) -> str:
    import cchardet  # most pages declare their encoding

    label = (cchardet.detect(sample)["encoding"] or "").lower()
    name = _DETECTED.get(label) or name_of(label)
    if name is None or name in _UNLIKELY or _is_unsure(name, sample):
        name = FALLBACK
    return _central_european(sample) or name if name == FALLBACK else name


# Signs that in windows-1252 stand where a word has letters, which they are in Central Europe.
_SIGN_IN_WORD = lazy(
    "(?<=[^\\W\\d_])[\xa1\xa3\xa5\xa6\xa9\xae-\xb1\xb3\xb6\xb9\xbc\xbe\xbf](?=[^\\W\\d_])"
)


def _central_european(sample: bytes) -> str | None:
    """Return the encoding of Central Europe in which signs within words are letters."""
    signs = _SIGN_IN_WORD.findall(to_text(sample, FALLBACK))
    if len(signs) < 3:
        return None
    for name in ("iso-8859-2", "windows-1250"):
        text = to_text(sample, name)
        if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() and all(
            to_text(sign.encode("latin-1"), name).isalpha() for sign in signs
        ):
            return name
    return None


def _is_unsure(name: str, sample: bytes) -> bool:
    """Return whether the bytes are too few for what the detector says of them."""
    high = len(sample.translate(None, _ASCII))
    if name in _LATIN:
        return high < _LEAST_LATIN
    if name == "windows-874":
        return high < _LEAST_THAI
    near = sum(map(len, _SIDE_BY_SIDE.findall(sample)))
    return near < max(_LEAST_OTHER, high / 2)
