"""One try over the network: sessions, TLS, proxies, cookies, the address guard."""

from crawler.http import lazy_trust as lazy_trust  # before anything imports aiohttp
