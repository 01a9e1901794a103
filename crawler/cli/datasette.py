"""`crawler datasette`: a store in Datasette."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from crawler.cli.declared import Argument, Option

_MISSING = "Datasette is not here: pip install 'crawlkeep[datasette]'"


def datasette(
    store: Annotated[str, Argument(help="The store: a file, or a name (`shop` is data/shop.db).")],
    more: Annotated[
        list[str] | None,
        Argument(metavar="-- OPTIONS", help="More options, for `datasette serve`."),
    ] = None,
    port: Annotated[
        int, Option(min=0, max=65535, help="The port at 127.0.0.1; 0: any that is free.")
    ] = 8001,
    open_: Annotated[bool, Option("--open", help="Open it in the browser, too.")] = False,
    limit: Annotated[
        float, Option(min=0.001, metavar="SECONDS", help="A query is stopped after this.")
    ] = 3.0,
) -> None:
    """Open a store in Datasette, well set up.

    Tables and columns say what they are, queries/*.sql are there by name, cookies are closed. It
    reads only, at 127.0.0.1; the store of a finished crawl is opened as immutable.

    Example: crawler datasette quotes --port 8001 -- --setting max_returned_rows 5000
    """
    from crawler.cli import stores
    from crawler.errors import UsageError
    from crawler.inspect import datasette as shown
    from crawler.inspect.query import Reader

    if "://" in store:
        raise UsageError(
            "Datasette reads SQLite files alone; crawler dashboard and crawler query read"
            " PostgreSQL, and crawler export ITEM -o FILE.sqlite writes a file for it"
        )
    if store.startswith("-"):
        raise UsageError("name the store first: crawler datasette STORE -- OPTIONS")
    path = stores.find(store)
    with Reader(path) as reader:
        shown.checked(reader)
        told = shown.metadata(reader)
    fixed = shown.is_at_rest(path)
    options = ["--host", "127.0.0.1", "--port", str(port)]
    options += ["--setting", "sql_time_limit_ms", str(max(1, round(limit * 1000)))]
    # A download would hand out the cookies, and looking for facets reads whole views.
    options += ["--setting", "allow_download", "off", "--setting", "suggest_facets", "off"]
    options += ["--open"] if open_ else []
    _serve([*(["-i"] if fixed else []), str(path.resolve())], options, told, more or [])


def _serve(files: list[str], options: list[str], told: object, more: list[str]) -> None:
    """Run Datasette in this process until it is ended."""
    from click import ClickException

    from crawler.errors import UsageError
    from crawler.inspect.datasette import plugin

    try:
        from datasette.cli import cli
        from datasette.plugins import pm
    except ImportError:
        raise UsageError(_MISSING) from None
    how = "finished: opened as immutable" if len(files) > 1 else "opened read-only, as it may grow"
    print(f"crawler: {files[-1]}, {how}", file=sys.stderr)
    ours = plugin()
    pm.register(ours)
    try:
        with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
            file = Path(folder) / "metadata.json"
            file.write_text(json.dumps(told), encoding="utf-8")
            arguments = ["serve", *files, *options, "--metadata", str(file), *more]
            cli.main(arguments, prog_name="crawler datasette", standalone_mode=False)
    except ClickException as error:
        raise UsageError(f"datasette: {error.format_message()}") from None
    finally:
        pm.unregister(ours)
