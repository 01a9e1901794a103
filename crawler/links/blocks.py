"""What somebody blocked while the crawl ran: URLs that are neither sent nor taken any more."""

from __future__ import annotations

from crawler.links.selection import Selection


class Blocks:
    """The selections that are blocked, by the text that they were given in."""

    def __init__(self) -> None:
        self._blocked: dict[str, Selection] = {}
        self.any = False
        """Whether anything is blocked: an attribute, as each URL asks for it."""

    def add(self, selection: Selection) -> None:
        """Block."""
        self._blocked[selection.text] = selection
        self.any = True

    def remove(self, selection: Selection) -> bool:
        """Take a block away; return whether there was one."""
        was = self._blocked.pop(selection.text, None) is not None
        self.any = bool(self._blocked)
        return was

    def bars(self, url: str) -> bool:
        """Return whether a canonical URL is blocked."""
        return any(one.takes(url) for one in self._blocked.values())

    @property
    def texts(self) -> tuple[str, ...]:
        """What is blocked, as it was given."""
        return tuple(self._blocked)
