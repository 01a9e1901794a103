"""Sitemaps: every format, wrapped, broken, hostile and huge."""

import gzip
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import sitemap
from crawler.sitemap import Entry, parse
from crawler.sitemap.markup import tokens

URL = "https://example.com/sitemaps/a.xml"
NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def found(body: str | bytes) -> list[str]:
    return [entry.url for entry in parse(body if isinstance(body, bytes) else body.encode(), URL)]


def test_a_url_set_gives_pages_with_what_it_says_about_them():
    body = f"""<?xml version="1.0" encoding="UTF-8"?>
    <urlset {NS} xmlns:xhtml="http://www.w3.org/1999/xhtml" xmlns:image="urn:i">
      <url><loc> https://example.com/a?b=1&amp;c=2 </loc><lastmod>2024-05-06</lastmod>
        <changefreq>Daily</changefreq><priority>0.8</priority>
        <image:image><image:loc>https://example.com/i.png</image:loc></image:image>
        <xhtml:link rel="alternate" hreflang="de" href="https://example.com/de"/></url>
      <url><!-- no lastmod --><loc><![CDATA[/relative#x]]></loc><priority>9</priority></url>
    </urlset>"""
    assert parse(body.encode(), URL) == [
        Entry("https://example.com/a?b=1&c=2", "page", "2024-05-06", 0.8, "daily",
              ("https://example.com/de",)),
        Entry("https://example.com/relative"),
    ]  # fmt: skip


def test_an_index_gives_sitemaps():
    body = f"<sitemapindex {NS}><sitemap><loc>b.xml.gz</loc><lastmod>2024</lastmod></sitemap>"
    want = [Entry("https://example.com/sitemaps/b.xml.gz", "sitemap", "2024")]
    assert parse(body.encode(), URL) == want


