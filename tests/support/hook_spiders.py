"""A spider with hooks of every kind, in a file that worker processes can import."""

from crawler import DropRequest, Request, Response, ScrapedPage, Spider, item


@item(key="path")
class SeenPage:
    """What came of a request."""

    path: str
    title: str


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


class Signs:
    """Signs each request; a class, made in each process."""

    def __init__(self):
        self.number = 0

    def open(self, crawl):
        self.number = 1 if crawl.spider.name == "hooked" else 0

    def before_fetch(self, request):
        return request.replace(headers={"X-Signed": f"{self.number} {path_of(request.url)}"})


class Hooked(Spider):
    """Do with each page what its path says."""

    name = "hooked"
    hooks = (Signs,)

    async def before_fetch(self, request):
        path = path_of(request.url)
        if path == "/cached":
            body = b"<title>from the cache</title>"
            return Response(request.url, 200, {"content-type": "text/html"}, body)
        if path == "/old":
            return Request(request.url.replace("/old", "/new"))
        if path == "/never":
            raise DropRequest("not for us")
        return None

    def after_fetch(self, response, request):
        path = path_of(response.url)
        if response.status == 403:
            return request.retry(reason="banned")
        if path == "/soft" and request.tries < 2:
            return request  # once more; the last try is taken for what it is
        if path == "/raise":
            return 1 / 0
        if path == "/soft":
            return response.replace(body=response.body.replace(b"soft", b"soft, mended"))
        return None

    def parse(self, page: ScrapedPage):
        yield SeenPage(path_of(page.url), page.title or "")
        yield from page.follow_all("a")

    def on_error(self, request, outcome, status, page):
        yield SeenPage(path_of(request.url), outcome)
