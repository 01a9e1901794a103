"""The section [links]."""

from typing import Literal

from crawler.config.section import Seconds, Section


class LinksSettings(Section, frozen=True, kw_only=True):
    """Which links of a page are followed."""

    tags: tuple[str, ...] = ("a", "area")
    """Elements whose links are followed; a, area, link, iframe, frame, img, source … are known."""
    attributes: tuple[str, ...] = ()
    """Attributes that hold links, such as data-href; empty: those that HTML has for the element."""
    include: tuple[str, ...] = ()
    """Regular expressions: only links whose URL one is found in are followed (not_included)."""
    exclude: tuple[str, ...] = ()
    """Regular expressions: links whose URL one is found in are not followed (excluded)."""
    nofollow: bool = False
    """Leave out links with rel=nofollow, ugc or sponsored."""
    robots_meta: bool = True
    """Heed the nofollow and none of meta robots and X-Robots-Tag, also for our agent alone."""
    noindex: Literal["keep", "skip"] = "keep"
    """skip: a page that asks not to be indexed is neither parsed nor kept, only followed."""
    canonical: Literal["ignore", "mark", "follow"] = "ignore"
    """mark: note rel=canonical with the page (pages.canonical); follow: visit that URL, too."""
    refresh: bool = True
    """Follow a meta refresh (or Refresh header) to another URL as a redirect."""
    refresh_delay: Seconds = 60.0
    """Seconds that a refresh may wait; one that waits longer is not followed."""
    sitemaps: bool = False
    """Also visit what the sitemaps say that robots.txt names."""
    requisites: bool = False
    """Also fetch what pages need to be shown (images, styles, scripts, fonts, frames), of any host,
    and keep it for archives; the same as `crawl --archive`."""
    check_external: bool = False
    """Check links that lead out of scope: one HEAD, or GET where that is refused, per URL, at the
    pace of its host; what is there ends as `checked`, the rest in `broken_links`."""
    check_fragments: bool = False
    """Look for the anchor of each link to a part of a page (`page#part`), in every page and, with
    check_external, beyond, which is asked by GET then; what is not there is in `broken_links`."""
    canonicalize: tuple[str, ...] = ()
    """More steps for URLs, after the standard ones: sort_query, drop_tracking, drop_session_ids, or
    module:function for one of your own (a URL in, a URL or None out)."""
