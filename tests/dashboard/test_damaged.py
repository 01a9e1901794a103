"""The live page over damaged stores: every address answers, and says in a sentence what is wrong.

`make damaged` looks at every damage; the quick suite at those that other layers do not meet first.
"""

import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from damaged_stores import DAMAGES, copy_of, whole_store
from page_story import got, shown, text_of, told

from crawler.dashboard.views import BY_PATH

ALL = bool(os.environ.get("DAMAGED"))
QUICK = ("none", "numbers that are none", "URLs of bytes", "text that is no UTF-8")
WORDS = ("damaged", "no such", "no SQLite file", "UTF-8", "start over", "is stored", "needs")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("damaged")
    return folder, whole_store(folder)


def addresses(home: str) -> list[str]:
    """Every view, everything that is taken away as a file, and what machines ask."""
    host, page = quote(home.rstrip("/")), quote(home)
    given = {
        "host": f"host?name={host}",
        "url": f"url?url={page}",
        "search": "search?q=words",
        "diff": "diff?from=1&to=2",
        "ask": f"ask?action=block&target={host}",
        "sql": "sql?sql=SELECT+url,title,headers+FROM+pages",
    }
    files = [f"stored?url={page}", f"stored?what=body&url={page}"]
    rows = [f"sql?format={kind}&sql=SELECT+*+FROM+pages" for kind in ("csv", "json")]
    return [given.get(path, path) for path in BY_PATH] + files + rows + ["../metrics", "../readyz"]


@pytest.mark.parametrize("damage", ["none", *DAMAGES] if ALL else QUICK)
def test_every_address_says_what_is_wrong(
    made: tuple[Path, str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder, home = made
    name = "-".join(damage.split())
    store = copy_of(folder / "a.db", folder / f"{name}.db")
    DAMAGES.get(damage, lambda path: None)(store)
    wrong = []

    async def story() -> None:
        async with shown(store) as base, aiohttp.ClientSession() as session:
            for place in addresses(home):
                async with session.get(f"{base}/{name}/{place}") as answer:
                    said = text_of(await answer.text())
                tells = answer.status != 500 and any(word in said for word in WORDS)
                if answer.status >= 400 and (damage == "none" or not tells):
                    wrong.append((place, answer.status, said))
            async with session.get(f"{base}/{name}/events?view=") as events:  # it goes on
                assert await events.content.readline() == b"retry: 1000\n"

    with caplog.at_level(logging.ERROR):
        told(story())
    assert not wrong, "\n".join(map(str, wrong))
    assert not [record for record in caplog.records if record.exc_info], caplog.text


def test_a_view_names_the_damage_and_the_way_out(made: tuple[Path, str]) -> None:
    folder, _ = made
    store = copy_of(folder / "a.db", folder / "counters.db")
    with sqlite3.connect(store) as db:
        db.execute("UPDATE counters SET value = 'x'")
    db.close()

    async def story() -> None:
        async with shown(store) as base:
            _, page = await got(f"{base}/counters/pages")
        said = text_of(page)
        assert "counters.db: a value that is shown here is damaged (" in said
        assert "set it right, or start over with --fresh" in said

    told(story())
