"""Decompress the stored bodies and let lxml parse them: what nobody who selects can do without.

Usage: lxml_floor.py STORE
"""

import sqlite3
import sys

import zstandard
from lxml import etree, html


def main(store: str) -> None:
    parser = html.HTMLParser(recover=True, encoding="utf8", huge_tree=True)
    unpack = zstandard.ZstdDecompressor().decompress
    for (body,) in sqlite3.connect(store).execute("SELECT body FROM bodies"):
        etree.fromstring(unpack(body), parser=parser)


main(sys.argv[1])
