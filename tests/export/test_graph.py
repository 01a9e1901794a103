"""The graph of links as GraphML, read back by others: lxml, and networkx where it is."""

import io
import json
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from item_story import store as stored
from lxml import etree

from crawler.cli import run as command
from crawler.export.graph import section_of, write_graph
from crawler.inspect.query import Reader

SPACE = "{http://graphml.graphdrawing.org/xmlns}"
H = "http://h.example"
TITLE = 'a "<b>&amp;\x0b\ud7ff'
PAGES: list[tuple[str, str, str | None, list[str]]] = [  # URL, outcome, redirect, links
    (f"{H}/", "ok", None, [f"{H}/a/1?x=1&y='2'", f"{H}/a/1?x=1&y='2'", f"{H}/b", f"{H}/none"]),
    (f"{H}/a/1?x=1&y='2'", "ok", None, [f"{H}/a/2", f"{H}/"]),
    (f"{H}/a/2", "not_found", None, []),
    (f"{H}/b", "redirect", f"{H}/b/2", []),
    (f"{H}/b/2", "ok", None, [f"{H}/a/2"]),
    (f"{H}/b/2", "ok", None, [f"{H}/a/2"]),  # asked twice: one node
]


def filled(path: Path, pages: Any) -> Path:
    stored(path)
    with closing(sqlite3.connect(path)) as db:
        for number, (url, outcome, redirect, links) in enumerate(pages, 1):
            db.execute(
                "INSERT INTO pages (page_id, url, title, status, outcome, redirect_to, depth,"
                " fetched_at, attempts, run_id, host_id, url_hash)"
                " VALUES (?, ?, ?, 200, ?, ?, 0, '2026-01-01T00:00:00Z', 1, 1, 1, ?)",
                (number, url, TITLE, outcome, redirect, number),
            )
            if links:
                db.execute(
                    "INSERT INTO link_lists (page_id, targets) VALUES (?, ?)",
                    (number, json.dumps(links)),
                )
        db.commit()
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("graph") / "a.db", PAGES)


def exported(store: Path, out: Path, *options: str) -> etree._Element:
    arguments = ["export", "graph", "-o", str(out), "--store", str(store), *options]
    assert command(arguments) == 0
    return etree.parse(out).getroot()


def data(element: etree._Element) -> dict[str, str | None]:
    return {one.get("key", "").partition("-")[2]: one.text for one in element}


def edges(root: etree._Element) -> dict[tuple[str, str], dict[str, str | None]]:
    found = root.findall(f".//{SPACE}edge")
    named = {
        (one.get("source", "").removeprefix(H), one.get("target", "").removeprefix(H)): data(one)
        for one in found
    }
    assert len(named) == len(found)
    return named


def test_pages_are_nodes_and_links_edges(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = exported(store, tmp_path / "a.graphml")
    nodes = {one.get("id"): data(one) for one in root.iter(f"{SPACE}node")}
    assert list(nodes) == [url for url, *_ in PAGES[:5]]
    assert nodes[f"{H}/"]["title"] == 'a "<b>&amp;\ufffd\ud7ff'
    assert nodes[f"{H}/b"]["outcome"] == "redirect"
    assert edges(root) == {
        ("/", "/a/1?x=1&y='2'"): {"weight": "2", "redirects": "0"},
        ("/", "/b"): {"weight": "1", "redirects": "0"},
        ("/a/1?x=1&y='2'", "/a/2"): {"weight": "1", "redirects": "0"},
        ("/a/1?x=1&y='2'", "/"): {"weight": "1", "redirects": "0"},
        ("/b/2", "/a/2"): {"weight": "1", "redirects": "0"},
        ("/b", "/b/2"): {"weight": "1", "redirects": "1"},
    }
    told = capsys.readouterr().err
    assert "5 nodes, 6 edges" in told and "lead to is no node: 1 link" in told
    keys = {one.get("id") for one in root.iter(f"{SPACE}key")}
    assert {one.get("key") for one in root.iter(f"{SPACE}data")} <= keys


def test_sections_are_hosts_and_first_segments(store: Path, tmp_path: Path) -> None:
    root = exported(store, tmp_path / "a.graphml", "--sections")
    nodes = {one.get("id"): data(one) for one in root.iter(f"{SPACE}node")}
    assert {
        name: (one["pages"], one["stored"], one["internal"]) for name, one in nodes.items()
    } == {
        f"{H}/": ("1", "1", "0"),
        f"{H}/a": ("2", "1", "1"),
        f"{H}/b": ("2", "1", "1"),
    }
    weights = {ends: (one["weight"], one["redirects"]) for ends, one in edges(root).items()}
    assert weights == {
        ("/", "/a"): ("2", "0"),
        ("/", "/b"): ("1", "0"),
        ("/a", "/"): ("1", "0"),
        ("/b", "/a"): ("1", "0"),
    }


def test_a_condition_chooses_both_ends(store: Path, tmp_path: Path) -> None:
    root = exported(
        store, tmp_path / "a.graphml", "--where", "outcome = 'ok' -- all", "--exclude", "/b/"
    )
    assert [one.get("id") for one in root.iter(f"{SPACE}node")] == [f"{H}/", PAGES[1][0]]
    assert set(edges(root)) == {("/", "/a/1?x=1&y='2'"), ("/a/1?x=1&y='2'", "/")}


def test_networkx_reads_it(store: Path, tmp_path: Path) -> None:
    networkx = pytest.importorskip("networkx")
    exported(store, tmp_path / "a.graphml")
    graph = networkx.read_graphml(tmp_path / "a.graphml")
    assert graph.is_directed() and not graph.is_multigraph()
    assert (len(graph.nodes), len(graph.edges)) == (5, 6)
    assert graph.edges[f"{H}/", PAGES[1][0]]["weight"] == 2
    assert graph.nodes[f"{H}/"]["status"] == 200


@pytest.mark.parametrize(
    ("url", "section"),
    [
        (f"{H}/", f"{H}/"),
        (f"{H}/?a/b", f"{H}/"),
        (f"{H}/a?x/y", f"{H}/a"),
        (f"{H}/a/b/c", f"{H}/a"),
        (f"{H}//a", f"{H}/"),
        ("https://h.example:8443/a/", "https://h.example:8443/a"),
    ],
)
def test_the_section_of_a_url(url: str, section: str) -> None:
    assert section_of(url) == section


@pytest.mark.parametrize("sections", [False, True])
def test_memory_is_that_of_one_page(tmp_path: Path, sections: bool) -> None:
    class Nowhere(io.RawIOBase):
        def write(self, data: Any) -> int:
            return len(data)

    def peak(number: int) -> int:
        pages = ((f"{H}/{n}/x", "ok", None, [f"{H}/{n // 2}/x"] * 3) for n in range(number))
        with Reader(filled(tmp_path / f"{number}.db", pages)) as reader:
            tracemalloc.start()
            size = write_graph(reader, Nowhere(), lambda _: None, sections=sections)  # type: ignore[arg-type]
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert size.nodes == number
        return found

    peak(10)
    assert peak(1500) < 2 * peak(250)


def test_what_is_no_graph_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["pages", "-o", "a.graphml"],
        ["pages", "--sections"],
        ["graph", "-o", "a.csv"],
        ["graph", "-o", "a.graphml", "--fields", "url"],
        ["graph", "-o", "a.graphml", "--continue"],
    ):
        assert command(["export", *arguments, "--store", str(store)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
