"""URLs: parse, join, slices, steps, what a user types, and the bytes on the wire."""

import asyncio

import aiohttp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler import urls
from crawler.urls.optional_steps import OPTIONAL_STEPS, drop_session_ids, drop_tracking, sort_query

# Text that has a fair chance of being a URL, and every character besides.
PIECES = st.sampled_from(
    [
        *("http://", "https://", "//", "/", "../", "./", ".", "..", "?", "#", "&", "=", "@", ":"),
        *("%", "%2e", "%2F", "%41", "%%34", "%4%31", ";", "\\", "~", "-", "0", "80", "443", "a"),
        *("b.c", "Z", "[::1]", "127.1", "xn--", "example.com", "EXAMPLE.org", "user:pw@", "|"),
        *("é", "ü.de", "你", " ", "\t", "\n", "\0", "\ud800", "\udc00", "'", '"', "<", "{", "("),
        *("javascript:", "mailto:", ";jsessionid=1", "/(S(aaaaaaaaaaaaaaaaaaaaaaaa))"),
        *("utm_source=x", "sid=0123456789abcdef"),
    ]
)
URLISH = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)
WEB = st.one_of(URLISH, URLISH.map("http://example.com/a/b".__add__))

PARSED = [
    ("http://example.com", "http://example.com/"),
    ("  HTTP://EXAMPLE.com:80/A/./b/../c  ", "http://example.com/A/c"),
    ("https://example.com:443/a#frag", "https://example.com/a"),
    ("https://example.com:8443/a/", "https://example.com:8443/a/"),
    ("http://user:pa%40ss@example.com/", "http://example.com/"),
    ("http://user@example.com/a@b?c@d", "http://example.com/a@b?c@d"),
    ("http://example.com\\a\\b", "http://example.com/a/b"),
    ("ht\ntp://exa\tmple.com/", "http://example.com/"),
    ("http:example.com", "http://example.com/"),
    ("http://münchen.de/ä?ö", "http://xn--mnchen-3ya.de/%C3%A4?%C3%B6"),
    ("http://example.com/%7ea%2fb%c3%a4", "http://example.com/~a%2Fb%C3%A4"),
    ("http://example.com/%2e%2E/a%2eb", "http://example.com/a.b"),
    ("http://example.com/%%34", "http://example.com/%%34"),
    ("http://example.com/%4%31%32", "http://example.com/%4%312"),
    ("http://example.com/100%?x=%", "http://example.com/100%?x=%"),
    ("http://example.com/?b=2&a=1&", "http://example.com/?b=2&a=1&"),
    ("http://example.com/?", "http://example.com/?"),
    ("http://example.com/Page/", "http://example.com/Page/"),
    ("http://example.com//a//b", "http://example.com//a//b"),
    ("http://example.com./", "http://example.com./"),
    ("http://[::1]:8080/", "http://[::1]:8080/"),
    ("http://[0:0::0:1]/", "http://[::1]/"),
    ("http://0x7f.1/", "http://127.0.0.1/"),
    ("http://example.com/a\0b", "http://example.com/a%00b"),
    ("http://example.com/\ud800x", "http://example.com/%EF%BF%BDx"),
    ("http://example.com/\ud83d\ude00", "http://example.com/%F0%9F%98%80"),
    ("http://example.com/" + "a" * 100_000, "http://example.com/" + "a" * 100_000),
]
NO_URL = [
    "", "#top", "/a", "a.html", "//example.com/", "http://", "https:///", "http://a b/",
    "javascript:alert(1)", "mailto:a@example.com", "data:text/html,x", "ftp://example.com/",
    "about:blank", "blob:https://example.com/x", "http://example.com:99999/", "http://[::1/",
    "http://999.1.1.1/", "http://exa%23mple.com/", "http://user@/", "\0", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), PARSED)
def test_parse_gives_the_canonical_url(text, want):
    assert urls.parse(text) == want


@pytest.mark.parametrize("text", NO_URL)
def test_parse_gives_none_where_there_is_no_web_url(text):
    assert urls.parse(text) is None


