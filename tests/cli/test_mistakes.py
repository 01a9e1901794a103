"""What a new user gets wrong: each message names the thing, the place and the way out.

No traceback, and an exit code that tells: 2 what cannot work, 1 what failed on every page.
"""

import sqlite3
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Command, Desk, ServedSite

FAST = "--set politeness.delay=0 --set fetch.retries=0"

# A file of spiders/, by its name; BASE stands for the practice site.
SPIDERS = {
    "syntax": "from crawler import Spider\nclass A(Spider)\n    name = 'syntax'\n",
    "unnamed": "from crawler import Spider\nclass Pages(Spider):\n    start_urls = ['BASE']\n",
    "undefined": "from crawler import Spider\nclass A(Spider):\n    name = undefined_name\n",
    "importing": "import not_installed_anywhere\n",
    "ending": "import sys\nsys.exit(3)\n",
    "fields": """
        from crawler import Spider, item
        @item
        class Thing:
            a: int = 0
            b: str
        class Fields(Spider):
            name = "fields"
        """,
    "regex": """
        from crawler import Rule, Spider
        class Regex(Spider):
            name = "regex"
            rules = [Rule(allow="(")]
        """,
    "one_string": "from crawler import Spider\nclass A(Spider):\n"
    "    name = 'one_string'\n    start_urls = 'BASE'\n",
    "bad_url": "from crawler import Spider\nclass A(Spider):\n"
    "    name = 'bad_url'\n    start_urls = ['BASE', '/page/2/']\n",
    "no_urls": "from crawler import Spider\nclass A(Spider):\n    name = 'no_urls'\n",
    "rule_callback": """
        from crawler import Rule, Spider
        class A(Spider):
            name = "rule_callback"
            rules = [Rule(callback="parse_item")]
        """,
    "typed": """
        from crawler import Spider
        class A(Spider):
            name = "typed"
            pages: int = 3
            deep = False
            start_urls = ["BASE"]
        """,
    "start_text": """
        from crawler import Spider
        class A(Spider):
            name = "start_text"
            def start(self):
                yield "BASE"
        """,
    "start_nothing": """
        from crawler import Request, Spider
        class A(Spider):
            name = "start_nothing"
            def start(self):
                [Request("BASE")]
        """,
    "start_raises": """
        from crawler import Request, Spider
        class A(Spider):
            name = "start_raises"
            def start(self):
                yield Request("BASE")
                raise ValueError("no database")
        """,
    "setting": """
        from crawler import Spider
        class A(Spider):
            name = "setting"
            start_urls = ["BASE"]
            settings = {"politeness": {"dely": 1}}
        """,
}

PARSE = {
    "none_text": 'yield {"t": page.soup.find("h7").text}',
    "css": 'page.css("div[")',
    "scrapy": "response = page; response.extract_first()",
    "callback_name": 'yield page.follow("/page/2/", callback="parse_page")',
    "keyword": 'yield page.follow("/page/2/", calback=self.parse)',
    "no_yield": 'page.follow("/page/2/"), {"title": page.title}',
    "no_await": 'yield self.load()\n    async def load(self):\n        return {"a": 1}',
    "elsewhere": 'yield page.follow("http://127.0.0.99/data.json")',
    "relative": "from crawler import Request\n        yield Request('/page/2/')",
    "no_item": "yield 7",
    "yields_page": "yield page",
    "no_value": 'yield {"it": object()}',
    "no_call": 'yield {"title": page.css("h1::text").get}',
    "leaves": "raise SystemExit(1)",
    "yields_list": "yield [{'a': 1}]",
    "yields_all": "yield page.follow_all('a')",
    "yields_url": "yield page.url",
    "missing_name": "yield {'a': page.ccs('h1')}",
    "unawaited": "yield {'a': self.load()['a']}\n    async def load(self):\n        return {}",
    "awaits_text": "pass\n    async def parse(self, page):\n        await page.css('a').get('')",
    "runs_loop": "import asyncio; asyncio.run(None)",
    "pseudo": "page.css('h1::txt')",
    "xpath": "page.xpath('//h1[')",
    "no_json": "page.json()",
}
for _name, _body in PARSE.items():
    SPIDERS[_name] = (
        f"from crawler import Spider\nclass A(Spider):\n    name = '{_name}'\n"
        f"    start_urls = ['BASE']\n    def parse(self, page):\n        {_body}\n"
    )
