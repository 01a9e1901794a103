"""Whether the blocks of a page nest as they are written: else its text is that of its tree."""

import random
import time

import pytest

from crawler.parse.nesting import both_in_order, is_in_order
from crawler.parse.text import same_text, text_of

IN_ORDER = [
    "<p>a<p>b<div>c</div>d<ul><li>e<li>f<ul><li>g</ul></ul>",
    "<table><tr><td>a<td>b<tr><th>c<tbody><tr><td><p>d</table>",
    "<table><caption>a</caption><thead><tr><td>b</thead><td>c</table>",
    "<dl><dt>a<dd><p>b<dt>c</dl></p>",
    "<h1><b>a</h1></b><hr><form>b<button>c</button></form>",
    "<DIV><P>a</DIV><select><optgroup><option>b<option>c</select>",
]
# Each with what Chromium 156 gives as `innerText`.
MISNESTED = [
    ("<div>a</div></div>b</section>c", "a\nbc"),
    ("<form>a<form>b</form>c</form>d", "ab\ncd"),
    ("<ul><li>a<div><li>b</div>c</ul>d", "a\nbc\nd"),
    ("<dl><dd>a<div><dt>b</div>c</dl>", "a\nbc"),
    ("<h1>a<h2>b</h1>c</h2>d", "a\nb\ncd"),
    ("<table><div>a</div><tr><td>b</table>", "a\nb"),
    ("<td>a</td><tr>b<table><tr><td>c</table>", "ab\nc"),
    ("<p>a<button>b<p>c</button>d", "ab\nc\nd"),
    ("a<lI>b</lI>c", "a\nb\nc"),
]


@pytest.mark.parametrize("html", IN_ORDER)
def test_what_may_be_left_out_is_in_order(html: str) -> None:
    assert is_in_order(html)


@pytest.mark.parametrize(("html", "wanted"), MISNESTED)
def test_what_is_misnested_is_where_a_browser_puts_it(html: str, wanted: str) -> None:
    page = f"<!DOCTYPE html><body>{html}"
    assert not is_in_order(page)
    assert text_of(page) == wanted
    assert same_text(page, f"{page}<i></i>") and not same_text(page, f"{page}<p>z")


@pytest.mark.parametrize("html", ["<div>", "<p><li>", "<table><tr><td>", "<dd><div>", "</i></p>"])
def test_however_deep_it_costs_little(html: str) -> None:
    started = time.process_time()
    is_in_order(html * (32_000 // len(html)))
    assert time.process_time() - started < 0.3


def test_two_pages_are_in_order_if_each_is_whatever_part_of_them_differs() -> None:
    dice = random.Random(17)
    tags = [f"<{end}{name}>" for end in ("", "/") for name in "div p li ul tr td table h1".split()]
    found = set()
    for _ in range(3000):
        page = [
            tag
            for one in dice.choices(IN_ORDER, k=2)
            for tag in one.replace("<", "\0<").split("\0")
        ]
        start, end = sorted(dice.choices(range(len(page)), k=2))
        its = "".join(dice.choices(tags, k=dice.randrange(3)))
        before, mine, behind = map("".join, (page[:start], page[start:end], page[end:]))
        wanted = all(map(is_in_order, (before + mine + behind, before + its + behind)))
        assert both_in_order(before, mine, its, behind) is wanted
        found.add(wanted)
    assert found == {True, False}