BASE = "http://example.com/a/b/c.html?q=1"
RESOLVED = [  # the normal and abnormal examples of RFC 3986 5.4 in this base, and browser cases
    ("g", "http://example.com/a/b/g"), ("./g", "http://example.com/a/b/g"),
    ("g/", "http://example.com/a/b/g/"), ("/g", "http://example.com/g"),
    ("//g", "http://g/"), ("?y", "http://example.com/a/b/c.html?y"),
    ("g?y", "http://example.com/a/b/g?y"), ("#s", "http://example.com/a/b/c.html?q=1"),
    ("g#s", "http://example.com/a/b/g"), ("", "http://example.com/a/b/c.html?q=1"),
    (";x", "http://example.com/a/b/;x"), (".", "http://example.com/a/b/"),
    ("..", "http://example.com/a/"), ("../", "http://example.com/a/"),
    ("../g", "http://example.com/a/g"), ("../../g", "http://example.com/g"),
    ("../../../../g", "http://example.com/g"), ("../..", "http://example.com/"),
    ("g.", "http://example.com/a/b/g."), (".g", "http://example.com/a/b/.g"),
    ("g..", "http://example.com/a/b/g.."), ("./../g", "http://example.com/a/g"),
    ("g/./h", "http://example.com/a/b/g/h"), ("g/../h", "http://example.com/a/b/h"),
    ("g?y/../x", "http://example.com/a/b/g?y/../x"), ("http:g", "http://example.com/a/b/g"),
    (" g \n", "http://example.com/a/b/g"), ("g:h", None), ("\\g", "http://example.com/g"),
    ("../?x", "http://example.com/a/?x"), ("/?x", "http://example.com/?x"),
    ("/", "http://example.com/"), ("..//g", "http://example.com/a//g"),
    ("http://example.com", "http://example.com/"),
    ("http://example.com/../g", "http://example.com/g"),
    ("http://example.com:80/g", "http://example.com/g"),
    ("http://example.comb/g", "http://example.comb/g"),
    ("https://example.com/g", "https://example.com/g"),
    ("caf\u00e9?caf\u00e9", "http://example.com/a/b/caf%C3%A9?caf%C3%A9"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), RESOLVED)
def test_references_resolve_as_in_a_browser(text, want):
    assert urls.parse(text, BASE) == want
    assert urls.BaseURL(BASE).parse(text) == want


@given(WEB, WEB)
@example("\ud800", "\ud800")
def test_join_never_raises(base, text):
    assert urls.join(base, text) is None or isinstance(urls.join(base, text), str)


@given(WEB)
@example("http://a/%%34%31")
def test_parse_is_idempotent_and_equals_its_named_steps(text):
    url = urls.parse(text)
    assert url == urls.canonicalize(text)
    assert url is None or urls.parse(url) == url == urls.canonicalize(url)


@given(WEB, URLISH)
@example("http://http://", "")
def test_the_fast_base_url_agrees_with_the_standard(base, text):
    url = urls.parse(base)
    if url is not None:
        assert urls.BaseURL(url).parse(text) == urls.parse(text, url)
        assert urls.BaseURL(url).parse(url) == url


@given(WEB)
@pytest.mark.parametrize("step", OPTIONAL_STEPS.values())
def test_each_optional_step_is_idempotent_and_gives_a_canonical_url(step, text):
    steps = (*urls.DEFAULT_STEPS, step)
    url = urls.canonicalize(text, steps)
    assert url is None or urls.canonicalize(url, steps) == url == urls.parse(url)


def test_base_url_refuses_what_is_no_web_url():
    with pytest.raises(ValueError, match="about:blank"):
        urls.BaseURL("about:blank")


def test_join_keeps_the_fragment_and_any_scheme():
    assert urls.join("about:blank", "mailto:a@b") == "mailto:a@b"
    assert urls.join("http://a/b", "#c") == "http://a/b#c"
    assert urls.join("about:blank", "/a") is None


SLICES = [
    ("https://example.com/a/b?c/d", "https://example.com", "example.com", "/a/b?c/d"),
    ("http://example.com:8080/", "http://example.com:8080", "example.com", "/"),
    ("http://[::1]:8080/?", "http://[::1]:8080", "::1", "/?"),
    ("http://a/b", "http://a", "a", "/b"),
]


@pytest.mark.parametrize(("url", "host", "name", "target"), SLICES)
def test_a_canonical_url_is_cut_by_slicing(url, host, name, target):
    assert urls.host_of(url) == host
    assert urls.split(url) == (host, target)
    assert urls.hostname_of(url) == name
    assert urls.authority_of(url) == host.split("//")[1]


