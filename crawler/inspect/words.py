"""Words of texts and of questions, as SQLite's FTS5 takes them, for a search elsewhere.

Words are runs of letters and digits, small and without accents (its tokenizer unicode61).
A question is of words, "phrases", OR, NOT, AND, begin* and parentheses.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r'\s*(?:("(?:[^"]|"")*")(\s*\*)?|([()])|([\w]+)(\*)?|(\S))')
_LONGEST, _FURTHEST = 200, 16_383  # characters of a word, and the last place of a tsvector
_K1, _B = 1.2, 0.75  # of BM25, as FTS5 has them
TITLE, TEXT = 5.0, 1.0
_WINDOW = 16  # words of a snippet


def words_of(text: str) -> list[str]:
    """Return the words of a text, in their order."""
    plain = text.lower()
    if not plain.isascii():
        parts = unicodedata.normalize("NFKD", plain)
        plain = "".join(char for char in parts if not unicodedata.combining(char))
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def vector_of(title: str | None, text: str) -> tuple[str, int]:
    """Return title and text as the text of a tsvector, and how many words they have."""
    places: dict[str, list[str]] = {}
    titled = words_of(title or "")
    words = [*titled, "", *words_of(text)]  # a phrase does not go from the title into the text
    for place, word in enumerate(words, start=1):
        if word:
            weight = "A" if place <= len(titled) else ""
            found = places.setdefault(word, [])
            if len(found) < 255 and place <= _FURTHEST:
                found.append(f"{place}{weight}")
    told = " ".join(f"'{word}'" + (f":{','.join(at)}" if at else "") for word, at in places.items())
    return told, len(words) - 1


class Phrase(NamedTuple):
    """Words that follow each other; the last may be the beginning of one."""

    words: tuple[str, ...]
    begins: bool = False
    column: str | None = None
    """Where alone it is looked for: `title` or `text`."""

    @property
    def query(self) -> str:
        """The phrase as a tsquery."""
        mark = {"title": "A", "text": "D"}.get(self.column or "", "")
        parts = [f"'{word}'{':' * bool(mark)}{mark}" for word in self.words]
        if self.begins:
            parts[-1] = f"'{self.words[-1]}':*{mark}"
        return f"({' <-> '.join(parts)})"


@dataclass(frozen=True, slots=True)
class WordQuery:
    """What is looked for: a tsquery, and the phrases that count for the rank."""

    query: str
    phrases: tuple[Phrase, ...]


class NotAQuestion(ValueError):
    """What was typed does not parse."""


def question_of(text: str, column: str | None = None) -> WordQuery:
    """Return what was typed as a question; every word a phrase where it does not parse.

    `column` is where the words are looked for of which the question says nothing else.
    """
    try:
        return _WordParser(text, column).whole()
    except NotAQuestion:
        found = [words_of(part) for part in text.split()]
        phrases = tuple(Phrase(tuple(words), column=column) for words in found if words)
        return WordQuery(" & ".join(phrase.query for phrase in phrases), phrases)


class _WordParser:
    """Reads FTS5's syntax: NOT binds closer than AND, AND than OR; side by side is closest."""

    def __init__(self, text: str, column: str | None) -> None:
        self._column = column
        self._tokens = [self._token(found) for found in _TOKEN.finditer(text.strip())]
        self._at = 0
        self._phrases: list[Phrase] = []

    def _token(self, found: re.Match[str]) -> str | Phrase:
        quoted, begins, bracket, word, star, other = found.groups()
        if other:
            if other != ":":
                raise NotAQuestion(other)
            return other
        if quoted is not None:
            words = words_of(quoted)
            return Phrase(tuple(words), bool(begins), self._column) if words else ""
        if bracket or (word in ("AND", "OR", "NOT") and not star):
            return bracket or word
        return Phrase(tuple(words_of(word)) or (word,), bool(star), self._column)

    def _next(self) -> str | Phrase | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def whole(self) -> WordQuery:
        query = self._or()
        if self._next() is not None:
            raise NotAQuestion
        return WordQuery(query, tuple(self._phrases))

    def _or(self) -> str:
        parts = [self._and()]
        while self._next() == "OR":
            self._at += 1
            parts.append(self._and())
        return f"({' | '.join(parts)})"

    def _and(self) -> str:
        parts = [self._not()]
        while self._next() == "AND":
            self._at += 1
            parts.append(self._not())
        return f"({' & '.join(parts)})"

    def _not(self) -> str:
        query = self._side_by_side()
        while self._next() == "NOT":
            self._at += 1
            known = len(self._phrases)
            query += f" & !{self._side_by_side()}"
            del self._phrases[known:]  # what must not be there counts for nothing
        return f"({query})"

    def _side_by_side(self) -> str:
        grouped = self._next() == "("  # beside which FTS5 takes no word without an AND
        parts = [self._one()]
        while isinstance(self._next(), Phrase) and not grouped:
            parts.append(self._one())
        return f"({' & '.join(parts)})"

    def _one(self) -> str:
        token = self._next()
        self._at += 1
        if isinstance(token, Phrase) and self._next() == ":":
            [column, *more], self._at = token.words, self._at + 1
            token = self._next()
            if more or column not in ("title", "text") or not isinstance(token, Phrase):
                raise NotAQuestion
            token, self._at = token._replace(column=column), self._at + 1
        if isinstance(token, Phrase):
            self._phrases.append(token)
            return token.query
        if token == "(":
            query = self._or()
            if self._next() != ")":
                raise NotAQuestion
            self._at += 1
            return query
        raise NotAQuestion


Places = Mapping[str, Sequence[tuple[int, bool]]]
"""Where each word of a page stands: its place, and whether that is in the title."""


def weight_of(phrase: Phrase, places: Places) -> float:
    """Return how often a phrase is there; one in the title counts as five in the text."""
    *before, last = phrase.words
    ends = [w for w in places if w.startswith(last)] if phrase.begins else [last]
    found = {at: titled for word in ends for at, titled in places.get(word, ())}
    rest = [{at for at, _ in places.get(word, ())} for word in before]
    return sum(
        TITLE if titled else TEXT
        for at, titled in found.items()
        if phrase.column in (None, "title" if titled else "text")
        and all(at - len(rest) + n in stands for n, stands in enumerate(rest))
    )


def rarity(pages: int, having: int) -> float:
    """Return how much a phrase says that so many of all pages have (FTS5's idf)."""
    return max(1e-6, math.log((pages - having + 0.5) / (having + 0.5)))


def score(weights: Iterable[tuple[float, float]], length: int, mean: float) -> float:
    """Return the BM25 of a page for pairs of rarity and weight."""
    norm = _K1 * (1 - _B + _B * length / (mean or 1.0))
    return sum(rare * weight * (_K1 + 1) / (weight + norm) for rare, weight in weights)


def snippet(text: str, phrases: Sequence[Phrase]) -> str:
    """Return some words of a text around the first that was looked for, which stand in [ ]."""
    wanted = {word for phrase in phrases for word in phrase.words}
    begins = tuple(phrase.words[-1] for phrase in phrases if phrase.begins)

    def is_wanted(shown: str) -> bool:
        found = words_of(shown)
        return any(word in wanted or (begins and word.startswith(begins)) for word in found)

    parts = text.split()
    first = next((place for place, part in enumerate(parts) if is_wanted(part)), 0)
    start = max(0, min(first - 3, len(parts) - _WINDOW))
    shown = [f"[{part}]" if is_wanted(part) else part for part in parts[start : start + _WINDOW]]
    end = "…" if start + _WINDOW < len(parts) else ""
    return f"{'…' if start else ''}{' '.join(shown)}{end}"
