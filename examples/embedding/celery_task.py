"""Celery: a crawl as a task, in a worker that has no event loop.

celery -A examples.embedding.celery_task worker
"""

from celery import Celery

import crawler

app = Celery("crawls", broker="redis://localhost/0")


@app.task
def crawl(url: str, store: str) -> dict[str, int | str]:
    """Crawl a site, at most ten pages; a task that is run again goes on."""
    summary = crawler.crawl(url, store=store, max_pages=10)
    return {"pages": summary.pages, "items": summary.items, "reason": summary.reason}
