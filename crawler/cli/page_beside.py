"""The live page beside a crawl that the command line runs: `crawler run --dashboard`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from crawler.store.address import DatabaseAddress, StoreAddress


@contextmanager
def page_beside(store: StoreAddress, options: Sequence[str] | None) -> Iterator[None]:
    """Open the live page in a process of its own, which ends with this one, however that ends.

    `options` are those of `crawler dashboard`; None for no page.
    """
    if options is None:
        yield
        return
    command = [sys.executable, "-m", "crawler", "dashboard", str(store), "--beside", *options]
    page = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # whose end tells it that we have gone
        stdout=sys.stderr.fileno(),
        start_new_session=True,  # Ctrl-C is for the crawl
        env={**os.environ, **_password_of(store)},
    )
    try:
        yield
    finally:
        page.terminate()
        page.wait()
        if page.stdin is not None:
            page.stdin.close()


def _password_of(store: StoreAddress) -> dict[str, str]:
    """Return the variable with the password of a database: on a command line all could read it."""
    if not isinstance(store, DatabaseAddress):
        return {}
    parts = urlsplit(store.dsn)
    found = parts.password or parse_qs(parts.query).get("password", [""])[0]
    return {"PGPASSWORD": unquote(found) if parts.password else found} if found else {}
