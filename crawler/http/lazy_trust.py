"""aiohttp, imported without reading the file of trusted certificates.

`aiohttp.connector` makes two contexts when it is imported, and each reads the whole file (some 140
certificates, 25 ms): a quarter of the time until a crawl asks for its first page, also where none
of it is https. Here they read it when a connection first needs them.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_reading = threading.Lock()
_unread: list[UnreadContext] = []


class UnreadContext(ssl.SSLContext):
    """A context that reads the trusted certificates at its first connection, and is plain then."""

    __slots__ = ()

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Read the certificates, then do what a plain context does."""
        read(self)
        return self.wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Read the certificates, then do what a plain context does."""
        read(self)
        return self.wrap_socket(*args, **options)


def read(context: ssl.SSLContext) -> None:
    """Read the trusted certificates of a context that has not; others wait until it is done."""
    with _reading:
        if isinstance(context, UnreadContext):
            context.set_default_verify_paths()
            context.__class__ = ssl.SSLContext  # type: ignore[assignment]


def read_soon() -> None:
    """Read on a thread what verifying contexts have not: a connection is about to need them."""
    while _unread:
        context = _unread.pop()
        if context.verify_mode != ssl.CERT_NONE:
            threading.Thread(target=read, args=(context,), name="certificates").start()


@contextmanager
def unread_contexts() -> Iterator[None]:
    """Let every context that this thread makes meanwhile be one that reads later."""
    thread, plain = threading.get_ident(), ssl.SSLContext
    at_once = plain.set_default_verify_paths

    def later(context: ssl.SSLContext) -> None:
        if type(context) is plain and threading.get_ident() == thread:
            context.__class__ = UnreadContext
            _unread.append(context)  # type: ignore[arg-type]
        else:
            at_once(context)

    plain.set_default_verify_paths = later  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        plain.set_default_verify_paths = at_once  # type: ignore[method-assign]


if ssl.SSLContext.__module__ == "ssl":  # and nobody has put another in its place, as truststore
    with unread_contexts():
        import aiohttp  # noqa: F401
