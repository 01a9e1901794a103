"""Full-text search over a crawl in PostgreSQL: its index is made after the crawl, and by questions.

An index in the commits of a crawl costs more than all else that a page does there
(docs/decisions/0042-postgres.md). So what is not indexed yet is, when somebody searches. The rank
is that of FTS5: BM25, with a word in the title worth five in the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from crawler.errors import QueryError
from crawler.inspect.query import Reader, Rows
from crawler.inspect.words import (
    Phrase,
    Places,
    WordQuery,
    question_of,
    rarity,
    score,
    snippet,
    vector_of,
    weight_of,
)
from crawler.store.address import DatabaseAddress

if TYPE_CHECKING:
    import asyncpg

Site = tuple[Callable[[str], bool], str]

_RANKED = 3000  # hits of which every word is looked at; of more, those that the server ranks first
_MANY, _SAMPLE, _ENOUGH = 50_000, 10_000, 50  # pages; those of which a sample tells, and hits in it
_BATCH = 200
_WAITING = (  # those behind `$1`: what is deleted stands in the way until it is vacuumed
    "DELETE FROM search_waiting WHERE ctid = ANY (ARRAY(SELECT ctid FROM search_waiting"
    f" WHERE ctid > $1::text::tid LIMIT {_BATCH})) RETURNING ctid, page_id"
)
_INDEX = (
    "INSERT INTO search_words SELECT $1, $2::text::tsvector, $3"
    " WHERE EXISTS (SELECT 1 FROM texts WHERE page_id = $1)"
    " ON CONFLICT (page_id) DO UPDATE SET words = excluded.words, length = excluded.length"
)


def search(reader: Reader, words: str, *, site: Site | None, limit: int, most: int) -> Rows:
    """Return url, title and snippet of the best pages for some words, as `search.search` does.

    `site` is what takes the names of hosts, and a folder on them.

    QueryError where the store has no text.
    """
    if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
        raise QueryError(
            f"{reader.path} has no text index; make it from the stored pages with"
            " `crawler search --index`, or crawl with --set store.text=true"
        )
    assert isinstance(reader.path, DatabaseAddress)
    index(reader.path)
    question, titled = question_of(words), question_of(words, "title")
    best = _best(reader, question, titled, site, most)[:limit] if question.query else []
    sql = "SELECT url, title, text FROM texts WHERE page_id = ?"
    found = [row for page_id in best for row in reader.query(sql, (page_id,)).rows]
    shown = ((url, title, snippet(text, question.phrases)) for url, title, text in found)
    return Rows(("url", "title", "snippet"), shown)


def _best(
    reader: Reader,
    question: WordQuery,
    titled: WordQuery,
    site: Site | None,
    most: int,
) -> list[int]:
    """Return the ids of the best pages, the best first.

    Of more than `most` hits, those with all words in the title, and those that were found first.
    """
    where, values = "words @@ CAST(? AS tsquery)", list[Any]()
    if site is not None:
        takes, below = site
        named = reader.query("SELECT host_id, name FROM hosts").rows
        where += (
            " AND page_id IN (SELECT page_id FROM pages JOIN crawl_hosts USING (host_id) WHERE"
            " host_id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
            " AND starts_with(url, name || CAST(? AS TEXT)))"
        )
        values += [json.dumps([host_id for host_id, name in named if takes(name)]), below]
    hits = f"SELECT page_id, length, words FROM search_words WHERE {where}"
    hits += f" ORDER BY page_id LIMIT {most}"
    ranked = (
        f"SELECT page_id, length FROM ({hits}) AS hits ORDER BY"
        f" ts_rank('{{0,0,0.2,1}}'::real[], words, CAST(? AS tsquery), 1) DESC, page_id"
        f" LIMIT {_RANKED}"
    )
    lengths: dict[int, int] = {}
    for one in (titled, question):
        lengths |= dict(reader.query(ranked, [one.query, *values, one.query]).rows)
    stock = _Stock(reader)
    rare = {phrase: rarity(stock.pages, stock.having(phrase)) for phrase in question.phrases}
    places = _places(reader, list(lengths), question.phrases)
    best = sorted(
        (-score([(rare[p], weight_of(p, places.get(i, {}))) for p in rare], length, stock.mean), i)
        for i, length in lengths.items()
    )
    return [page_id for _, page_id in best]


class _Stock:
    """How many pages are indexed, of what length, and how many have a phrase.

    Of many a sample tells, as everything counted would take a second; what is rare is counted.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        sql = "SELECT reltuples FROM pg_class WHERE oid = to_regclass('search_words')"
        about = float(self._one(sql)[0])
        share = 100 * _SAMPLE / max(about, _MANY)
        self._sample = f" TABLESAMPLE SYSTEM ({share}) REPEATABLE (1)" if about > _MANY else ""
        number, mean = self._one(f"SELECT count(*), avg(length) FROM search_words{self._sample}")
        self.mean = float(mean or 0.0)
        self.pages = int(about) if self._sample else int(number)
        self._times = self.pages / max(1, int(number))

    def having(self, phrase: Phrase) -> int:
        """Return how many pages have a phrase."""
        having = " WHERE words @@ CAST(? AS tsquery)"
        if self._sample:
            sql = f"SELECT count(*) FROM search_words{self._sample}{having}"
            [sampled] = self._one(sql, phrase.query)
            if sampled >= _ENOUGH:
                return round(int(sampled) * self._times)
        [number] = self._one(f"SELECT count(*) FROM search_words{having}", phrase.query)
        return int(number)

    def _one(self, sql: str, *values: str) -> tuple[Any, ...]:
        [row] = self._reader.query(sql, values).rows
        return row


