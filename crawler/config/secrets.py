"""Secrets: named in the code and the configuration, kept in the environment, shown nowhere.

A `Secret` stands wherever a value of a request may stand: a header, a cookie, a form field. What is
stored, logged and compared is its name; the value is read when the request goes on the wire.
"""

import os
import re
from collections.abc import Callable

from msgspec import Struct

from crawler.errors import ConfigError
from crawler.lazy_regex import lazy

_VARIABLE = lazy(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


class Secret(Struct, frozen=True):
    """The value of an environment variable, known by its name: `Secret("SITE_PASSWORD")`."""

    name: str

    def reveal(self) -> str:
        """Return the value; ConfigError where the environment has none."""
        value = os.environ.get(self.name)
        if not value:
            raise ConfigError(
                f"the secret {self.name} is not in the environment; set it: export {self.name}=…"
            )
        return value


def revealed(value: str | Secret) -> str:
    """Return a text as it is, and a Secret's value."""
    return value.reveal() if isinstance(value, Secret) else value


def expanded(text: str, write: Callable[[str], str] = str) -> str:
    """Put environment variables in, each written by `write`: "Bearer $TOKEN"."""
    return _VARIABLE.sub(lambda found: write(Secret(found[1] or found[2]).reveal()), text)


_NAME = lazy(
    r"passw|passcode|passphrase|pass$|pwd|secret|token|credential|cookie|csrf|xsrf|signature"
    r"|authori[sz]|authentic|oauth|session[-_]?(?:id|key)|(?:api|access|private)[-_]?key|key$"
    r"|(?<![a-z])(?:pass|auth|key|otp|pin|sid|session)(?![a-z])",
    re.IGNORECASE,
)


def is_secret(name: str, value: object = "") -> bool:
    """Return whether a header or a field is not to be shown: by its name, or as it is a Secret."""
    return isinstance(value, Secret) or (
        _NAME.search(name) is not None and name.lower() != "idempotency-key"
    )


_NEGOTIATION = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "user-agent", "from"),
        *("cache-control", "pragma", "dnt", "priority", "save-data", "te", "connection"),
        *("range", "if-range", "if-match", "if-none-match"),
        *("if-modified-since", "if-unmodified-since", "upgrade-insecure-requests", "prefer"),
        *("content-type", "content-language", "content-encoding", "idempotency-key"),
    }
)
_OF_BROWSERS = ("sec-ch-", "sec-fetch-", "sec-gpc")


def may_leave(name: str, value: object = "") -> bool:
    """Return whether a header may go to another origin than the one it was meant for.

    Only what negotiates content, describes the body or asks for a part does: Fetch drops
    Authorization alone on a redirect, but a key may be in any header that a user makes up.
    """
    name = name.lower()
    return not isinstance(value, Secret) and (name in _NEGOTIATION or name.startswith(_OF_BROWSERS))
