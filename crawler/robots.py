"""robots.txt by RFC 9309: which URLs a site lets an agent fetch, and which line says so.

Bytes in, verdicts out; no I/O. Where the RFC is silent: `Crawl-delay` belongs to the agents
named right above it, and common misspellings of the directives count, as they do at Google.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from enum import Enum
from typing import TypeVar

from msgspec import Struct, field

from crawler.lazy_regex import lazy

T = TypeVar("T")


class Policy(Enum):
    """What an answer for robots.txt puts in force (RFC 9309 section 2.3.1)."""

    RULES = "the rules in its body"
    ALLOW = "nothing: all is allowed"
    DENY = "nothing is allowed until it can be had"


POLICY: tuple[tuple[range, Policy], ...] = (
    (range(200, 300), Policy.RULES),  # 2.3.1.1
    (range(300, 400), Policy.ALLOW),  # 2.3.1.2: redirects in a circle, or that lead nowhere
    (range(429, 430), Policy.DENY),  # "too many requests" says nothing of what is there
    (range(400, 500), Policy.ALLOW),  # 2.3.1.3
    (range(500, 600), Policy.DENY),  # 2.3.1.4
)
"""The policy of each status, the first that holds it; of any other, and without one, DENY."""

LIMIT = 500 * 1024
"""How many bytes are read, the least that RFC 9309 2.5 allows; a line cut by it is left out."""

_DIRECTIVES = {
    "user-agent": "agent", "useragent": "agent", "user agent": "agent", "allow": "allow",
    "disallow": "disallow", "dissallow": "disallow", "dissalow": "disallow",
    "disalow": "disallow", "diasllow": "disallow", "disallaw": "disallow",
    "crawl-delay": "delay", "crawldelay": "delay", "crawl delay": "delay",
    "sitemap": "sitemap", "sitemaps": "sitemap", "site-map": "sitemap",
    "content-usage": "usage", "content-signal": "usage", "license": "license",
}  # fmt: skip
_NEWLINE = lazy("\r\n|\r|\n")
# Not str.strip(): text is bytes as latin-1 here, where a UTF-8 "à" ends in a no-break space.
_BLANK = " \t\x0b\x0c\0"
_DELAY = lazy(r"\d{1,9}(?:\.\d*)?|\.\d+", re.ASCII)
# What is compared as it is (RFC 9309 2.2.2, RFC 3986 2). "*" and "$" are not: they are special
# in a pattern, and so written as escapes in a path.
_SAFE = r"A-Za-z0-9\-._~!&'()+,;=:@/?\[\]"
# Text that is normal already: also with the escapes that normal text has.
_PLAIN = lazy(
    rf"(?:[{_SAFE}]++|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[BCDF]))*+", re.ASCII
)
_ODD = lazy(rf"%[0-9A-Fa-f]{{2}}|[^{_SAFE}%]", re.ASCII)
_UNRESERVED = lazy(r"[A-Za-z0-9\-._~]", re.ASCII)


class Robots:
    """One robots.txt. `parse` never raises; a verdict is for a URL and a product token.

    Of an agent such as "Keeper/1.0 (+https://…)" only the token "Keeper" counts, in any case.
    """

    __slots__ = ("_delays", "_groups", "_rules", "_usages", "licenses", "sitemaps")

    def __init__(self) -> None:
        self.licenses: list[RobotsRule] = []
        """The `License` lines (https://rslstandard.org), which lead to the terms of the site."""
        self._usages: dict[str, list[list[RobotsRule]]] = {}
        self.sitemaps: list[str] = []
        """The values of the `Sitemap` lines, in order, as written: they may be relative."""
        self._rules: dict[str, list[list[RobotsRule]]] = {}
        self._delays: dict[str, list[list[float]]] = {}
        self._groups: dict[str, _Group] = {}

    @classmethod
    def parse(cls, body: bytes) -> Robots:
        """Read the bytes of a robots.txt, whatever they are."""
        robots = cls()
        reader = _Reader(robots)
        for number, line in enumerate(_NEWLINE.split(_text(body)), 1):
            reader.read(number, line)
        return robots

    def allows(self, url: str, agent: str) -> bool:
        """Return whether `agent` may fetch `url`."""
        rule = self._rule(url, agent)
        return rule is None or rule.allow

    def explain(self, url: str, agent: str) -> tuple[bool, int | None, str | None]:
        """Return the verdict, and the number and text of the line it stands on.

        The line is None where no rule matches, which allows.
        """
        rule = self._rule(url, agent)
        return (True, None, None) if rule is None else (rule.allow, rule.line, rule.text)

    def crawl_delay(self, agent: str) -> float | None:
        """Return the seconds that `agent` is asked to wait between fetches; the most of several."""
        named = self._delays.get(_token(agent), self._delays.get("*", []))
        return max((delay for delays in named for delay in delays), default=None)

    def usages(self, url: str, agent: str) -> list[RobotsRule]:
        """Return the lines that say what a URL may be used for: the longest match of each kind.

        https://datatracker.ietf.org/doc/draft-ietf-aipref-attach/
        """
        named = self._usages.get(_token(agent)) or self._usages.get("*", [])
        if not named:
            return []
        kinds: dict[str, list[RobotsRule]] = {}
        for rule in (rule for rules in named for rule in rules):
            kinds.setdefault(rule.text.partition(":")[0].lower(), []).append(rule)
        found = (self.decided(url, rules) for rules in kinds.values())
        return sorted((rule for rule in found if rule), key=lambda rule: rule.line)

    @staticmethod
    def decided(url: str, rules: list[RobotsRule]) -> RobotsRule | None:
        """Return the one of `rules` with the longest pattern that matches a URL, None if none."""
        target = _target(url)
        found = (rule for rule in rules if rule.matches(target))
        return max(found, key=lambda rule: rule.rank, default=None)

    def _rule(self, url: str, agent: str) -> RobotsRule | None:
        group = self._groups.get(agent)
        if group is None:
            group = self._groups[agent] = self._group(agent)
        if not group.rules and not group.patterns:
            return None
        target = _target(url)
        return None if target == "/robots.txt" else group.decide(target)

    def _group(self, agent: str) -> _Group:
        named = self._rules.get(_token(agent), self._rules.get("*", []))
        return _Group.of(rule for rules in named for rule in rules)


def in_force(status: int | None, body: bytes) -> Robots | None:
    """Return the rules that an answer for robots.txt puts in force; None: all is denied.

    `status` None stands for no answer at all. The one decision of the crawl, `crawler fetch` and
    `crawler why`.
    """
    found = (policy for statuses, policy in POLICY if status in statuses)
    policy = Policy.DENY if status is None else next(found, Policy.DENY)
    if policy is Policy.DENY:
        return None
    return Robots.parse(body if policy is Policy.RULES else b"")


class RobotsRule(Struct, frozen=True):
    """An `Allow` or `Disallow` line; of those that match, the greatest `rank` decides."""

    allow: bool
    rank: int
    head: str
    """The normal text before the first "*"."""
    middle: tuple[str, ...] | None
    """What follows it, from one "*" to the next; None where there is no "*"."""
    tail: str | None
    """The text between the last "*" and a final "$"; None where there is no "$"."""
    line: int
    text: str

    @classmethod
    def of(cls, allow: bool, value: str, line: int, text: str) -> RobotsRule:
        """Read the pattern of a line."""
        anchored = value.endswith("$")
        head, *rest = (_normal(part) for part in value.removesuffix("$").split("*"))
        # The longest pattern wins, and of two as long the one that allows (RFC 9309 2.2.2).
        length = len(head) + sum(map(len, rest)) + len(rest) + anchored
        starred = bool(rest)
        tail = (rest.pop() if starred else "") if anchored else None
        middle = tuple(filter(None, rest)) if starred else None
        return cls(allow, 2 * length + allow, head, middle, tail, line, text)

    def matches(self, target: str) -> bool:
        """Match a normal path and query from its start, without backtracking.

        The first place where a part fits leaves the most for the parts behind it.
        """
        if not target.startswith(self.head):
            return False
        if self.middle is None:
            return self.tail is None or target == self.head
        at = len(self.head)
        for part in self.middle:
            at = target.find(part, at)
            if at < 0:
                return False
            at += len(part)
        tail = self.tail
        return tail is None or (len(target) - len(tail) >= at and target.endswith(tail))


class _Group(Struct, frozen=True):
    """The rules for one agent, arranged so that a verdict is a binary search.

    `prefixes` are the plain patterns, sorted. The longest of them that starts a target is the
    last one not after the target, or the `parent` of that one (the longest other that starts
    it), or a parent's parent. `patterns` are the rest, greatest rank first.
    """

    prefixes: list[str] = field(default_factory=list)
    rules: list[RobotsRule] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    patterns: list[RobotsRule] = field(default_factory=list)

    @classmethod
    def of(cls, rules: Iterator[RobotsRule]) -> _Group:
        """Arrange `rules`; of two with the same plain pattern the one that allows stays."""
        group = cls()
        plain: dict[str, RobotsRule] = {}
        patterns: dict[tuple[object, ...], RobotsRule] = {}
        for rule in rules:
            if rule.middle is None and rule.tail is None:
                if rule.head not in plain or plain[rule.head].rank < rule.rank:
                    plain[rule.head] = rule
            else:
                patterns.setdefault((rule.head, rule.middle, rule.tail, rule.rank), rule)
        group.patterns.extend(sorted(patterns.values(), key=lambda rule: -rule.rank))
        for prefix in sorted(plain):
            parent = len(group.prefixes) - 1
            while parent >= 0 and not prefix.startswith(group.prefixes[parent]):
                parent = group.parents[parent]
            group.prefixes.append(prefix)
            group.parents.append(parent)
            group.rules.append(plain[prefix])
        return group

    def decide(self, target: str) -> RobotsRule | None:
        """Return the rule that decides over a normal `target`, None if none matches."""
        at = bisect_right(self.prefixes, target) - 1
        while at >= 0 and not target.startswith(self.prefixes[at]):
            at = self.parents[at]
        best = self.rules[at] if at >= 0 else None
        for rule in self.patterns:
            if best is not None and rule.rank <= best.rank:
                break
            if rule.matches(target):
                return rule
        return best


class _Reader:
    """The state between the lines: which agents the next rule and the next delay are for.

    A group is its agents' lines and the rules below them; other lines, known or not, do not
    end it (RFC 9309 2.2.1 and 2.2.4). Agents share the list of their rules: a file of many
    agents and many rules stays small.
    """

    def __init__(self, robots: Robots) -> None:
        self.robots = robots
        self.rules: list[RobotsRule] | None = None
        self.usages: list[RobotsRule] = []
        self.delays: list[float] = []
        self.ruled = self.delayed = True

    def read(self, number: int, line: str) -> None:
        bare = line.partition("#")[0]
        name, colon, value = bare.partition(":")
        if not colon and len(words := bare.split()) == 2:  # "User-agent *", as Google reads it
            name, value = words
        directive = _DIRECTIVES.get(name.strip(_BLANK).lower())
        value = value.strip(_BLANK)
        if directive == "agent":
            self._agent(value)
        elif directive == "sitemap" and value:
            self.robots.sitemaps.append(_utf8(value))
        elif directive == "delay":
            self._delay(value)
        elif directive == "license" and value:
            self.robots.licenses.append(RobotsRule.of(True, "/", number, _utf8(bare.strip(_BLANK))))
        elif directive == "usage" and value:
            self._usage(value, number, _utf8(bare.strip(_BLANK)))
        elif directive is not None and self.rules is not None:
            self.ruled = self.delayed = True
            if value:
                text = _utf8(line.strip(_BLANK))
                self.rules.append(RobotsRule.of(directive == "allow", value, number, text))

    def _agent(self, value: str) -> None:
        if self.ruled or self.rules is None:
            self.rules, self.usages = [], []
        if self.delayed:
            self.delays = []
        self.ruled = self.delayed = False
        token = _token(_utf8(value))
        if token:
            _add_once(self.robots._rules.setdefault(token, []), self.rules)
            _add_once(self.robots._delays.setdefault(token, []), self.delays)
            _add_once(self.robots._usages.setdefault(token, []), self.usages)

    def _usage(self, value: str, number: int, text: str) -> None:
        """Take a line that says what may be used: for a path, or for all; it ends the agents.

        Above the first agent it is for all of them.
        """
        self.ruled = self.delayed = True
        path = value.split(None, 1)[0] if value.startswith("/") else "/"
        if self.rules is None:
            _add_once(self.robots._usages.setdefault("*", []), self.usages)
        self.usages.append(RobotsRule.of(True, path, number, text))

    def _delay(self, value: str) -> None:
        self.delayed = True
        if _DELAY.fullmatch(value):
            self.delays.append(float(value))


def _add_once(lists: list[list[T]], shared: list[T]) -> None:
    # An agent may be named twice in one group, or twenty thousand times.
    if not lists or lists[-1] is not shared:
        lists.append(shared)


def _text(body: bytes) -> str:
    """Cut at the limit, and return the bytes as latin-1: one character for each."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        body = body[: 2 * LIMIT].decode("utf-16", "replace").encode("utf-8", "replace")
    while body.startswith(codecs.BOM_UTF8):  # files that were put together have several
        body = body[len(codecs.BOM_UTF8) :]
    text = body[:LIMIT].replace(b"\n" + codecs.BOM_UTF8, b"\n").decode("latin-1")
    if len(body) > LIMIT:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    return text


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def _token(agent: str) -> str:
    """Return the product token of an agent: its first word, without a version, in lower case."""
    words = agent.partition("/")[0].split(None, 1)
    token = words[0].lower() if words else ""
    return token.rstrip("*") or token[:1]  # "crawlkeep*" is crawlkeep, as at Google


def _target(url: str) -> str:
    """Return the normal path and query of an absolute URL."""
    start = url.find("//") + 2
    cut = url.find("/", start)
    target = url[cut:] if cut >= 0 else ""
    authority = url[start:cut]
    if cut >= 0 and _PLAIN.fullmatch(target) and "?" not in authority and "#" not in authority:
        return target
    path, mark, query = url[start:].partition("#")[0].partition("?")
    target = "/" + path.partition("/")[2] + mark + query
    return _normal(target.encode("utf-8", "surrogatepass").decode("latin-1"))


def _normal(text: str) -> str:
    """Write `text`, bytes as latin-1, the one way in which patterns and targets compare.

    Escapes of unreserved characters are decoded, those of others get upper-case digits, and
    what is not a URL character is escaped. A "%" that starts no escape stays.
    """
    return text if _PLAIN.fullmatch(text) else _ODD.sub(_normal_character, text)


def _normal_character(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) == 1:
        return f"%{ord(text):02X}"
    character = chr(int(text[1:], 16))
    return character if _UNRESERVED.match(character) else text.upper()
