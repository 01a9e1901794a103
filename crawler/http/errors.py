"""Failures: which outcome an exception of the HTTP client means, as a table."""

from __future__ import annotations

import socket
import ssl

import aiohttp

from crawler.errors import AddressRefused, FetchError, without_passwords
from crawler.web.error_place import is_own, own_line
from crawler.web.outcome import Outcome

_TLS = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
    aiohttp.ClientSSLError,
    aiohttp.ServerFingerprintMismatch,
    ssl.SSLError,
)
_OUTCOMES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Outcome], ...] = (
    (TimeoutError, Outcome.TIMEOUT),
    (aiohttp.ClientProxyConnectionError, Outcome.PROXY_ERROR),
    (aiohttp.ClientHttpProxyError, Outcome.PROXY_ERROR),
    (_TLS, Outcome.TLS_ERROR),
    (aiohttp.ClientConnectorDNSError, Outcome.DNS_ERROR),
    (aiohttp.ClientPayloadError, Outcome.PROTOCOL_ERROR),
    (aiohttp.ClientResponseError, Outcome.PROTOCOL_ERROR),
    (aiohttp.ServerDisconnectedError, Outcome.CONNECT_ERROR),
    (aiohttp.ClientError, Outcome.CONNECT_ERROR),
    (OSError, Outcome.CONNECT_ERROR),
    (ValueError, Outcome.PROTOCOL_ERROR),  # what aiohttp says to headers and URLs it cannot take
)
_LASTING = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_UNSENT = "Failed to send bytes"  # what aiohttp says of a body that raised while it was sent
_LONGEST = 500  # characters of a client's message: a parser quotes what it could not read


def to_fetch_error(error: BaseException) -> FetchError:
    """Return the FetchError that says in which outcome an exception of the client ends."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, FetchError):
            return inner
        if isinstance(inner, aiohttp.ClientConnectorError) and isinstance(
            inner.os_error, AddressRefused
        ):
            return inner.os_error
        inner = inner.__cause__ or inner.__context__
    cause = error.__cause__
    if cause is not None and str(error).startswith(_UNSENT):
        text = f"what was to be sent raised {type(cause).__name__}: {cause}"
        return FetchError(text, Outcome.CONNECT_ERROR, final=True)
    if is_own(error):  # of a middleware, which aiohttp calls
        return FetchError(own_line(error) or str(error), Outcome.SPIDER_ERROR, final=True)
    outcome = next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), None)
    return FetchError(_text(error), outcome or Outcome.PROTOCOL_ERROR, final=_is_final(error))


def of_proxy(way: str, status: int) -> str:
    """Return what a proxy answered in place of the site; to 407, what it wants (RFC 9110)."""
    asks = "; it asks for a user and a password, which stand in its URL (proxy.urls)"
    return f"{way} answered {status}{asks if status == 407 else ''}"


def _text(error: BaseException) -> str:
    """Return the class and message, without the credentials of a proxy and without an essay."""
    if isinstance(error, aiohttp.ClientHttpProxyError):  # to CONNECT
        url = without_passwords(str(error.request_info.real_url))
        return of_proxy(f"the proxy {url}", error.status)
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        # With all fields so far, and with them what is for us alone (Set-Cookie).
        return f"{type(error).__name__}: the connection ended in a head of {error.message.code}"
    text = without_passwords(str(error)).replace(" ssl:default", "")  # said of http:// URLs, too
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_final(error: BaseException) -> bool:
    """Return whether trying again cannot help: the resolver says that there is no such name."""
    return (
        isinstance(error, aiohttp.ClientConnectorDNSError)
        and isinstance(error.os_error.__cause__ or error.os_error, OSError)
        and _errno(error.os_error) in _LASTING
    )


def _errno(error: OSError) -> int | None:
    cause = error.__cause__
    return cause.errno if isinstance(cause, socket.gaierror) else error.errno
