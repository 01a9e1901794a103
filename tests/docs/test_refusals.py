"""Refusals have names: each is in the documentation, and nothing is refused under another."""

import ast
import re
from pathlib import Path

from crawler.sitemap import BAD_URL, CREDENTIALS
from crawler.sitemap.repair import CUT_OFF
from crawler.web.refusal import ABOUT, Refusal

ROOT = Path(__file__).parents[2]


def test_every_refusal_is_documented_with_what_it_is_about() -> None:
    text = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    section = text.partition("## Refusals")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    assert rows == {str(reason): about for reason, about in ABOUT.items()}
    assert set(ABOUT) == set(Refusal)


def test_what_is_read_of_sitemaps_refuses_by_the_same_names() -> None:
    assert {BAD_URL, CREDENTIALS, CUT_OFF} <= set(Refusal)


def test_every_refusal_is_used_and_visits_count_them_in_one_place() -> None:
    used, counted = set[str](), list[str]()
    for file in (ROOT / "crawler").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Refusal"
            if named and file.name != "refusal.py":
                used.add(node.attr)
            stores = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
            if stores and ast.unparse(node.value).endswith(".refusals"):
                counted.append(file.name)
    read = {Refusal.BAD_SITEMAP_URL.name, Refusal.SITEMAP_CUT_OFF.name}  # by their text, see above
    assert used | read == set(Refusal.__members__)
    assert counted == ["visit.py"]
