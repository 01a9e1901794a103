"""Why a URL was fetched, or was not: everything that a store and the rules know of it.

Facts first (where it was found, tries, outcome), then what the rules, the traps and robots.txt
would say to it now. Reads the store and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from crawler import urls
from crawler.config.layers import Config
from crawler.errors import ConfigError
from crawler.inspect import rendering
from crawler.inspect.bounds import config_of, last_settings
from crawler.inspect.life import NEVER, Line, life, rows_of
from crawler.inspect.query import Reader
from crawler.inspect.sources import asks, linked_on
from crawler.inspect.usage import Uses
from crawler.links.follow import steps_of
from crawler.links.linker import Linker
from crawler.links.rule import Rule
from crawler.links.traps import Traps, pattern_of
from crawler.markup.words import plural
from crawler.parse.usage import PURPOSES, TDM_FILE, reserved
from crawler.robots import Robots, in_force
from crawler.store.damage import told
from crawler.urls.optional_steps import OPTIONAL_STEPS
from crawler.urls.scope import Scope
from crawler.web.refusal import Refusal


class CrawlRules(NamedTuple):
    """What decides over a URL: the configuration, the rules and the scope of a crawl."""

    config: Config
    rules: tuple[Rule, ...]
    scope: Scope
    endless: frozenset[str] = frozenset()
    """The patterns of URLs that are closed."""

    @property
    def agent(self) -> str:
        """The user agent whose product token robots.txt rules name."""
        return self.config.politeness.user_agent


def why(
    reader: Reader,
    url: str,
    rules: Sequence[Rule],
    domains: Sequence[str] = (),
    *,
    known: Sequence[str] = (),
    sources: bool = True,
) -> list[Line]:
    """Return everything there is to say about a canonical URL, in the order of its life.

    `rules` and `domains` are those of the spider, whose code the store does not hold. So are the
    `known` steps of `links.canonicalize`: of others that are code, only the name is told.
    `sources`: look for pages that link to a URL that was never accepted, in every list of links.
    """
    laws = laws_of(reader, rules, domains)
    laws, foreign = _without_code(laws, known)
    found = [Line("url", url), *_lived(reader, url, laws, sources=sources)]
    for step in foreign:
        text = f"{step} of links.canonicalize is not run: a store names no code; name the --spider"
        found.append(Line("note", text))
    settled = urls.canonicalize(url, steps_of(laws.config.links.canonicalize)) or url
    if settled != url:
        found.append(Line("visited as", settled))
        found += _lived(reader, settled, laws, sources=sources)
    found += asks(reader, settled, laws)
    answered = "SELECT 1 FROM pages WHERE url = ? AND status IS NOT NULL LIMIT 1"
    fetched = bool(rows_of(reader, answered, settled))
    verdicts = [_as_fetched(line) if fetched else line for line in judged(url, laws)]
    said = rendering.learnt(reader, settled)
    verdicts += [Line("browser", said)] if said else []
    return [*found, *verdicts, *_robots(reader, settled, laws), *_usage(reader, settled, laws)]


def _lived(reader: Reader, url: str, laws: CrawlRules, *, sources: bool) -> Iterator[Line]:
    """Yield what happened to a URL; of one that was never accepted who links to it, and how."""
    lines = list(life(reader, url))
    yield from lines
    if sources and lines == [NEVER]:
        yield from linked_on(reader, url, laws)


def _as_fetched(line: Line) -> Line:
    """Return what is said of the scope of a URL that was fetched, whatever it is by now."""
    if line.about != "scope" or not line.text.startswith("out of"):
        return line
    bounds = line.text.partition(": ")[2]
    return Line("scope", f"it was fetched; a link to it would not be taken now: {bounds}")


def laws_of(reader: Reader, rules: Sequence[Rule], domains: Sequence[str]) -> CrawlRules:
    """Return the configuration, rules and scope of the last run of a store."""
    with told(reader.path, "runs.settings of the last run"):
        stored = last_settings(reader)
        domains = stored.get("spider", {}).get("allowed_domains", domains)
        config = config_of(stored)
    sql = (
        "SELECT url FROM pages WHERE depth = 0 AND parent_id IS NULL"
        " UNION SELECT redirect_to FROM pages WHERE depth = 0 AND redirect_to IS NOT NULL"
        " UNION SELECT url FROM todo WHERE depth = 0 LIMIT 10000"
    )
    began = dict(reader.query("SELECT key, value FROM crawl WHERE key = 'scope'").rows)
    with told(reader.path, "the row 'scope' of the table crawl"):
        beyond = json.loads(began.get("scope", "[]"))  # what `start` gave
    seeds = tuple(dict.fromkeys([*(seed for (seed,) in reader.query(sql).rows), *beyond]))
    with told(reader.path, "the URL of a seed in pages or todo"):
        scope = Scope(config.engine.scope, seeds, tuple(domains))
    return CrawlRules(
        config, tuple(rules), scope, _endless(reader) if config.traps.endless_after else _NO
    )


def _without_code(laws: CrawlRules, known: Sequence[str]) -> tuple[CrawlRules, list[str]]:
    """Return the rules with the steps that are known or our own, and the names of the others."""
    links = laws.config.links
    foreign = [s for s in links.canonicalize if s not in known and s not in OPTIONAL_STEPS]
    if not foreign:
        return laws, foreign
    kept = [step for step in links.canonicalize if step not in foreign]
    links = msgspec.structs.replace(links, canonicalize=kept)
    return laws._replace(config=msgspec.structs.replace(laws.config, links=links)), foreign


_NO: frozenset[str] = frozenset()


def _endless(reader: Reader) -> frozenset[str]:
    """Return the closed patterns; none in a store that was made before they were kept."""
    if not list(reader.query("SELECT 1 FROM sqlite_master WHERE name = 'endless'").rows):
        return _NO
    return frozenset(pattern for (pattern,) in reader.query("SELECT pattern FROM endless").rows)


# ---------------------------------------------------------------- what would happen


def judged(url: str, laws: CrawlRules) -> Iterator[Line]:
    """Yield what scope, traps and each rule decide about a link with this URL."""
    config, scope = laws.config, laws.scope
    changed = urls.canonicalize(url, steps_of(config.links.canonicalize))
    if changed is None:
        yield Line("canonical", "a step of links.canonicalize drops it")
        return
    if changed != url:
        yield Line("canonical", f"it is visited as {changed}")
    linker = Linker(scope, laws.rules, traps=Traps(config.traps), settings=config.links)
    for pattern in laws.endless:
        linker.traps.close(pattern)
    refusal = linker.refusal_of(changed)
    outside = refusal is Refusal.OUT_OF_SCOPE
    inside = f"out of scope ({refusal})" if outside else "in scope"
    bounds = ", ".join(scope.allowed_domains) or ", ".join(scope.seeds[:3]) or "no seed"
    yield Line("scope", f"{inside}: {scope.kind} of {bounds}")
    trap = linker.traps.refusal_of(changed) if outside else refusal
    like = f", like all of {pattern_of(changed)}" if trap is Refusal.ENDLESS else ""
    yield Line("traps", f"refused: {trap}{like}" if trap else "its shape is fine")
    if config.links.include or config.links.exclude:
        bounded = linker.bounded(changed)
        told = f"refused: {bounded}" if bounded else "links.include and exclude take it"
        yield Line("bounds", told)
    for number, rule in enumerate(laws.rules, 1):
        verdict = _verdict(rule, changed)
        yield Line(f"rule {number}", f"{verdict}: {_told(rule)}")
        if verdict != "does not take it" and rule.plain:
            return
    if not laws.rules:
        yield Line("rules", "none known: only what the spider yields is visited")


def _verdict(rule: Rule, url: str) -> str:
    if not rule.takes(url):
        return "does not take it"
    if not rule.plain:
        return "may take it, by where its link stands"
    return "takes it" if rule.follow else "refuses it (no_rule)"


def _told(rule: Rule) -> str:
    """Return a rule as code, with its fields that are not at their defaults."""
    names = ("allow", "deny", "restrict_css", "restrict_text", "tags", "attrs", "steps")
    said = [f"{name}={getattr(rule, name)!r}" for name in names if getattr(rule, name)]
    if rule.transform is not None:
        said.append(f"transform={getattr(rule.transform, '__name__', rule.transform)}")
    if rule.callback is not None:
        said.append(f"callback={rule.callback_name!r}")
    said += ["browser=True"] * (rule.browser and not rule.steps)
    said += ["follow=False"] * (not rule.follow)
    said += [f"priority={rule.priority}"] * bool(rule.priority)
    return f"Rule({', '.join(said)})"


def _robots(reader: Reader, url: str, laws: CrawlRules) -> Iterator[Line]:
    """Yield the line of the stored robots.txt that decides about a URL, and its host's state."""
    host = urls.host_of(url)
    own = _own(host, laws.config) if laws.config.politeness.robots_override else None
    rows = rows_of(
        reader,
        "SELECT hosts.host_id, pages, pending, delay, failures, robots.fetched_at, robots.status,"
        " robots.body, strftime('%Y-%m-%dT%H:%M:%SZ', next_at, 'unixepoch') AS free_at"
        " FROM hosts LEFT JOIN robots USING (host_id) WHERE name = ?",
        host,
    )
    if not rows:
        yield Line("host", f"{host}: never met")
        return
    [row] = rows
    with told(reader.path, f"the row of hosts with host_id {row['host_id']}"):
        slow = f", {row['delay']:.2f} s between starts" if row["delay"] else ""
    trouble = f", {row['failures']} slow-downs in a row, rests until {row['free_at']}"
    yield Line(
        "host",
        f"{host}: {plural(row['pages'], 'page')}, {row['pending']:,} queued{slow}"
        + (trouble if row["failures"] else ""),
    )
    settings = laws.config.hosts.of(host)
    if settings.shown:
        yield Line("settings", f"[hosts] {settings.shown}")
    if settings.robots is False:
        yield Line("robots", "not asked ([hosts] robots = false)")
    elif not laws.config.politeness.robots and settings.robots is None:
        yield Line("robots", "not asked (politeness.robots = false)")
    elif own is not None:
        verdict = verdict_of(Robots.parse(own), url, laws.agent)
        yield Line("robots", f"{verdict} (politeness.robots_override)")
    elif row["fetched_at"] is None:
        yield Line("robots", "robots.txt not fetched yet")
    elif (rules := in_force(row["status"], row["body"] or b"")) is None:
        [said] = rows_of(reader, "SELECT * FROM robots WHERE host_id = ?", row["host_id"])
        why = said.get("reason")  # none in a store that was made before it was kept
        yield Line("robots", "denied: robots.txt could not be had" + (f": {why}" if why else ""))
    else:
        yield Line("robots", verdict_of(rules, url, laws.agent))


