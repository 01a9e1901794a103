"""Where a Location header leads: by the text of RFC 9110 10.2.2 and the URL standard."""

import pytest

from crawler import Request
from crawler.web.redirects import comes_back, location_of, onward

BASE = "http://example.org/dir/page?q"
LOCATIONS = [
    ("/x", "http://example.org/x"),
    ("x", "http://example.org/dir/x"),
    ("?y", "http://example.org/dir/page?y"),
    ("#z", BASE),
    ("..", "http://example.org/"),
    ("\\x", "http://example.org/x"),
    (" /x ", "http://example.org/x"),
    ("/a\tb", "http://example.org/ab"),
    ("/x#part", "http://example.org/x"),
    ("//other.org", "http://other.org/"),
    ("//other.org/a b", "http://other.org/a%20b"),
    ("HTTP://OTHER.org:80/%7ea", "http://other.org/~a"),
    ("http:x", "http://example.org/dir/x"),
    ("https:x", "https://x/"),
    ("http://user:pw@other.org/", "http://other.org/"),
    ("/%zz", "http://example.org/%zz"),
    ("/ü", "http://example.org/%C3%BC"),
    ("/\udcfc", "http://example.org/%FC"),  # a byte that is no UTF-8, as aiohttp hands it on
    ("", None),
    ("mailto:a@b.org", None),
    ("javascript:0", None),
    ("data:,x", None),
    ("ftp://other.org/", None),
    ("about:blank", None),
    ("http://[", None),
    ("http://other.org:99999/", None),
]


@pytest.mark.parametrize(("location", "wanted"), LOCATIONS)
def test_a_location_is_resolved_as_a_browser_does(location: str, wanted: str | None) -> None:
    assert location_of({"Location": location}, BASE) == wanted


def test_an_answer_without_a_location_leads_nowhere() -> None:
    assert location_of({}, BASE) is None


def test_what_describes_a_body_goes_with_it() -> None:
    told = {f"Content-{name}": "x" for name in ("Type", "Encoding", "Language", "Location")}
    request = Request(BASE, "POST", data=b"x", headers={**told, "Accept": "y"})
    assert onward(request, 303, "http://example.org/x").headers == {"Accept": "y"}
    assert onward(request, 308, "http://example.org/x").headers == request.headers


def test_a_chain_that_comes_back_to_its_start_is_known() -> None:
    first = Request("http://example.org/a")
    second = onward(first, 302, "http://example.org/b")
    assert comes_back(second, onward(second, 302, "http://example.org/a"))
    assert not comes_back(second, onward(second, 302, "http://example.org/c"))
