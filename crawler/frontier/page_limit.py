"""The limit on pages: how many a crawl may store, and how many of them a recrawl stores anew.

New pages are counted over all runs of the crawl, so that a store never has more than `most`. What
a recrawl queued is counted by itself, from 0 in each run: a crawl that had reached its limit is
visited again all the same, up to as many pages as it may have.
"""

from __future__ import annotations

from crawler.web.request import RENEWAL, Todo


class PageLimit:
    """How many more pages may be begun. `most` None: any number."""

    __slots__ = ("_again", "_flying", "_flying_again", "_most", "_renewed", "_stored")

    def __init__(self, most: int | None = None, *, stored: int = 0, again: int = 0) -> None:
        """Start with `stored` pages, and `again` requests of a recrawl in the queue."""
        self._most, self._stored, self._again = most, stored, again
        self._renewed = self._flying = self._flying_again = 0

    def __bool__(self) -> bool:
        """Whether there is a limit at all."""
        return self._most is not None

    def change(self, most: int) -> None:
        """Let there be so many pages from now on, over all runs."""
        self._most = most

    @property
    def closed(self) -> bool:
        """Whether only a recrawl's requests may begin, now and for the rest of the run."""
        return self._most is not None and self._stored >= self._most

    @property
    def reached(self) -> bool:
        """Whether nothing more may begin, whatever is queued."""
        if self._most is None or self._stored + self._flying < self._most:
            return False
        return not self._again or self._renewed + self._flying_again >= self._most

    def lets(self, todo: Todo) -> bool:
        """Return whether this request may begin."""
        if self._most is None:
            return True
        if todo.again:
            return self._renewed + self._flying_again < self._most
        return self._stored + self._flying < self._most

    def begin(self, todo: Todo) -> None:
        """Count a request that starts: it may become a page."""
        if todo.again:
            self._flying_again += 1
        else:
            self._flying += 1

    def end(self, todo: Todo, *, stored: bool) -> None:
        """Count how a request that had begun has ended."""
        if todo.again:
            self._flying_again -= 1
            self._renewed += stored
        else:
            self._flying -= 1
        self._stored += stored and todo.again != RENEWAL

    @property
    def room(self) -> int:
        """How many more requests may begin now, beside those of a recrawl."""
        return 0 if self._most is None else max(0, self._most - self._stored - self._flying)

    def queue(self, more: int) -> None:
        """Take note of what a commit did to the number of a recrawl's requests in the queue."""
        self._again += more


class PageTickets(PageLimit):
    """The limit of one of several worker processes: as many pages as it has got tickets for.

    What a recrawl visits again each worker counts by itself, up to `most`.
    """

    __slots__ = ("most",)

    def __init__(self, most: int, *, again: int = 0) -> None:
        super().__init__(0, again=again)
        self.most = most

    def change(self, most: int) -> None:
        """Let there be so many pages from now on, of all worker processes."""
        self.most = most

    def grant(self, more: int) -> None:
        """Let so many more requests begin."""
        self._most = (self._most or 0) + more

    def give_back(self) -> None:
        """Let nothing begin for which there was a ticket: they are others' now."""
        self._most = self._stored + self._flying

    @property
    def closed(self) -> bool:
        """Whether only a recrawl's requests may begin: that other workers know as well."""
        return False

    @property
    def reached(self) -> bool:
        """Whether nothing more may begin for now."""
        return not self.room and not (self._again and self._renewed < self.most)

    def lets(self, todo: Todo) -> bool:
        """Return whether this request may begin."""
        if todo.again:
            return self._renewed + self._flying_again < self.most
        return self.room > 0
