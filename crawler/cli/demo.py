"""`crawler demo`: the practice site, a crawl of it, and a query over the result."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.spider import Spider

PORT = 8765  # the same every time, so that a demo can be interrupted and resumed
_HOST = "127.0.0.1"

_QUERIES = {
    "quotes": "SELECT author, count(*) AS quotes, min(text) AS one FROM quote"
    " GROUP BY author ORDER BY quotes DESC, author LIMIT 10",
    "books": "SELECT category, count(*) AS books, round(avg(price), 2) AS mean_price FROM book"
    " GROUP BY category ORDER BY category",
}
_PAGES = (
    "SELECT depth, count(*) AS pages, sum(size) AS bytes, count(DISTINCT title) AS titles"
    " FROM pages WHERE outcome = 'ok' GROUP BY depth"
)


def demo(
    spider: Annotated[
        str | None, Argument(help="The spider; by default one that follows every link.")
    ] = None,
    store: options.Store = None,
    port: Annotated[
        int | None, Option(min=0, max=65535, help=f"The site's port; by default {PORT}.")
    ] = None,
    serve_only: Annotated[
        bool, Option("--serve-only", help="Serve the site and crawl nothing.")
    ] = False,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
) -> None:
    """Crawl the bundled practice site.

    Serves it on loopback, crawls it, and shows a query over the result.

    Example: crawler demo quotes --store data/quotes.db
    """
    if serve_only:
        _serve(port if port is not None else PORT)
        return
    from crawler.cli import stores
    from crawler.cli.runner import RunOptions, run

    site = _start(port)
    made, name = _spider(spider, site)
    path = stores.place(store, stores.DATA / f"{name}.db")
    if not quiet:
        print(f"The practice site is at {site}; the spider is {made.name!r}; the store is {path}.")
    code = run(
        made, RunOptions(store=path, overrides=("politeness.delay=0",), fresh=fresh, quiet=quiet)
    )
    if code == 0 and not quiet:
        _show(path, _QUERIES.get(made.name, _PAGES))
    raise Exit(code)


def _spider(name: str | None, site: str) -> tuple[Spider, str]:
    """Return the spider and the name of its store.

    A spider of yours that takes no `base` crawls another site: ours of its name runs instead, and
    into a store of its own.
    """
    if name is None:
        from crawler.spider import SiteSpider

        return SiteSpider(site), "demo"
    from crawler.cli import spider_loader

    base = [f"base={site}"]
    ours = next((file for file in _bundled(name) if file.is_file()), None)
    yours = any(known.name == name for known in spider_loader.survey())
    if ours is None or (yours and hasattr(spider_loader.find(name), "base")):
        return spider_loader.load(name, base), name
    return spider_loader.load(str(ours), base), f"demo_{name}" if yours else name


def _bundled(name: str) -> Iterator[Path]:
    """Yield where a spider of ours may be: in the package that was built, or in the checkout."""
    if name.isidentifier():
        package = Path(__file__).parents[1]
        yield package / "practice" / "spiders" / f"{name}.py"
        yield package.parent / "spiders" / f"{name}.py"


def _show(path: Path, sql: str) -> None:
    import shlex

    from crawler.cli.table import write_table
    from crawler.inspect.query import Reader

    print(f'\n$ crawler query --store {shlex.quote(str(path))} "{sql}"')
    sys.stdout.flush()
    with Reader(path) as reader:
        write_table(reader.query(sql), sys.stdout)


# ---------------------------------------------------------------- the site


def _serve(port: int) -> None:
    from crawler.errors import UsageError
    from crawler.practice import serve

    try:
        serve(_HOST, port, ready=lambda url: print(url, flush=True))
    except OSError as error:
        raise UsageError(_taken(port, error)) from None
    except KeyboardInterrupt:
        return


def _start(port: int | None) -> str:
    """Serve the site from a thread until the process ends, and return its URL."""
    from crawler.errors import UsageError

    wanted = PORT if port is None else port
    answer = _try(wanted)
    if isinstance(answer, OSError) and port is None:
        answer = _try(0)
    if isinstance(answer, OSError):
        raise UsageError(_taken(wanted, answer))
    return answer


def _try(port: int) -> str | OSError:
    from crawler.practice import serve

    answers: SimpleQueue[str | OSError] = SimpleQueue()

    def work() -> None:
        try:
            serve(_HOST, port, ready=answers.put)
        except OSError as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True, name="practice").start()
    return answers.get()


def _taken(port: int, error: OSError) -> str:
    return f"port {port} cannot be served ({error.strerror or error}); choose another --port"