SPIDERS["pipeline"] = """
    from crawler import Spider
    def save(item):
        raise OSError("no database")
    class A(Spider):
        name = "pipeline"
        start_urls = ["BASE"]
        pipelines = [save]
        def parse(self, page):
            yield {"a": 1}
    """
SPIDERS["closing"] = """
    from crawler import Spider
    class A(Spider):
        name = "closing"
        start_urls = ["BASE"]
        async def closed(self, reason):
            raise ValueError("file is gone")
    """
SPIDERS["types"] = """
    from crawler import Spider, item
    @item
    class Price:
        amount: float
    class A(Spider):
        name = "types"
        start_urls = ["BASE"]
        def parse(self, page):
            yield Price("cheap")
    """
SPIDERS["on_error"] = """
    from crawler import Spider
    class A(Spider):
        name = "on_error"
        start_urls = ["BASEgone/"]
        def on_error(self, request, outcome, status):
            raise KeyError("id")
    """

SPIDERS["two_of_a_name"] = """
    from crawler import Spider
    class First(Spider):
        name = "two_of_a_name"
    class Second(Spider):
        name = "two_of_a_name"
    """
SPIDERS["twin"] = "from crawler import Spider\nclass A(Spider):\n    name = 'twin'\n"
SPIDERS["twin_copy"] = SPIDERS["twin"]
SPIDERS["item_key"] = """
    from crawler import Spider, item
    @item(key="nope")
    class Thing:
        a: int
    class A(Spider):
        name = "item_key"
        start_urls = ["BASE"]
    """

SPIDERS["no_self"] = SPIDERS["relative"].replace("self, ", "").replace("relative", "no_self")
SPIDERS["no_dict"] = SPIDERS["no_urls"].replace("no_urls", "no_dict") + "    settings = ['a']\n"
SPIDERS["dotted"] = (
    SPIDERS["no_urls"].replace("no_urls", "dotted") + "    settings = {'politeness.delay': 1}\n"
)
SPIDERS["one_domain"] = (
    SPIDERS["no_urls"].replace("no_urls", "one_domain") + "    allowed_domains = 'x.example'\n"
)
SPIDERS["functions"] = "def parse(page):\n    yield {'a': 1}\n"
SPIDERS["numbered"] = "from crawler import Spider\nclass A(Spider):\n    name = 5\n"
SPIDERS["no_import"] = "from crawler import Spider, Itme\n"
SPIDERS["await_in_def"] = "def parse(page):\n    await page\n"

SPIDERS["no_fields"] = SPIDERS["item_key"].replace('(key="nope")', "").replace("a: int", "a = 1")
SPIDERS["no_fields"] = SPIDERS["no_fields"].replace("item_key", "no_fields")
SPIDERS["taken_name"] = SPIDERS["types"].replace("Price", "Pages").replace("types", "taken_name")
SPIDERS["taken_name"] = SPIDERS["taken_name"].replace('"cheap"', "1.5")
SPIDERS["splits"] = SPIDERS["pipeline"].replace('raise OSError("no database")', "return [item]")
SPIDERS["splits"] = SPIDERS["splits"].replace('"pipeline"', '"splits"')
SPIDERS["before"] = """
    from crawler import Spider
    class A(Spider):
        name = "before"
        start_urls = ["BASE"]
        def before_fetch(self, request):
            raise KeyError("token")
        def parse(self, page):
            yield {"a": 1}
    """
SPIDERS["middleware"] = """
    from crawler import Spider
    async def sign(request, handler):
        raise ValueError("no token")
    class A(Spider):
        name = "middleware"
        start_urls = ["BASE"]
        settings = {"fetch": {"middlewares": [f"{__name__}:sign"]}}
    """
SPIDERS["own_step"] = """
    from crawler import Spider
    def step(url):
        return url["path"]
    class A(Spider):
        name = "own_step"
        start_urls = ["BASE"]
        settings = {"links": {"canonicalize": [f"{__name__}:step"]}}
        def parse(self, page):
            yield page.follow("/page/2/")
    """

