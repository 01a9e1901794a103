"""`crawler pause`, `resume`, `stop`, `add`, `block`, `unblock`, `prioritize`, `set`: steer a crawl.

Each adds a row to the table `control` of the store and tells what came of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.errors import UsageError
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.store.address import StoreAddress

Target = Annotated[str, Argument(metavar="[HOST]", help="A host; by default the crawl as a whole.")]
Meant = Annotated[
    str,
    Argument(metavar="TARGET", help="A host, a pattern like example.com/trap/*, or a URL."),
]
Reason = Annotated[str | None, Option("--reason", help="Why; it is kept with the row.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask first.")]
_WAIT = 5.0  # seconds for an answer


def _ask(
    store: str | StoreAddress | None,
    action: str,
    target: str = "",
    *,
    reason: str | None = None,
    value: str | None = None,
    expected: int | None = None,
) -> None:
    """Ask, wait for the answer, and print it; a refusal is exit code 1."""
    from crawler import control
    from crawler.cli import stores
    from crawler.inspect.status import overview

    if store is None and target and action != "add":
        _refuse_store(action, target)
    path = stores.any_of(store) if store is None or isinstance(store, str) else store
    number = control.ask(
        path, action, target, reason=reason, value=value, expected=expected, via="cli"
    )
    if overview(path).state != "running":
        print(f"no crawl runs into {path}: it is done when the next run begins (control {number})")
        return
    row = control.wait(path, number, _WAIT)
    if row.state == "asked":
        print(f"not answered within {_WAIT:.0f} s; row {number} of the table control waits")
        raise Exit(1)
    if row.state == "refused":
        print(f"crawler: {action}: {row.result}", file=sys.stderr)
        raise Exit(1)
    print(row.result)


def _refuse_store(action: str, target: str) -> None:
    """Raise UsageError for a store where a host is meant: no host of that name would be found."""
    from crawler.cli.stores import is_store
    from crawler.errors import UsageError

    if is_store(target):
        raise UsageError(f"{target} is a store, no host; write: crawler {action} --store {target}")


def pause(target: Target = "", store: options.Seen = None, reason: Reason = None) -> None:
    """Start nothing more, of a crawl or one of its hosts.

    What is in flight comes to its end and is committed; the process goes on and waits.

    Example: crawler pause --store quotes
    """
    _ask(store, "pause", target, reason=reason)


def resume(target: Target = "", store: options.Seen = None, reason: Reason = None) -> None:
    """Let a paused crawl, or a host of it, go on.

    Example: crawler resume --store quotes
    """
    _ask(store, "resume", target, reason=reason)


def stop(store: options.Seen = None, reason: Reason = None) -> None:
    """End the run that crawls into a store; the rest stays queued.

    As Ctrl-C there: requests in flight get `engine.grace` seconds, then all is committed.

    Example: crawler stop --store quotes
    """
    _ask(store, "stop", reason=reason)


def add(
    url: Annotated[list[str] | None, Argument(metavar="URL", help="URLs, in scope or not.")] = None,
    from_: Annotated[
        Path | None, Option("--from", metavar="FILE", help="A file of URLs, one a line.")
    ] = None,
    priority: Annotated[int, Option(help="Higher comes first within its host.")] = 0,
    store: options.Seen = None,
    reason: Reason = None,
) -> None:
    """Queue URLs of a crawl that runs.

    Those that are known are not fetched again.

    Example: crawler add https://example.com/new --store example.com
    """
    from crawler.errors import UsageError

    given = list(url or ())
    if from_ is not None:
        given += from_.read_text(encoding="utf-8").split()
    if not given:
        raise UsageError("add: give a URL, or a file of them with --from")
    value = f"priority={priority}" if priority else None
    _ask(store, "add", "\n".join(given), reason=reason, value=value)


def block(
    target: Meant, store: options.Seen = None, reason: Reason = None, yes: Yes = False
) -> None:
    """Drop what is queued of a host or pattern, take no more.

    Says first how many URLs that are and names the first ten. They end as `blocked`, unsent; pages
    that are stored stay. `unblock` lets new ones in again, `retry` brings back what was dropped.

    Example: crawler block "shop.example/calendar/*" --store shop.example --reason "no end"
    """
    from crawler import control
    from crawler.cli import stores
    from crawler.inspect.query import Reader

    path = stores.any_of(store)
    with Reader(path) as reader:
        counted = control.count(reader, target)
    print(f"{plural(counted.number, 'queued URL')} would be dropped")
    for one, _ in counted.first:
        print(f"  {one}")
    if len(counted.first) < counted.number:
        print(f"  … and {counted.number - len(counted.first):,} more")
    import typer

    question = f"Block {target} and drop {plural(counted.number, 'URL')}?"
    try:
        agreed = yes or typer.confirm(question)
    except typer.Abort:  # a script has nobody who answers
        raise UsageError("nothing was answered, nothing is blocked; --yes blocks unasked") from None
    if not agreed:
        raise Exit(1)
    _ask(path, "block", target, reason=reason, expected=counted.number)


def unblock(target: Meant, store: options.Seen = None, reason: Reason = None) -> None:
    """Take URLs of a host or pattern again that was blocked.

    Example: crawler unblock "shop.example/calendar/*" --store shop.example
    """
    _ask(store, "unblock", target, reason=reason)


def prioritize(
    target: Meant,
    by: Annotated[int, Option(help="Higher comes first; below 0 comes later.")] = 10,
    store: options.Seen = None,
    reason: Reason = None,
) -> None:
    """Let queued URLs come sooner or later.

    Within its host a URL goes before those of lower priority; a whole host also goes before others
    that are ready as well.

    Example: crawler prioritize example.com/news/ --by 10 --store example.com
    """
    _ask(store, "prioritize", target, reason=reason, value=str(by))


def set_(
    value: Annotated[
        list[str], Argument(metavar="KEY=VALUE", help="delay, per_host or max_pages.")
    ],
    host: Annotated[
        str, Option("--host", metavar="HOST", help="Of one host; by default of the crawl.")
    ] = "",
    store: options.Seen = None,
    reason: Reason = None,
) -> None:
    """Change the pace of a crawl that runs, or of one host.

    A Crawl-delay of a robots.txt is never undercut. It holds in later runs as well.

    Example: crawler set delay=4 --host slow.example --store example.com
    """
    from crawler.engine.steering import Refused, values_of
    from crawler.errors import UsageError

    try:
        values_of(" ".join(value))
    except Refused as error:
        raise UsageError(f"set: {error}") from None
    _ask(store, "set", host, reason=reason, value=" ".join(value))
