"""File names as servers write them, and the extension of those that have none."""

import pytest

from crawler.http.content_disposition import disposition_name, name_for


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=my file.txt", "my file.txt"),
        ("attachment; filename=my file.txt ; size=3", "my file.txt"),
        ("attachment; filename=a,b.txt", "a,b.txt"),
        ("filename=x.txt", "x.txt"),
        ('filename="x;y.txt"', "x;y.txt"),
        ('attachment; filename="=?UTF-8?B?5pel5pys?=.txt"', "日本.txt"),
        ("attachment; filename==?iso-8859-1?Q?na=EFve.txt?=", "naïve.txt"),
        ('attachment; filename="=?utf-8?q?a?= =?utf-8?q?b?="', "ab"),
        ('attachment; filename="=?x-none?q?a?="', "=?x-none?q?a?="),
        ("attachment; filename*=UTF-8''%e4%bd%a0.txt; filename=b", "你.txt"),
        ("attachment; filename=b; filename*=iso-8859-1''%e9", "é"),
        ("attachment; filename*=UTF-8''%ff; filename=b", "b"),
        ("inline", None),
    ],
)
def test_the_name_that_a_header_says(header: str, name: str | None) -> None:
    assert disposition_name(header) == name


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("http://h.example/get", "application/pdf", "get.pdf"),
        ("http://h.example/get", "Text/HTML; charset=utf-8", "get.html"),
        ("http://h.example/", "image/jpeg", "download.jpg"),
        ("http://h.example/get.php", "application/pdf", "get.php"),
        ("http://h.example/a.tar.gz", "application/gzip", "a.tar.gz"),
        ("http://h.example/get", "application/octet-stream", "get"),
        ("http://h.example/get", "x/unheard-of", "get"),
        ("http://h.example/get", "", "get"),
    ],
)
def test_a_name_without_an_extension_gets_that_of_its_type(url: str, kind: str, name: str) -> None:
    assert name_for(url, content_type=kind) == name