_ATTRIBUTES = {
    "one_rule": "rules = Rule()",
    "text_rule": "rules = ['/blog/']",
    "text_sitemap": "sitemap_rules = [('/blog/', 'parse_blog')]",
    "no_urls_yet": "start_urls = None",
    "none_url": "start_urls = [None]",
    "url_domain": "allowed_domains = ['http://x.example/']",
    "no_method": "parse = {}",
    "one_request": "def start(self):\n        return Request('BASE')",
    "yields_at_end": "def closed(self, reason):\n        yield {'a': 1}",
    "no_reason": "def closed(self):\n        pass",
    "own_state": "def parse(self, page):\n        self.state['x'] = object()",
    "gives_class": "def parse(self, page):\n        yield dict",
    "text_of": "def parse(self, page):\n        yield {'a': page.css('h1').text}",
    "undefined_own": "def parse(self, page):\n        yield Download(page.url)",
}
for _name, _body in _ATTRIBUTES.items():
    SPIDERS[_name] = (
        "from crawler import Request, Rule, Spider\nclass A(Spider):\n"
        f"    name = '{_name}'\n    start_urls = ['BASE']\n    {_body}\n"
    )
SPIDERS["shared_list"] = SPIDERS["no_fields"].replace("a = 1", "a: list[str] = []")
SPIDERS["no_attribute"] = "import crawler\nclass A(crawler.Spyder):\n    name = 'no_attribute'\n"

SPIDERS["no_feed"] = (
    SPIDERS["no_urls"].replace("no_urls", "no_feed").replace("Spider", "FeedSpider")
)
SPIDERS["no_feed"] += "    start_urls = ['BASE']\n"

