"""The Link header, by RFC 8288 and as servers send it."""

import pytest

from crawler.web.link_header import WebLink, link_to, parse_links

BASE = "https://example.com/list?page=2"


@pytest.mark.parametrize(
    ("header", "target", "rels", "params"),
    [
        ('</b>; rel="next"', "https://example.com/b", ("next",), {}),
        ("<https://other.example/b>;rel=next", "https://other.example/b", ("next",), {}),
        ('<?page=3>; rel="next last"', "https://example.com/list?page=3", ("next", "last"), {}),
        (
            '<b>; REL=Next; title="a, b; <c>"',
            "https://example.com/b",
            ("next",),
            {"title": "a, b; <c>"},
        ),
        (
            r'<b>; title="say \"hi\""; rel=up',
            "https://example.com/b",
            ("up",),
            {"title": 'say "hi"'},
        ),
        ('<b>; rel="next"; rel="prev"', "https://example.com/b", ("next",), {}),
        (
            '<b> ; rel = "next" ; crossorigin',
            "https://example.com/b",
            ("next",),
            {"crossorigin": ""},
        ),
        ("<b>", "https://example.com/b", (), {}),
        ("<b>; rel=", "https://example.com/b", ("",)[:0], {}),
        ('<b>; rel="next', "https://example.com/b", ("next",), {}),
        ('<a,b>; rel="next"', "https://example.com/a,b", ("next",), {}),
        ("<b>;;; rel=next;", "https://example.com/b", ("next",), {}),
    ],
)
def test_reads_a_link(
    header: str, target: str, rels: tuple[str, ...], params: dict[str, str]
) -> None:
    assert parse_links(header, BASE) == [WebLink(target, rels, params)]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "b; rel=next",
        "<b",
        "<mailto:a@b.example>; rel=next",
        '<b>; rel=next; anchor="/x"',
        ",,,",
    ],
)
def test_gives_nothing_where_there_is_no_link_of_this_page(header: str) -> None:
    assert parse_links(header, BASE) == []


def test_reads_several_links_of_several_headers() -> None:
    headers = ['<a>; rel=first, <b>; rel="prev"', "<c>; rel=next,<d>; rel=last"]
    assert [link.target[-1] for link in parse_links(headers, BASE)] == ["a", "b", "c", "d"]
    assert link_to("NEXT", headers, BASE) == "https://example.com/c"
    assert link_to("up", headers, BASE) is None


def test_takes_time_in_line_with_the_length() -> None:
    for hostile in ("<" * 200_000, "<a>;" * 50_000, '<a>; t="' + "\\" * 200_000, "<a>,;" * 50_000):
        parse_links(hostile, BASE)
