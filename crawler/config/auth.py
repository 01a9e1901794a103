"""The section [auth]. No secret stands in it: `env` names a variable of the environment."""

from typing import Literal

from crawler.config.section import Section


class CredentialSettings(Section, frozen=True, kw_only=True):
    """What opens the URLs below one prefix."""

    kind: Literal["basic", "digest", "bearer", "header"]
    """The scheme; "header" sends the secret in a header of its own."""
    env: str
    """The name of the environment variable that holds the password, token or key."""
    user: str = ""
    """The user of basic and digest."""
    header: str = "X-API-Key"
    """The name of the header of kind "header"."""


class AuthSettings(Section, frozen=True, kw_only=True):
    """Keys, by the URL prefix that they open: `[auth."https://api.example.com/v1/"]`."""

    at: dict[str, CredentialSettings] = {}
    """URL prefix (or host name, for https) to credential; the longest prefix that fits decides."""
