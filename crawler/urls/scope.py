"""Which URLs belong to a crawl: by host, registrable domain, URL prefix, or any."""

from __future__ import annotations

from collections.abc import Set
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

from crawler.urls import authority_of, directory, hostname_of, is_address, parse

if TYPE_CHECKING:
    from tldextract import TLDExtract

Kind = Literal["host", "domain", "prefix", "any"]
KINDS: tuple[Kind, ...] = ("host", "domain", "prefix", "any")


@cache
def _suffixes() -> TLDExtract:
    # Imported at first use (0.1 s). The list comes with the package: no network, no cache file.
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=100_000)
def registrable_domain(hostname: str) -> str:
    """Return the domain that one owner registered: "news.bbc.co.uk" → "bbc.co.uk".

    By the public suffix list (https://publicsuffix.org/list/), with its private part, so that
    two users of github.io are two sites. An unlisted top level counts as a suffix (the list's
    default rule "*"). An IP address, a bare name and a public suffix are their own domain.
    """
    name = hostname.rstrip(".").lower()
    if not name or "." not in name or is_address(name):
        return name
    found = _suffixes().extract_str(name)
    if found.suffix:
        return found.top_domain_under_public_suffix or name
    return ".".join(name.split(".")[-2:])


def in_domain(hostname: str, domain: str) -> bool:
    """Return whether `hostname` is `domain` or below it, at a dot: "evilexample.com" is not."""
    name, domain = hostname.rstrip("."), domain.rstrip(".")
    if not name.endswith(domain):
        return False
    return len(name) == len(domain) or (
        bool(domain) and name[-len(domain) - 1] == "." and not is_address(domain)
    )


class Scope:
    """The URLs that a crawl may visit: those that `allows` accepts.

    * `host`: the name and port of a seed, over http or https
    * `domain`: the registrable domain of a seed, any port
    * `prefix`: below the directory of a seed's URL, over http or https
    * `any`: every URL

    `allowed_domains`, where given, stands in for the kind's own rule about hosts: a URL is in
    scope on one of them or below it (of kind `prefix`: and below a seed's directory too).
    Seeds are canonical URLs. An unknown kind or a domain that is no host name is a ValueError.
    `include` takes one more seed in, at the same cost however many there are.
    """

    def __init__(
        self, kind: Kind, seeds: tuple[str, ...] = (), allowed_domains: tuple[str, ...] = ()
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown scope {kind!r}; one of {', '.join(KINDS)}")
        self.kind, self.seeds = kind, seeds
        self.allowed_domains = tuple(_domain(text) for text in allowed_domains)
        self._hosts: set[str] = set()
        self._domains: set[str] = set()
        self._prefixes: set[str] = set()
        self._of_seeds: set[str] = set()
        for seed in seeds:
            self._take(seed)

    def _take(self, seed: str) -> None:
        """Note what a seed makes part of the crawl; only what the kind asks for."""
        if self.kind == "host":
            self._hosts.add(authority_of(seed))
        elif self.kind == "prefix":
            self._prefixes.add(_without_scheme(directory(seed)))
        elif self.kind == "domain":
            self._domains.add(registrable_domain(hostname_of(seed)))

    def include(self, seed: str) -> None:
        """Take in one more seed, in place: a spider may start from a hundred thousand hosts."""
        self._take(seed)
        if self._of_seeds:
            self._of_seeds.add(registrable_domain(hostname_of(seed)))

    def include_redirect(self, target: str) -> bool:
        """Take in the host to which a seed redirects, if it is of a seed's domain, in place.

        Return whether it did: False where it is in scope as it is, or must not be.
        """
        if self.kind == "any" or self.allowed_domains or self.allows(target):
            return False
        if registrable_domain(hostname_of(target)) not in self._seed_domains():
            return False
        self._take(target)
        return True

    def _seed_domains(self) -> set[str]:
        """Return the domains of all seeds, found out when it is first asked for."""
        if not self._of_seeds:
            begins = (f"http:{prefix}" for prefix in self._prefixes)
            hosts = (f"http://{host}/" for host in self._hosts)
            for seed in (*begins, *hosts):
                self._of_seeds.add(registrable_domain(hostname_of(seed)))
        return self._of_seeds | self._domains if self._domains else self._of_seeds

    def begins(self) -> list[str]:
        """Return URLs that as seeds make this very scope."""
        names = (f"http://{name}/" for name in (*self._hosts, *self._domains))
        return [*names, *(f"http:{prefix}" for prefix in self._prefixes)]

    @property
    def prefixes(self) -> Set[str]:
        """What the URLs of a crawl of kind `prefix` begin with, behind the scheme."""
        return self._prefixes

    def allows(self, url: str) -> bool:
        """Return whether the canonical `url` is in scope."""
        if self.kind == "prefix" and not self._is_below(_without_scheme(url)):
            return False
        if self.allowed_domains:
            return _below_any(hostname_of(url), self.allowed_domains)
        if self.kind == "host":
            return authority_of(url) in self._hosts
        if self.kind == "domain":
            return registrable_domain(hostname_of(url)) in self._domains
        return True

    def _is_below(self, rest: str) -> bool:
        """Return whether one of the directories of a URL is a seed's, the deepest first."""
        end = len(rest)
        while (end := rest.rfind("/", 0, end)) > 1:
            if rest[: end + 1] in self._prefixes:
                return True
        return False


def _without_scheme(url: str) -> str:
    return url[url.index("//") :]


@lru_cache(maxsize=100_000)
def _below_any(hostname: str, domains: tuple[str, ...]) -> bool:
    return any(in_domain(hostname, domain) for domain in domains)


def _domain(text: str) -> str:
    """Read one of `allowed_domains` as people write it: case, IDN, or even a whole URL."""
    url = parse(text if "://" in text else f"http://{text.removeprefix('.')}")
    if url is None:
        raise ValueError(f"allowed_domains: {text!r} is not a host name")
    return hostname_of(url)
