"""Sheets, selectors and the cascade: what the styles of a page show, as in Chromium 156."""

import time

import pytest

from crawler.parse.css.matching import Matcher, TooDear
from crawler.parse.css.selectors import BadSelector, selectors_of
from crawler.parse.css.syntax import blocks, masked
from crawler.parse.inner_text import inner_text
from crawler.parse.light_tree import light_tree
from crawler.parse.text import text_of

PAGE = """<!DOCTYPE html><body id=top>
<ul class="a b"><li id=one lang=de-AT>1<li class=x data-n="v w">2<li>3<b></b></ul>
<p title=Q><a href=/>4</a><input disabled><i>5</i></p><svg><g><text>6</text></g></svg>"""
SELECTORS = [
    ("li", "one li x"),
    ("UL.a.b > li:first-child", "one"),
    ("li + li, #one", "one x li"),
    ("li ~ li:last-of-type", "li"),
    ("li:nth-child(2n+1):not(#one)", "li"),
    ("li:nth-last-child(-n+2)", "x li"),
    ("li:nth-child(1 of .x)", "x"),
    ("[data-n~=w]", "x"),
    ("[title=q i], [data-n^='v ']", "x p"),
    ("[lang|=de], li:lang(de)", "one"),
    ("b:empty", "b"),
    (":is(.x, :unknown, ::before)", "x"),
    ("ul:has(> .x + li) > :only-of-type", ""),
    ("p:has(:disabled) i", "i"),
    ("a:any-link, a:visited", "a"),
    (r"\#one, #\6f ne, li/**/.x", "one x"),
    ("*|text, *|g, |a", "g text"),
    ("li::before, li:first-line", ""),
    (":root > body > p", "p"),
]
BAD = ["", "li,", ">li", "li:unknown", "li::bogus", ".1a", "#1", "li..x", "[a=]", "li >",
       ":not(p,:q)", ":nth-child(n n)", "} li", "li:before b"]  # fmt: skip


def _matched(text: str) -> set[str]:
    root = light_tree(PAGE)
    assert root is not None
    selectors, matcher = selectors_of(masked(text)), Matcher()
    return {
        element.id or " ".join(sorted(element.classes)) or element.name
        for element in root.all()
        if any(matcher.matches(one, element) for one in selectors)
    }


@pytest.mark.parametrize(("text", "wanted"), SELECTORS)
def test_a_selector_matches_what_it_does_in_a_browser(text: str, wanted: str) -> None:
    assert _matched(text) == set(wanted.split())


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_selector_spoils_its_rule(text: str) -> None:
    with pytest.raises(BadSelector):
        selectors_of(text)


BLOCKS = [
    ("a{b:c}d{e:f}", [("a", "b:c"), ("d", "e:f")]),
    ('a{b:\'}\'}c{d:"\\"}"}', [("a", "b:'\ue07d'"), ("c", 'd:"\\\ue022\ue07d"')]),
    ("a{b:url(x;}y)}c{", [("a", "b:url(x\ue03b\ue07dy)"), ("c", "")]),
    ("@import x;a{}", [("@import x", None), ("a", "")]),
    ("}a{} ;b{}", [("}a", ""), (";b", "")]),
    ("a({b}c)d{e}f(}g{h}", [("a({b}c)d", "e")]),
    ("<!-- a{} -->", [("a", "")]),
]


@pytest.mark.parametrize(("text", "wanted"), BLOCKS)
def test_a_sheet_is_taken_apart_at_its_blocks(text: str, wanted: list[tuple[str, str]]) -> None:
    assert list(blocks(masked(text))) == wanted


