"""The pictures of the documentation are whole, and show what there is now.

A picture is not taken anew here: that needs Chromium and minutes (`make pictures`). What is
compared are the words of the views when their pictures were taken, with those of the views now.
"""

import asyncio
import contextlib
import json
import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "make" / "pictures"))

import live_views
import pytest
import terminal
from page_story import shown

PICTURES = live_views.SHOWN
AGAIN = "run `PICTURES=docs .venv/bin/python docs/make/pictures/live_views.py`"
LEAST = 0.015
"""Bytes a pixel that a picture with something in it has; one of a single colour has a tenth."""


def size_of(picture: bytes) -> tuple[int, int]:
    """Return the width and height of a WebP (its container, VP8X) or a PNG (IHDR)."""
    if picture[:4] == b"RIFF" and picture[8:16] == b"WEBPVP8X":
        return tuple(1 + int.from_bytes(picture[at : at + 3], "little") for at in (24, 27))
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", picture[16:24])


def shown_in_docs() -> set[str]:
    """Return the names of the pictures that a page of the documentation shows."""
    pages = [live_views.ROOT / "README.md", *(live_views.ROOT / "docs").rglob("*.md")]
    return {
        name
        for page in pages
        for name in re.findall(r"pictures/([\w-]+\.\w+)", page.read_text(encoding="utf-8"))
    }


def test_every_picture_is_shown_and_every_one_that_is_shown_is_there() -> None:
    there = {file.name for file in PICTURES.iterdir()} - {live_views.WORDS.name}
    assert shown_in_docs() == there


@pytest.mark.parametrize(("view", "size", "dark"), live_views.IN_DOCS)
def test_a_picture_of_a_view_has_its_size_and_is_not_blank(view, size, dark) -> None:
    picture = (PICTURES / f"{live_views.IN_DOCS[view, size, dark]}.webp").read_bytes()
    width, height = live_views.WIDTHS[size]
    assert size_of(picture) == (width, height)
    assert len(picture) == 8 + int.from_bytes(picture[4:8], "little"), "it is cut short"
    assert len(picture) > LEAST * width * height


def test_the_picture_of_the_shop_is_whole_and_not_blank() -> None:
    picture = (PICTURES / "shop-list.png").read_bytes()
    width, height = size_of(picture)
    assert width == 1280
    assert height > 600
    assert len(picture) > LEAST * width * height
    assert picture.endswith(b"IEND\xaeB`\x82")


def test_the_pictures_of_views_have_the_words_that_the_views_have_now(tmp_path: Path) -> None:
    store = tmp_path / "shop.db"
    with contextlib.redirect_stdout(None):
        live_views.large(store, 400)

    async def now() -> dict[str, list[str]]:
        async with shown(store) as base:
            return await live_views.words(base)

    assert asyncio.run(now()) == json.loads(live_views.WORDS.read_text(encoding="utf-8")), AGAIN


@pytest.mark.parametrize("name", terminal.STORIES)
def test_the_first_thing_that_a_terminal_shows_is_what_it_shows_in_the_end(name: str) -> None:
    """An animation that begins with an empty box looks like a picture that failed to load."""
    drawn = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    passing = [float(at) for at in re.findall(r'class="t" style="animation-delay:([\d.]+)s', drawn)]
    assert passing
    assert min(passing) >= terminal.POSTER
    assert f".s{{animation:off 0s {terminal.POSTER}s}}" in drawn
    assert len(terminal.lasting(drawn)) > 10
