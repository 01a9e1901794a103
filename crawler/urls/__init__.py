"""URLs: the one way from text to a canonical URL, and the joins, slices and steps around it.

Parsing and joining follow the WHATWG URL standard (https://url.spec.whatwg.org/), which is
what browsers do; ada-url is its implementation. A *canonical* URL is an absolute http(s) URL
as `parse` gives it, a plain `str`. It always has a path, so slicing one is safe and cheap:

    https://example.com:8080/a/b.html?q=1
    |-------- host --------||-- target --|

A final dot of a host name ("example.com.") is kept: it is another name to the standard and to
TLS, though the same one to `registrable_domain` and `in_domain`.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable

from ada_url import join_url, normalize_url
from yarl import URL

Step = Callable[[str], str | None]

_SURROGATE = re.compile("[\ud800-\udfff]")
# The escapes that RFC 3986 6.2.2.1-2 would write otherwise: lower-case hex digits, or an
# unreserved character. One behind a stray "%" is left alone, or "%%34" would become "%4" + "1".
_ESCAPE = re.compile(r"%(?:[2-7][0-9A-Fa-f]|[0-9A-Fa-f][a-f]|[a-f][0-9A-F])", re.ASCII)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX = frozenset("0123456789abcdefABCDEF")


def join(base: str, text: str) -> str | None:
    """Resolve `text` against `base` by the standard, for any scheme, with the fragment kept.

    None where the standard fails. Lone surrogates become U+FFFD, as in a browser.
    """
    try:
        return join_url(base, text)
    except ValueError:
        if _SURROGATE.search(text) or _SURROGATE.search(base):
            return join(_scalar(base), _scalar(text))
        return None


def parse(text: str, base: str | None = None) -> str | None:
    """Return the canonical http(s) URL that `text` stands for, None if it is no such URL.

    The default canonicalization in one pass: standard parse, http(s) only, no fragment, no
    userinfo, escapes normalized. The same as `canonicalize` over `DEFAULT_STEPS`.
    """
    if base is None and _CANONICAL.fullmatch(text):
        return text
    try:
        url = normalize_url(text) if base is None else join_url(base, text)
    except ValueError:
        if _SURROGATE.search(text) or (base and _SURROGATE.search(base)):
            return parse(_scalar(text), base and _scalar(base))
        return None
    return _finish(url)


def _finish(url: str) -> str | None:
    """Apply every default step but the first to the `url` of a standard parser."""
    if not url.startswith(("https://", "http://")):
        return None
    if "#" in url:
        url = url[: url.index("#")]
    if "@" in url:
        url = drop_userinfo(url)
    return normalize_escapes(url) if "%" in url else url


def _scalar(text: str) -> str:
    """Pair surrogates where they are pairs, and replace the lone ones by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# ---------------------------------------------------------------- many links of one page

_SEGMENT = r"[A-Za-z0-9_~\-][A-Za-z0-9_.~\-]*+"
_PATH = rf"{_SEGMENT}(?:/{_SEGMENT})*+/?+"
_QUERY = r"(?:\?[A-Za-z0-9_.~=&+;,:/?@!$()*\-]*+)?+"
# References that need no parser: nothing to escape, no scheme, no dot segment but leading "../".
_PLAIN = re.compile(
    rf"(?:((?:\.\./)++)(?:{_PATH})?+{_QUERY}|(?:/(?:{_PATH})?+|{_PATH}){_QUERY})(#.*)?", re.DOTALL
)


# URLs that are canonical as they stand: a name of plain labels or an IPv4 address, no default port,
# no dot segment, nothing to escape. Most requests hold one, and the standard parser costs more than
# the rest of a Request.
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LABEL = r"[a-z0-9](?:[a-z0-9]|-(?!-))*+"
_CANONICAL = re.compile(
    rf"https?://(?:(?:{_LABEL}\.)*+[a-z](?:[a-z0-9]|-(?!-))*+|{_BYTE}(?:\.{_BYTE}){{3}})"
    rf"(?::(?!80/|443/)(?:[1-9][0-9]{{0,3}}|[1-5][0-9]{{4}}))?/(?:{_PATH})?+{_QUERY}"
)


