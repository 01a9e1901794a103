"""Full-text search over a crawl in PostgreSQL: its index is made after the crawl, and by questions.

An index in the commits of a crawl costs more than all else that a page does there
(docs/decisions/0042-postgres.md). So what is not indexed yet is, when somebody searches. The rank
is that of FTS5: BM25, with a word in the title worth five in the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

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

_RANKED = 3000  # hits of which every word is looked at; of more, those that the server ranks first
_BATCH = 200
_MISSING = "FROM texts AS t WHERE NOT EXISTS (SELECT 1 FROM search_words AS s"
_MISSING += " WHERE s.page_id = t.page_id)"


def search(
    reader: Reader, words: str, *, site: Callable[[str], bool] | None = None, limit: int = 10
) -> Rows:
    """Return url, title and snippet of the best pages for some words; `site` takes host names.

    QueryError where the store has no text.
    """
    if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
        raise QueryError(
            f"{reader.path} has no text index; make it from the stored pages with"
            " `crawler search --index`, or crawl with --set store.text=true"
        )
    assert isinstance(reader.path, DatabaseAddress)
    index(reader.path)
    question = question_of(words)
    best = _best(reader, question, site, limit) if question.query else []
    sql = "SELECT url, title, text FROM texts WHERE page_id = ?"
    found = [row for page_id in best for row in reader.query(sql, (page_id,)).rows]
    shown = ((url, title, snippet(text, question.phrases)) for url, title, text in found)
    return Rows(("url", "title", "snippet"), shown)


def _best(
    reader: Reader, question: WordQuery, site: Callable[[str], bool] | None, limit: int
) -> list[int]:
    """Return the ids of the best pages, the best first."""
    where, values = "words @@ CAST(? AS tsquery)", [question.query]
    if site is not None:
        hosts = [
            i for i, name in reader.query("SELECT host_id, name FROM hosts").rows if site(name)
        ]
        where += " AND page_id IN (SELECT page_id FROM pages WHERE host_id IN"
        where += " (SELECT CAST(value AS BIGINT) FROM json_each(?)))"
        values.append(json.dumps(hosts))
    [(pages, mean)] = reader.query("SELECT count(*), avg(length) FROM search_words").rows
    rare = {phrase: rarity(pages, _having(reader, phrase)) for phrase in question.phrases}
    hits = list(
        reader.query(
            f"SELECT page_id, length FROM search_words WHERE {where} ORDER BY"
            f" ts_rank('{{0,0,0.2,1}}'::real[], words, CAST(? AS tsquery), 1) DESC, page_id"
            f" LIMIT {_RANKED}",
            [*values, question.query],
        ).rows
    )
    places = _places(reader, [page_id for page_id, _ in hits], question.phrases)
    ranked = sorted(
        (-score([(rare[p], weight_of(p, places.get(i, {}))) for p in rare], length, mean), i)
        for i, length in hits
    )
    return [page_id for _, page_id in ranked[:limit]]


def _having(reader: Reader, phrase: Phrase) -> int:
    sql = "SELECT count(*) FROM search_words WHERE words @@ CAST(? AS tsquery)"
    [(number,)] = reader.query(sql, (phrase.query,)).rows
    return int(number)


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

    number = 0
    with Reader(address) as reader:
        if not list(reader.query(f"SELECT 1 {_MISSING} LIMIT 1").rows):
            return 0
        with closing(Appender(address)) as appender:
            for batch in _batches(reader):
                rows = [(i, *vector_of(title, text)) for i, title, text in batch]
                appender.insert(
                    "INSERT INTO search_words SELECT $1, $2::text::tsvector, $3"
                    " WHERE EXISTS (SELECT 1 FROM texts WHERE page_id = $1) ON CONFLICT DO NOTHING",
                    rows,
                )
                number += len(rows)
                tick(number)
    return number


def _batches(reader: Reader) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    sql = f"SELECT page_id, title, text {_MISSING} AND page_id > ? ORDER BY page_id LIMIT {_BATCH}"
    while batch := list(reader.query(sql, (last,)).rows):
        last = batch[-1][0]
        yield batch
