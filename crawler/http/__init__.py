"""One try over the network: sessions, TLS, proxies, cookies, the address guard."""
