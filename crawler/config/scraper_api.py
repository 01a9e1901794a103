"""The section [scraper_api]."""

from typing import Literal

from crawler.config.section import Positive, Section, SomeSeconds


class ScraperApiSettings(Section, frozen=True, kw_only=True):
    """A rendering service that fetches for us; its key is SCRAPER_API_KEY in the environment."""

    enabled: bool = False
    """Send every page through the service; without it only requests with `via="scraper_api"`."""
    base_url: str = "https://api.scraperapi.com/"
    """Where the service is."""
    render: bool = False
    """Run the page's scripts in a browser."""
    country_code: str | None = None
    """The country to ask from, as two letters."""
    device_type: Literal["desktop", "mobile"] | None = None
    """The device to pretend to be."""
    premium: bool = False
    """Use residential addresses."""
    concurrency: Positive = 5
    """Requests with the service at the same time; more are refused by it."""
    timeout: SomeSeconds = 70.0
    """Seconds for one request; the service itself tries for about a minute."""
