"""The sparse pass says what the whole tokenizer says, or that it cannot tell."""

import random
from dataclasses import replace

import pytest

from crawler import parse
from crawler.parse import elements, full_pass, sparse_pass
from crawler.parse.tokenizer import tags

PIECES = (
    '<a |<A |<a href="u">|<a href=v>|</a>|</A >|</a x="<b>">|<b>|</b>|<img src=i alt=x>'
    '|<link rel=canonical href=c>|<base href=b>|<meta http-equiv=refresh content="0;url=x">'
    "|<template>|</template>|<script>|</script>|</script |<script src=s>|<!--|-->|--!>|<!-|<style>"
    '|</style>|<title>|</title>|<textarea>|</textarea>|<svg>|</svg>|<svg/>|<path d="x"/>|<math>'
    "|<mi>|</math>|<use href=z />|<svg><path/></svg>|<svg><title>t</title></svg>|<![CDATA[|]]>"
    "|<iframe src=f>|</iframe>|\"|'|=|>|<|/|?|<?x>|<!doctype html>|</ >|</>|text|&amp;|\0| |\n|\x0b"
    '|\x0c|é|<area href=r>|<p title="<a href=q>">|<p title=\'>\'>|<p x"y>|href="w"| href=|<a\0>'
    '|<a/href=k>|<a href="m" rel="nofollow" href="n">|<a href=\'o"\'>|-|!|<noscript>|<xmp>|</xmp>'
    '|<aa>|</aa>|<image href=im>|<a class=p href="d" title="t">|<a class="q" href="e">l</a>'
    '|x=y="z |t="u>v"|="|<p x"y=|<!--x--><b title=\'y\'>|<td>|</td>|<br/>|<div>|<i class=k>'
    '|<a href="p?a=1&amp;b=2">|<a href="s" rel="next">t</a>|<script><!--|</noscript>'
    "|<template shadowrootmode=open>"
).split("|")
WANTED = [
    {"a": ("href",)},
    {"a": ("href", "xlink:href"), "area": ("href",), "link": ("href",)},
    {"script": ("src",), "iframe": ("src",)},
    {"a": ("data-href", "href"), "img": ("src", "srcset")},
    dict(parse.ATTRIBUTES),
    {},
]


def by_the_tokenizer(
    text: str, wanted: dict[str, tuple[str, ...]], *, texts: bool
) -> elements.Elements:
    found = elements.Elements(wanted, texts=texts)
    for tag in tags(text):
        found.take(tag)
    return found


def told_by(found: elements.Elements) -> tuple[object, ...]:
    return found.found, found.base, found.refreshes


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize("window", [1 << 17, 40])
def test_it_finds_what_the_tokenizer_finds(
    window: int, texts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse_pass, "WINDOW", window)
    chance, told = random.Random(window), 0
    for number in range(4_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 14)))
        wanted = WANTED[number % len(WANTED)]
        try:
            sparse = elements._sparsely(text, wanted, texts=texts)
        except sparse_pass.Unsure:
            continue
        told += 1
        assert told_by(sparse) == told_by(by_the_tokenizer(text, wanted, texts=texts)), text
    assert told > 1_000


def test_plain_pictures_are_passed_over() -> None:
    text = '<a href="/x"><svg viewBox="0 0 1 1"><path d="M0 0"/></svg> Home</a>'
    (link,) = parse.links(text, "http://a.example/")
    assert (link.url, link.text) == ("http://a.example/x", "Home")
    assert list(sparse_pass.sparse_tags(text, frozenset("a")))


@pytest.mark.parametrize(
    "text",
    [
        "<svg><a href=x></a></svg>",
        "<plaintext><a href=x>",
        "<script><!--<script></script>--></script>",
        "<div><template shadowrootmode=open><a href=x>",
        "<a href=x>\1</a>",
        "<a href=x>\ud800</a>",
    ],
)
def test_what_it_cannot_tell_it_leaves_to_the_tokenizer(text: str) -> None:
    with pytest.raises(sparse_pass.Unsure):
        list(sparse_pass.sparse_tags(text, frozenset(("a", "script"))))
    wanted = {"a": ("href",)}
    found = elements.elements_of(text, wanted, xml=False)
    assert told_by(found) == told_by(by_the_tokenizer(text, wanted, texts=True))


def test_a_page_without_texts_has_the_same_links() -> None:
    text = '<a href="/x">X</a><a href="/y" rel="nofollow next">Y</a><img src="data:,"><img src=i>'
    page = {"tags": ("a", "img"), "url": "http://a.example/"}
    links = list(full_pass.outline(text, **page).links())
    assert [link.text for link in links] == ["X", "Y", ""]
    bare = list(full_pass.outline(text, **page, texts=False).links())
    assert bare == [replace(link, text="") for link in links]
    again = f'{text}<a href="/x#below">again</a>'
    references = list(full_pass.outline(again, **page, texts=False).references())
    assert references == ["/x", ("/y", "a", ["nofollow", "next"]), ("i", "img", [""])]