class BaseURL:
    """The base URL of one document: `parse` returns what `urls.parse(text, base)` does, sooner.

    Two references in three of real pages are plain paths, which slices settle in half a
    microsecond; the rest go through the standard parser.
    """

    __slots__ = ("_up", "directory", "host", "url")

    def __init__(self, url: str) -> None:
        """Take a canonical URL; anything else is a ValueError."""
        canonical = parse(url)
        if canonical is None:
            raise ValueError(f"not an http(s) URL: {url!r}")
        self.url = canonical
        self.host = host_of(canonical)
        self.directory = directory(canonical)
        self._up: dict[int, str] = {}

    def parse(self, text: str) -> str | None:
        """Return the canonical URL of the reference `text`, None if it is no such URL."""
        if not text or text[0] == "#":
            return self.url
        host, whole = self.host, text
        if text.startswith(host) and text.startswith("/", len(host)):
            text = text[len(host) :]
        plain = _PLAIN.fullmatch(text)
        if plain is None:
            return parse(whole, self.url)  # the rest of "http://a//" alone would name a host
        dots, fragment = plain.span(1)[1], plain.start(2)
        if fragment >= 0:
            text = text[:fragment]
        if dots > 0:
            return self._above(dots // 3) + text[dots:]
        return (host if text[0] == "/" else self.directory) + text

    def _above(self, levels: int) -> str:
        """Return the directory `levels` above this one; the root is above itself."""
        found = self._up.get(levels)
        if found is None:
            found = parse("../" * levels, self.url) or self.url
            self._up[levels] = found
        return found


# ---------------------------------------------------------------- slices of a canonical URL


def host_of(url: str) -> str:
    """Return the unit of politeness, scheme://name:port, without a default port."""
    return url[: url.index("/", 8)]


def split(url: str) -> tuple[str, str]:
    """Cut a canonical URL into its host and its request target (path and query)."""
    cut = url.index("/", 8)
    return url[:cut], url[cut:]


def authority_of(url: str) -> str:
    """Return name:port as written, without a default port; the same for http and https."""
    return url[url.index("//") + 2 : url.index("/", 8)]


def hostname_of(url: str) -> str:
    """Return the host name alone; an IPv6 address without its brackets, as resolvers take it."""
    name = authority_of(url)
    if name[0] == "[":
        return name[1 : name.index("]")]
    return name.partition(":")[0]


def directory(url: str) -> str:
    """Return `url` up to the last "/" of its path: what a relative path is resolved against.

    A reference that is empty or starts with "?" or "#" needs the whole URL as its base.
    """
    path = url.partition("?")[0]
    return path[: path.rindex("/") + 1]


def wire(url: str) -> URL:
    """Return the yarl URL whose request target on the wire is that of `url`, byte for byte.

    yarl forgets an empty query ("/a?"); a path that ends in "?" carries it. Made of its parts, as
    yarl's own parser takes twice as long.
    """
    cut = url.index("/", 8)
    path, mark, query = url[cut:].partition("?")
    scheme, _, authority = url[:cut].partition("://")
    if mark and not query:
        path += "?"
    return URL.build(
        scheme=scheme, authority=authority, path=path, query_string=query, encoded=True
    )


# ---------------------------------------------------------------- steps of canonicalization


def canonicalize(text: str, steps: Iterable[Step] | None = None) -> str | None:
    """Send `text` through `steps` (`DEFAULT_STEPS` unless told); None as soon as one gives None."""
    url: str | None = text
    for step in DEFAULT_STEPS if steps is None else steps:
        if url is None:
            return None
        url = step(url)
    return url


def standard(text: str) -> str | None:
    """Parse by the standard: also resolves dots, drops a default port, makes an empty path "/"."""
    return join("about:blank", text)


def http_only(url: str) -> str | None:
    """Refuse every scheme but http and https."""
    return url if url.startswith(("https://", "http://")) else None


def drop_fragment(url: str) -> str:
    """Cut off "#…", which never goes to the server."""
    return url.partition("#")[0]


def drop_userinfo(url: str) -> str:
    """Take "user:password@" off, so that no secret is stored or sent on."""
    start, end = url.index("//") + 2, url.index("/", 8)
    at = url.rfind("@", start, end)
    return url if at < 0 else url[:start] + url[at + 1 :]


def normalize_escapes(url: str) -> str:
    """Write escapes as RFC 3986 6.2.2 does: upper-case hex, unreserved characters as they are."""
    return _ESCAPE.sub(_normal_escape, url)


def _normal_escape(escape: re.Match[str]) -> str:
    at, text = escape.start(), escape.string
    char = chr(int(text[at + 1 : at + 3], 16))
    if char not in _UNRESERVED:
        return escape.group().upper()
    behind_stray = text[at - 1] == "%" or (text[at - 2] == "%" and text[at - 1] in _HEX)
    return escape.group().upper() if behind_stray else char


DEFAULT_STEPS: tuple[Step, ...] = (
    standard,
    http_only,
    drop_fragment,
    drop_userinfo,
    normalize_escapes,
)

# ---------------------------------------------------------------- what a user types

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):", re.ASCII)


def from_cli(text: str) -> str:
    """Return the canonical URL of a seed as people type it; ValueError says what is wrong.

    Without a scheme it is https, and http for localhost and IP addresses. A user or password is
    none of a URL's: what is stored of it could be read by everybody.
    """
    text = text.strip()
    if not text:
        raise ValueError("the URL is empty")
    scheme = _SCHEME.match(text)
    if scheme and not _is_port(text[scheme.end() :]):
        url = parse(text)
        if url is None and scheme.group(1).lower() not in ("http", "https"):
            shown = text.rpartition("@")[2]  # "user:password@host" looks like a scheme
            raise ValueError(f"{shown!r}: only http and https can be crawled")
    elif text.startswith(("/", ".", "?", "#")) and not text.startswith("//"):
        raise ValueError(f"{text!r} is a path; write the whole URL, with its host")
    else:
        url = _with_scheme(text)
    if url is None:
        raise ValueError(f"{text!r} is not a URL")
    if "@" in text:
        from crawler.urls.userinfo import userinfo  # imports this module

        if userinfo(text if scheme else f"http://{text}") is not None:
            raise ValueError(
                f"{url} was given with a user or password, which a crawl does not keep; name them"
                f' in [auth."{host_of(url)}/"] of config.toml'
            )
    return url


def _is_port(rest: str) -> bool:
    return rest.split("/")[0].split("?")[0].isdecimal()


def _with_scheme(text: str) -> str | None:
    if text.isdecimal():
        raise ValueError(f"{text!r} is a number, not a URL")
    url = parse("https://" + text.lstrip("/"))
    if url is None:
        return None
    name = hostname_of(url)
    if name == "localhost" or name.endswith(".localhost") or is_address(name):
        return parse("http://" + text.lstrip("/"))
    if "." not in name:
        known = f"http://{text.strip('/')}/"
        raise ValueError(f"{text!r} has no dot; write {known} if that is a host you know")
    return url


def is_address(hostname: str) -> bool:
    """Return whether `hostname` is an IP address, not a name."""
    if ":" not in hostname and not hostname[-1:].isdecimal():
        return False
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True
