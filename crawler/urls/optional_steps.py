"""Optional steps of canonicalization, each off unless the user adds it to the list.

A step takes a canonical URL and gives one: `canonicalize(url, (*DEFAULT_STEPS, sort_query))`.
They may merge URLs that a server tells apart, and that is why none is a default.
"""

import re

from crawler.urls import Step, parse

# One parameter, "name" or "name=value", that says where a visitor came from.
_TRACKING = re.compile(
    r"(?:utm_[^=]*|_ga|_gl|_hsenc|_hsmi|dclid|epik|fbclid|gad_source|gbraid|gclid|gclsrc|igshi?d?"
    r"|li_fat_id|mc_[ce]id|mkt_tok|msclkid|oly_(?:anon|enc)_id|rb_clickid|s_cid|srsltid|ttclid"
    r"|twclid|vero_id|wbraid|wickedid|yclid)(?:=.*)?",
    re.ASCII | re.IGNORECASE,
)
# One parameter that names a session. "sid" also means other things ("story id"): it is a
# session only with a value like one.
_SESSION = re.compile(
    r"(?:aspsessionid[a-z]*|cfid|cftoken|jsessionid|oscsid|phpsessid|sess(?:ion)?_?id|xtcsid|zenid)"
    r"(?:=.*)?|s(?:id)?=[a-z0-9]{16,}",
    re.ASCII | re.IGNORECASE,
)
# Servlets write ";jsessionid=…" behind a path segment, ASP.NET a segment "(S(…))" of its own.
_SESSION_IN_PATH = re.compile(
    r";jsessionid=[^/;?]*|/\((?:[ASFX]\([A-Za-z0-9_\-]{20,}\))+\)(?=[/?]|$)",
    re.ASCII | re.IGNORECASE,
)


def sort_query(url: str) -> str | None:
    """Put the parameters of the query in the order of their names; equal names keep theirs."""
    path, mark, query = url.partition("?")
    parts = query.split("&")
    ordered = sorted(parts, key=lambda part: part.partition("=")[0])
    return url if ordered == parts else path + mark + "&".join(ordered)


def drop_tracking(url: str) -> str | None:
    """Drop parameters that say where a visitor came from: utm_*, gclid, fbclid and the like."""
    return _drop_parameters(url, _TRACKING)


def drop_session_ids(url: str) -> str | None:
    """Drop session ids from query (PHPSESSID, sid=…) and path (;jsessionid=…, /(S(…)))."""
    path, mark, query = url.partition("?")
    shorter = _SESSION_IN_PATH.sub("", path)
    if shorter != path:
        # What is left may be a dot segment or lack its "/", so it is parsed again.
        again = parse(shorter + mark + query)
        return again and drop_session_ids(again)
    return _drop_parameters(url, _SESSION)


OPTIONAL_STEPS: dict[str, Step] = {
    "sort_query": sort_query,
    "drop_tracking": drop_tracking,
    "drop_session_ids": drop_session_ids,
}


def _drop_parameters(url: str, unwanted: re.Pattern[str]) -> str:
    path, _, query = url.partition("?")
    if not query:
        return url
    parts = query.split("&")
    kept = [part for part in parts if not unwanted.fullmatch(part)]
    if len(kept) == len(parts):
        return url
    return f"{path}?{'&'.join(kept)}" if kept else path
