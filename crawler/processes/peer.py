"""One worker process as its owner sees it: how it starts, what it is at work on, how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from crawler.errors import SpiderError
from crawler.http.pool import Pool
from crawler.processes import messages
from crawler.processes.channel import Channel
from crawler.processes.launch import Launched, spawned
from crawler.processes.messages import (
    Answer,
    Ended,
    Judged,
    LogLine,
    PoolNow,
    Question,
    Ready,
    Task,
    Wish,
)
from crawler.web.visit import Visit

_GOODBYE = 2.0  # seconds that an idle process gets to end by itself


class ProcessGone(Exception):
    """The process at work on a request is gone; `reading`: it was at work on this very page."""

    def __init__(self, why: str, *, reading: bool, hung: bool) -> None:
        super().__init__(why)
        self.reading, self.hung = reading, hung


@dataclass(slots=True)
class _Waiting:
    """A request that a process is at work on."""

    visit: Visit
    answer: asyncio.Future[Answer]


class WorkerProcess:
    """A process, from its start to its end; afterwards another takes its place."""

    def __init__(
        self,
        hear_log: Callable[[LogLine], None],
        hear_answer: Callable[[WorkerProcess, Answer], None],
        judge: Callable[[Visit, Question], str | None],
        heed: Callable[[Wish], None],
        pools: dict[int, Pool],
    ) -> None:
        """`pools` is where it says by its id what its connections do, while it lives."""
        self._hear_log, self._hear_answer = hear_log, hear_answer
        self._judge, self._heed, self._pools = judge, heed, pools
        self._waiting: dict[int, _Waiting] = {}
        self.busy: Counter[int] = Counter()  # requests by host
        self.answers = 0
        self.raised: dict[str, str] = {}  # tracebacks of pipelines that could not be closed
        self.changed: list[str] = []
        """Attributes in which its spider had kept something, once it has ended."""
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Ready] = loop.create_future()
        self._over = asyncio.Event()
        self._launched: Launched
        self._channel: Channel
        self._hung = ""

    # ------------------------------------------------------------ its life

    async def start(self, start: bytes, launched: Launched | None = None) -> None:
        """Start it, or take one that is launched already.

        SpiderError with the traceback where it cannot make the spider.
        """
        self._launched = launched or await spawned()
        self._channel = Channel(messages.to_owner, self._hear, self._end)
        self._launched.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._channel, sock=self._launched.socket)
        self._channel.write(start)
        ready = await self._ready
        if ready.problem is not None:
            raise SpiderError(f"a worker process cannot make the spider:\n{ready.problem}")

    async def wait(self) -> str:
        """Wait for its end, whatever that is, and return how it ended."""
        await self._over.wait()
        code = await self._launched.wait()
        if self._hung:
            return self._hung
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    async def close(self) -> None:
        """Let it end by itself, or end it; then nothing of it is left."""
        if not hasattr(self, "_launched"):
            return
        try:
            async with asyncio.timeout(_GOODBYE):
                if hasattr(self, "_channel"):
                    self._channel.send(messages.End())
                    await self._over.wait()
                else:
                    self._launched.release()
                await self._launched.wait()
        except TimeoutError:
            self._launched.kill()
            await self._launched.wait()
        finally:
            if hasattr(self, "_channel"):
                self._channel.close()
            self._launched.release()

    def kill(self, why: str = "") -> None:
        """End it at once."""
        self._hung = why
        self._launched.kill()

    def _end(self) -> None:
        """Hear that it is gone."""
        self._pools.pop(self.pid, None)
        if not self._ready.done():
            self._ready.set_exception(EOFError("it ended before it could begin"))
            self._ready.exception()  # which nobody may wait for
        self._over.set()

    def lose(self, why: str) -> int:
        """Let all that it was at work on be tried again; return how many requests that were."""
        lost, self._waiting = self._waiting, {}
        self.busy.clear()
        reading = self._launched.beat.reading
        for number, waiting in lost.items():
            if not waiting.answer.done():
                gone = ProcessGone(why, reading=number == reading, hung=bool(self._hung))
                waiting.answer.set_exception(gone)
        self._channel.close()
        return len(lost)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._launched.pid

    def silence(self) -> float:
        """Return for how many seconds its event loop has not come round."""
        return self._launched.beat.silence()

    # ------------------------------------------------------------ its work

    def send(self, data: bytes) -> None:
        """Send it something that is packed already."""
        self._channel.write(data)

    async def ask(self, task: Task, visit: Visit) -> Answer:
        """Return its answer to a task; ProcessGone where it has none any more."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[task.number] = _Waiting(visit, answer)
        self._channel.send(task)
        return await answer

    def _hear(self, message: messages.ToOwner) -> None:
        if isinstance(message, Answer):
            self.answers += 1
            waiting = self._waiting.pop(message.number, None)
            self._hear_answer(self, message)
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(message)
        elif isinstance(message, Question):
            visit = self._waiting[message.number].visit
            self.send(messages.pack(Judged(message.number, self._judge(visit, message))))
        elif isinstance(message, Wish):
            self._heed(message)
        elif isinstance(message, PoolNow):
            self._pools[self.pid] = message.pool
        elif isinstance(message, LogLine):
            self._hear_log(message)
        elif isinstance(message, Ready):
            if not self._ready.done():
                self._ready.set_result(message)
        elif isinstance(message, Ended):
            self.changed, self.raised = message.changed, message.raised
