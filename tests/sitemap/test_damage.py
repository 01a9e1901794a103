"""Damaged sitemaps and feeds: every URL is the one that was written, or it is refused and counted.

A browser shows the first error of such a file and nothing else, so what is right is what the
addresses say that stand outside of the damage.
"""

import asyncio
import gzip
import time
from collections import Counter
from pathlib import Path

import pytest
from following_story import counters, crawled

from crawler import SitemapSpider
from crawler.practice import PracticeSite
from crawler.sitemap import stream

URL = "https://e.org/sitemap.xml"
LOC = "<url><loc>https://e.org/{}</loc></url>"
A, B = LOC.format("1?a=1&amp;b=2"), LOC.format("2?a=1&amp;b=2")
BOTH = "1?a=1&b=2 2?a=1&b=2"
BAD = {"bad_sitemap_url": 1}
CUT = {"sitemap_cut_off": 1}


def read(body: bytes | str) -> tuple[str, dict[str, int]]:
    refused: Counter[str] = Counter()
    data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    found = [entry.url for entry in stream(data, URL, lambda name: refused.update([name]))]
    return " ".join(url.removeprefix("https://e.org/") for url in found), dict(refused)


ELSEWHERE = {  # damage outside of any address costs nothing
    "-- in a comment": f"<urlset><!-- a -- b -->{A}{B}</urlset>",
    "an entity of HTML": f"<urlset><url><title>A&nbsp;B</title>{A[5:]}{B}</urlset>",
    "an entity that nobody defines": f"<urlset><url><title>A&b;C</title>{A[5:]}{B}</urlset>",
    "an ampersand alone": f"<urlset><url><title>A & B</title>{A[5:]}{B}</urlset>",
    "an attribute twice": f'<urlset a="1" a="2">{A}{B}</urlset>',
    "an attribute without quotes": f"<urlset a=1>{A}{B}</urlset>",
    "a prefix that nobody declares": f"<urlset><i:x/>{A}{B}</urlset>",
    "no character of XML": f"<urlset><!-- \ufffe \ud800 -->\x01{A}\x0b{B}</urlset>",
    "an end tag too many": f"<urlset>{A}</url></b>{B}</urlset>",
    "an end tag too few": f"<urlset>{A[:-6]}{B}</urlset>",
    "the end of the root too early": f"<urlset>{A}</urlset>{B}",
    "two documents": f"<?xml version='1.0'?><urlset>{A}</urlset><?xml version='1.0'?>"
    f"<urlset>{B}</urlset>",
    "a warning of PHP before it": f"<br />\n<b>Warning</b>: x<br />\n<urlset>{A}{B}</urlset>",
    "a long warning before it": f"{'<b>Warning</b>: x<br>' * 5_000}<urlset>{A}{B}</urlset>",
    "a long one without markup": f"{'Warning: x' * 9_000}<urlset>{A}{B}</urlset>",
    "a page before it": f"<!DOCTYPE html><html><body>x</body></html><urlset>{A}{B}</urlset>",
    "a script behind it": f"<urlset>{A}{B}</urlset><script>a<b</script>",
    "a wrong declaration": f"<?xml version='1.0' encoding='utf-16'?><urlset>{A}{B}</urlset>",
    "a less-than alone": f"<urlset><url><title>1 < 2</title>{A[5:]}{B}</urlset>",
    "a tag without its end": f"<urlset><x {A}{B}</urlset>",
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_an_error_of_xml_changes_no_address_that_stands_elsewhere(what: str) -> None:
    assert read(ELSEWHERE[what]) == (BOTH, {})


REFUSED = {  # an address that cannot be told for sure
    "a reference that nobody defines": LOC.format("a&foo;b"),
    "a reference to no character": LOC.format("a&#1;b"),
    "a control": LOC.format("a\x01b"),
    "a tag inside": LOC.format("a<b>c</b>"),
    "an end tag inside": LOC.format("a</b>c"),
    "no end of its own": "<url><loc>https://e.org/a</url>",
    "no end at all": "<url><loc>https://e.org/a",
    "no http(s)": "<url><loc>mailto:a@b</loc></url>",
    "a quote without its end": "<item><guid>x<link href='https://e.org/a</item>",
    "an entity of the document": "<url><loc>&site;a</loc></url>",
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_address_that_cannot_be_told_is_refused_and_counted(what: str) -> None:
    doctype = '<!DOCTYPE urlset [<!ENTITY site "https://e.org/"> <!-- ]> -->]>'
    assert read(f"{doctype}<urlset>{A}{REFUSED[what]}{B}</urlset>") == (BOTH, BAD)


def test_bytes_in_another_encoding_than_the_declared_one_are_refused() -> None:
    body = f"<?xml version='1.0' encoding='UTF-8'?><urlset>{LOC.format('é')}{A}{B}</urlset>"
    assert read(body.encode("latin-1")) == (BOTH, BAD)


def test_what_an_address_may_hold_is_taken_as_written() -> None:
    for written, path in {
        "caf&eacute;": "caf%C3%A9",
        "?a=1&b=2": "?a=1&b=2",
        "?a=1&copy=2": "?a=1&copy=2",
        "?a=1&#38;b=2&#x26;c": "?a=1&b=2&c",
        "<![CDATA[?a=1&b=2]]>": "?a=1&b=2",
        "?a=1&amp;amp;b": "?a=1&amp;b",
        "a<!-- x -- y -->b": "ab",
    }.items():
        assert read(f"<urlset>{LOC.format(written)}</urlset>") == (path, {})


def test_feeds_keep_their_ampersands_behind_an_error() -> None:
    link = "<link>https://e.org/1?a=1&amp;b=2</link>"
    rss = f"<rss><channel><item><title>A&nbsp;B</title>{link}</item></channel></rss>"
    assert read(rss) == ("1?a=1&b=2", {})
    entry = '<entry><link href="https://e.org/{}"/></entry>'
    atom = f"<feed><!-- -- -->{entry.format('1?a=1&amp;b=2')}{entry.format('2&x;')}</feed>"
    assert read(atom) == ("1?a=1&b=2", BAD)


WHOLE = f"<urlset>{''.join(LOC.format(f'{n}?a=1&amp;b=2') for n in range(2_000))}</urlset>".encode()


def test_a_file_that_is_cut_off_gives_what_is_whole_and_says_so() -> None:
    packed = gzip.compress(WHOLE)
    everything, refused = read(packed)
    assert (everything.count(" "), refused) == (1_999, {})
    for cut in (packed[: len(packed) // 2], WHOLE[: len(WHOLE) // 2], WHOLE[:-9]):
        found, refused = read(cut)
        assert everything.startswith(found) and found
        assert refused["sitemap_cut_off"] == 1
    assert read(f"<urlset>{A}{B}<!-- never closed {A}") == (BOTH, CUT)


def test_packed_data_that_is_damaged_gives_no_url_at_all() -> None:
    packed = gzip.compress(WHOLE)
    assert read(packed[:3_000] + b"damage" + packed[3_006:]) == ("", CUT)
    assert read(packed[:-8] + bytes(8)) == ("", CUT)  # the checksum alone


def test_an_entry_that_nests_without_end_ends_the_file_and_says_so() -> None:
    assert read(f"<urlset>{A}{B}<url>{'<a>' * 200}") == (BOTH, CUT)


def test_a_text_sitemap_gives_whole_lines_or_refuses_them() -> None:
    text = (
        "https://e.org/1\nhttps://e.org/2 https://e.org/3\nhttps://e.org/\0\nhttps://e.org/\x0b4\n"
    )
    assert read(text) == ("1", {"bad_sitemap_url": 3})
    assert read("https://e.org/1\u20284\r\n\r\nhttps://e.org/2") == ("1%E2%80%A84 2", {})


@pytest.mark.parametrize(
    "again", ["<!DOCTYPE x [<!--", "<!x [<!--", "<!DOCTYPE x [<!ENTITY a '", "<link b", "c" * 1000]
)
def test_what_begins_again_and_again_takes_linear_time(again: str) -> None:
    started = time.process_time()
    many = again * (200_000 // len(again))
    read(f"<urlset>{A}{many}{B}</urlset>")
    read(f"<feed><entry><link {many} href='https://e.org/1'/></entry></feed>")
    assert time.process_time() - started < 1  # as a search to the end for each: minutes


def test_a_crawl_visits_the_urls_as_written_and_counts_the_refused(tmp_path: Path) -> None:
    body = "<urlset><!-- -- --><url><loc>/p?a=1&amp;b=2</loc></url><url><loc>&x;</loc></url>"

    async def story() -> set[str]:
        async with PracticeSite(robots=False) as site:
            site.add_page("/map.xml", body, content_type="application/xml")
            await crawled(SitemapSpider(site.at("/map.xml")), tmp_path / "d.db")
            return {hit.target for hit in site.hits}

    assert asyncio.run(story()) == {"/robots.txt", "/map.xml", "/p?a=1&b=2"}
    assert counters(tmp_path / "d.db") == {"bad_sitemap_url": 1, "sitemap_cut_off": 1}
