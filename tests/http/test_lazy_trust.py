"""The trusted certificates are read when a connection needs them, and then all of them."""

import ssl
import subprocess
import sys
import threading

from crawler.http import lazy_trust


def wrapped(context: ssl.SSLContext) -> ssl.SSLObject:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="a.example")


def unread() -> ssl.SSLContext:
    with lazy_trust.unread_contexts():
        return ssl.create_default_context()


def test_a_context_reads_the_certificates_at_its_first_connection_and_is_plain_then() -> None:
    context, plain = unread(), ssl.create_default_context()
    assert context.cert_store_stats()["x509"] == 0
    wrapped(context)
    assert type(context) is ssl.SSLContext
    assert context.cert_store_stats() == plain.cert_store_stats()


def test_what_it_checks_of_a_server_is_what_a_plain_context_checks() -> None:
    context = unread()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    other = wrapped(context).context
    assert (other.verify_mode, other.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_another_thread_gets_a_context_that_is_ready() -> None:
    made: list[ssl.SSLContext] = []
    with lazy_trust.unread_contexts():
        thread = threading.Thread(target=lambda: made.append(ssl.create_default_context()))
        thread.start()
        thread.join()
    assert type(made[0]) is ssl.SSLContext


def test_they_are_read_ahead_once_an_address_needs_them() -> None:
    context = unread()
    lazy_trust.read_soon()
    for thread in threading.enumerate():
        if thread.name == "certificates":
            thread.join()
    assert type(context) is ssl.SSLContext


def test_a_crawler_that_was_imported_has_read_none() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import crawler.engine.crawler, aiohttp.connector as c\n"
            "print(c._SSL_CONTEXT_VERIFIED.cert_store_stats()['x509'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "0"
