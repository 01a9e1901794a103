"""Log in to the practice site (`crawler demo`), with its CSRF token, and keep the letters."""

import os

from crawler import Request, ScrapedPage, Secret, Spider, item

os.environ.setdefault("PRACTICE_PASSWORD", "lighthouse")  # a real one is set outside


@item(key="subject")
class Letter:
    subject: str
    text: str


class Login(Spider):
    name = "login"
    start_urls = ("http://127.0.0.1:8000/login",)

    def parse(self, page: ScrapedPage) -> Request:
        fields = {"user": "reader", "password": Secret("PRACTICE_PASSWORD")}
        return page.form("#login").fill(fields, options={"callback": self.members})

    def members(self, page: ScrapedPage):
        yield from page.follow_all("ul.letters a", self.letter)

    def letter(self, page: ScrapedPage):
        yield Letter(page.css("h1::text").get(), page.css("p.letter::text").get())
