"""Cookie jars: one per named session, isolated, stored with the crawl when they change.

The storage model of RFC 6265bis (sections 5.7 and 5.8); `set_cookie` reads the headers. It is not
aiohttp's CookieJar, which quotes and escapes values, and sorts what it sends by name.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from yarl import URL

from crawler import urls
from crawler.errors import UsageError
from crawler.http import set_cookie
from crawler.http.cookie import Cookie, CookieKey, is_over, read_row, written
from crawler.http.set_cookie import SetCookie
from crawler.store import CookieRow
from crawler.urls.scope import registrable_domain
from crawler.web.refusal import Refusal

_PER_DOMAIN = 180  # cookies; browsers keep as many, the RFC asks for 50
_IN_ALL = 30_000  # of one jar; the RFC asks for 3,000, a crawl meets more hosts than a person
_HEADER = 8000  # bytes of a Cookie header: servers refuse more than 8 KB of any


class CookieJar:
    """The cookies of one session; it notes which of them change.

    It stands where aiohttp asks for a cookie jar: `filter_cookies` and
    `update_cookies_from_headers` are what a session calls.
    """

    def __init__(self, refused: Callable[[Refusal], None] = lambda reason: None) -> None:
        """`refused` is called with the reason for each cookie that is not taken, kept or sent."""
        self.refuse = refused
        self._domains: dict[str, dict[CookieKey, Cookie]] = {}
        self._changed: set[CookieKey] = set()
        self.news: set[CookieKey] | None = None  # the same for other processes, if there are any
        self._size = self._clock = 0
        self._latest = 0.0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Cookie]:
        for cookies in self._domains.values():
            yield from cookies.values()

    @property
    def changed(self) -> bool:
        """Whether anything changed since the last call of `changes`."""
        return bool(self._changed)

    # ------------------------------------------------------------ what goes in

    def set(self, name: str, value: str, *, url: str, domain: str = "", path: str = "/") -> None:
        """Set a cookie by hand, as if `url` had sent it; `domain` shares it with subdomains.

        UsageError for one that cannot be sent, or whose domain is not that of `url`.
        """
        host = URL(url).raw_host or ""
        domain = domain.removeprefix(".").lower()
        domain = "" if domain == host and _is_public_suffix(domain) else domain
        flaw = set_cookie.flaw_of(name, value)
        is_foreign = domain and (not _domain_matches(host, domain) or _is_public_suffix(domain))
        if flaw is None and is_foreign:
            flaw = f"{url} may not set one for {domain}"
        if flaw is not None:
            raise UsageError(f"cookie {name!r}: {flaw}")
        path = path if path.startswith("/") else "/"
        self._put(Cookie(name, value, domain or host, path, host_only=not domain))

    def take(self, cookie: Cookie) -> None:
        """Keep a cookie that a browser has taken, by rules like those of `update_cookies_…`."""
        self._put(cookie)

    def clear(self, predicate: Callable[[Cookie], bool] | None = None) -> None:
        """Remove all cookies, or those of which `predicate(cookie)` is true."""
        for cookie in [cookie for cookie in self if predicate is None or predicate(cookie)]:
            self._drop(cookie)

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Take what the Set-Cookie lines of an answer ask for."""
        now = time.time()
        for header in headers:
            said = set_cookie.parse(header, now)
            reason = said if isinstance(said, Refusal) else self._take(said, response_url, now)
            if reason is not None:
                self.refuse(reason)

    def _take(self, said: SetCookie, url: URL, now: float) -> Refusal | None:
        """Store a cookie as RFC 6265bis 5.7 has it; the reason where it must be ignored."""
        host, is_secure, domain = url.raw_host or "", url.scheme in ("https", "wss"), said.domain
        if domain and _is_public_suffix(domain):
            if domain != host:
                return Refusal.COOKIE_PUBLIC_SUFFIX
            domain = ""
        if domain and not (domain.isascii() and _domain_matches(host, domain)):
            return Refusal.COOKIE_FOREIGN_DOMAIN
        path = said.path or set_cookie.default_path(_path_of(url))
        if said.secure and not is_secure:
            return Refusal.COOKIE_INSECURE
        if said.same_site == "None" and not said.secure:
            return Refusal.COOKIE_INSECURE
        if not set_cookie.keeps_prefix(said, path, host_only=not domain):
            return Refusal.COOKIE_PREFIX
        if not is_secure and self._would_overlay(said.name, domain or host, path):
            return Refusal.COOKIE_INSECURE
        cookie = Cookie(
            said.name,
            said.value,
            domain or host,
            path,
            host_only=not domain,
            secure=said.secure,
            http_only=said.http_only,
            same_site=said.same_site,
            ends=said.ends,
        )
        if cookie.ends is None or cookie.ends > now:
            self._put(cookie)
        elif (old := self._domains.get(cookie.domain, {}).get(cookie.identity)) is not None:
            self._drop(old)
        return None

    def _would_overlay(self, name: str, domain: str, path: str) -> bool:
        """Return whether a cookie would stand before a Secure one of its name (5.7, step 16)."""
        return any(
            cookie.secure and cookie.name == name and set_cookie.path_matches(path, cookie.path)
            for kept, cookies in self._domains.items()
            if _domain_matches(domain, kept) or _domain_matches(kept, domain)
            for cookie in cookies.values()
        )

    def _put(self, cookie: Cookie) -> None:
        """Keep a cookie that is to be stored."""
        self._note(cookie.identity)
        self._keep(cookie)

    def _keep(self, cookie: Cookie) -> None:
        """Keep a cookie; one that replaces another keeps its place in the order."""
        cookies = self._domains.setdefault(cookie.domain, {})
        key = cookie.identity
        old = cookies.get(key)
        if old is not None:
            cookie.created = old.created
        elif not cookie.created:
            # No two alike, so that the order in which they came survives the store.
            cookie.created = self._latest = max(time.time(), self._latest + 1e-6)
        self._size += old is None
        cookies[key] = cookie
        self._touch(cookie)
        if len(cookies) > _PER_DOMAIN:
            self._evict(cookies.values(), len(cookies) - _PER_DOMAIN)
        elif self._size > _IN_ALL:
            self._evict(self, self._size - _IN_ALL * 9 // 10)

    def _evict(self, cookies: Iterable[Cookie], number: int) -> None:
        """Remove the least worth: expired, then not Secure, then least recently used (5.7)."""
        now = time.time()
        ranked = sorted(cookies, key=lambda c: (not is_over(c, now), c.secure, c.used))
        for cookie in ranked[:number]:
            if not is_over(cookie, now):
                self.refuse(Refusal.COOKIE_EVICTED)
            self._drop(cookie)

    def _drop(self, cookie: Cookie) -> None:
        key = cookie.identity
        cookies = self._domains[cookie.domain]
        del cookies[key]
        if not cookies:
            del self._domains[cookie.domain]
        self._size -= 1
        self._note(key)

    def _note(self, key: CookieKey) -> None:
        self._changed.add(key)
        if self.news is not None:
            self.news.add(key)

    # ------------------------------------------------------------ what is sent

    def filter_cookies(self, request_url: URL) -> list[str]:
        """Return what is sent to a URL, in order: longest path first, then oldest (5.8.3)."""
        if not self._domains:
            return []
        host, now = request_url.raw_host or "", time.time()
        is_secure, target = request_url.scheme in ("https", "wss"), _path_of(request_url)
        found: list[Cookie] = []
        for cookie in self._of_host(host):
            if is_over(cookie, now):
                self._drop(cookie)
            elif (is_secure or not cookie.secure) and set_cookie.path_matches(target, cookie.path):
                found.append(cookie)
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        pairs, left = [], _HEADER
        for cookie in found:
            self._touch(cookie)
            pair = set_cookie.pair_of(cookie.name, cookie.value)
            left -= len(pair.encode()) + 2
            if left < 0:
                self.refuse(Refusal.COOKIE_HEADER_FULL)
            else:
                pairs.append(pair)
        return pairs

    def _of_host(self, host: str) -> list[Cookie]:
        """Return the cookies of a host, and those that the domains above it share with it."""
        found = list(self._domains.get(host, {}).values())
        if not urls.is_address(host):
            dot = host.find(".")
            while dot >= 0:
                above = self._domains.get(host[dot + 1 :], {})
                found += [cookie for cookie in above.values() if not cookie.host_only]
                dot = host.find(".", dot + 1)
        return found

    def _touch(self, cookie: Cookie) -> None:
        self._clock += 1
        cookie.used = self._clock

    # ------------------------------------------------------------ the store

    def changes(self, session: str) -> Iterator[CookieRow]:
        """Yield a row for each cookie that changed since the last call."""
        changed, self._changed = self._changed, set()
        return self.rows(session, changed)

    def rows(self, session: str, keys: Iterable[CookieKey]) -> Iterator[CookieRow]:
        """Yield the row of each of these cookies, also of those that are gone."""
        for key in keys:
            domain, host_only, path, name = key
            cookie = self._domains.get(domain, {}).get(key)
            place = domain if host_only else f".{domain}"
            text = None if cookie is None else written(cookie)
            yield CookieRow(session, place, path, name, text)

    def accept(self, row: CookieRow, *, keep: bool) -> None:
        """Take a cookie as another process has it, or that it is gone; see `CookieJars.accept`."""
        host_only, domain = not row.domain.startswith("."), row.domain.removeprefix(".")
        key = (domain, host_only, row.path, row.name)
        news, self.news = self.news, None  # no news to where it comes from
        changed = key in self._changed
        if row.cookie is not None:
            self._put(read_row(row)[0])
        elif (old := self._domains.get(domain, {}).get(key)) is not None:
            self._drop(old)
        self.news = news
        if not (keep or changed):
            self._changed.discard(key)

    def restore(self, rows: Iterable[CookieRow]) -> None:
        """Take stored cookies back."""
        for row in rows:
            if row.cookie is None:
                continue
            cookie, is_old = read_row(row)
            self._latest = max(self._latest, cookie.created)
            self._keep(cookie)
            if is_old:  # a row of the former kind is written anew, under its own place
                self._changed |= {cookie.identity, (row.domain, True, row.path, row.name)}


def _domain_matches(host: str, domain: str) -> bool:
    """Return whether a host is a domain or below it; an address is only itself (5.1.3)."""
    return host == domain or (host.endswith(f".{domain}") and not urls.is_address(host))


def _is_public_suffix(domain: str) -> bool:
    """Return whether many owners share a domain, such as co.uk; a bare name is its own suffix."""
    domain = domain.rstrip(".")
    if urls.is_address(domain):
        return False
    return "." not in domain or registrable_domain(f"x.{domain}") == f"x.{domain}"


def _path_of(url: URL) -> str:
    """Return the path of a URL; `urls.wire` hides the mark of an empty query in it."""
    return url.raw_path.partition("?")[0] or "/"


def add_by_hand(headers: dict[str, str], cookies: Mapping[str, Any]) -> None:
    """Put the cookies that a Request carries into its headers; UsageError for an unsendable one.

    They are sent as they are, and before those of a Cookie header that has the same names.
    """
    pairs = []
    for name, value in cookies.items():
        text = str(value)
        flaw = set_cookie.flaw_of(name, text)
        if flaw is not None:
            raise UsageError(f"cookie {name!r}: {flaw}")
        pairs.append(set_cookie.pair_of(name, text))
    known = next((name for name in headers if name.lower() == "cookie"), "Cookie")
    others = headers[known].split("; ") if known in headers else []
    headers[known] = set_cookie.joined("; ".join(pairs), others)


class CookieJars:
    """The jars of a crawl by session name; "" is the one that requests without a session share."""

    def __init__(self) -> None:
        self._jars: dict[str, CookieJar] = {}
        self._shared = False
        self.refused: Counter[Refusal] = Counter()
        self._told: Counter[Refusal] = Counter()

    def __getitem__(self, session: str | None) -> CookieJar:
        """Return the jar of a session, an empty one where there was none."""
        name = session or ""
        jar = self._jars.get(name)
        if jar is None:
            jar = self._jars[name] = CookieJar(self.refuse)
            jar.news = set() if self._shared else None
        return jar

    def __iter__(self) -> Iterator[str]:
        return iter(self._jars)

    def refuse(self, reason: Refusal, number: int = 1) -> None:
        """Count what of an answer was not taken, a cookie or a header, by its reason."""
        self.refused[reason] += number

    def take_refusals(self) -> Counter[Refusal]:
        """Return what was refused since the last call, to be committed."""
        if self.refused == self._told:
            return Counter()
        more, self._told = self.refused - self._told, Counter(self.refused)
        return more

    def restore(self, rows: Iterable[CookieRow]) -> None:
        """Fill the jars from the store."""
        for row in rows:
            self[row.session].restore([row])

    def accept(self, rows: Iterable[CookieRow], *, keep: bool = False) -> None:
        """Take cookies as another process has them; `keep`: they are to be stored here."""
        for row in rows:
            self[row.session].accept(row, keep=keep)

    def share(self) -> None:
        """Begin to note what changes for other processes, too."""
        self._shared = True
        for jar in self._jars.values():
            jar.news = set()

    def news(self) -> list[CookieRow]:
        """Return what changed here since the last call, and came of no other process."""
        rows: list[CookieRow] = []
        for name, jar in self._jars.items():
            if jar.news:
                rows += jar.rows(name, jar.news)
                jar.news = set()
        return rows

    def rows(self) -> list[CookieRow]:
        """Return all cookies as they are now."""
        return [
            row
            for name, jar in self._jars.items()
            for row in jar.rows(name, [cookie.identity for cookie in jar])
        ]

    def changes(self) -> list[CookieRow]:
        """Return what differs from the last call, to be committed; next to nothing to ask."""
        return [row for name, jar in self._jars.items() if jar.changed for row in jar.changes(name)]
