"""Refusals: the named reasons for which something was not taken, as a table.

Each is counted where it is met (`Visit.refuse`, or by the cookie jars), and in the commit of its
visit under `refused.<reason>` in the table `counters`; summary, `status` and gates read the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Refusal(StrEnum):
    """The reason for which a URL, an item, a message or a cookie was not taken."""

    OUT_OF_SCOPE = "out_of_scope"
    REQUEST_OUT_OF_SCOPE = "request_out_of_scope"
    DUPLICATE_REQUEST = "duplicate_request"
    RETRIES_SPENT = "retries_spent"
    NOT_INCLUDED = "not_included"
    EXCLUDED = "excluded"
    NO_RULE = "no_rule"
    DROPPED = "dropped"
    TOO_DEEP = "too_deep"
    NOFOLLOW = "nofollow"
    PAGE_NOFOLLOW = "page_nofollow"
    TOO_MANY_REFRESHES = "too_many_refreshes"
    URL_CREDENTIALS = "url_credentials"
    URL_TOO_LONG = "url_too_long"
    TOO_MANY_SEGMENTS = "too_many_segments"
    REPEATED_SEGMENTS = "repeated_segments"
    TOO_MANY_PARAMETERS = "too_many_parameters"
    REPEATED_PARAMETERS = "repeated_parameters"
    TOO_MANY_QUERIES = "too_many_queries"
    TOO_MANY_HOSTS = "too_many_hosts"
    HOST_FULL = "host_full"
    ENDLESS = "endless"
    BLOCKED = "blocked"
    NOT_MODIFIED_SINCE = "not_modified_since"
    SITEMAP_TOO_DEEP = "sitemap_too_deep"
    BAD_SITEMAP_URL = "bad_sitemap_url"
    SITEMAP_CUT_OFF = "sitemap_cut_off"
    XML_CUT_OFF = "xml_cut_off"
    XML_LEFT_OUT = "xml_left_out"
    STYLES_LEFT_OUT = "styles_left_out"
    ITEM_DROPPED = "item_dropped"
    ITEM_REFUSED = "item_refused"
    MESSAGE_REPEATED = "message_repeated"
    STREAM_LOST_WITHOUT_CURSOR = "stream_lost_without_cursor"
    HEADER_UNREADABLE = "header_unreadable"
    LENGTH_BESIDE_CHUNKS = "length_beside_chunks"
    BODY_UNEXPECTED = "body_unexpected"
    COOKIE_CONTROL_CHARACTER = "cookie_control_character"
    COOKIE_EMPTY = "cookie_empty"
    COOKIE_TOO_LONG = "cookie_too_long"
    COOKIE_NOT_UTF8 = "cookie_not_utf8"
    COOKIE_FOREIGN_DOMAIN = "cookie_foreign_domain"
    COOKIE_PUBLIC_SUFFIX = "cookie_public_suffix"
    COOKIE_INSECURE = "cookie_insecure"
    COOKIE_PREFIX = "cookie_prefix"
    COOKIE_EVICTED = "cookie_evicted"
    COOKIE_HEADER_FULL = "cookie_header_full"
    BROWSER_ADDRESS = "browser_address"
    BROWSER_BLOCKED = "browser_blocked"
    BROWSER_REQUESTS = "browser_requests"
    BROWSER_UNSETTLED = "browser_unsettled"
    BROWSER_NAVIGATION = "browser_navigation"
    BROWSER_STEPS = "browser_steps"
    BROWSER_XHR = "browser_xhr"
    BROWSER_FRAME = "browser_frame"
    BROWSER_POPUP = "browser_popup"
    BROWSER_DIALOG = "browser_dialog"
    BROWSER_DOWNLOAD = "browser_download"
    BROWSER_FINDINGS = "browser_findings"


ABOUT: Mapping[Refusal, str] = MappingProxyType(
    {
        Refusal.OUT_OF_SCOPE: "a URL that does not belong to the crawl (`engine.scope`)",
        Refusal.REQUEST_OUT_OF_SCOPE: "a request of a callback that does not belong to the crawl",
        Refusal.DUPLICATE_REQUEST: "a request of `start` or a callback that was queued just before",
        Refusal.RETRIES_SPENT: "another try that a spider asked for, beyond `fetch.retries`",
        Refusal.NOT_INCLUDED: "a link in whose URL nothing of `links.include` is found",
        Refusal.EXCLUDED: "a link in whose URL something of `links.exclude` is found",
        Refusal.NO_RULE: "a link that no rule takes, or one with `follow=False` does",
        Refusal.DROPPED: "a URL that a step of `links.canonicalize` drops",
        Refusal.TOO_DEEP: "a URL more than `engine.max_depth` links from a seed",
        Refusal.NOFOLLOW: "a link with `rel=nofollow`, `ugc` or `sponsored` (`links.nofollow`)",
        Refusal.PAGE_NOFOLLOW: "a link of a page that asks that none of its links are followed",
        Refusal.TOO_MANY_REFRESHES: "a meta refresh after `fetch.max_redirects` others",
        Refusal.URL_CREDENTIALS: "a user or password in a link or a Location; taken without it",
        Refusal.URL_TOO_LONG: "a URL of over `traps.max_url` characters",
        Refusal.TOO_MANY_SEGMENTS: "a path of over `traps.max_segments` segments",
        Refusal.REPEATED_SEGMENTS: "a path with one segment over `traps.max_repeats` times",
        Refusal.TOO_MANY_PARAMETERS: "a query of over `traps.max_parameters` parameters",
        Refusal.REPEATED_PARAMETERS: "a query with one parameter over `traps.max_repeats` times",
        Refusal.TOO_MANY_QUERIES: "one query more than `traps.max_queries` on its path",
        Refusal.TOO_MANY_HOSTS: "one host more than `traps.max_hosts_per_domain` of its domain",
        Refusal.HOST_FULL: "a request to a host that gave `traps.max_pages_per_host` pages",
        Refusal.ENDLESS: "a URL of a pattern that was closed, as its pages say nothing new",
        Refusal.BLOCKED: "a URL that somebody blocked while the crawl ran (`crawler block`)",
        Refusal.NOT_MODIFIED_SINCE: "an entry of a sitemap from before `sitemap_since`",
        Refusal.SITEMAP_TOO_DEEP: "a sitemap more than five index files deep",
        Refusal.BAD_SITEMAP_URL: "an entry of a sitemap whose URL is none, or was damaged",
        Refusal.SITEMAP_CUT_OFF: "the rest of a sitemap that ends before its end",
        Refusal.XML_CUT_OFF: "the rest of a page in XML, from its first error; its `error` has it",
        Refusal.XML_LEFT_OUT: "entities or attributes of a page in XML that make it too long",
        Refusal.STYLES_LEFT_OUT: "styles of a small page that its text would take too long to heed",
        Refusal.ITEM_DROPPED: "an item that a pipeline dropped; `dropped.` in `counters` has why",
        Refusal.ITEM_REFUSED: "an item that does not fit its type; a row of `problems` says why",
        Refusal.MESSAGE_REPEATED: "a message of a stream that came again after an opening",
        Refusal.STREAM_LOST_WITHOUT_CURSOR: "what a stream without a cursor said while it was lost",
        Refusal.HEADER_UNREADABLE: "a line of a head that is no header, left out as browsers do",
        Refusal.LENGTH_BESIDE_CHUNKS: "a Content-Length beside chunks, which alone count",
        Refusal.BODY_UNEXPECTED: "bytes where no body may be, or behind one, left unread",
        Refusal.COOKIE_CONTROL_CHARACTER: "a cookie with a control character",
        Refusal.COOKIE_EMPTY: "a cookie without a name and a value",
        Refusal.COOKIE_TOO_LONG: "a cookie of over 4,096 bytes of name and value",
        Refusal.COOKIE_NOT_UTF8: "a cookie that is no UTF-8, and could not go back as it came",
        Refusal.COOKIE_FOREIGN_DOMAIN: "a cookie for a domain that is not its host's",
        Refusal.COOKIE_PUBLIC_SUFFIX: "a cookie for many owners (`Domain=co.uk`)",
        Refusal.COOKIE_INSECURE: "one Secure over HTTP, or hiding such; `SameSite=None` alone",
        Refusal.COOKIE_PREFIX: "a cookie called `__Host-` or `__Secure-` without being so",
        Refusal.COOKIE_EVICTED: "the cookie least recently used, of too many",
        Refusal.COOKIE_HEADER_FULL: "a cookie not sent, as 8,000 bytes of others went before it",
        Refusal.BROWSER_ADDRESS: "what a page in the browser asks of an address that is not public",
        Refusal.BROWSER_BLOCKED: "what a page is made of and is not loaded (`browser.block`)",
        Refusal.BROWSER_REQUESTS: "what a page asks for beyond `browser.max_requests`",
        Refusal.BROWSER_UNSETTLED: "a page read while it still changed (`browser.settle_timeout`)",
        Refusal.BROWSER_NAVIGATION: "a navigation out of the crawl during the steps of a page",
        Refusal.BROWSER_STEPS: "what a click or a scroll would bring beyond its `most`",
        Refusal.BROWSER_XHR: "an answer that `browser.xhr` asks for and that could not be kept",
        Refusal.BROWSER_FRAME: "a frame of a page that did not load in time, or is one too many",
        Refusal.BROWSER_POPUP: "a window or tab that a page opens",
        Refusal.BROWSER_DIALOG: "a dialog of a page (alert, confirm, prompt), dismissed",
        Refusal.BROWSER_DOWNLOAD: "a download that a page starts",
        Refusal.BROWSER_FINDINGS: "what `browser.checks` found past 500, or a page not checked",
    }
)
"""What was not taken, for each reason."""
