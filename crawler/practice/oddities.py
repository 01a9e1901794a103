"""Pages as the web has them: odd links, odd bases, hints to robots, broken and deep markup."""

from html import escape

from aiohttp import web

from crawler.practice.api import whole
from crawler.practice.encodings import SAMPLES
from crawler.practice.layout import content, link_list, page, shell
from crawler.practice.state import STATE

DEEPEST = 100_000
DEFAULT_DEPTH = 400

INDEX = {
    "Documents": {
        "/odd/base/": "links under a base of their own",
        "/odd/broken/": "broken markup",
        "/odd/deep/": "deeply nested markup",
        "/odd/images/": "images with srcset",
        "/odd/frames/": "a page within a page, and an area map",
        "/odd/links/": "all kinds of links that are none",
    },
    "Hints": {
        "/odd/noindex/": "meta robots: noindex, nofollow",
        "/odd/x-robots-tag/": "X-Robots-Tag: noindex",
        "/odd/nofollow-link/": "a link with rel=nofollow",
        "/odd/refresh/": "a meta refresh",
        "/odd/canonical/?ref=odd": "a canonical address",
        "/odd/hreflang/": "the same in other languages",
        "/archive/": "an archive for one crawler only",
    },
    "Answers": {
        "/redirect/3": "a chain of three redirects",
        "/redirect/loop": "a loop of two redirects",
        "/redirect/self": "a redirect to itself",
        "/missing/": "404",
        "/gone/": "410",
        "/status/500": "500",
        "/flaky/front": "503, and then 200",
        "/slow/": "a slow answer",
        "/auth/basic/": "a page behind a password",
        "/auth/bearer/": "a page behind a token",
        "/files/": "files",
        "/ws/": "sockets",
    },
}

LANGUAGES = {
    "en": ("Good morning, harbour", "The first ferry leaves at six."),
    "de": ("Guten Morgen, Hafen", "Die erste Fähre legt um sechs Uhr ab."),
    "fr": ("Bonjour, le port", "Le premier bac part à six heures."),
}

# One page, ten mistakes: each link in it must be found all the same.
BROKEN = """<html><head><title>Broken &amp; mended</title><body bgcolor=sand>
<h1>Broken & mended<p>An open paragraph, <b>bold <i>both</b> italic</i> and a stray < sign
<a href=/odd/broken/unquoted/>unquoted</a>
<A HREF='/odd/broken/single-quotes/'>single quotes</A>
<a href="/odd/broken/twice/" href="/odd/broken/never/">an attribute twice</a>
<a href="/odd/broken/outer/">outer <a href="/odd/broken/inner/">inner</a>
<a href="
  /odd/broken/spa
ced/  ">a newline within</a>
<a href="/odd/broken/amp/?a=1&b=2">a bare ampersand</a>
<a href="/odd/broken/entity/?a=1&amp;b=2">an entity</a>
<table><tr><a href="/odd/broken/table/">in a table</a><td>cell</table>
<!-- <a href="/odd/broken/never/">in a comment</a> -->
<script>document.write('<a href="/odd/broken/never/">in a script</a>')</script>
<p/><div><a href="/odd/broken/last/">the last, never closed
"""
BROKEN_LINKS = ("unquoted", "single-quotes", "twice", "outer", "inner", "spaced", "amp", "entity")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/odd/", index),
        web.get("/about/", about),
        web.get("/odd/base/", based),
        web.get("/odd/based/{name:one|two}/", under_base),
        web.get("/odd/broken/", broken),
        web.get(r"/odd/broken/{name:[\w-]+}/", mended),
        web.get("/odd/deep/", deep),
        web.get("/odd/images/", images),
        web.get("/odd/frames/", frames),
        web.get("/odd/links/", no_links),
        web.get("/odd/noindex/", noindex),
        web.get("/odd/x-robots-tag/", x_robots_tag),
        web.get("/odd/nofollow-link/", nofollow_link),
        web.get("/odd/behind/{name:nofollow|rel|frame|area}/", behind),
        web.get("/odd/refresh/", refresh),
        web.get("/odd/refreshed/", refreshed),
        web.get("/odd/canonical/", canonical),
        web.get("/odd/hreflang/", language),
        web.get("/odd/hreflang/{code:de|fr}/", language),
    ]


async def index(request: web.Request) -> web.Response:
    parts = [f"<h2>{subject}</h2>\n{link_list(links)}" for subject, links in INDEX.items()]
    encoded = {f"/encoding/{name}/": sample.about for name, sample in SAMPLES.items()}
    parts.append(f"<h2>Encodings</h2>\n{link_list(encoded)}")
    if request.app[STATE].offsite:
        elsewhere = link_list({"/redirect/offsite": "a redirect to another host"})
        parts.append(f"<h2>Elsewhere</h2>\n{elsewhere}")
    return page("Oddities", "\n".join(parts))