@given(WEB)
def test_every_canonical_url_can_be_cut(text):
    url = urls.parse(text)
    if url is not None:
        assert "".join(urls.split(url)) == url
        assert urls.directory(url).endswith("/")
        assert urls.hostname_of(url)


STEPS = [
    (sort_query, "http://a/?b=2&a=2&a=1&B", "http://a/?B&a=2&a=1&b=2"),
    (sort_query, "http://a/?", "http://a/?"),
    (drop_tracking, "http://a/?utm_source=x&q=1&GCLID=2&fbclid", "http://a/?q=1"),
    (drop_tracking, "http://a/?utm_source=x", "http://a/"),
    (drop_tracking, "http://a/?utmost=1&_gamma=2", "http://a/?utmost=1&_gamma=2"),
    (drop_session_ids, "http://a/b;jsessionid=1F?x=1", "http://a/b?x=1"),
    (drop_session_ids, "http://a/.;jsessionid=1F", "http://a/"),
    (drop_session_ids, "http://a/(S(lit3py55t21z5v55vlm25s55))", "http://a/"),
    (drop_session_ids, "http://a/(S(lit3py55t21z5v55vlm25s55))/b", "http://a/b"),
    (drop_session_ids, "http://a/?PHPSESSID=1&a=1&sid=0123456789abcdef", "http://a/?a=1"),
    (drop_session_ids, "http://a/?sid=12&s=word", "http://a/?sid=12&s=word"),
]


@pytest.mark.parametrize(("step", "url", "want"), STEPS)
def test_an_optional_step_changes_what_it_says_and_no_more(step, url, want):
    assert step(url) == want


TYPED = [
    ("example.com", "https://example.com/"),
    (" example.com/a?b ", "https://example.com/a?b"),
    ("//example.com/a", "https://example.com/a"),
    ("http://example.com", "http://example.com/"),
    ("HTTPS://Example.com#a", "https://example.com/"),
    ("example.com:8080/a", "https://example.com:8080/a"),
    ("localhost:8000", "http://localhost:8000/"),
    ("127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
    ("[::1]:8000", "http://[::1]:8000/"),
    ("bücher.example", "https://xn--bcher-kva.example/"),
    ("http://intranet/", "http://intranet/"),
]
MISTYPED = [
    ("", "empty"), ("mailto:a@example.com", "only http and https"), ("ftp://a.b/", "only http"),
    ("quotes", "no dot"), ("http://", "not a URL"), ("exa mple.com", "not a URL"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), TYPED)
def test_a_typed_seed_gets_its_scheme(text, want):
    assert urls.from_cli(text) == want


@pytest.mark.parametrize(("text", "why"), MISTYPED)
def test_a_mistyped_seed_is_refused_with_the_reason(text, why):
    with pytest.raises(ValueError, match=why):
        urls.from_cli(text)


TARGETS = [
    "/", "/?", "/a?", "/a//b//", "/%zz%?%", "/a%2Fb%20c", "/a+b?c+d%20e%2B", "/?a=b&&c=;d",
    "/x;y'?z|[]^{}`\\",
    "/a'b(c)*!$,:@&=", "/%C3%A4?%E4", "/?q=http://b/?c=d", "/~a/%00", "/a.b/...", "/?a=%26&b=%3D",
]  # fmt: skip


def test_the_client_sends_every_target_byte_for_byte():
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.split(b"\r\n")[0].decode("ascii"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, aiohttp.ClientSession() as session:
            for target in TARGETS:
                url = urls.parse(host + target)
                assert url == host + target
                async with session.get(urls.wire(url), allow_redirects=False) as response:
                    assert response.status == 204

    asyncio.run(story())
    assert seen == [f"GET {target} HTTP/1.1" for target in TARGETS]


@given(
    st.lists(
        st.sampled_from(
            "http:// https:// a b0 - -- xn-- . .. / // ? # % %41 : :80 :443 :8080 :0 0x7f 256"
            " 127.0.0.1 é @ & = ' ~ _ localhost example.com [::1] \\ 1 www. :65536 :65535".split()
        ),
        max_size=8,
    ),
    st.sampled_from(["http://", "https://", "http://a", "https://a.example/", "http://127.0.0.1"]),
)
def test_what_counts_as_canonical_unparsed_is_what_the_parser_gives(parts, start):
    text = start + "".join(parts)
    assert urls.parse(text) == urls.canonicalize(text)
