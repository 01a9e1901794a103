"""`[identity]`: who the crawler is, provably."""

from crawler.config.section import Positive, Section


class IdentitySettings(Section, frozen=True, kw_only=True):
    """Who we are, provably: requests signed by RFC 9421 (web-bot-auth). Off without a key."""

    key_file: str | None = None
    """A PEM file with a private key of Ed25519; `crawler identity new` makes one."""
    agent: str | None = None
    """The origin that publishes the directory of keys, like "https://crawler.example"."""
    lifetime: Positive = 60
    """Seconds that a signature holds."""
