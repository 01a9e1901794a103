"""Work on batches in copies of this process, where a copy is safe; the results in their order."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.errors import CrawlerError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def can_fork() -> bool:
    """Return whether a copy of this process is safe: Linux, one thread, no event loop running.

    A fork has all that is imported for two milliseconds, where a new interpreter takes 130. But it
    copies one thread only, and locks that others held stay locked in it for ever; threads that the
    interpreter did not start, as of a numeric library, are among the tasks of the kernel.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    loop = sys.modules.get("asyncio.events")
    if loop is not None and loop._get_running_loop() is not None:
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def processors() -> int:
    """Return the number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def forked(
    function: Callable[[Batch], Result], batches: Iterable[Batch], processes: int
) -> Generator[Result, None, None]:
    """Yield the function's result for each batch, in order, from so many forks of this process.

    With `processes` 0, and on Windows, it is called here. No fork has more than one batch, so
    memory stays flat, and while a result is used the forks go on. CrawlerError where one died.
    """
    if not processes or sys.platform == "win32":
        yield from map(function, batches)
        return
    children: list[tuple[BaseProcess, Connection]] = []
    busy: deque[tuple[BaseProcess, Connection]] = deque()
    try:
        for batch in batches:
            if len(children) < processes:
                child = _start(function, [pipe for _, pipe in children])
                children.append(child)
                child[1].send(batch)
                busy.append(child)
                continue
            child = busy.popleft()
            result = _result(child)
            child[1].send(batch)
            busy.append(child)
            yield result
        while busy:
            yield _result(busy.popleft())
    finally:
        for process, pipe in children:
            pipe.close()
            process.terminate()
        for process, _ in children:
            process.join()


def _start(
    function: Callable[[Any], Any], inherited: list[Connection]
) -> tuple[BaseProcess, Connection]:
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no fork")
    import multiprocessing  # some milliseconds that one process can do without

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    gc.freeze()  # or each child's collector would copy the pages of memory that it looks at
    try:
        process = context.Process(
            target=_child, args=(function, theirs, [*inherited, ours]), daemon=True
        )
        process.start()
    finally:
        gc.unfreeze()
    theirs.close()  # so that the end of the child is the end of the pipe
    return process, ours


def _child(function: Callable[[Any], Any], pipe: Connection, inherited: list[Connection]) -> None:
    """Answer each batch until the pipe ends; what was open at the fork is not ours to touch."""
    for other in inherited:  # as long as it has these, no other child hears that the parent died
        other.close()
    try:
        while True:
            pipe.send(function(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        pass  # nobody asks on


def _result(child: tuple[BaseProcess, Connection]) -> Any:
    process, pipe = child
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise CrawlerError(
            f"a process ended with code {process.exitcode} while it read pages; what was stored"
            " before stays"
        ) from None