def test_feeds_give_their_items():
    rss = """<rss version="2.0"><channel><link>https://example.com/</link>
      <image><url>https://example.com/i.png</url><link>https://example.com/</link></image>
      <item><link>https://example.com/1</link><pubDate>Sun, 06 Nov 1994 08:49:37 GMT</pubDate>
      </item>
      <item><guid>https://example.com/2</guid><url>x</url></item>
      <item><guid isPermaLink="false">https://example.com/no</guid></item>
      <item xmlns:a="http://www.w3.org/2005/Atom"><a:link href="/3"/></item></channel></rss>"""
    assert found(rss) == [f"https://example.com/{n}" for n in (1, 2, 3)]
    assert parse(rss.encode(), URL)[0].modified == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    atom = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://example.com/"/>
      <entry><link rel="self" href="/no"/><link href="/1"/><updated>2003-12-13T18:30:02Z</updated>
      </entry><entry><link rel="alternate" href="/2"/><published>2003-12-13</published></entry>
      <entry><title>none</title></entry></feed>"""
    assert [(entry.url, entry.lastmod) for entry in parse(atom.encode(), URL)] == [
        ("https://example.com/1", "2003-12-13T18:30:02Z"),
        ("https://example.com/2", "2003-12-13"),
    ]


def test_an_atom_link_is_resolved_against_xml_base_and_old_names_of_dates_count():
    atom = """<feed xml:base="http://b.org/x/"><entry xml:base="y/"><link href="1"/></entry>
      <entry><link href="2" xml:base="/z/"/></entry><entry><link href="http://c.org/3"/></entry>
      <entry><link rel="alternate" href="4"/><modified>2003-12-13</modified></entry>
      <entry><link href="5"/><issued>2004</issued></entry></feed>"""
    assert [(entry.url, entry.lastmod) for entry in parse(atom.encode(), URL)] == [
        ("http://b.org/x/y/1", None), ("http://b.org/z/2", None), ("http://c.org/3", None),
        ("http://b.org/x/4", "2003-12-13"), ("http://b.org/x/5", "2004"),
    ]  # fmt: skip
    relative = '<feed xml:base="../z/"><entry><link href="1"/></entry></feed>'
    assert found(relative) == ["https://example.com/z/1"]


TEXTS = [
    (b"http://a.org/1\rhttp://a.org/2\r\n\nhttp://a.org/3", "1 2 3"),
    (b"  http://a.org/1  \n# no URL\nftp://a.org/2\nwww.a.org/3", "1"),
    (b"http://a.org/<x>\nhttp://a.org/a&b", "%3Cx%3E a&b"),
    ("http://a.org/1\nhttp://a.org/é".encode("utf-16"), "1 %C3%A9"),
    (b"\xfe\xff" + "http://a.org/1".encode("utf-16-be"), "1"),
    (gzip.compress(b"\xef\xbb\xbfhttp://a.org/1\n", mtime=0), "1"),
]


@pytest.mark.parametrize(("body", "paths"), TEXTS)
def test_a_text_sitemap_is_read_in_any_wrapping(body, paths):
    assert found(body) == [f"http://a.org/{path}" for path in paths.split()]


def test_text_gives_a_url_a_line():
    body = "\ufeffhttps://example.com/a\r\n\nhttps://example.com/é\nno url\n/relative\n"
    assert found(body) == ["https://example.com/a", "https://example.com/%C3%A9"]


ONE = f"<urlset {NS}><url><loc>https://example.com/é</loc></url></urlset>"
DECLARED = '<?xml version="1.0" encoding="{}"?>' + ONE
WRAPPED = [
    gzip.compress(ONE.encode()), gzip.compress(gzip.compress(ONE.encode())),
    gzip.compress(ONE[:40].encode()) + gzip.compress(ONE[40:].encode()),
    gzip.compress(ONE.encode()) + b"garbage", gzip.compress(ONE.encode())[:-8],
    b"\xef\xbb\xbf" + ONE.encode(), b"\n\n <?xml version='1.0'?>" + ONE.encode(),
    DECLARED.format("utf-16").encode("utf-16"), DECLARED.format("utf-16").encode("utf-16-le"),
    DECLARED.format("ISO-8859-1").encode("latin-1"), DECLARED.format("utf8").encode(),
    DECLARED.format("none").encode(), ("junk " + DECLARED).format("utf-8").encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", WRAPPED)
def test_wrappings_and_encodings_make_no_difference(body):
    assert found(body) == ["https://example.com/%C3%A9"]


LOC = "<url><loc>https://example.com/{}</loc></url>"
BROKEN = [  # a body, the paths that can be read from it
    (f"<urlset>{LOC.format(1)}<url><loc>https://example.com/2</loc>", "1 2"),
    (f"<urlset>{LOC.format(1)}<url><loc>https://example.com/cut", "1"),
    ("<urlset><url><loc><![CDATA[https://example.com/?a&b=2]]></loc></url>", "?a&b=2"),
    (f"<urlset>{LOC.format(1)}{LOC.format('2?a=1&b=2')}{LOC.format(3)}</urlset>", "1 2?a=1&b=2 3"),
    (f"<urlset>{LOC.format(1)}\0\x0b<url></foo>{LOC.format(2)}", "1 2"),
    (f"<urlset>{LOC.format(1)}<url><loc></loc></url><url/>{LOC.format(2)}</urlset>", "1 2"),
    (f"<urlset><url><loc>mailto:a@b</loc></url>{LOC.format(1)}</urlset>", "1"),
    (f"<URLSET>{LOC.format(1).replace('loc', 'LOC')}</URLSET>", "1"),
    (f"<x:urlset>{LOC.format(1).replace('<', '<x:').replace('<x:/', '</x:')}</x:urlset>", "1"),
    (f"{LOC.format(1)}", "1"),
    (f"<html><body>{LOC.format(1)}</body></html>", ""),
    ("<!DOCTYPE html><title>404</title>https://example.com/", ""), ("", ""), ("<", ""), ("{}", ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "paths"), BROKEN)
def test_a_broken_sitemap_gives_what_can_be_read(body, paths):
    assert found(body) == [f"https://example.com/{path}" for path in paths.split()]


def test_invalid_utf8_refuses_one_url_and_no_other():
    body = f"<urlset>{LOC.format(1)}".encode() + b"<url><loc>https://example.com/\xff</loc></url>"
    assert found(body + f"{LOC.format(2)}</urlset>".encode()) == [
        "https://example.com/1", "https://example.com/2",
    ]  # fmt: skip


def test_no_entity_is_expanded_and_no_file_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    body = f"""<!DOCTYPE urlset [<!ENTITY a "https://example.com/"><!ENTITY x SYSTEM
      "{secret.as_uri()}"><!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;
      <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
      <urlset><url><loc>https://example.com/&x;</loc></url><url><loc>&c;</loc></url></urlset>"""
    assert "SECRET" not in repr(parse(body.encode(), URL))
    assert len(repr(parse(body.encode(), URL))) < 500


def test_reading_stops_at_the_limit_after_decompression(monkeypatch):
    monkeypatch.setattr(sitemap, "LIMIT", 200_000)
    body = "<urlset>" + LOC.format("x" * 1000) * 100_000
    assert 150 < len(found(gzip.compress(body.encode()))) < 200


def test_an_entry_with_countless_children_is_given_up():
    body = f"<urlset>{LOC.format(1)}<url>{'<x/>' * 20_000}</url>{LOC.format(2)}</urlset>"
    assert found(body) == ["https://example.com/1"]


def test_memory_stays_flat_while_a_large_sitemap_is_streamed():
    body = gzip.compress(b"<urlset>" + LOC.format("a/b/c").encode() * 30_000 + b"</urlset>")
    tracemalloc.start()
    try:
        assert sum(1 for _ in sitemap.stream(body, URL)) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@given(
    st.lists(
        st.sampled_from(
            [
                "&",
                "a",
                "&amp;",
                "<![CDATA[",
                "]]>",
                "-" * 41,
                "<loc>",
                "</loc>",
                "<!--",
                "-->",
                "<b ",
            ]
        )
    )
)
def test_the_tokens_are_the_same_wherever_chunks_are_cut(pieces):
    def read(chunks):
        refusals = []
        found = list(tokens(chunks, refusals.append))
        tags = [(token.name, token.ends, token.attributes) for token in found if token.name]
        return tags, "".join(token.text for token in found), refusals

    whole = "".join(pieces)
    assert read(pieces) == read(list(whole)) == read([whole])


@pytest.mark.parametrize(
    "before",
    [
        "<br />\n<b>Warning</b>: in <b>/x.php</b> on line <b>3</b><br />\n<?xml version='1.0'?>",
        "<!DOCTYPE html><html><head><title>x</title></head><body>y</body></html>\n",
        "Notice: something\n", "<p>Deprecated", "<script>var x = '<urlset>'</script>", "\n\n ",
    ],
)  # fmt: skip
def test_what_a_server_writes_before_a_sitemap_is_passed_over(before):
    stray = "<url><b><loc>https://example.com/2</loc></b></url><url><br><loc>https://example.com/3"
    body = f"{before}<urlset>{LOC.format(1)}</div>{stray}</loc></url><p>{LOC.format(4)}</urlset>"
    assert found(body) == [f"https://example.com/{number}" for number in (1, 2, 3, 4)]


DATES = [
    ("2024", datetime(2024, 1, 1, tzinfo=UTC)), ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
    ("2024-05-06T07:08Z", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
    ("2024-05-06T07:08:09.5+02:00", datetime(2024, 5, 6, 5, 8, 9, 500_000, tzinfo=UTC)),
    # the six precisions of W3C-DTF, https://www.w3.org/TR/NOTE-datetime, are examples of its text
    ("1997", datetime(1997, 1, 1, tzinfo=UTC)), ("1997-07", datetime(1997, 7, 1, tzinfo=UTC)),
    ("1997-07-16", datetime(1997, 7, 16, tzinfo=UTC)),
    ("1997-07-16T19:20+01:00", datetime(1997, 7, 16, 18, 20, tzinfo=UTC)),
    ("1997-07-16T19:20:30+01:00", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
    ("1997-07-16T19:20:30.45+01:00", datetime(1997, 7, 16, 18, 20, 30, 450_000, tzinfo=UTC)),
    ("1997-07-16t18:20:30z", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
    ("1997-07-16T18:20:30", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
    ("1997-07-16 18:20:30", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
    ("Wed, 16 Jul 1997 20:20:30 +0200", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
    # the 12-hour clock
    ("2024-01-05 03:04:05 PM", datetime(2024, 1, 5, 15, 4, 5, tzinfo=UTC)),
    ("2024-01-05T3:04 pm", datetime(2024, 1, 5, 15, 4, tzinfo=UTC)),
    ("2024-01-05 12:00:00 AM", datetime(2024, 1, 5, tzinfo=UTC)),
    ("2024-01-05 12:30 p.m.", datetime(2024, 1, 5, 12, 30, tzinfo=UTC)),
    ("2024-01-05T15:04:05 PM", datetime(2024, 1, 5, 15, 4, 5, tzinfo=UTC)),
    ("Fri, 05 Jan 2024 11:04:05 PM +0000", datetime(2024, 1, 5, 23, 4, 5, tzinfo=UTC)),
    ("", None), ("yesterday", None), ("2024-13-01", None), (None, None),
    ("0000", None), ("1997-7-16", None), ("1997-02-30", None), ("1997-07-16T25:00Z", None),
    ("97", None), ("16 Jul", None), ("\u0661\u0669\u0669\u0667", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), DATES)
def test_lastmod_is_read_as_an_aware_date(text, want):
    assert Entry("https://example.com/", lastmod=text).modified == want


TAGS = st.sampled_from(
    [
        *(b"<urlset>", b"<url>", b"<loc>", b"</loc>", b"</url>", b"<!DOCTYPE a [", b"&b;", b"&"),
        *(b"<!ENTITY b 'c'>", b"<![CDATA[", b"]]>", b"<item>", b"<link href='", b"'/>"),
        *(b"http://a/", b"\xff\xfe", b"<html>"),
    ]
)


@given(st.one_of(st.binary(), st.lists(TAGS).map(b"".join)), st.booleans())
def test_any_bytes_give_entries(body, zipped):
    for entry in parse(gzip.compress(body, mtime=0)[:-4] if zipped else body, URL):
        assert entry.url.startswith("http")
        assert entry.modified is None or entry.modified.tzinfo


def test_an_entity_between_the_elements_of_an_entry_is_passed_over() -> None:
    body = (
        b'<!DOCTYPE x [<!ENTITY c "&a;">]><urlset><url>&c;<loc>http://example.org/</loc>&c;</url>'
    )
    assert [entry.url for entry in parse(body, URL)] == ["http://example.org/"]
