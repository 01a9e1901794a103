"""Scope: which URLs belong to a crawl, by host, domain, prefix and subdomain."""

import pytest

from crawler.urls.scope import Scope, in_domain, registrable_domain

DOMAINS = [
    ("example.com", "example.com"), ("a.b.example.com", "example.com"),
    ("www.bbc.co.uk", "bbc.co.uk"), ("co.uk", "co.uk"), ("com", "com"),
    ("example.com.", "example.com"),
    ("alice.github.io", "alice.github.io"), ("www.alice.github.io", "alice.github.io"),
    ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"),
    ("a.b.internal-zone", "b.internal-zone"), ("www.ck", "www.ck"), ("a.b.c.ck", "b.c.ck"),
    ("www.xn--85x722f.com.cn", "xn--85x722f.com.cn"), ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("hostname", "want"), DOMAINS)
def test_the_registrable_domain_follows_the_public_suffix_list(hostname, want):
    assert registrable_domain(hostname) == want


WITHIN = [
    ("example.com", "example.com", True), ("a.example.com", "example.com", True),
    ("evilexample.com", "example.com", False), ("example.com", "a.example.com", False),
    ("example.com.", "example.com", True), ("example.com.evil", "example.com", False),
    ("1.127.0.0.1", "127.0.0.1", False), ("127.0.0.1", "127.0.0.1", True),
]  # fmt: skip


@pytest.mark.parametrize(("hostname", "domain", "want"), WITHIN)
def test_a_subdomain_begins_at_a_dot(hostname, domain, want):
    assert in_domain(hostname, domain) is want


SEED = ("https://docs.example.com/guide/start.html?x",)
SCOPES = [
    ("host", "https://docs.example.com/other", True), ("host", "http://docs.example.com/", True),
    ("host", "https://docs.example.com:8443/", False), ("host", "https://example.com/", False),
    ("domain", "https://example.com/", True), ("domain", "http://a.example.com:81/", True),
    ("domain", "https://evilexample.com/", False), ("domain", "https://example.org/", False),
    ("prefix", "https://docs.example.com/guide/a/b", True),
    ("prefix", "http://docs.example.com/guide/", True),
    ("prefix", "https://docs.example.com/guide", False),
    ("prefix", "https://docs.example.com/guidebook/", False),
    ("prefix", "https://docs.example.com/", False), ("any", "http://anywhere.test/", True),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "url", "want"), SCOPES)
def test_each_kind_of_scope_allows_what_it_says(kind, url, want):
    assert Scope(kind, SEED).allows(url) is want


def test_allowed_domains_stand_in_for_the_rule_about_hosts():
    scope = Scope("host", ("https://redirector.test/",), ("EXAMPLE.com", ".bücher.example"))
    assert scope.allows("https://a.example.com:81/")
    assert scope.allows("https://xn--bcher-kva.example/")
    assert not scope.allows("https://redirector.test/")
    assert not scope.allows("https://evilexample.com/")


def test_a_prefix_scope_with_allowed_domains_asks_for_both():
    scope = Scope("prefix", SEED, ("example.com",))
    assert scope.allows("https://docs.example.com/guide/a")
    assert not scope.allows("https://docs.example.com/")


def test_scope_without_seeds_allows_nothing_but_any():
    assert not Scope("host").allows("https://a/")
    assert not Scope("prefix").allows("https://a/")
    assert Scope("any").allows("https://a/")


def test_a_wrong_scope_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown scope 'page'"):
        Scope("page")
    with pytest.raises(ValueError, match="'a b' is not a host name"):
        Scope("host", allowed_domains=("a b",))


@pytest.mark.parametrize("kind", ["host", "domain", "prefix"])
def test_a_hundred_thousand_seeds_are_taken_in_one_after_the_other(kind):
    scope = Scope(kind, ("http://a.example/docs/x",))
    for number in range(100_000):
        scope.include(f"http://h{number}.test/docs/x")
    assert scope.allows("http://h99999.test/docs/y") and scope.allows("http://a.example/docs/")
    assert not scope.allows("http://other.example/docs/y")
    assert scope.allows("http://h5.test/other") == (kind != "prefix")
    assert scope.include_redirect("http://www.a.example/") == (kind != "domain")
    assert scope.allows("http://www.a.example/docs") and not scope.allows("http://www.b.example/")
