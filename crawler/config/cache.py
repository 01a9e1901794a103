"""The section [cache]."""

from typing import Literal

from crawler.config.section import Section


class CacheSettings(Section, frozen=True, kw_only=True):
    """Answers from the bodies of an earlier crawl, so that writing a spider hits a site once."""

    mode: Literal["off", "record", "replay"] = "off"
    """record asks the site for what is not stored yet; replay never asks it."""
    store: str | None = None
    """The store that answers; unset: the crawl's own."""
