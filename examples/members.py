"""A crawl by rules, behind a login: the form with its token, then every letter.

PRACTICE_PASSWORD=lighthouse crawler run examples/members.py
"""

from collections.abc import Iterator

from crawler import Outcome, Request, Rule, ScrapedPage, Secret, Spider, item


@item(key="subject")
class Letter:
    """What only members read."""

    subject: str
    text: str


class Members(Spider):
    """The letters of the practice site."""

    name = "members"
    base = "http://127.0.0.1:8000/"
    user = "reader"
    rules = [Rule(allow=r"/members/letters/", callback="letter")]

    def start(self) -> Iterator[Request]:
        yield Request(f"{self.base}login", callback=self.log_in)

    def log_in(self, page: ScrapedPage) -> Request:
        fields = {"user": self.user, "password": Secret("PRACTICE_PASSWORD")}
        return page.form("#login").fill(fields, options={"errback": self.refused})

    def refused(self, request: Request, outcome: Outcome) -> None:
        self.crawl.stop("the login failed")

    def letter(self, page: ScrapedPage) -> Iterator[Letter]:
        yield Letter(page.css("h1::text").get(""), page.css("p.letter::text").get(""))
