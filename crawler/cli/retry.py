"""`crawler retry`: queue failed requests again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.store.address import StoreAddress


def retry(
    where: Annotated[
        str, Option(help="SQL over pages and host, as in \"outcome = 'timeout'\".")
    ] = "",
    store: options.Seen = None,
) -> None:
    """Queue failed requests again.

    Nothing that failed is ever forgotten.

    Example: crawler retry --where "status = 503 AND host LIKE '%example.com%'"
    """
    from crawler.cli import stores
    from crawler.store import requeue

    path = stores.any_of(store)
    check(path, where)
    number = requeue.retry(path, where, lock_timeout=stores.lock_timeout())
    if not number:
        left = "that failed can be tried again" if not where else "that failed is meant by --where"
        print(f"{path}: no request {left}; crawler recrawl visits stored pages again")
        return
    queued = f"{plural(number, 'request')} queued again in {path}"
    print(f"{queued}; go on with `crawler run` or `crawl`")


def check(path: StoreAddress, where: str) -> None:
    """Run a condition over no page: QueryError says where a mistake is and what is near."""
    from crawler.inspect.query import Reader

    if where:
        with Reader(path) as reader:
            hosts = "(SELECT host_id, name AS host FROM hosts) AS named"
            reader.query(f"SELECT 1 FROM pages JOIN {hosts} USING (host_id) WHERE {where} LIMIT 0")
