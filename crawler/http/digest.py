"""Digest authentication (RFC 7616): the challenge that is answered, among all that a server sends.

aiohttp answers one; which one is decided here. A server may offer Basic beside it, in the same
header or another one, write its parameters in any case, and name algorithms that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aiohttp import ClientResponse, DigestAuthMiddleware, hdrs
from aiohttp.client_middleware_digest_auth import DigestFunctions
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.lazy_regex import lazy

_CHARACTER = r"[\w!#$%&'*+\-.^`|~]"
_TOKEN = f"(?<!{_CHARACTER})({_CHARACTER}++)"  # a search begins at none of its other characters
# What a challenge consists of (RFC 9110 11.6.1): name=value, or a word that begins the next one.
_PIECE = lazy(
    rf'{_TOKEN}\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|{_TOKEN})(?=\s*+(?:,|$))'
    rf"|{_TOKEN}(?:\s++[\w\-.~+/]++=*+(?=\s*+(?:,|$)))?",
    re.ASCII,
)


class Challenge(NamedTuple):
    """What a server asks for: the scheme in lower case, and its parameters by lower-case names."""

    scheme: str
    parameters: dict[str, str]


def challenges(headers: Iterable[str]) -> Iterator[Challenge]:
    """Yield the challenges of WWW-Authenticate headers, in the order of the server."""
    for header in headers:
        found: Challenge | None = None
        for name, quoted, bare, scheme in _PIECE.findall(header):
            if scheme:
                if found is not None:
                    yield found
                found = Challenge(scheme.lower(), {})
            elif found is not None:
                value = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
                found.parameters.setdefault(name.lower(), value)
        if found is not None:
            yield found


def best(headers: Iterable[str]) -> dict[str, str] | None:
    """Return the parameters of the first Digest challenge that can be answered, None for none."""
    for scheme, parameters in challenges(headers):
        if scheme != "digest" or not parameters.get("nonce") or "realm" not in parameters:
            continue
        if parameters.get("algorithm", "MD5").upper() not in DigestFunctions:
            continue
        offered = {word.strip().lower() for word in parameters.get("qop", "").split(",")} - {""}
        if offered and not offered & {"auth", "auth-int"}:
            continue
        # auth-int would need the whole body first, and browsers know only auth.
        qop = {"qop": "auth" if "auth" in offered else "auth-int"} if offered else {}
        return {**parameters, **qop}
    return None


class _Answer(NamedTuple):
    """What aiohttp looks at: an answer with one challenge, written as it reads one."""

    status: int
    headers: CIMultiDictProxy[str]
    url: object


class DigestAuth(DigestAuthMiddleware):
    """Answers Digest challenges of the origin of its first request."""

    def _authenticate(self, response: ClientResponse) -> bool:
        if response.status != 401:
            return False
        parameters = best(response.headers.getall(hdrs.WWW_AUTHENTICATE, ()))
        if parameters is None:
            return False
        said = ", ".join(f'{name}="{_escaped(text)}"' for name, text in parameters.items())
        headers = CIMultiDictProxy(CIMultiDict({hdrs.WWW_AUTHENTICATE: f"Digest {said}"}))
        asked = _Answer(response.status, headers, response.url)
        return super()._authenticate(asked)  # type: ignore[arg-type]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
