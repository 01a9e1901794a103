"""A small manual: pages with headings below headings, as documentation has them."""

from aiohttp import web

from crawler.practice.layout import link_list, page

PAGES: dict[str, tuple[str, str]] = {
    "": (
        "The lamp",
        "<p>How to keep a lamp.</p>",
    ),
    "care/": (
        "Care",
        """<p>A lamp wants little.</p>
<h2 id="cleaning">Cleaning</h2><p>With a soft cloth.</p>
<h3 id="glass">The glass</h3><p>With water alone.</p><ul><li>No soap.</li></ul>
<h2 id="oil">Oil</h2><p>Half full at dusk.</p>""",
    ),
    "signals/": (
        "Signals",
        """<p>What a lamp can say.</p>
<h2 id="short">Short</h2><p>All is well.</p>
<h2 id="long">Long</h2><p>Come.</p>""",
    ),
}


def routes() -> list[web.RouteDef]:
    return [web.get(r"/manual/{name:(?:[\w-]+/)?}", chapter)]


async def chapter(request: web.Request) -> web.Response:
    found = PAGES.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    title, text = found
    links = link_list({f"/manual/{name}": title for name, (title, _) in PAGES.items()})
    return page(title, f"{text}\n<nav>{links}</nav>")
