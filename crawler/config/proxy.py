"""The section [proxy]."""

from crawler.config.section import Section, SomeSeconds


class ProxySettings(Section, frozen=True, kw_only=True):
    """Proxies, taken by turns. http:// and https:// proxies, socks5:// with the extra."""

    urls: list[str] = []
    """Proxies used in turn, like "http://user:$PROXY_PASSWORD@proxy.example:8080"."""
    hosts: dict[str, str] = {}
    """The proxy of a host name, or "direct"."""
    rest: SomeSeconds = 30.0
    """Seconds that a proxy is left alone after a failure; doubles while it keeps failing."""
    trust_env: bool = False
    """Heed HTTP_PROXY, HTTPS_PROXY, NO_PROXY and ~/.netrc."""
