"""WACZ and WARC: what other programs of web archives read."""

import gzip
import json
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from data_story import SmallWeb, crawl, on_web, page

from crawler import SiteSpider
from crawler.cli import run as command

pytest.importorskip("surt")


class Site(SiteSpider):
    name = "site"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wacz") / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", "/two?b=2&a=1", "/Three/", "/gone", text="é apples"))
        web.add("/two?b=2&a=1", page("two"))
        web.add("/two", page("two"))
        web.add("/Three/", page("three"))
        spider = Site()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)

    on_web(tell)
    return path


def export(store: Path, out: Path, *more: str) -> None:
    assert command(["export", "pages", "-o", str(out), "--store", str(store), *more]) == 0


def test_a_wacz_has_its_parts_with_their_digests(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.wacz"
    export(store, out)
    with ZipFile(out) as made:
        package = made.read("datapackage.json")
        about = json.loads(package)
        assert about["wacz_version"] == "1.1.1" and about["profile"] == "data-package"
        for part in about["resources"]:
            data = made.read(part["path"])
            assert len(data) == part["bytes"]
            assert part["hash"] == f"sha256:{sha256(data).hexdigest()}"
        digest = json.loads(made.read("datapackage-digest.json"))
        assert digest["hash"] == f"sha256:{sha256(package).hexdigest()}"
        assert made.getinfo("archive/data.warc.gz").compress_type == ZIP_STORED
        head, *pages = made.read("pages/pages.jsonl").decode().splitlines()
        assert json.loads(head)["format"] == "json-pages-1.0"
        assert [json.loads(line)["title"] for line in pages] == ["one", "two", "three"]
    assert not list(tmp_path.glob(".wacz-*"))


def test_the_index_leads_to_each_response(store: Path, tmp_path: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    out = tmp_path / "a.wacz"
    export(store, out)
    with ZipFile(out) as made:
        warc = made.read("archive/data.warc.gz")
        lines = gzip.decompress(made.read("indexes/index.cdx.gz")).decode().splitlines()
    assert lines == sorted(lines) and len(lines) == 4
    keys = [line.split(" ")[0] for line in lines]
    assert [key.rpartition(")")[2] for key in keys] == ["/", "/gone", "/three", "/two?a=1&b=2"]
    for line in lines:
        found = json.loads(line.split(" ", 2)[2])
        start = int(found["offset"])
        member = warc[start : start + int(found["length"])]
        [record] = ArchiveIterator(BytesIO(member), check_digests="raise")
        assert record.rec_type == "response"
        assert record.rec_headers.get_header("WARC-Target-URI") == found["url"]
        assert record.http_headers.get_statuscode() == found["status"]
        record.content_stream().read()


def test_an_archive_has_the_pages_that_were_chosen(store: Path, tmp_path: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    out = tmp_path / "a.warc.gz"
    export(store, out, "--exclude", "two|Three", "--where", "status = 200")
    with out.open("rb") as file:
        records = [(r.rec_type, r.rec_headers.get_header("WARC-Target-URI"))
                   for r in ArchiveIterator(file)]  # fmt: skip
    assert [kind for kind, _ in records] == ["warcinfo", "response", "request"]
    assert records[1][1] == records[2][1] and str(records[1][1]).endswith("/")
