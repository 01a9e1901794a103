"""Django: an asynchronous view that crawls and answers with the summary.

urlpatterns = [path("crawl/", crawl)]
"""

from django.http import HttpRequest, JsonResponse

from crawler import Crawler, SiteSpider


async def crawl(request: HttpRequest) -> JsonResponse:
    """Crawl ?url= into ?store=, at most ten pages; the next call goes on."""
    spider = SiteSpider(request.GET["url"])
    settings = {"engine": {"max_pages": 10}}
    async with Crawler(spider, store=request.GET["store"], settings=settings) as crawler:
        summary = await crawler.run()
    return JsonResponse({"pages": summary.pages, "reason": summary.reason})
