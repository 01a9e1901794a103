"""The names of exported Markdown files: one for each request, on every system, in every export."""

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from data_story import SmallWeb, crawl, on_web, page, rows
from hypothesis import given
from hypothesis import strategies as st

from crawler import SiteSpider, urls
from crawler.cli import run as command
from crawler.export.markdown import path_of, write_pages
from crawler.http.content_disposition import safe_name
from crawler.inspect.query import Reader
from crawler.store.requeue import claimed

D = r"-[0-9a-f]{16}"
NAMES = {
    "https://h.example/": "h.example/index.md",
    "https://h.example/about": "h.example/about.md",
    "https://h.example/about.html": "h.example/about.html.md",
    "https://h.example/docs/": "h.example/docs/index.md",
    "https://h.example/v1.2/a_b-c": "h.example/v1.2/a_b-c.md",
    "http://h.example/a": "h.example_80/a.md",
    "http://h.example:8080/a": "h.example_8080/a.md",
    "https://h.example:8443/a": "h.example_8443_https/a.md",
}
PATHS = [
    *("/about", "/about/", "/About", "/ABOUT", "/about.html", "/about.htm", "/about.md"),
    *("/about.md/", "/about.md.part/x", "/about?", "/about?a", "/about?A", "/about?a#"),
    *("/docs/", "/docs/index", "/docs/index.html", "/docs/Index", "/docs//", "/docs//index"),
    *("/docs/index.md", "/docs/?a", "/docs/index?a", "/docs", "/docs?a/b", "/docs?a/B"),
    *("/a:b", "/a*b", "/a|b", "/a%3Ab", "/a%2Ab", "/a_b", "/a%5Cb", "/a%2Fb", "/a/b", "/b"),
    *("/v1", "/v1.md/page", "/v1.md", "/V1.md/page", "/v1.MD/page", "/v1/page", "/v1.md.part"),
    *("/x.", "/x", "/x%20", "/x..", "/x/.a", "/x/a", "/.x", "/..x", "/_", "/%00", "/%ff", "/%fe"),
    *("/con", "/CON", "/con.txt", "/nul/x", "/aux.html", "/com1", "/com%C2%B9", "/lpt9/", "/con/"),
    *("/caf%C3%A9", "/cafe%CC%81", "/CAF%C3%89", "/stra%C3%9Fe", "/strasse", "/%E2%84%AA", "/k"),
    *("/" + "x" * 300, "/" + "x" * 301, "/" + "x" * 300 + "/y", "/" + "%C3%A9" * 300),
    *("/A" * 400, "/A" * 401, "/a" * 400, "/" + "a/" * 400, "/A" * 400 + "?q"),
    *("/progra~1", "/~me/", "/-rf", "/;a", "/a;b", "/a&b", "/%2e%2e%2fetc", "/...", "/%7E"),
    *(
        "/[a]",
        "/%E2%80%AEa",
        "/a%0Ab",
        "/a%0Db",
        "/%EF%BF%BF",
        "/%F0%9F%98%80",
        "/index",
        "/index/",
    ),
]
HOSTS = [
    *("https://h.example", "http://h.example", "https://h.example:80", "http://h.example:443"),
    *("http://h.example_80", "http://h_80.example", "http://h.example.", "https://h.example."),
    *("http://[::1]:80", "http://[::1]:8080", "http://con", "http://1.2.3.4", "https://1.2.3.4"),
]


