"""A store locator: the branches that a sitemap lists, by the JSON-LD of their pages.

crawler demo --serve-only --port 8000
crawler run examples/store_locator.py -o branches.csv
"""

from crawler import Rule, ScrapedPage, SitemapSpider, item


@item(key="ref")
class Branch:
    """One shop, as schema.org has it."""

    ref: str
    name: str
    street: str
    city: str
    lat: float
    lon: float
    phone: str | None
    hours: list[str]
    website: str


class StoreLocator(SitemapSpider):
    """Every branch of the practice site."""

    name = "store_locator"
    sitemap_urls = ["http://127.0.0.1:8000/sitemap-branches.xml"]
    sitemap_rules = [Rule(allow=r"/branches/[\w-]+/$")]

    def parse(self, page: ScrapedPage) -> Branch:
        data = next(each for each in page.jsonld if each["@type"] == "Store")
        address, place = data["address"], data["geo"]
        return Branch(
            ref=data["branchCode"],
            name=data["name"],
            street=address["streetAddress"],
            city=address["addressLocality"],
            lat=place["latitude"],
            lon=place["longitude"],
            phone=data.get("telephone"),
            hours=data.get("openingHours", []),
            website=page.url,
        )
