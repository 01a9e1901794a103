"""What a host and its pages say about uses: robots.txt, TDM reservations, and headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crawler.parse.usage import HEADERS, TDM_FILE, UsageLine, locations, reserved, said_by
from crawler.robots import Robots, RobotsRule
from crawler.web.outcome import Outcome
from crawler.web.visit import Visit


def bars(visit: Visit, headers: Mapping[str, str], purposes: Sequence[str]) -> bool:
    """Note what headers say about uses; return whether that reserves the page, which ends so."""
    if not any(name in headers for name in HEADERS):
        return False
    visit.usage = tuple(said_by(headers, ()))
    found = reserved(visit.usage, purposes)
    if found is not None:
        visit.fail(Outcome.RESERVED, str(found))
    return found is not None


def statements(
    url: str, robots: Robots, agent: str, tdmrep: bytes | None = None
) -> list[UsageLine]:
    """Return the lines that hold for a URL; `tdmrep` is the body of the host's tdmrep.json."""
    found = [
        UsageLine(f"robots.txt line {rule.line}", rule.text) for rule in robots.usages(url, agent)
    ]
    if tdmrep:
        found += _reservations(url, tdmrep)
    return found


def _reservations(url: str, tdmrep: bytes) -> list[UsageLine]:
    """Return what the longest pattern that matches says."""
    rules = [RobotsRule.of(True, at, 0, said) for at, said in locations(tdmrep)]
    best = Robots.decided(url, rules)
    return [] if best is None else [UsageLine(TDM_FILE, f"tdm-reservation: {best.text}")]
