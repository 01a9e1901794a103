"""`crawler status`: how a crawl stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from crawler.cli.declared import Argument, Option
from crawler.markup.words import plural, some

if TYPE_CHECKING:
    from collections.abc import Callable

    from crawler.inspect.status import Overview, Run


_WATCH = 2.0  # seconds between two looks
_KINDS = 5  # of rejected items that are named


def status(
    store: Annotated[
        str | None,
        Argument(
            help="The store: a file, or a name (`shop` is data/shop.db). By default all in data/."
        ),
    ] = None,
    json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False,
    watch: Annotated[
        bool, Option("--watch", "-w", help="Show it anew every two seconds, until Ctrl-C.")
    ] = False,
) -> None:
    """Show how a crawl stands.

    State, pages, queued, errors, hosts, items, outcomes and the last runs.

    Example: crawler status quotes
    """
    from crawler.cli import stores
    from crawler.inspect.status import overview

    if watch:
        _watch(lambda: story(overview(stores.any_of(store))))
        return
    everything = stores.every() if store is None else []
    seen = [overview(path) for path in everything] or [overview(stores.any_of(store))]
    if json:
        _print_json(seen[0] if store is not None else seen)
    elif len(seen) == 1:
        print(story(seen[0]))
    else:
        print("\n".join(_short(one) for one in seen))


def _watch(told: Callable[[], str]) -> None:
    """Print a text again and again: in place on a terminal, one after the other elsewhere."""
    import sys
    import time
    from contextlib import suppress

    from crawler.cli.visible import raw, visible

    screen = raw(sys.stdout)
    clear = "\x1b[H\x1b[2J" if screen.isatty() else ""
    with suppress(KeyboardInterrupt):
        while True:
            screen.write(f"{clear}{visible(told())}\n")
            screen.flush()
            time.sleep(_WATCH)


def _print_json(seen: Overview | list[Overview]) -> None:
    import dataclasses
    import json

    one = isinstance(seen, list)
    print(json.dumps([dataclasses.asdict(o) for o in seen] if one else dataclasses.asdict(seen)))  # type: ignore[union-attr, arg-type]


def _short(one: Overview) -> str:
    state = "paused" if one.paused else one.state
    return f"{one.store}  {state}  {plural(one.pages, 'page')}, {one.queued:,} queued"


def story(one: Overview) -> str:
    """Return an overview as a block of lines."""
    lines = [
        f"store    {one.store} ({one.bytes / 1e6:,.1f} MB)",
        f"spider   {one.spider or '-'}",
        f"state    {_state(one)}",
        f"pages    {one.pages:,}",
        f"queued   {one.queued:,}{_list(one.busiest, '  most: ')}"
        + f"; a recrawl queues {one.chosen:,} more" * bool(one.chosen),
        f"errors   {one.errors:,}",
        f"hosts    {one.hosts:,}",
        f"items    {_list(one.items) or '0'}",
        f"outcomes {_list(one.outcomes) or '-'}"
        + (f", {plural(one.retries, 'retry', 'retries')}" * bool(one.retries)),
    ]
    if one.pool:
        lines.append(_pool(one.pool))
    if one.problems:
        lines.append(f"rejected {plural(one.problems, 'item')}; see the table problems")
        lines += [f"  {number:,} {kind}" for kind, number in list(one.rejected.items())[:_KINDS]]
    if one.dropped:
        lines.append(f"dropped  {plural(sum(one.dropped.values()), 'item')}, by pipelines")
        lines += [f"  {number:,} {kind}" for kind, number in list(one.dropped.items())[:_KINDS]]
    if one.widened:
        lines.append(
            f"widened  {plural(one.widened, 'time')} a column of items, to hold all values"
        )
    if one.renamed:
        lines.append(f"renamed  {some(one.renamed)}")
    if one.replaced:
        lines.append(
            f"replaced {plural(one.replaced, 'text')} of items had NUL or half a character"
        )
    if one.refused:
        lines.append(f"not taken {_list(one.refused)}")
    if one.hidden:
        lines.append(f"hidden text {_list(one.hidden)}")
    for name, seconds in one.resting.items():
        lines.append(f"resting  {name} for {seconds // 60}:{seconds % 60:02} more")
    return "\n".join([*lines, "runs", *(f"  {_run(run)}" for run in one.runs)])


def _state(one: Overview) -> str:
    if one.state != "running":
        return one.state
    said = "running, paused" if one.paused else "running"
    if one.processes > 1:
        said += f" ({one.processes} processes; crawler workers shows them)"
    else:
        said += f" (process {one.runs[0].pid})"
    return said + "; crawler resume lets it go on" * one.paused


def _pool(pool: dict[str, Any]) -> str:
    busiest = _list(pool["hosts"], "  most: ")
    return (
        f"pool     {pool['open']:,} open, {pool['idle']:,} idle, {pool['waiting']:,} waiting;"
        f" {plural(pool['names'], 'name')}; {pool['memory'] / 1e6:,.0f} MB{busiest}"
    )


def _list(counts: dict[str, int], before: str = "") -> str:
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    return before + told if told else ""


def _run(run: Run) -> str:
    why = f" ({run.reason})" if run.reason and run.reason != run.state else ""
    took = f" in {run.seconds:.1f}s" if run.seconds else ""
    return (
        f"{run.run_id}  {run.started_at}  {run.state}{why}:"
        f" {plural(run.pages, 'page')}, {plural(run.errors, 'error')}{took}"
    )