def _places(reader: Reader, ids: list[int], phrases: tuple[Phrase, ...]) -> dict[int, Places]:
    """Return where the words that are looked for stand on some pages."""
    plain = sorted({word for phrase in phrases for word in phrase.words})
    begins = sorted({phrase.words[-1] for phrase in phrases if phrase.begins})
    sql = (
        "SELECT page_id, lexeme, to_json(positions)::text, to_json(weights)::text"
        " FROM search_words, unnest(words)"
        " WHERE page_id IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND"
        " (lexeme IN (SELECT value FROM json_each(?)) OR EXISTS (SELECT 1 FROM json_each(?) AS b"
        " WHERE starts_with(lexeme, b.value)))"
    )
    found: dict[int, dict[str, list[tuple[int, bool]]]] = {}
    asked = json.dumps(ids), json.dumps(plain), json.dumps(begins)
    for page_id, word, places, weights in reader.query(sql, asked).rows:
        pairs = zip(json.loads(places or "[]"), json.loads(weights or "[]"), strict=True)
        found.setdefault(page_id, {})[word] = [(place, mark == "A") for place, mark in pairs]
    return dict(found)


def index(address: DatabaseAddress, tick: Callable[[int], None] = lambda number: None) -> int:
    """Index the texts that are not indexed yet, and return their number; workers may go on."""
    from crawler.store.postgres.appending import Appender

    with Reader(address) as reader:
        [(made,)] = reader.query("SELECT to_regclass('search_waiting') IS NOT NULL").rows
        if made and not list(reader.query("SELECT 1 FROM search_waiting LIMIT 1").rows):
            return 0
    number, last = 0, "(0,0)"
    with closing(Appender(address)) as appender:
        while last:
            indexed, last = appender.run(partial(_index_batch, last))
            number += indexed
            tick(number)
    return number


async def _index_batch(last: str, db: asyncpg.Connection) -> tuple[int, str]:
    """Index some of the texts that wait behind a place; return how many, and the last place.

    The place is empty where none waited.
    """
    waited = await db.fetch(_WAITING, last)
    sql = "SELECT page_id, title, text FROM texts WHERE page_id = ANY ($1)"
    found = await db.fetch(sql, [page_id for _, page_id in waited])
    await db.executemany(_INDEX, [(i, *vector_of(title, text)) for i, title, text in found])
    if not waited:
        return 0, ""
    block, row = max(place for place, _ in waited)
    return len(found), f"({block},{row})"
