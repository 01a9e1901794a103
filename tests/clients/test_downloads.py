"""download over real HTTP: streamed, resumed, checked, named safely."""

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import Retries, download
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.errors import BadFile, BodyTooLarge, FetchError, StoreRefused, UsageError
from crawler.practice import PracticeSite
from crawler.practice.files import large_bytes

SIZE = 3_000_000
DIGEST = hashlib.sha256(large_bytes(0, SIZE)).hexdigest()
NEVER = Retries(0)


def listed(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@on_site()
async def test_a_file_comes_whole_and_leaves_nothing_else(
    site: PracticeSite, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    found = await download(
        site.at(f"/files/large.bin?size={SIZE}"),
        tmp_path / "deep" / "large.bin",
        digest=f"sha256:{DIGEST}",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert found.path.read_bytes() == large_bytes(0, SIZE)
    assert (found.size, found.sha256, found.resumed) == (SIZE, DIGEST, 0)
    assert [path.name for path in found.path.parent.iterdir()] == ["large.bin"]
    assert seen[-1] == (SIZE, SIZE) and seen == sorted(seen)


@on_site()
async def test_a_cut_connection_is_taken_up_where_it_ended(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.at(f"/files/large.bin?size={SIZE}&cut=1000000")
    found = await download(url, tmp_path / "f", retries=Retries(1, sleep=Naps()))
    assert found.sha256 == DIGEST
    assert 0 < found.resumed <= 1_000_000
    ranges = [hit.headers.get("Range") for hit in site.hits]
    assert ranges == [None, f"bytes={found.resumed}-"]
    assert site.hits[1].headers["If-Range"] == f'"large-{SIZE}"'


@on_site()
async def test_a_later_download_takes_up_what_an_earlier_left(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.at(f"/files/large.bin?size={SIZE}&cut=1000000")
    with pytest.raises(FetchError):
        await download(url, tmp_path / "f", retries=NEVER)
    assert not (tmp_path / "f").exists()
    found = await download(url, tmp_path / "f", retries=NEVER)
    assert found.sha256 == DIGEST and found.resumed > 0


@on_site()
async def test_a_part_that_is_whole_already_is_not_fetched_again(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.at(f"/files/large.bin?size={SIZE}&cut=1000000")
    with pytest.raises(FetchError):
        await download(url, tmp_path / "f", retries=NEVER)
    (tmp_path / "f.part").write_bytes(large_bytes(0, SIZE))
    found = await download(url, tmp_path / "f", retries=NEVER)
    assert (found.sha256, found.resumed) == (DIGEST, SIZE)


def test_a_file_that_changed_meanwhile_starts_anew(tmp_path: Path) -> None:
    versions = [b"old" * 1000, b"new" * 1000]

    async def serve(request: web.Request) -> web.StreamResponse:
        version = min(len(asked), 1)
        asked.append(request.headers.get("If-Range"))
        body = versions[version]
        response = web.StreamResponse(headers={"ETag": f'"{version}"', "Accept-Ranges": "bytes"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:1500] if version == 0 else body)
        if version == 0 and request.transport:
            request.transport.close()
        return response

    asked: list[str | None] = []

    async def story() -> None:
        async with Served({"/f": serve}) as url:
            found = await download(f"{url}/f", tmp_path / "f", retries=Retries(1, sleep=Naps()))
        assert found.path.read_bytes() == versions[1]
        assert asked == [None, '"0"'] and found.resumed == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    "content_range", ["bytes 0-9/3000", "bytes 5-1/2", "nonsense", "bytes */3000", ""]
)
def test_a_range_that_lies_never_ends_up_in_the_file(content_range: str, tmp_path: Path) -> None:
    body = b"x" * 3000

    async def serve(request: web.Request) -> web.StreamResponse:
        headers = {"ETag": '"1"'}
        ranged = "Range" in request.headers
        if ranged:
            headers["Content-Range"] = content_range
        response = web.StreamResponse(status=206 if ranged else 200, headers=headers)
        response.content_length = 3000
        await response.prepare(request)
        cut = not firsts
        firsts.append(1)
        await response.write(body[:1500] if cut else b"y" * 3000 if ranged else body)
        if cut and request.transport:
            request.transport.close()
        return response

    firsts: list[int] = []

    async def story() -> None:
        async with Served({"/f": serve}) as url:
            found = await download(f"{url}/f", tmp_path / "f", retries=Retries(2, sleep=Naps()))
        assert found.path.read_bytes() == body

    asyncio.run(story())


@on_site()
async def test_another_digest_is_refused_and_not_kept(site: PracticeSite, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="sha1 digest"):
        await download(site.at("/files/large.bin"), tmp_path / "f", digest="sha1:" + "0" * 40)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("digest", ["", "x", "md5:12", "sha256:zz", "nope:00", "sha256" + "0" * 64])
def test_what_is_no_digest_is_refused_before_anything_is_fetched(
    digest: str, tmp_path: Path
) -> None:
    if digest:
        with pytest.raises(UsageError, match="no digest"):
            asyncio.run(download("http://127.0.0.1:9/", tmp_path / "f", digest=digest))


@on_site()
async def test_a_directory_takes_the_name_that_the_server_gives(
    site: PracticeSite, tmp_path: Path
) -> None:
    first = await download(site.at("/files/tides.csv"), tmp_path)
    second = await download(site.at("/files/tides.csv"), f"{tmp_path}/")
    assert first.path == tmp_path / "tides ≈.csv"
    assert second.path == tmp_path / "tides ≈-1.csv"
    assert first.content_type == "text/csv"
    assert len(listed(tmp_path)) == 2


@on_site()
async def test_no_name_escapes_the_directory(site: PracticeSite, tmp_path: Path) -> None:
    evil = 'attachment; filename="../../../evil.sh"'
    site.add_page("/evil", b"x", headers={"Content-Disposition": evil})
    found = await download(site.at("/evil"), tmp_path)
    assert found.path == tmp_path / "evil.sh"


@on_site()
async def test_a_status_that_is_no_file_is_an_error(site: PracticeSite, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        await download(site.at("/status/404"), tmp_path / "f")
    assert caught.value.outcome == "not_found"
    assert not (tmp_path / "f").exists()
    assert site.count("/status/404") == 1
    assert listed(tmp_path) == []


@on_site()
async def test_a_file_over_the_cap_is_refused_before_it_is_fetched(
    site: PracticeSite, tmp_path: Path
) -> None:
    with pytest.raises(BodyTooLarge, match="1,000,000 bytes are over the cap"):
        await download(
            site.at("/files/large.bin"),
            tmp_path / "f",
            config=Config(fetch=FetchSettings(max_file=1000)),
            retries=NEVER,
        )


@on_site()
async def test_an_existing_file_is_replaced_only_when_the_new_one_is_whole(
    site: PracticeSite, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("old")
    with pytest.raises(FetchError):
        await download(site.at("/files/large.bin?cut=5"), tmp_path / "f", retries=NEVER)
    assert (tmp_path / "f").read_text() == "old"
    await download(site.at("/files/large.bin"), tmp_path / "f", retries=NEVER)
    assert (tmp_path / "f").stat().st_size == 1_000_000


# ---------------------------------------------------------------- disks and memory

CHILD = """
import asyncio, resource, sys
from pathlib import Path
from crawler.clients import download
from crawler.errors import CrawlerError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def main(url, target, limit):
    await download(url + "?size=1000", target.with_name("small"))  # everything is imported
    before = peak()
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        found = await download(url + sys.argv[4], target)
    except CrawlerError as error:
        print(type(error).__name__, error)
    else:
        print(found.size, peak() - before)

asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
"""


async def in_a_child(url: str, target: Path, limit: int, query: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, url, str(target), str(limit), query),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@on_site()
async def test_a_full_disk_is_named_and_the_rest_is_fetched_once_there_is_room(
    site: PracticeSite, tmp_path: Path
) -> None:
    """No file may grow over the limit: the system's word for it is one of a full disk's."""
    url, target = site.at("/files/large.bin"), tmp_path / "large.bin"
    said = await in_a_child(url, target, 2_000_000, f"?size={SIZE}")
    assert said.startswith("StoreFull ") and "free some space" in said
    assert listed(tmp_path) == ["large.bin.part", "large.bin.part.json", "small"]
    found = await download(f"{url}?size={SIZE}", target)
    assert found.sha256 == DIGEST and found.resumed == 2_000_000
    assert listed(tmp_path) == ["large.bin", "small"]


@on_site()
async def test_a_place_that_cannot_be_written_is_named(site: PracticeSite, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(StoreRefused, match=r"file.*cannot be written"):
        await download(site.at("/files/tides.csv"), tmp_path / "file" / "f")


@pytest.mark.skipif(sys.platform == "win32", reason="reads the peak of a process")
@on_site()
async def test_a_large_file_takes_no_more_memory_than_a_small_one(
    site: PracticeSite, tmp_path: Path
) -> None:
    size = 200_000_000
    said = await in_a_child(site.at("/files/large.bin"), tmp_path / "f", 0, f"?size={size}")
    assert int(said.split()[0]) == size
    assert int(said.split()[1]) < 60  # MB
