"""FastAPI: a crawl in a handler, its items as JSON lines while they are stored.

uvicorn examples.embedding.fastapi_app:app
"""

import json
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from crawler import Crawler, ScrapedPage, Spider

app = FastAPI()


class Titles(Spider):
    """The title of each page it is given."""

    name = "titles"

    def parse(self, page: ScrapedPage) -> dict[str, str | None]:
        return {"url": page.url, "title": page.title}


@app.get("/titles")
async def titles(url: str, store: str = "data/titles.db") -> StreamingResponse:
    """Crawl one page anew, and send its items as they come."""

    async def lines() -> AsyncIterator[str]:
        spider = Titles()
        spider.start_urls = [url]
        async with Crawler(spider, store=store, fresh=True) as crawler:
            async for found in crawler.items():
                yield json.dumps(found) + "\n"

    return StreamingResponse(lines(), media_type="application/jsonl")