# What of "<p class=x>a</p>b" is shown: both, or "b" alone.
RULES = [
    (".x{display:none}", False),
    ("@layer i,j;@layer j{p{display:block}}@layer i{.x{display:none}}", True),
    ("@layer i,j;@layer j{p{display:block!important}}@layer i{p{display:none!important}}", False),
    ("@layer i{.x{display:block}}p{display:none}", False),
    ("body{.x{display:none}}", False),
    (".x{body &{display:none}}", False),
    ("@scope (body){p{display:none}}", False),
    ("@scope (div){p{display:none}}", True),
    ("@supports (display:grid) and (not (foo:bar)){p{display:none}}", False),
    ("@supports selector(:bogus){p{display:none}}", True),
    ("@scope (body){:scope p{display:none}}", False),
    ("@scope (:is(body:not(#a))){p{display:none}}", False),
    ("svg|p,p{display:none}", True),
    ("p{display:none;display:var(--a b)}", False),
    ("p{display:none\\9}", True),
    ("p{content-visibility:hidden}", False),
    ("@media (orientation:portrait){p{display:none}}", True),
    ("@media not all{p{display:none}}", True),
    ("p{display:none;display:block none}", False),
    ("p{display:none !ie}", True),
    ("p{dis/**/play:none}", True),
    ("p{all:initial;display:none}", False),
    ("p{display:none;all:revert}", True),
    ("body{--d:none}p{display:var(--d)}", False),
    ("p{--d:var(--e);--e:none;display:var(--d,block)}", False),
    ("p{display:none", False),
    (".x:hover{display:none}", True),
]


@pytest.mark.parametrize(("sheet", "shown"), RULES)
def test_a_page_shows_what_its_rules_leave(sheet: str, shown: bool) -> None:
    html = f"<!DOCTYPE html><style>{sheet}</style><p class=x>a</p>b"
    assert text_of(html) == ("a\nb" if shown else "b")


def test_what_the_pointer_may_show_is_shown() -> None:
    for sheet in (
        "p:not(:hover){display:none}",
        "p{display:none}body:focus-within p{display:block}",
    ):
        assert text_of(f"<!DOCTYPE html><style>{sheet}</style><p>a</p>b") == "a\nb"


def test_classes_have_any_case_in_quirks_mode_alone() -> None:
    html = "<style>.X,#Y{display:none}</style><p class=x>a<p id=y>b<p>c"
    assert text_of(html) == "c"
    assert text_of(f"<!DOCTYPE html>{html}") == "a\nb\nc"


def test_a_body_that_waits_for_a_script_is_shown() -> None:
    sheet = "<style>body{visibility:hidden}.v{visibility:visible}</style>"
    assert text_of(f"{sheet}<p>a<p class=v>b") == "b"
    assert text_of(f"{sheet}<p>a<p class=v>b<script></script>") == "a\nb"
    assert text_of(f"{sheet}<p>a") == "a"


HOSTILE = [
    "<style>" + "a{" * 10_000 + "</style><a>x",
    "<style>" + "*{display:block}" * 1_500 + "</style>" + "<b>" * 1_000,
    "<style>" + ":is(" * 7_000 + "</style><a>x",
    "<style>:has(:has(:has(*))){display:none}</style>" + "<i><b>x</b></i>" * 2_000,
    "<style>* * * * * * * * .z{display:none}</style>" + "<b class=z>" * 900,
    "<style>:lang(x){display:none}</style>" + "<i>" * 5_000,
    "<style>" + "b{b,b{b,b{" * 50 + "display:none</style><b>x",
    "<style>p{display:" + "var(--a," * 3_000 + "</style><p>x",
    "<style>" + "[a=\"" * 7_000 + "</style><p>x",
    "<style>" + "url(" * 7_000 + "</style><p>x",
    f"<style>{('div ' * 100 + 'b{display:none}') * 5}</style>{'<div>' * 1_500}{'<b>x</b>' * 1_500}",
    "<style>div:has(p:has(b)) u{display:none}</style>" + "<div><p>a</p>" * 1_500,
    "<style>:nth-child(2n+1 of .a .b){display:none}</style>" + "<p class=a>x" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("html", HOSTILE, ids=range(len(HOSTILE)))
def test_no_sheet_costs_more_than_its_page_may(html: str) -> None:
    text_of("<style>b{display:none}</style><b>x")  # compiles what all of them need
    started = time.process_time()
    text_of(html)
    assert time.process_time() - started < 0.25


def test_selectors_that_are_too_dear_leave_the_text_to_the_names_of_tags() -> None:
    html = "<style>" + "*{display:block}" * 1_500 + "</style><p>a" + "<b>b</b>" * 1_000
    assert inner_text(html) is None and text_of(html) == "a" + "b" * 1_000
    with pytest.raises(TooDear):
        Matcher().spend(1 << 30)
