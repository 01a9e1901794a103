"""The section [browser]."""

from typing import Literal

from msgspec import field

from crawler.config.section import AtOnce, Count, Positive, Seconds, Section, SomeSeconds


class BrowserSettings(Section, frozen=True, kw_only=True):
    """Pages that a browser renders: which, how many at once, and what they may cost."""

    mode: Literal["off", "asked", "auto", "always"] = "asked"
    """asked: what says `browser=True`; auto: also pages that are empty without their scripts;
    always: every page; off: none, and a request that asks for it fails."""
    binary: str | None = None
    """The path of a Chromium, Chrome or Edge; unset: the first that is found."""
    sandbox: Literal["required", "preferred"] = "required"
    """Whether a machine that allows no sandbox ends the crawl, or is warned of and done without."""
    tabs: AtOnce = 4
    """Pages rendered at the same time; more wait for their turn."""
    contexts: AtOnce = 4
    """Sessions whose cookies and storage the browser holds at the same time."""
    page_timeout: SomeSeconds = 45.0
    """Seconds that one page may take in the browser, its steps included."""
    settle: Seconds = 0.5
    """Seconds for which a page must not change before it is read."""
    settle_timeout: SomeSeconds = 10.0
    """Seconds to wait for that; then the page is read as it is, which is counted."""
    recycle_after: Positive = 1000
    """Pages after which the browser is started anew."""
    memory: Positive = 2000
    """Megabytes that the browser's processes may use together; then the largest page is ended."""
    max_requests: Positive = 500
    """Requests that one page may make for what it is made of; the rest are refused."""
    block: list[Literal["image", "media", "font", "stylesheet"]] = field(
        default_factory=lambda: ["image", "media", "font"]
    )
    """What is not loaded, unless a picture of the page is asked for."""
    reloads: Count = 2
    """Times that a page may load itself anew."""
    xhr: list[str] = []
    """Regular expressions; what a page asks of URLs in which one is found, and is answered in JSON,
    is kept as `page.xhr`."""
    checks: list[Literal["axe"]] = []
    """What checks each rendered page: axe (axe-core) gives the items `axe_finding`."""
    shadow: bool = False
    """Put the content of open shadow roots into the page."""
    frames: bool = False
    """Put the content of frames at the end of the page."""
