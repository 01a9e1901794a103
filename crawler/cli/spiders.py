"""`crawler list`: the spiders in `spiders/`."""

from __future__ import annotations

import sys

from crawler.cli.declared import Exit


def list_spiders() -> None:
    """List the spiders in spiders/.

    Files there that do not load are listed with the line that is wrong.

    Example: crawler list
    """
    from crawler.cli import spider_loader

    found = spider_loader.loaded()
    if not found:
        print(f"There is no spider in {spider_loader.SPIDERS}/; make one: crawler new NAME")
        raise Exit
    widest = max(len(spider.name) for spider in found)
    for spider in found:
        about = f"broken: {spider.problem}" if spider.problem else spider.about
        print(f"{spider.name.ljust(widest)}  {spider.file}  {about}".rstrip())
    broken = sum(bool(spider.problem) for spider in found)
    if broken:
        print(f"{broken} of these cannot run", file=sys.stderr)
        raise Exit(1)
