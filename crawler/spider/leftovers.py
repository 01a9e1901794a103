"""Names that mean something to Scrapy, and what they are here: none of them is ignored silently."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from crawler.spider.scrapy_names import scrapy_name

_TOLD = 8  # settings that one message names
_METHODS = {
    "start_requests": "is `start` here: def or async def, it yields Requests",
    "process_item": "belongs to no spider; name functions item → item in `pipelines`",
    "from_crawler": "is not called here; what it read is self.crawl.settings, and `opened()` runs"
    " before the first request",
    "from_settings": "is not called here; what it read is self.crawl.settings",
    "set_crawler": "is not called here; a spider has its crawl as self.crawl",
    "update_settings": 'is not called here; write `settings = {"section": {"key": value}}`',
    "make_requests_from_url": "is not called here; yield Requests in `start`",
    "parse_start_url": "is not called here; start URLs go to `parse`, beside the rules",
    "process_results": "is not called here; name functions item → item in `pipelines`",
    "adapt_response": "is not called here; a hook after the fetch sees each response",
    "parse_node": "is `parse_record` of a FeedSpider here, with `at` for the name of the elements",
    "parse_row": "is `parse_record` of a FeedSpider here",
    "sitemap_filter": "is not called here; `sitemap_rules` and `sitemap_since` choose entries",
    "log": "is not called here; self.logger.info(…) logs",
    "spider_opened": "is not called here; write `opened(self)`",
    "spider_closed": "is not called here; write `closed(self, reason)`",
    "spider_idle": "is not called here; a run ends when nothing is left, self.crawl.add() adds",
    "item_scraped": "is not called here; name functions item → item in `pipelines`",
}
_ATTRIBUTES = {
    "crawler": "is self.crawl here: settings, stats, stop(reason), add(request)",
    "custom_settings": 'is `settings` here, by section: settings = {"politeness": {"delay": 1}};'
    " see docs/configuration.md",
    "handle_httpstatus_list": 'is settings = {"fetch": {"accept_status": [404]}} here, or'
    " Request(accept_status=[404])",
    "handle_httpstatus_all": 'is settings = {"fetch": {"accept_status": [404, 500, …]}} here',
    "download_delay": 'is settings = {"politeness": {"delay": 1}} here',
    "max_concurrent_requests": 'is settings = {"politeness": {"per_host": 2}} here',
    "download_timeout": 'is settings = {"fetch": {"total_timeout": 60}} here',
    "download_maxsize": 'is settings = {"fetch": {"max_body": 20000000}} here',
    "user_agent": 'is settings = {"politeness": {"user_agent": "name"}} here',
    "http_user": "is a row of [auth] here; see docs/http.md",
    "http_pass": "is a row of [auth] here; see docs/http.md",
    "http_auth_domain": "is a row of [auth] here; see docs/http.md",
    "sitemap_alternate_links": "is `sitemap_alternates` here",
    "link_extractor": "is `rules` here: Rule(allow=…, restrict_css=…)",
    "download_warnsize": "is not read here; SELECT url, size FROM pages ORDER BY size DESC",
    "namespaces": "is not read here; page.selector.register_namespace(prefix, uri) names one",
    "delimiter": "is read of a FeedSpider alone, the base class for CSV here",
    "quotechar": 'is not read here; a FeedSpider reads CSV as RFC 4180 has it, quoted by "',
    "headers": 'is not read here; settings = {"fetch": {"headers": {…}}} sends them with every'
    " request",
    "iterator": "is `format` of a FeedSpider here, where the first bytes mislead",
    "itertag": "is `at` of a FeedSpider here",
}


def leftover(name: str, value: Any, *, used: bool = False) -> str | None:
    """Return what is said of a name of a spider's class that only Scrapy would heed.

    None for one of these names that is `used`: that the spider itself reads or calls.
    """
    is_method = callable(value) or isinstance(value, (classmethod, staticmethod))
    text = (_METHODS if is_method else _ATTRIBUTES).get(name)
    if text is not None and not used:
        return f"`{name}` {text}{_each(value) if name == 'custom_settings' else ''}"
    if name == "settings" and (flat := _flat(value)):
        return f"`settings` goes by section, as config.toml does{_each(flat)}"
    if is_method and _takes_failure(value):
        return (
            f"`{name}` is an errback of Scrapy; here it takes (request, outcome, status, page), is"
            " named by Request(errback=…), or is `on_error` for all requests"
        )
    return None


def of_self(name: str) -> str | None:
    """Return what is said of `self.name` where a spider of Scrapy has that, and none here."""
    text = {"crawler": _ATTRIBUTES["crawler"], "log": _METHODS["log"]}.get(name)
    return None if text is None else f"`self.{name}` {text}"


def _flat(settings: Any) -> dict[str, Any]:
    """Return the settings that stand outside of a section, as in Scrapy."""
    if not isinstance(settings, Mapping):
        return {}
    return {name: v for name, v in settings.items() if isinstance(name, str) and name.isupper()}


def _each(settings: Any) -> str:
    """Return what each of Scrapy's settings is here."""
    if not isinstance(settings, Mapping) or not settings:
        return ""
    told = []
    for name in map(str, settings):
        row = scrapy_name("setting", name)
        told.append(row.told() if row is not None else f"{name} is no setting of Scrapy's own")
    more = f"; and {len(told) - _TOLD} more, see docs/from-scrapy.md" if told[_TOLD:] else ""
    return ": " + "; ".join(told[:_TOLD]) + more


def of_request(argument: str) -> str | None:
    """Return what is said of an argument that only a request of Scrapy takes."""
    row = scrapy_name("request", argument)
    return None if row is None or row.here == f"Request.{argument}" else row.told()


def of_meta(key: str) -> str | None:
    """Return what is said of a key of `meta` that means something to Scrapy, and nothing here."""
    row = scrapy_name("meta", key)
    return None if row is None else f"meta: {row.told()}"


def _takes_failure(value: Any) -> bool:
    try:
        names = list(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return False
    return names[1:2] == ["failure"]
