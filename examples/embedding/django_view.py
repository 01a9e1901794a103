"""Django: an asynchronous view that crawls and answers with the summary.

urlpatterns = [path("crawl/", crawl)]
"""

from django.http import HttpRequest, JsonResponse

from crawler import Crawler, SiteSpider


async def crawl(request: HttpRequest) -> JsonResponse:
    """Crawl ?url= into ?store=, at most ten pages; the next call goes on."""
    spider = SiteSpider(str(request.GET["url"]))
    settings = {"engine": {"max_pages": 10}}
    store = str(request.GET["store"])
    async with Crawler(spider, store=store, settings=settings) as crawler:
        summary = await crawler.run()
    return JsonResponse({"pages": summary.pages, "reason": summary.reason})
