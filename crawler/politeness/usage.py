"""What a host says about uses of its pages: robots.txt and TDM reservations."""

from __future__ import annotations

from crawler.parse.usage import TDM_FILE, UsageLine, locations
from crawler.robots import Robots, RobotsRule


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
