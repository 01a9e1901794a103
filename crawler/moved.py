"""Where modules of earlier versions stand now: their old names still import, with a warning.

Nothing of Crawlkeep imports by these names. The next minor version drops them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `import crawler` costs nothing
    from importlib.machinery import ModuleSpec
    from types import ModuleType

HOMES = {
    "address": "http.resolver",
    "answers": "http.exchange",
    "assembly": "engine.assembly",
    "auth": "http.credentials",
    "bodies": "web.body",
    "cache": "http.replay_cache",
    "callbacks": "spider.collector",
    "calls": "spider.collector",
    "canonical": "urls.optional_steps",
    "charset": "parse.charset",
    "cli.loading": "cli.spider_loader",
    "cli.looking": "cli.probe",
    "cli.running": "cli.runner",
    "cli.screen": "cli.terminal",
    "clients.caller": "clients.transport",
    "clients.doors": "clients.strategies",
    "clients.gather": "clients.fetch_many",
    "clients.keeper": "clients.file_store",
    "clients.part": "clients.partial_file",
    "clients.pull": "clients.download_attempt",
    "clock": "frontier.clock",
    "coding": "http.content_encoding",
    "columns": "items.columns",
    "committer": "engine.committer",
    "compare": "inspect.diff",
    "crawl": "engine.one_call",
    "deadline": "http.exchange",
    "directives": "parse.meta_robots",
    "encodings": "parse.encodings",
    "failures": "http.errors",
    "fetcher": "http.fetcher",
    "filenames": "http.content_disposition",
    "following": "links.follow",
    "form": "web.form",
    "formats": "export.formats",
    "gate": "engine.robots_gate",
    "gates": "inspect.health",
    "guard": "http.address_guard",
    "http.link_header": "web.link_header",
    "importing": "export.import_",
    "jars": "http.cookies",
    "kinds": "web.download_stream",
    "manners": "inspect.politeness_report",
    "markdown": "parse.markdown",
    "markdown_files": "export.markdown",
    "novelty": "links.duplicates",
    "overview": "inspect.status",
    "pace": "politeness.throttle",
    "page": "web.page",
    "plots": "markup.charts",
    "progress": "engine.progress",
    "proxies": "http.proxies",
    "query": "inspect.query",
    "readable": "parse.text",
    "redirects": "web.redirects",
    "refresh": "parse.refreshes",
    "report": "inspect.run_report",
    "request": "web.request",
    "retry": "politeness.retry",
    "rules": "links.rule",
    "saved": "inspect.saved_queries",
    "scan": "parse.fast_pass",
    "scope": "urls.scope",
    "search": "inspect.search",
    "secret": "config.secrets",
    "section": "config.section",
    "seeding": "engine.seeding",
    "sessions": "http.sessions",
    "simhash": "links.simhash",
    "sitemap_bytes": "sitemap.repair",
    "sitemap_visits": "engine.sitemap_reader",
    "soup": "parse.soup",
    "srcset": "parse.image_set",
    "stats": "web.stats",
    "store.causes": "store.sqlite_errors",
    "store.novelties": "store.fingerprints",
    "store.upkeep": "store.requeue",
    "tags": "parse.tokenizer",
    "tls": "http.tls",
    "traps": "links.traps",
    "tree": "parse.selector",
    "warc": "export.warc",
    "weblinks": "web.link_header",
    "why": "inspect.why",
    "window": "politeness.rate",
    "workbench": "frontier.host_queue",
}
"""The name below `crawler` that a module had, and the one that it has."""


class Moved:
    """Finds a module by its old name (PEP 302); asked only when nothing else has found one."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return a spec for an old name, None for any other."""
        from importlib.machinery import ModuleSpec

        package, _, name = fullname.partition(".")
        known = package == "crawler" and name in HOMES
        return ModuleSpec(fullname, self) if known else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system to make a module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name in the place of the old one."""
        import warnings
        from importlib import import_module

        old = module.__name__
        home = f"crawler.{HOMES[old.partition('.')[2]]}"
        warnings.warn(f"{old} is {home} now", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(home)
        if old == "crawler.crawl":  # the import system puts it where the function was
            sys.modules[old].__class__ = _callable()


def _callable() -> type[ModuleType]:
    """Return the class of a module that can be called as its function `crawl`."""
    from types import ModuleType

    class CrawlModule(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return self.crawl(*arguments, **options)

    return CrawlModule


def install() -> None:
    """Let old names be found."""
    if not any(isinstance(finder, Moved) for finder in sys.meta_path):
        sys.meta_path.append(Moved())
