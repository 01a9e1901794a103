"""Cookie jars: one per named session, isolated, stored with the crawl when they change.

aiohttp's CookieJar does the work of RFC 6265. Added here: no cookies for public suffixes (section
5.3, step 5), cookies set by hand, and knowing what has changed since the last commit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from email.utils import formatdate
from http.cookies import Morsel
from typing import Any

import aiohttp
from yarl import URL

from crawler import urls
from crawler.scope import registrable_domain
from crawler.store import CookieRow

_LAST = 253402300799  # the end of the year 9999: dates have four digits for it
_DOMAIN = re.compile(r";\s*domain\s*=\s*\.?([^;\s]*)", re.IGNORECASE)
_KEPT = ("path", "secure", "httponly", "samesite")


class Jar(aiohttp.CookieJar):
    """The cookies of one session; it notes when they change."""

    def __init__(self) -> None:
        super().__init__(unsafe=True)  # unsafe: cookies of IP addresses too
        self.changed = False

    def set(self, name: str, value: str, *, url: str, domain: str = "", path: str = "/") -> None:
        """Set a cookie by hand, as if `url` had sent it; `domain` shares it with subdomains."""
        morsel: Morsel[str] = Morsel()
        morsel.set(name, value, value)
        morsel["domain"], morsel["path"] = domain, path
        self.update_cookies({name: morsel}, URL(url))
        self.changed = True

    def clear(self, predicate: Any = None) -> None:
        """Remove all cookies, or those of which `predicate(morsel)` is true."""
        super().clear(predicate)
        self.changed = True

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Take what a response sets, but nothing for a public suffix."""
        host = response_url.raw_host or ""
        taken = [header for header in headers if _is_own(header, host)]
        if taken:
            super().update_cookies_from_headers(taken, response_url)
            self.changed = True

    def rows(self, session: str) -> Iterator[CookieRow]:
        """Yield every cookie as it is stored."""
        alone = self.host_only_cookies
        for (domain, path), cookies in self.cookies.items():
            for name, morsel in cookies.items():
                key = (domain, path, name)
                # The deadline itself: "Max-Age" says nothing without the time when it was sent.
                ends = self._expirations.get(key)
                yield CookieRow(session, *key, _written(morsel, key in alone, ends))

    def restore(self, rows: Iterable[CookieRow]) -> None:
        """Take stored cookies back."""
        for row in rows:
            if row.cookie is not None:
                morsel = _read(row.name, row.domain, row.cookie)
                host = f"[{row.domain}]" if ":" in row.domain else row.domain
                self.update_cookies({row.name: morsel}, URL(f"https://{host}/"))


def _is_own(header: str, host: str) -> bool:
    """Tell whether a cookie may be set: not for a suffix such as co.uk that many owners share."""
    found = _DOMAIN.findall(header)
    domain = found[-1].lower() if found else ""
    if not domain or domain == host or urls.is_address(host):
        return True
    return "." in domain and registrable_domain(f"x.{domain}") != f"x.{domain}"


def _written(morsel: Morsel[str], host_only: bool, ends: float | None) -> str:
    kept = {name: morsel[name] for name in _KEPT if morsel[name]}
    if ends is not None:
        kept["expires"] = formatdate(min(ends, _LAST), usegmt=True)
    return json.dumps([morsel.value, morsel.coded_value, host_only, kept])


def _read(name: str, domain: str, text: str) -> Morsel[str]:
    value, coded, host_only, kept = json.loads(text)
    morsel: Morsel[str] = Morsel()
    # The pickle protocol: `Morsel.set` refuses names that servers use and aiohttp takes.
    morsel.__setstate__({"key": name, "value": value, "coded_value": coded})  # type: ignore[attr-defined]
    morsel.update(kept)
    morsel["domain"] = "" if host_only else domain
    return morsel


class Jars:
    """The jars of a crawl by session name; "" is the one that requests without a session share."""

    def __init__(self) -> None:
        self._jars: dict[str, Jar] = {}
        self._stored: dict[tuple[str, str, str, str], str | None] = {}

    def __getitem__(self, session: str | None) -> Jar:
        """Give the jar of a session, an empty one where there was none."""
        name = session or ""
        jar = self._jars.get(name)
        if jar is None:
            jar = self._jars[name] = Jar()
        return jar

    def __iter__(self) -> Iterator[str]:
        return iter(self._jars)

    def restore(self, rows: Iterable[CookieRow]) -> None:
        """Fill the jars from the store."""
        for row in rows:
            self[row.session].restore([row])
            self._stored[row[:4]] = row.cookie

    def changes(self) -> list[CookieRow]:
        """Give what differs from the last call, to be committed; next to nothing to ask."""
        changed = [name for name, jar in self._jars.items() if jar.changed]
        rows: list[CookieRow] = []
        for name in changed:
            jar = self._jars[name]
            jar.changed = False
            present = {row[:4]: row for row in jar.rows(name)}
            gone = [key for key in self._stored if key[0] == name and key not in present]
            for key in gone:
                del self._stored[key]
                rows.append(CookieRow(*key, None))
            for key, row in present.items():
                if self._stored.get(key) != row.cookie:
                    self._stored[key] = row.cookie
                    rows.append(row)
        return rows
