"""Spiders for `settings.py`: each follows every link, and does one thing more on every page."""

from crawler import Rule, ScrapedPage, Spider, item


@item
class Seen:
    """What a page is."""

    url: str
    title: str
    links: int


@item(key="url")
class Entry:
    """The same, one row for each URL."""

    url: str
    title: str
    links: int


@item(key="url", history=True)
class Version:
    """The same, with what it was before."""

    url: str
    title: str
    links: int


class Follows(Spider):
    """Follow every link below the seed, by a rule."""

    name = "follows"
    seed = ""
    rules = (Rule(),)

    def __init__(self, seed: str = "") -> None:
        super().__init__()
        self.seed = seed
        self.start_urls = [seed]


class Items(Follows):
    """Yield an item a page."""

    name = "items"

    def parse(self, page: ScrapedPage):
        """Yield it."""
        yield Seen(page.url, page.title or "", len(page.links))


class Keyed(Follows):
    """Yield a keyed item a page."""

    name = "keyed"

    def parse(self, page: ScrapedPage):
        """Yield it."""
        yield Entry(page.url, page.title or "", len(page.links))


class History(Follows):
    """Yield a keyed item a page whose history is kept."""

    name = "history"

    def parse(self, page: ScrapedPage):
        """Yield it."""
        yield Version(page.url, page.title or "", len(page.links))


class Selectors(Follows):
    """Select by CSS."""

    name = "selectors"

    def parse(self, page: ScrapedPage):
        """Select the headings."""
        page.css("h1::text").getall()
        return ()


class Texts(Follows):
    """Read the text."""

    name = "texts"

    def parse(self, page: ScrapedPage):
        """Read it."""
        len(page.text)
        return ()


class Soups(Follows):
    """Build a soup."""

    name = "soups"

    def parse(self, page: ScrapedPage):
        """Build it."""
        str(page.soup.title)
        return ()
