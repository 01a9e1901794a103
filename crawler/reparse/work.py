"""Parsing the chunks: here, or in several processes that each take every n-th chunk.

What a process has found goes through its own pipe, and the pipes are read in turn. So the results
come in the order of the pages, no process ever waits for another's, and one that is ahead waits
with a single chunk in its hands: memory stays flat.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from crawler.errors import CrawlerError
from crawler.inspect.processes import can_fork, processors
from crawler.inspect.query import Reader
from crawler.reparse.diff import Diff, compare
from crawler.reparse.pages import ChosenPages, Pages
from crawler.reparse.replay import Parsed, Replay
from crawler.spider import Spider
from crawler.store.address import StoreAddress

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Make = Callable[[], Spider]
"""Makes the spider, in each process its own; it must be picklable."""

_WORTH_FORK = 3_000_000
_WORTH_SPAWN = 30_000_000
"""Bytes of bodies for which one more process is worth its start: 0.1 s and 1 s of its time."""


class ChunkResult(NamedTuple):
    """What parsing a chunk gave: how it differs from the store and, if asked for, the items."""

    diff: Diff
    parsed: list[Parsed]


class ReparseJob(NamedTuple):
    """What there is to do: the store, its chunks, the spider, and whether to give what it finds."""

    path: StoreAddress
    chunks: list[Pages]
    make: Make
    keep: bool = False


def processes_for(chosen: ChosenPages) -> int:
    """Return the number of processes that are worth their start."""
    worth = _WORTH_FORK if can_fork() else _WORTH_SPAWN
    return max(1, min(processors(), len(chosen.chunks), chosen.size // worth))


@contextmanager
def results(work: ReparseJob, processes: int) -> Iterator[Iterator[ChunkResult]]:
    """Return the results of all chunks in order, made in so many processes.

    Raises what making the spider raises, or CrawlerError where a process died.
    """
    processes = min(processes, len(work.chunks))
    if processes <= 1:
        with closing(_each(work)) as found:
            yield found
        return
    children: list[tuple[BaseProcess, Connection]] = []
    try:
        _start(work, processes, children)
        yield _in_turn(children, work.chunks)
    finally:
        for child, pipe in children:
            pipe.close()
            child.terminate()
        for child, _ in children:
            child.join()


def _each(work: ReparseJob) -> Generator[ChunkResult, None, None]:
    """Yield the results of the chunks, one by one."""
    with Reader(work.path) as reader, closing(Replay(work.make())) as replay:
        for chunk in work.chunks:
            parsed = list(replay.parse(reader, chunk))
            yield ChunkResult(compare(reader, parsed), parsed if work.keep else [])


# ---------------------------------------------------------------- several processes


def _start(
    work: ReparseJob, processes: int, children: list[tuple[BaseProcess, Connection]]
) -> None:
    """Start the processes, and put each with its pipe among the `children` as soon as it runs."""
    import multiprocessing  # some milliseconds that one process can do without

    fork = can_fork()
    if fork:
        import parsel  # noqa: F401  # nearly every spider does, and a child each would

        gc.freeze()  # or each child's collector would copy the pages of memory that it looks at
    context: Any = multiprocessing.get_context("fork" if fork else "spawn")
    try:
        for number in range(processes):
            own = work._replace(chunks=work.chunks[number::processes])
            receiver, sender = context.Pipe(duplex=False)
            # A fork has these ends too: as long as it does, no child hears that this process died.
            inherited = [*(pipe for _, pipe in children), receiver] if fork else []
            child = context.Process(target=_child, args=(own, sender, inherited), daemon=True)
            child.start()
            sender.close()  # so that the end of the child is the end of the pipe
            children.append((child, receiver))
    finally:
        gc.unfreeze()


def _child(work: ReparseJob, pipe: Connection, inherited: list[Connection]) -> None:
    """Send the results of all chunks of a process, or the error that ended it."""
    for other in inherited:
        other.close()
    try:
        for result in _each(work):
            pipe.send(result)
    except CrawlerError as error:
        pipe.send(error)
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # nobody reads on


def _in_turn(
    children: list[tuple[BaseProcess, Connection]], chunks: list[Pages]
) -> Iterator[ChunkResult]:
    for number, chunk in enumerate(chunks):
        child, pipe = children[number % len(children)]
        try:
            result = pipe.recv()
        except EOFError:
            child.join()
            raise CrawlerError(
                f"a process ended with code {child.exitcode} while it parsed a page from"
                f" page_id {chunk[0]} to {chunk[-1]}; what was stored before stays"
            ) from None
        if isinstance(result, CrawlerError):
            raise result
        yield result
