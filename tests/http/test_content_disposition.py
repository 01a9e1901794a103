"""File names from servers: read by RFC 6266, and never a danger to the disk."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.content_disposition import LONGEST, disposition_name, name_for, safe_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="tides.csv"', "tides.csv"),
        ("attachment; filename=tides.csv", "tides.csv"),
        ("attachment;FILENAME=tides.csv;x=1", "tides.csv"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20file.txt", "naïve file.txt"),
        ("attachment; filename=\"a.txt\"; filename*=utf-8'en'%e2%82%ac.txt", "€.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("attachment; filename*=klingon''x.txt; filename=b.txt", "b.txt"),
        ("attachment; filename*=UTF-8''%ff.txt; filename=b.txt", "b.txt"),
        (r'attachment; filename="say \"hi\".txt"', 'say "hi".txt'),
        ('attachment; filename="a;b=c.txt"', "a;b=c.txt"),
        ('inline; filename="no end', "no end"),
        ("attachment", None),
        ("attachment; filename=", None),
        ('attachment; filename=""', None),
    ],
)
def test_reads_content_disposition(header: str, name: str | None) -> None:
    assert disposition_name(header) == name


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/passwd", "passwd"),
        ("C:\\x.txt", "x.txt"),
        ("C:x.txt", "C_x.txt"),
        ("x.txt:stream", "x.txt_stream"),
        ("..", ""),
        (".", ""),
        ("", ""),
        ("   ", ""),
        ("???", ""),
        (".bashrc", "bashrc"),
        ("a.txt. . ", "a.txt"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("nul .txt", "_nul .txt"),
        ("COM1.tar.gz", "_COM1.tar.gz"),
        ("lpt¹", "_lpt¹"),
        ("console.txt", "console.txt"),
        ("a\0b\nc.txt", "a_b_c.txt"),
        ("evil\u202etxt.exe", "evil_txt.exe"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 300 + ".tar", "x" * 196 + ".tar"),
    ],
)
def test_makes_a_name_safe(sent: str, safe: str) -> None:
    assert safe_name(sent) == safe


@given(st.text(max_size=400))
def test_no_name_leaves_its_directory(text: str) -> None:
    name = safe_name(text)
    if name:
        assert PurePosixPath(name).name == PureWindowsPath(name).name == name
        assert PureWindowsPath(name).drive == "" and not name.startswith(".")
        assert len(name.encode()) <= LONGEST
        assert safe_name(name) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/a/b.pdf?x=1", "b.pdf"),
        ("https://example.com/a%20b.pdf", "a b.pdf"),
        ("https://example.com/..%2f..%2fpasswd", "passwd"),
        ("https://example.com/", "download"),
        ("https://example.com/a/", "download"),
    ],
)
def test_takes_the_name_from_the_url_where_no_header_has_one(url: str, name: str) -> None:
    assert name_for(url) == name
    assert name_for(url, 'attachment; filename="given.txt"') == "given.txt"
