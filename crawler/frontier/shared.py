"""The frontier of one of several worker processes: it has only hosts that this one has leased."""

from __future__ import annotations

from crawler.frontier.host_queue import HostQueue
from crawler.frontier.page_limit import PageTickets
from crawler.frontier.steered import SteeredFrontier


class SharedFrontier(SteeredFrontier):
    """Lets go of hosts that have nothing left here, and ends when the store says that all is done.

    `pending` is what the store last told; nothing is decided by it.
    """

    over = False
    """Whether the store has said that nothing is left."""
    spent = False
    """Whether the store has said that all pages are stored that `engine.max_pages` allows."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.let_go: list[int] = []

    @property
    def idle(self) -> int:
        """How many workers wait for something to do."""
        return len(self._waiters)

    def check(self) -> None:
        """Stop once the store has said so."""
        if self.stopped is None and self.in_flight == 0 and not self.seeding:
            if self.over:
                self.stop("finished")
            elif self.spent:
                self.stop("max_pages")

    def grant(self, more: int) -> None:
        """Let so many more pages begin, and those who wait for it go on."""
        assert isinstance(self.limit, PageTickets)
        self.limit.grant(more)
        for _ in range(more):
            self._go_on()

    def _retire(self, host: HostQueue) -> None:
        super()._retire(host)
        self.let_go.append(host.host_id)
        self.wants.set()
