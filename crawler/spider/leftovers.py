"""Names that mean something to Scrapy, and what they are here: none of them is ignored silently."""

from __future__ import annotations

import inspect
from typing import Any

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
    "parse_node": "is not called here; page.xpath() reads XML in `parse`",
    "parse_row": "is not called here; read the CSV of page.text in `parse`",
    "sitemap_filter": "is not called here; `sitemap_rules` and `sitemap_since` choose entries",
    "spider_opened": "is not called here; write `opened(self)`",
    "spider_closed": "is not called here; write `closed(self, reason)`",
    "spider_idle": "is not called here; a run ends when nothing is left, self.crawl.add() adds",
    "item_scraped": "is not called here; name functions item → item in `pipelines`",
}
_ATTRIBUTES = {
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
    "iterator": "is not read here; page.xpath() reads XML in `parse`",
    "itertag": "is not read here; page.xpath() reads XML in `parse`",
}


def leftover(name: str, value: Any, *, used: bool = False) -> str | None:
    """Return what is said of a name of a spider's class that only Scrapy would heed.

    None for one of these names that is `used`: that the spider itself reads or calls.
    """
    is_method = callable(value) or isinstance(value, (classmethod, staticmethod))
    text = (_METHODS if is_method else _ATTRIBUTES).get(name)
    if text is not None and not used:
        return f"`{name}` {text}"
    if is_method and _takes_failure(value):
        return (
            f"`{name}` is an errback of Scrapy; here it takes (request, outcome, status, page), is"
            " named by Request(errback=…), or is `on_error` for all requests"
        )
    return None


def _takes_failure(value: Any) -> bool:
    try:
        names = list(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return False
    return names[1:2] == ["failure"]