def key(path: Path) -> str:
    """What a system that cares for neither case nor Unicode form takes for the name of a file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path.as_posix()).casefold())


def taken(paths: list[Path]) -> tuple[set[str], set[str]]:
    """The files and the folders that all paths need."""
    folders = {key(parent) for path in paths for parent in path.parents}
    files = {key(path) for path in paths}
    return files | {f"{file}.part" for file in files}, folders


@pytest.mark.parametrize("url", NAMES)
def test_a_plain_path_is_its_own_name(url: str) -> None:
    assert path_of(url) == Path(NAMES[url])


def test_no_two_urls_have_one_name_nor_is_a_file_where_a_folder_is() -> None:
    targets = {urls.parse(host + path) for host in HOSTS for path in PATHS}
    found = [path_of(url) for url in targets if url is not None]
    assert len(found) > 1000
    files, folders = taken(found)
    assert len(files) == 2 * len(found)
    assert not files & folders


@given(st.lists(st.text("aAbéE\u0301.%/~-_?:*12md ", max_size=12), unique=True, max_size=6))
def test_whatever_is_asked_for_has_a_name_of_its_own(paths: list[str]) -> None:
    targets = {urls.parse(f"https://h.example/{path}".partition("#")[0]) for path in paths}
    found = [path_of(url) for url in targets if url is not None]
    files, folders = taken(found)
    assert len(files) == 2 * len(found) and not files & folders


@pytest.mark.parametrize("path", PATHS)
def test_every_name_is_good_on_every_system(path: str) -> None:
    url = urls.parse(f"https://h.example{path}")
    assert url is not None
    found = path_of(url)
    assert len(str(found).encode()) <= 800
    for part in found.parts:
        assert part[:80] == safe_name(part)[:80] and len(f"{part}.part".encode()) <= 255
    assert not {"..", "."} & set(found.parts)
    assert not PureWindowsPath(found).is_absolute() and not PurePosixPath(found).is_absolute()


def test_requests_for_one_url_have_names_of_their_own() -> None:
    url = "https://h.example/a"
    assert len({path_of(url), path_of(url, "1"), path_of(url, "1#2"), path_of(url, "#2")}) == 4


# ---------------------------------------------------------------- an export


def exported(store: Path, folder: Path) -> dict[str, str]:
    """The files of an export by their paths, each with the URL that stands in it."""
    with Reader(store) as reader:
        number = write_pages(reader, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == number
    heads = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}
    return {name: text.split('url: "')[1].partition('"')[0] for name, text in heads.items()}


AWKWARD = [
    *("/about", "/about.html", "/About", "/docs/", "/docs/index", "/v1", "/v1.md/page", "/a:b"),
    *("/a*b", "/?q=1", "/?Q=1", "/" + "x" * 400, "/con", "/caf%C3%A9", "/cafe%CC%81", "/a//b"),
]


def test_as_many_files_are_written_as_told_under_the_names_of_every_other_export(
    tmp_path: Path,
) -> None:
    stores = [tmp_path / "all.db", tmp_path / "few.db"]

    async def tell(web: SmallWeb) -> None:
        for path in AWKWARD:
            web.add(path, page("x", text=path))
        web.add("/", page("all", *AWKWARD))
        await crawl(stores[0], SiteSpider(web.url))
        web.add("/", page("few", *AWKWARD[::-3]))
        await crawl(stores[1], SiteSpider(web.url))

    on_web(tell)
    every, few = exported(stores[0], tmp_path / "all"), exported(stores[1], tmp_path / "few")
    assert len(every) == len(AWKWARD) + 1
    assert len(few) == len(AWKWARD[::-3]) + 1
    assert few.items() <= every.items()
    assert exported(stores[0], tmp_path / "all") == every, "again into the same folder"


def test_pages_of_one_url_are_all_there(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("x", "/a", "/b"))
        web.add("/a", page("a"))
        web.add("/b", page("b"))
        await crawl(store, SiteSpider(web.url))

    on_web(tell)
    with claimed(store) as db:  # as a form sent to the first page, and a copy of a page
        [(url,)] = db.execute("SELECT url FROM pages WHERE depth = 0").fetchall()
        db.execute("UPDATE pages SET url = ?, method = 'POST' WHERE url LIKE '%/a'", (url,))
        db.execute(
            "UPDATE pages SET url = f.url, url_hash = f.url_hash FROM pages AS f"
            " WHERE pages.url LIKE '%/b' AND f.depth = 0"
        )
    assert list(exported(store, tmp_path / "md").values()) == [url] * 3
    assert rows(store, "SELECT count(DISTINCT url_hash) FROM pages") == [(2,)]


def test_what_is_in_the_way_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("x"))
        await crawl(store, SiteSpider(web.url))

    on_web(tell)
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/below"):
        words = ["export", "pages", "-f", "markdown", "-o", str(tmp_path / out)]
        assert command([*words, "--store", str(store)]) == 2
        told = capsys.readouterr().err
        assert "cannot be written" in told and told.count("\n") == 1
    words = ["export", "pages", "-f", "csv", "-o", str(tmp_path)]
    assert command([*words, "--store", str(store)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_many_pages_are_written_by_several_processes_as_by_one(tmp_path: Path) -> None:
    path = tmp_path / "many.db"

    async def tell(web: SmallWeb) -> None:
        links = [f"/p{number}" for number in range(90)]
        web.add("/", page("home", *links))
        for link in links:
            web.add(link, page(link, "/"))
        spider = SiteSpider()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)

    on_web(tell)
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        with Reader(path) as reader:
            assert (
                write_pages(reader, folder, where=" WHERE status = 200", processes=processes) == 91
            )
        found.append({f.relative_to(folder): f.read_text() for f in folder.rglob("*.md")})
    assert found[0] == found[1] and len(found[0]) == 91
