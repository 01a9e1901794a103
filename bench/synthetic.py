"""A web that is only numbers: endless, deterministic, cheap, and never held in memory.

URL number n is known from the moment that n < `known`. Every page has `links` links: a share of
them to URLs nobody has seen yet, some to its host's first pages (its navigation), and the rest to
any URL that is known already, however long ago it was found.
"""

from collections.abc import Callable
from dataclasses import dataclass

MIX = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: n * MIX mod 2^64 spreads any run of n evenly
MASK = (1 << 64) - 1


def round_robin(number: int, hosts: int) -> int:
    """Return every host the same number of URLs."""
    return number % hosts


def zipf(number: int, hosts: int) -> int:
    """Return host k about 1/k of the URLs: the largest of 5,000 hosts has one URL in twelve.

    The first `hosts` URLs go round robin, so that every host has a first page.
    """
    if number < hosts:
        return number
    share = (number * MIX & MASK) / 2.0**64
    return min(hosts - 1, int(hosts**share) - 1)


SPREADS: dict[str, Callable[[int, int], int]] = {"round-robin": round_robin, "zipf": zipf}


@dataclass(slots=True)
class Web:
    """The state of the generator: how many URLs are known, and a counter for its choices."""

    hosts: int = 5_000
    links: int = 50
    new: int = 5
    navigation: int = 36
    spread: Callable[[int, int], int] = round_robin
    known: int = 0
    drawn: int = 0

    def seeds(self) -> list[int]:
        """Return the first page of every host."""
        self.known = max(self.known, self.hosts)
        return list(range(self.hosts))

    def links_of(self, number: int) -> list[int]:
        """Return numbers of the links of one page: all distinct work for whoever stores them."""
        host = self.spread(number, self.hosts)
        known = self.known
        fresh = range(known, known + self.new)
        self.known += self.new
        pages = min(self.navigation, known // self.hosts)
        navigation = [host + self.hosts * page for page in range(pages)]
        return [*fresh, *navigation, *self._anywhere(self.links - self.new - pages, known)]

    def _anywhere(self, count: int, known: int) -> list[int]:
        first = self.drawn
        self.drawn += count
        return [(n * MIX & MASK) * known >> 64 for n in range(first, first + count)]

    def host_name(self, number: int) -> str:
        """Return the host of a URL as `scheme://name`."""
        return f"http://h{self.spread(number, self.hosts)}.example"

    def url(self, number: int) -> str:
        """Return the address of a URL: about 60 characters, as real ones are."""
        return f"{self.host_name(number)}/archive/section-{number % 97}/article-{number}.html"


def number_of(url: str) -> int:
    """Return the number behind an address of this web."""
    return int(url.rpartition("-")[2].removesuffix(".html"))