async def about(request: web.Request) -> web.Response:
    elsewhere = request.app[STATE].offsite
    more = f'<p><a href="{escape(elsewhere)}">Our other harbour</a></p>' if elsewhere else ""
    return page(
        "About this site",
        f"""<p>A small site to practise on: sayings of people who do not exist, goods that
nobody can buy, and the oddities that every crawler meets sooner or later. It counts each
visit, so that a crawler can show how polite it was.</p>{more}""",
    )


async def based(request: web.Request) -> web.Response:
    return page(
        "Under another base",
        '<p><a href="one/">One</a> and <a href="two/">two</a> are not below this address.</p>',
        head='<base href="/odd/based/">\n',
    )


async def under_base(request: web.Request) -> web.Response:
    return page(f"Based {request.match_info['name']}", '<p><a href="/odd/">Oddities</a></p>')


async def broken(request: web.Request) -> web.Response:
    return content(BROKEN.encode(), "text/html")


async def mended(request: web.Request) -> web.Response:
    if request.match_info["name"] not in (*BROKEN_LINKS, "table", "last"):
        raise web.HTTPNotFound
    return page(f"Found: {request.match_info['name']}", '<p><a href="/odd/">Oddities</a></p>')


async def deep(request: web.Request) -> web.Response:
    """`depth` nested elements with a link at the bottom."""
    depth = whole(request, "depth", DEFAULT_DEPTH, 1, DEEPEST)
    bottom = '<a href="/odd/" id="bottom">the bottom</a>'
    return page("Deeply nested", "<div>" * depth + bottom + "</div>" * depth)


async def images(request: web.Request) -> web.Response:
    return page(
        "Images",
        """<picture>
<source media="(min-width: 60rem)" srcset="/img/wide.svg 1200w, /img/wider.svg 2400w">
<img src="/img/small.svg" srcset="/img/small.svg 1x, /img/double.svg 2x" alt="A harbour"
width="480" height="300">
</picture>
<p><img src="/img/lazy.svg" loading="lazy" alt="A buoy" width="240" height="150"></p>""",
    )


async def frames(request: web.Request) -> web.Response:
    return page(
        "Frames and areas",
        """<iframe src="/odd/behind/frame/" title="A page within a page"></iframe>
<p><img src="/img/map.svg" usemap="#harbour" alt="A map" width="240" height="150"></p>
<map name="harbour"><area shape="rect" coords="0,0,240,150" href="/odd/behind/area/"
alt="The pier"></map>""",
    )


async def no_links(request: web.Request) -> web.Response:
    return page(
        "Links that lead to no page",
        """<p id="here"><a href="#here">a fragment</a> <a href="mailto:nobody@example.com">mail</a>
<a href="javascript:void(0)">a script</a> <a href="tel:+000">a telephone</a>
<a href="data:text/plain,hello">data</a> <a href="http://">no host</a> <a href="">empty</a>
<a name="only-a-name">a name</a> <a href="http://[::1/">a broken host</a></p>""",
    )


async def noindex(request: web.Request) -> web.Response:
    return page(
        "Not for the index",
        '<p>Following <a href="/odd/behind/nofollow/">this</a> is not wanted, either.</p>',
        head='<meta name="robots" content="noindex, nofollow">\n',
    )


async def x_robots_tag(request: web.Request) -> web.Response:
    text = "<p>The hint stands in the headers of this answer.</p>"
    return page("Not for the index, either", text, headers={"X-Robots-Tag": "noindex"})


async def nofollow_link(request: web.Request) -> web.Response:
    link = '<a href="/odd/behind/rel/" rel="nofollow">this one</a>'
    return page("A link that is not vouched for", f"<p>We know nothing about {link}.</p>")


async def behind(request: web.Request) -> web.Response:
    return page(f"Behind {request.match_info['name']}", '<p><a href="/odd/">Oddities</a></p>')


async def refresh(request: web.Request) -> web.Response:
    return page(
        "Moved by the page itself",
        "<p>In a moment you will be elsewhere.</p>",
        head='<meta http-equiv="refresh" content="0; url=/odd/refreshed/">\n',
    )


async def refreshed(request: web.Request) -> web.Response:
    return page("Elsewhere", "<p>Brought here by a meta refresh.</p>")


async def canonical(request: web.Request) -> web.Response:
    return page(
        "One page, many addresses",
        """<p>The same under <a href="?ref=mail">every</a>
<a href="?ref=print&amp;size=a4">query</a>, and proper without.</p>""",
        head='<link rel="canonical" href="/odd/canonical/">\n',
    )


async def language(request: web.Request) -> web.Response:
    code = request.match_info.get("code", "en")
    paths = {
        known: "/odd/hreflang/" + (f"{known}/" if known != "en" else "") for known in LANGUAGES
    }
    head = "".join(
        f'<link rel="alternate" hreflang="{known}" href="{path}">\n'
        for known, path in paths.items()
    )
    title, text = LANGUAGES[code]
    whole_page = shell(title, f"<h1>{title}</h1><p>{text}</p>", head)
    body = whole_page.replace('lang="en"', f'lang="{code}"', 1)
    headers = {"Content-Language": code}
    return content(body.encode(), "text/html; charset=utf-8", headers=headers)