def _usage(reader: Reader, url: str, laws: CrawlRules) -> Iterator[Line]:
    """Yield what is said about the uses of a URL, and whether that reserves it."""
    sql = "SELECT host_id FROM hosts WHERE name = ?"
    page = "SELECT page_id FROM pages WHERE url = ? ORDER BY page_id DESC LIMIT 1"
    for (host_id,) in reader.query(sql, (urls.host_of(url),)).rows:
        uses = Uses(reader)
        found = next(iter(reader.query(page, (url,)).rows), (None,))[0]
        said = uses.said(url, host_id, found)
        yield from (Line("usage", str(statement)) for statement in said)
        yield from (Line("license", text) for text in uses.licenses(host_id))
        if said and not uses.knows_tdmrep(host_id):
            why = "not asked for: politeness.heed_usage names no purpose"
            yield Line("usage", f"{TDM_FILE}: {why}")
        heeds = laws.config.politeness.heed_usage
        reservation = reserved(said, heeds or PURPOSES)
        if reservation is not None:
            heeded = "" if heeds else "; not heeded (politeness.heed_usage is empty)"
            yield Line("reserved", f"{reservation}{heeded}")


def _own(host: str, config: Config) -> bytes | None:
    """Return what stands in for the robots.txt of a host; nothing if its file is gone."""
    from crawler.engine.robots_gate import own_rules_of  # with aiohttp, 0.1 s

    try:
        return own_rules_of(config)(host)
    except ConfigError:
        return None


def verdict_of(robots: Robots, url: str, agent: str) -> str:
    """Return what a robots.txt says to a URL, with the line that decides."""
    allowed, number, text = robots.explain(url, agent)
    verdict = "allowed" if allowed else "denied"
    return f"{verdict} by line {number}: {text}" if number is not None else f"{verdict}: no rule"
