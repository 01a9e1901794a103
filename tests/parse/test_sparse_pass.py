"""The sparse pass says what the whole tokenizer says, or that it cannot tell."""

import random

import pytest

from crawler import parse
from crawler.parse import full_pass, sparse_pass
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
).split("|")
WANTED = [
    {"a": ("href",)},
    {"a": ("href", "xlink:href"), "area": ("href",), "link": ("href",)},
    {"script": ("src",), "iframe": ("src",)},
    dict(parse.ATTRIBUTES),
    {},
]


@pytest.mark.parametrize("window", [1 << 17, 40])
def test_it_finds_what_the_tokenizer_finds(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_pass, "WINDOW", window)
    chance, told = random.Random(window), 0
    for number in range(4_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 14)))
        wanted = WANTED[number % len(WANTED)]
        try:
            sparse = full_pass._gathered(sparse_pass.sparse_tags(text, wanted), wanted)
        except sparse_pass.Unsure:
            continue
        told += 1
        assert sparse == full_pass._gathered(tags(text), wanted), text
    assert told > 1_000


def test_plain_pictures_are_passed_over() -> None:
    text = '<a href="/x"><svg viewBox="0 0 1 1"><path d="M0 0"/></svg> Home</a>'
    (link,) = parse.links(text, "http://a.example/")
    assert (link.url, link.text) == ("http://a.example/x", "Home")
    assert list(sparse_pass.sparse_tags(text, ["a"]))


@pytest.mark.parametrize(
    "text",
    [
        "<svg><a href=x></a></svg>",
        "<plaintext><a href=x>",
        "<script><!--<script></script>--></script>",
    ],
)
def test_what_it_cannot_tell_it_leaves_to_the_tokenizer(text: str) -> None:
    with pytest.raises(sparse_pass.Unsure):
        list(sparse_pass.sparse_tags(text, ["a", "script"]))
    assert full_pass._read(text, {"a": ("href",)}, xml=False) == full_pass._gathered(
        tags(text), {"a": ("href",)}
    )