# The command, its exit code, and what its message must name.
MISTAKES = [
    # commands and options
    ("crawll http://x.example/", 2, ["'crawll'", "did you mean 'crawl'"]),
    ("http://x.example/", 2, ["crawler crawl http://x.example/"]),
    ("typed", 2, ["crawler run typed"]),
    ("spiders/typed.py", 2, ["crawler run spiders/typed.py"]),
    ("frobnicate", 2, ["'frobnicate'", "there are: crawl", "crawler --help"]),
    ("startproject shop", 2, ["'startproject'", "did you mean 'new'"]),
    ("ls", 2, ["'ls'", "did you mean 'list'"]),
    ("diff pages.db pages.db", 0, ["no difference: pages.db → pages.db"]),
    ("changes --store pages.db", 0, ["nothing changed", "crawler recrawl --all"]),
    ("crawl", 2, ["Missing argument 'URL...'", "crawl --help"]),
    ("crawl http://x.example/ --max-page 3", 2, ["--max-page", "--max-pages"]),
    ("crawl http://x.example/ --max-pages none", 2, ["--max-pages", "none", "integer"]),
    ("crawl http://x.example/ --max-pages 0", 2, ["--max-pages", "0"]),
    ("crawl http://x.example/ --scope site", 2, ["--scope", "site", "domain"]),
    ("crawl http://x.example/ --include (", 2, ["links.include", "'('", "regular expression"]),
    ("crawl http://x.example/ --exclude *", 2, ["links.exclude", "'*'", "regular expression"]),
    ("-q crawl http://x.example/", 2, ["'-q'", "crawler crawl http://x.example/ -q"]),
    ("--store a crawl http://x.example/", 2, ["--store", "http://x.example/ --store a"]),
    ("crawl http://x.example/ -max-pages 3", 2, ["two hyphens: --max-pages"]),
    ("crawl http://x.example/ -a b=1", 2, ["-a", "crawler run NAME -a name=value"]),
    ("crawl http://x.example/ 100", 2, ["100 is no URL", "--max-pages 100"]),
    ("crawl bad.toml", 2, ["bad.toml is a file", "crawler import bad.toml"]),
    ("CRAWL http://x.example/", 2, ["'CRAWL'", "did you mean 'crawl'"]),
    ("help crawl", 2, ["crawler crawl --help"]),
    ("query pages.db SELECT|1", 2, ["crawler query 'SELECT 1' --store pages.db"]),
    ("query SELECT url FROM pages", 2, ['crawler query "SELECT url FROM pages"']),
    ("report last --store pages.db -o r.pdf", 2, ["r.pdf", "HTML", "-o r.html"]),
    ("pause pages.db", 2, ["pages.db is a store", "crawler pause --store pages.db"]),
    ("stop pages.db", 2, ["crawler stop --store pages.db"]),
    ("set fast --store pages.db", 2, ["'fast'", "delay=SECONDS"]),
    ("crawl http://x.example/ --processes 0", 2, ["'--processes'", "'0'", "auto"]),
    # keys and values
    ("crawl http://x.example/ --config flat.toml", 2, ["flat.toml", "`politeness.delay`"]),
    ("run dotted", 2, ["politeness.delay", '{"politeness": {"delay": …}}']),
    ("run no_dict", 2, ["settings", '{"politeness": {"delay": 1}}']),
    ("crawl http://x.example/ --set politeness.dely=1", 2, ["did you mean `politeness.delay`"]),
    ("crawl http://x.example/ --set delay=1", 2, ["--set delay=1", "section.key=value"]),
    ("crawl http://x.example/ --set engine.workers=many", 2, ["engine.workers", "'many'", "int"]),
    ("crawl http://x.example/ --set politeness.delay=-1", 2, ["politeness.delay", "-1"]),
    ("crawl http://x.example/ --config none.toml", 2, ["none.toml", "--config"]),
    ("crawl http://x.example/ --config bad.toml", 2, ["bad.toml", "not valid TOML", "line 1"]),
    ("crawl http://x.example/ --config unknown.toml", 2, ["unknown.toml", "`politeness`"]),
    ("run setting", 2, ["politeness.dely", "did you mean `politeness.delay`"]),
    # URLs and ports
    ("crawl ftp://x.example/", 2, ["ftp://x.example/", "only http and https"]),
    ("crawl http://", 2, ["http://", "https://example.com/"]),
    ("crawl intranet", 2, ["intranet", "http://intranet/"]),
    ("crawl http://x.example:99999/", 2, ["http://x.example:99999/", "https://example.com/"]),
    ("demo --port 99999", 2, ["--port", "99999"]),
    (f"crawl http://127.0.0.1:1/ --store closed.db {FAST}", 3, ["robots.txt", "crawler retry"]),
    (f"crawl BASEgone/ --store gone.db {FAST}", 3, ["not_found", "No page was stored"]),
    ("why /shop/ --store pages.db", 2, ["'/shop/' is a path", "whole URL"]),
    ("dashboard pages.db --listen 99", 2, ["--listen 99", "127.0.0.1:8642"]),
    # stores and folders
    ("crawl http://x.example/ --store spiders", 2, ["spiders", "--store"]),
    ("crawl http://x.example/ --store text.db", 2, ["text.db", "no SQLite file", "--store"]),
    ("crawl http://x.example/ --store other.db", 2, ["other.db", "not a crawl's", "--store"]),
    ("crawl http://x.example/ --store text.db/a.db", 2, ["text.db/a.db", "--store"]),
    ("crawl http://x.example/ --store pages.db", 2, ["pages.db", "never met", "--fresh"]),
    ("run typed --store data/{pagse}.db", 2, ["{pagse}", "{pages}"]),
    ("status none", 2, ["none.db", "no such store", "--store"]),
    ("download BASE -o text.db/", 2, ["-o text.db/", "it is a file"]),
    ("download BASE BASE -o nowhere", 2, ["-o nowhere", "nowhere/ makes it"]),
    # SQL
    ("query SELEC --store pages.db", 2, ["SELEC"]),
    ("query SELECT|*|FROM|page --store pages.db", 2, ["page", "pages"]),
    ("query SELECT|ur|FROM|pages --store pages.db", 2, ["ur", "url"]),
    ("query DROP|TABLE|pages --store pages.db", 2, ["only read", "SELECT"]),
    ("query SELECT|1 --store pages.db -o x.docx", 2, ["x.docx", "--format"]),
    ("retry --where outcom='timeout' --store pages.db", 2, ["outcom", "outcome"]),
    ("search words --store pages.db", 2, ["text index", "crawler search --index"]),
    ("export quots --store pages.db -o x.csv", 2, ["quots", "pages"]),
    ("query pages --store pages.db", 2, ["SELECT * FROM pages LIMIT 10"]),
    ('query SELECT|"url|FROM|pages --store pages.db', 2, ["unrecognized token", "^"]),
    ("diff 1 9 --store pages.db", 2, ["no run 9", "1 to 1"]),
    ("changes --since yesterday --store pages.db", 2, ["yesterday", "2026-01-31", "7d"]),
    ("changes --since 99999999d --store pages.db", 2, ["99999999d", "7d"]),
    ("changes --since 0001-01-01T00:00+14:00 --store pages.db", 2, ["0001-01-01", "7d"]),
    # numbers that Python makes no int of
    (f"changes --since {'9' * 5000}d --store pages.db", 2, ["--since", "7d"]),
    (f"report {'9' * 5000} --store pages.db", 2, ["give a run's number"]),
    ("report ² --store pages.db", 2, ["give a run's number"]),
    (f"run typed --processes {'9' * 5000}", 2, ["neither auto nor a number"]),
    (f"run typed --set fetch.total_timeout={'9' * 5000}", 2, ["total_timeout", "float"]),
    ("run typed --set fetch.total_timeout=1e400", 2, ["total_timeout", "a finite number"]),
    ("retry --store pages.db", 0, ["no request that failed", "crawler recrawl"]),
    # extras
    ("export pages --store pages.db -o x.warc.gz", 2, ["crawlkeep[warc]"]),
    # spiders: names and files
    ("run tpyed", 2, ["no spider 'tpyed'", "did you mean 'typed'"]),
    ("run spiders/none.py", 2, ["spiders/none.py", "no such file"]),
    ("run typed.py", 2, ["typed.py", "did you mean spiders/typed.py"]),
    ("run TYPED", 2, ["'TYPED'", "did you mean 'typed'"]),
    ("run spiders/", 2, ["spiders/ is a folder", "--all"]),
    ("run typed pages=2", 2, ["-a pages=2"]),
    ("run BASE", 2, ["is no spider", "crawler crawl"]),
    ("run typed tpyed", 2, ["no spider 'tpyed'"]),
    ("run functions", 2, ["spiders/functions.py has no spider", "derives from Spider"]),
    ("run numbered", 2, ["spiders/numbered.py has no spider", 'name = "…"']),
    ("run no_import", 2, ["spiders/no_import.py:1", "did you mean 'item'"]),
    ("run await_in_def", 2, ["spiders/await_in_def.py:2", "`async def`"]),
    ("run no_self", 2, ["spiders/no_self.py:5", "def parse(self, page)"]),
    ("run one_domain", 2, ["allowed_domains", "['x.example']"]),
    ("run nowhere:A", 2, ["'nowhere'", "module:Class"]),
    ("run spiders/typed.py:B", 2, ["'B'", "did you mean spiders/typed.py:A"]),
    ("run syntax", 2, ["spiders/syntax.py:2", "SyntaxError"]),
    ("run unnamed", 2, ["spiders/unnamed.py:2", "class Pages", "`name`"]),
    ("run undefined", 2, ["spiders/undefined.py:3", "NameError", "undefined_name"]),
    ("run importing", 2, ["spiders/importing.py:1", "not_installed_anywhere"]),
    ("run ending", 2, ["spiders/ending.py", "SystemExit"]),
    ("run fields", 2, ["spiders/fields.py:4", "'b'"]),
    ("run regex", 2, ["spiders/regex.py:5", "unterminated"]),
    ("run one_string", 2, ["one_string", "start_urls", "['BASE']"]),
    ("run bad_url", 2, ["/page/2/", "https://example.com/"]),
    ("run no_urls", 3, ["no_urls", "start_urls"]),
    ("run rule_callback", 2, ["rule_callback", "'parse_item'", "no method"]),
    ("new 9lives", 2, ["9lives", "letters, digits"]),
    ("run two_of_a_name", 2, ["spiders/two_of_a_name.py", "First and Second", "`name`"]),
    ("run twin", 2, ["spiders/twin.py and spiders/twin_copy.py", "crawler run spiders/twin.py"]),
    ("run item_key", 2, ["spiders/item_key.py:3", "'nope'", "none of its fields"]),
    ("run no_fields", 2, ["spiders/no_fields.py:4", "no fields", "`price: float = 0`"]),
    ("run one_rule", 2, ["`rules` is of the type Rule", "a list"]),
    ("run text_rule", 2, ["`rules` holds '/blog/'", "Rule(allow="]),
    ("run text_sitemap", 2, ["`sitemap_rules` holds ('/blog/'", "callback="]),
    ("run no_feed", 0, ["record_error: ", "broken xml"]),
    ("run no_urls_yet", 2, ["`start_urls` is None", "a list"]),
    ("run none_url", 2, ["`start_urls` holds None", "https://example.com/"]),
    ("run url_domain", 2, ["`allowed_domains`", "'http://x.example/'", "'x.example'"]),
    ("run no_method", 2, ["`parse` is of the type dict", "def parse(self, page)"]),
    ("run one_request", 2, ["one_request.start()", "<Request", "`yield` it"]),
    ("run yields_at_end", 2, ["closed()", "`yield`", "callbacks"]),
    ("run no_reason", 2, ["closed() gets the reason"]),
    ("run own_state", 2, ["self.state['x'] holds a object", "give JSON"]),
    ("run gives_class", 0, ["a class is no item", "made of it"]),
    ("run text_of", 1, ["spiders/text_of.py:6", ".css('h1::text').get()"]),
    ("run undefined_own", 1, ["spiders/undefined_own.py:6", "from crawler import Download"]),
    ("run shared_list", 2, ["spiders/shared_list.py:4", "default_factory=list"]),
    ("run no_attribute", 2, ["spiders/no_attribute.py:2", "did you mean 'Spider'"]),
    ("run typed --all", 2, ["--all", "typed"]),
    ("run", 2, ["crawler list", "--all"]),
    ("test typed", 2, ["typed", "crawler test record typed"]),
    # spiders: arguments
    ("run typed -a pages", 2, ["-a pages", "name=value"]),
    ("run typed -a page=2", 2, ["'page'", "did you mean 'pages'"]),
    ("run typed -a pages=two", 2, ["pages=two", "int", "pages=3"]),
    ("run typed -a deep=maybe", 2, ["deep=maybe", "true or false"]),
    ("run typed -a parse=1", 2, ["'parse'", "another name"]),
    # spiders: what they do
    ("run start_text", 2, ["start_text.start()", "Request(url)"]),
    ("run start_nothing", 2, ["start_nothing.start()", "None", "`yield`"]),
    ("run start_raises", 1, ["spiders/start_raises.py:7", "ValueError: no database"]),
    ("run none_text", 1, ["spiders/none_text.py:6", "'NoneType'", "failed on every page: parse"]),
    ("run css", 1, ["spiders/css.py:6", "SelectorSyntaxError"]),
    ("run scrapy", 1, ["spiders/scrapy.py:6", "extract_first"]),
    ("run keyword", 1, ["spiders/keyword.py:6", "calback"]),
    ("run callback_name", 2, ["callback 'parse_page'", "spiders/callback_name.py:6"]),
    ("run no_yield", 0, ["'no_yield'", "`yield`", "missing"]),
    ("run no_await", 2, ["spiders/no_await.py:6", "`yield await self.load(…)`"]),
    ("run elsewhere", 0, ["1 request_out_of_scope", "allowed_domains", "127.0.0.99"]),
    ("run relative", 1, ["spiders/relative.py:7", "/page/2/"]),
    ("run no_item", 0, ["1 item refused", "int is no item", "a dict or a Request"]),
    ("run no_call", 0, ["item.title", "`get` is not called", "get()", "1 item refused"]),
    ("run no_value", 0, ["item.it", "no JSON for object", "1 item refused"]),
    ("run yields_page", 0, ["ScrapedPage is no item", "1 item refused, every one"]),
    ("run leaves", 1, ["spiders/leaves.py:6", "SystemExit"]),
    ("run yields_list", 0, ["list is no item", "`yield from …`", "every one"]),
    ("run yields_all", 0, ["generator is no item", "`yield from …`"]),
    ("run yields_url", 0, ["str is no item", "page.follow(url)"]),
    ("run missing_name", 1, ["spiders/missing_name.py:6", "'ccs'", "did you mean 'css'"]),
    ("run unawaited", 1, ["spiders/unawaited.py:6", "`await` missing"]),
    ("run awaits_text", 1, ["spiders/awaits_text.py:8", "leave out `await`"]),
    ("run runs_loop", 1, ["spiders/runs_loop.py:6", "`async def`"]),
    ("run pseudo", 1, ["spiders/pseudo.py:6", "::txt"]),
    ("run xpath", 1, ["spiders/xpath.py:6", "//h1["]),
    ("run no_json", 1, ["spiders/no_json.py:6", "is no JSON"]),
    (
        "run pipeline",
        0,
        ["pipeline save", "spiders/pipeline.py:4", "1 item refused by a pipeline"],
    ),
    ("run splits", 0, ["pipelines gave list", "each gives back one", "crawler reparse splits"]),
    ("run taken_name", 0, ["renamed for SQL: pages_item (the name pages is taken)"]),
    ("run before", 1, ["spiders/before.py:7", "failed on every request", "crawler retry"]),
    ("run middleware", 1, ["spiders/middleware.py:4", "ValueError: no token", "crawler retry"]),
    ("run own_step", 1, ["spiders/own_step.py:4", "TypeError", "crawler retry"]),
    ("run closing", 1, ["closed()", "spiders/closing.py:7", "file is gone"]),
    ("run types", 0, ["amount", "real, got str", "1 item refused"]),
    ("run on_error", 3, ["spiders/on_error.py:7", "KeyError"]),
]


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, site: ServedSite) -> dict[str, Command]:
    """What each command of the table said."""
    desk = Desk(tmp_path_factory.mktemp("mistakes"))
    for name, text in SPIDERS.items():
        text = textwrap.dedent(text).replace("BASE", site.url)
        (desk.folder / "spiders" / f"{name}.py").write_text(text)
    (desk.folder / "bad.toml").write_text("[politeness\n")
    (desk.folder / "flat.toml").write_text("delay = 1\n")
    (desk.folder / "unknown.toml").write_text("[politness]\ndelay = 1\n")
    (desk.folder / "text.db").write_text("This is a text, not a database. " * 100)
    with sqlite3.connect(desk.folder / "other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    first = f"crawl BASE --store pages.db --max-pages 1 {FAST}"
    typed = [first, *(command for command, _, _ in MISTAKES)]
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.startswith("warcio.")]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "warcio", None)  # an extra that is not installed
        done = desk.run_all([_words(command, site.url) for command in typed])
    return dict(zip(typed, done, strict=True))


def _words(command: str, base: str) -> list[str]:
    words = [word.replace("|", " ").replace("BASE", base) for word in command.split()]
    fast = [*FAST.split(), "--max-pages", "2"] if words[0] == "run" else []
    return [*words, *fast]


def test_there_are_sixty_mistakes_or_more() -> None:
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize(("command", "code", "words"), MISTAKES)
def test_a_mistake_is_told_with_the_thing_the_place_and_the_way_out(
    said: dict[str, Command], site: ServedSite, command: str, code: int, words: list[str]
) -> None:
    done = said[command]
    told = done.out + done.err
    assert "Traceback" not in told, told
    missing = [word for word in words if word.replace("BASE", site.url) not in told]
    assert (done.code, missing) == (code, []), told
    assert len(told.splitlines()) <= 12, told


def test_an_old_python_is_told_which_one_it_takes(tmp_path: Path) -> None:
    import subprocess
    import sys

    old = "import sys; sys.version_info = (3, 9, 1, 'final', 0); import crawler.__main__ as m"
    done = subprocess.run(
        [sys.executable, "-c", f"{old}; m.main()"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Python 3.11 or later" in done.stderr and "3.9" in done.stderr
    assert "Traceback" not in done.stderr
