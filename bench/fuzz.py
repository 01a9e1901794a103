"""Feed random variations of real inputs to everything that reads what a server sends.

Each target gets the same share of the time. A crash is an exception; a hang is an input that takes
over a second per megabyte and 50 ms. Exit code 1 when there was one; the input is printed.

python bench/fuzz.py --seconds 300 --seed 1
"""

import argparse
import random
import sys
import time
from collections.abc import Callable

from crawler import parse, sitemap, urls
from crawler.links.endless import text_of
from crawler.links.simhash import simhash
from crawler.links.traps import pattern_of
from crawler.parse import charset
from crawler.parse.fast_pass import scan
from crawler.parse.meta_robots import directives
from crawler.parse.refreshes import refresh_of
from crawler.parse.words import unmarked
from crawler.politeness.retry_after import retry_after
from crawler.practice.feeds import ROBOTS
from crawler.practice.oddities import BROKEN
from crawler.robots import Robots
from crawler.web.link_header import parse_links

URL = "http://example.org/dir/page.html?q=1"
HTML = (
    (BROKEN * 3).encode()
    + b"""<base href="/b/"><meta charset=gbk><meta name=robots
content="none"><meta http-equiv=refresh content="1; url='x'"><img srcset="a 1x, b 2w (,) 3h"
src=c><svg><a xlink:href=d></svg><script><!--<script></script>--></script><!-- --!><plaintext>"""
)
MAP = b"""<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>http://example.org/&amp;&c;
</loc><lastmod>2026-01-01T00:00:00Z</lastmod><priority>0.5</priority></url><url><loc><![CDATA[/x]]>
</loc></url></urlset><rss><channel><item><link>/y</link><guid>http://z/</guid></item></channel></rss>
<feed><entry><link href="/a"/><updated>2026</updated></entry></feed>"""
HEADER = b"""Keeper: noindex, max-snippet: 5, unavailable_after: 25 Jun 2010 15:00:00 PST, none|120|
Sun, 06 Nov 1994 08:49:37 GMT|Sunday, 06-Nov-94 08:49:37 GMT|Sun Nov  6 08:49:37 1994|5; url="/x"|
</p/2>; rel="next prev"; title*=UTF-8''%e2%82, <http://example.org/>; rel=last; anchor="\\"x"|
text/html; charset="utf\\-8"; boundary=x|http://user:p%40ss@[::1%25]:65536/../a/%zz?b#c|//\\\\host"""
TOKENS = [
    *(b"<", b">", b"</", b"<!--", b"-->", b'"', b"'", b"=", b"&", b"&#x", b";", b"\0", b"\xff"),
    *(b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"*", b"$", b"%", b"%2", b"User-agent:", b"#"),
    *(b"Disallow: /", b"<a href=", b"<script>", b"<title>", b"]]>", b"<![CDATA[", b"\x1f\x8b\x08"),
    *(b"99999999999999999999", b"-1", b"1e999", b"(", b")", b",", b"\xed\xa0\x80", b" ", b"\t"),
]


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """Return a variation: bytes flipped, tokens put in, parts cut, doubled and repeated."""
    data = bytearray(seed)
    for _ in range(dice.choice((1, 2, 5, 20))):
        at = dice.randrange(len(data) + 1)
        to = min(len(data), at + dice.choice((0, 1, 2, 8, 50)))
        way = dice.randrange(5)
        if way == 0:
            data[at:to] = dice.choice(TOKENS)
        elif way == 1:
            data[at:to] = dice.choice(TOKENS) * dice.choice((2, 30, 2000))
        elif way == 2:
            data[at:to] = bytes(dice.choices(range(256), k=to - at))
        elif way == 3:
            data[at:at] = data[at:to] * dice.choice((1, 5, 200))
        else:
            del data[at:to]
    return bytes(data[: 1 << 20])


def read_robots(body: bytes) -> None:
    rules = Robots.parse(body)
    for agent in ("crawlkeep", "", "x y/1"):
        rules.allows(URL, agent)
        rules.explain(URL, agent)
        rules.crawl_delay(agent)


def read_sitemap(body: bytes) -> None:
    for entry in sitemap.parse(body, URL):
        assert entry.url.startswith("http")
        _ = entry.modified


def read_html(body: bytes) -> None:
    text, encoding = charset.decode(body, None)
    scan(text)
    found = parse.document(text, URL, tags=parse.ATTRIBUTES, encoding=encoding)
    assert all(link.url.startswith("http") for link in found.links)


def read_text(body: bytes) -> None:
    text_of(URL, text := body[: 1 << 14].decode("utf-8", "replace"))
    simhash(unmarked(text))


def read_headers(body: bytes) -> None:
    for text in body[: 1 << 14].decode("utf-8", "surrogateescape").split("|")[:40]:
        directives([("robots", text)], [text], "keeper")
        retry_after(text, 1e9)
        refresh_of(text, URL)
        parse.srcset(text)
        parse_links(text, URL)
        charset.encoding_of(body[:64], text)
        url = urls.parse(text, URL)
        if url is not None:
            assert urls.parse(url) == url, url
            pattern_of(url)


TARGETS: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "robots.txt": (read_robots, ROBOTS.encode()),
    "sitemap": (read_sitemap, MAP),
    "HTML": (read_html, HTML),
    "text": (read_text, HTML),
    "headers": (read_headers, HEADER),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice, faults = random.Random(options.seed), 0
    for name, (read, seed) in TARGETS.items():
        pool, inputs, size, slowest = [seed], 0, 0, 0.0
        until = time.monotonic() + options.seconds / len(TARGETS)
        while time.monotonic() < until:
            body = mutated(dice.choice(pool), dice)
            if dice.random() < 0.02:  # a variation of variations, now and then
                pool = [seed, *pool[-20:], body[: 4 * len(seed)]]
            began = time.process_time()
            try:
                read(body)
            except Exception as error:
                faults += 1
                print(f"{name}: {error!r} on {body[:300]!r}")
            took = time.process_time() - began
            slowest = max(slowest, took)
            if took > len(body) / 1e6 + 0.05:
                faults += 1
                print(f"{name}: {took:.2f} s for {len(body):,} bytes: {body[:300]!r}")
            inputs, size = inputs + 1, size + len(body)
        print(f"{name}: {inputs:,} inputs, {size / 1e6:,.0f} MB, slowest {slowest * 1000:.0f} ms")
        sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
