"""Encodings: labels, header, prescan, detection, and text that never raises."""

import codecs
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.parse import encodings
from crawler.parse.charset import PRESCAN, decode, encoding_of
from crawler.parse.encodings import LABELS, NAMES, encode_query, name_of, to_text

META = [  # the start of a page, the encoding that a browser takes from it
    ('<meta charset="ISO-8859-1">', "windows-1252"), ("<meta charset=euc-jp>", "euc-jp"),
    ("<META\nCHARSET = 'Latin2' >", "iso-8859-2"), ("<meta/charset=koi8-r/>", "windows-1252"),
    ("<meta/charset=koi8-r />", "koi8-r"), ("<metacharset=koi8-r>", "windows-1252"),
    ('<meta http-equiv=content-type content="text/html; charset=gb2312">', "gbk"),
    ('<meta content="text/html;charset=gb2312" http-equiv=Content-Type>', "gbk"),
    ('<meta content="charset  =  \'big5\'" http-equiv=Content-Type>', "big5"),
    ('<meta content="charset=\'big5" http-equiv=Content-Type>', "windows-1252"),
    ('<meta content="charset charset=big5;x" http-equiv=Content-Type>', "big5"),
    ('<meta content="text/html; charset=gb2312">', "windows-1252"),
    ('<meta http-equiv=refresh content="1; charset=gb2312">', "windows-1252"),
    ("<meta http-equiv=refresh http-equiv=content-type content=charset=gbk>", "gbk"),
    ("<meta charset=bogus><meta charset=koi8-r>", "koi8-r"),
    ("<meta charset=koi8-r charset=big5>", "big5"),
    ("<meta content=charset=gbk http-equiv=content-type charset=big5>", "big5"),
    ("<meta charset=utf-16>", "utf-8"), ("<meta charset=UTF-16BE>", "utf-8"),
    ("<meta charset=x-user-defined>", "windows-1252"),
    ("<!--<meta charset=big5>--><meta charset=koi8-r>", "koi8-r"),
    ("<!--><meta charset=koi8-r>", "koi8-r"), ("<!-- <meta charset=koi8-r>", "windows-1252"),
    ("<p title='<meta charset=big5>'><meta charset=koi8-r>", "koi8-r"),
    ('<p title="<meta charset=koi8-r>', "windows-1252"), ("<meta charset=koi8-r", "windows-1252"),
    ("</ <meta charset=big5><meta charset=koi8-r>", "koi8-r"),
    ("<?php <meta charset=big5> ?><meta charset=koi8-r>", "koi8-r"),
    ("<1 <meta charset=koi8-r>", "koi8-r"), ("</p a='>' ><meta charset=koi8-r>", "koi8-r"),
    ("<a =b=c ==d / e><meta charset=koi8-r>", "koi8-r"),
    ("<script>'<meta charset=koi8-r>'</script>", "koi8-r"),
    ('<?xml version="1.0" encoding="koi8-r"?>', "koi8-r"),
    ("<?xml encoding = 'koi8-r'?><meta charset=big5>", "big5"),
    ('<?xml encoding="utf-16"?>', "utf-8"), ('<?xml version="1.0"?>', "utf-8"),
    ("<p>" * 300 + "<meta charSet=koi8-r>", "koi8-r"),
    ("<p>" * PRESCAN + "<meta charset=koi8-r>", "windows-1252"),
    ("<style>" + "p" * 20_000 + "</style><meta charset=koi8-r>", "koi8-r"),
    ("<title>" + "p" * 20_000 + "</title></head><meta charset=koi8-r>", "windows-1252"),
    ("<noscript><meta charset=koi8-r></noscript>", "koi8-r"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "want"), META)
def test_a_page_declares_its_encoding_as_a_browser_reads_it(start, want):
    assert encoding_of(start.encode()) == want


def test_a_meta_in_what_is_no_html_declares_nothing():
    body = b"<meta charset=koi8-r>"
    assert encoding_of(body, "text/plain") == "windows-1252"
    assert encoding_of(body, "unknown/unknown") == "koi8-r"


HEADERS = [
    ("text/html; charset=koi8-r", "koi8-r"), ("text/html;CHARSET=\"KOI8-R\"", "koi8-r"),
    ("text/html; x=\"; charset=big5\"; charset=koi8-r", "koi8-r"), ("x; charset=koi8-r ", "big5"),
    ("text/html; charset=\"koi8\\-r\"", "koi8-r"), ("text/html; charset=koi8-r; a=b", "koi8-r"),
    ("text/html; charset=koi8-r, text/html", "koi8-r"), ("text/html; charset", "big5"),
    ("text/html; charset=; charset=koi8-r", "koi8-r"), ("text/html; charset='koi8-r'", "big5"),
    ("text/html; xcharset=koi8-r", "big5"), ("text/html; charset=none", "big5"),
    ("text/html; charset = koi8-r", "big5"), ("", "big5"), ("charset=koi8-r", "big5"),
    ("text/html; charset=utf-16", "utf-16le"), ("application/xml", "koi8-r"),
    ("application/json", "utf-8"), ("application/ld+json; charset=big5", "big5"),
]  # fmt: skip


@pytest.mark.parametrize(("content_type", "want"), HEADERS)
def test_the_header_comes_before_what_the_page_declares(content_type, want):
    body = b'<?xml version="1.0" encoding="koi8-r"?><meta charset=big5>'
    assert encoding_of(body, content_type) == want


def test_utf_16_without_a_mark_is_read_in_the_order_of_its_zeros():
    for order in "utf-16-le", "utf-16-be":
        body = "<title>Größe</title>".encode(order)
        for label in "utf-16", "utf-16le":
            text = decode(body, f"text/html; charset={label}")[0]
            assert text == "<title>Größe</title>"
    assert encoding_of("中文".encode("utf-16-be"), "text/html; charset=utf-16") == "utf-16le"


def test_a_header_that_names_itself_again_in_its_value_says_its_charset():
    said = "Content-Type: text/html; charset=koi8-r"
    assert encoding_of(b"\xc1", said) == "koi8-r"


@pytest.mark.parametrize(
    ("mark", "want"),
    [(codecs.BOM_UTF8, "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le")],
)
def test_a_byte_order_mark_comes_before_all_and_is_no_text(mark, want):
    body = mark + "<meta charset=koi8-r>é".encode(want)
    assert decode(body, "text/html; charset=big5") == ("<meta charset=koi8-r>é", want)


def test_xml_without_a_declaration_is_utf8():
    assert encoding_of(b"<a/>", "application/rss+xml") == "utf-8"
    assert encoding_of(b"<?xml version='1.0'?><a/>", "text/xml") == "utf-8"
    assert encoding_of("<?xml ?>".encode("utf-16-be"), "text/xml") == "utf-16be"


UNDECLARED = [
    ("Le café est très apprécié à Paris où l'été fut chaud, œuvre d'un garçon.", "windows-1252"),
    ("Быстрая коричневая лиса прыгает через ленивую собаку. Москва столица.", "windows-1251"),
    ("Быстрая коричневая лиса прыгает через ленивую собаку. Москва столица.", "koi8-r"),
    ("日本語の文章をここに書きます。東京は日本の首都であり、ひらがなも使います。", "shift_jis"),
    ("日本語の文章をここに書きます。東京は日本の首都であり、ひらがなも使います。", "euc-jp"),
    ("日本語の文章をここに書きます。", "iso-2022-jp"),
    ("한국어는 대한민국과 조선민주주의인민공화국의 공용어이다. 서울은 수도이다.", "euc-kr"),
    ("中文維基百科是維基百科協作計劃的中文版本，由非營利組織維基媒體基金會負責維持。", "big5"),
    ("日本語 русский café", "utf-8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), UNDECLARED)
def test_what_is_not_declared_is_told_by_its_bytes(text, name):
    body = f"<title>{text}</title>\n<p>{text}</p>".encode(name)
    assert encoding_of(body, "text/html") == name
    assert text in decode(body)[0]


def test_utf8_that_is_cut_off_or_has_one_wrong_byte_stays_utf8():
    text = "Zażółć gęślą jaźń, œuvre, naïveté, Größe, Łódź, ćma"
    body = text.encode()
    assert encoding_of(body + "ż".encode()[:1]) == "utf-8"
    assert decode(body + b"\xff" + body) == (text + "\ufffd" + text, "utf-8")


def test_a_single_odd_byte_says_nothing_and_gets_the_default():
    assert decode(b"\x80 5") == ("€ 5", "windows-1252")


TEXTS = [
    ("windows-1252", b"\x80\x81\xe9", "€\x81é"),
    ("windows-1253", b"\xaa\xd2\x81", "\ufffd\ufffd\x81"),
    ("windows-1255", b"\xca\xd9", "\u05ba\ufffd"), ("windows-874", b"\x81\xdb", "\x81\ufffd"),
    ("koi8-u", b"\xae\xbe\xa4", "ўЎє"), ("iso-8859-8-i", b"\xe0", "א"), ("macintosh", b"\xdb", "€"),
    ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"), ("x-mac-cyrillic", b"\xa2\xb6", "Ґґ"),
    ("gbk", b"\x81\x30\x81\x31\xa8D", "\x81\u2015"), ("big5", b"\x87\x40\xa4\xa4", "䏰中"),
    ("big5", b"\xa3\xe1\xa4\xa4\x81<\xff\x81\x40", "€中\ufffd<\ufffd\ufffd@"),
    ("shift_jis", b"\x87\x40\x81\x60", "①～"), ("euc-kr", b"\xb0\xa1\x81\x41", "가갂"),
    ("euc-jp", b"\xad\xa1\xa1\xc1\x8e\xb1\x8f\xb0\xa1\xff<", "①～ｱ丂\ufffd<"),
    ("euc-jp", b"\xfc\xee\xad\xfe", "黑\ufffd"), ("iso-2022-jp", b"\x1b$B!A\x1b(B~", "～~"),
    ("replacement", b"abc", "\ufffd"), ("replacement", b"", ""), ("utf-8", b"\xe2\x82<", "\ufffd<"),
    ("utf-16be", b"\xd8\x00\0a", "\ufffda"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "text"), TEXTS)
def test_bytes_become_text_by_the_tables_of_the_standard(name, body, text):
    assert to_text(body, name) == text


def test_the_labels_are_those_of_the_standard():
    assert len(NAMES) == 40
    assert len(LABELS) == 228
    assert name_of(" \tLaTiN1\n") == "windows-1252"
    assert name_of("utf-7") is name_of("") is name_of("utf-8\0") is None
    assert [name_of(label) for label in ("iso-8859-11", "l5", "unicode", "visual", "sjis")] == [
        "windows-874", "windows-1254", "utf-16le", "iso-8859-8", "shift_jis",
    ]  # fmt: skip


QUERIES = [
    ("/é?a=é#é", "windows-1252", "/é?a=%E9#é"),
    ("?q=Привет", "windows-1251", "?q=%CF%F0%E8%E2%E5%F2"),
    ("?q=表", "shift_jis", "?q=%95\\"), ("?q=中€", "big5", "?q=%A4%A4%A3%E1"),
    ("?q=é表&x", "windows-1252", "?q=%E9%26%2334920%3B&x"), ("?é", "utf-8", "?é"),
    ("?\U0001f600中", "gbk", "?%26%23128512%3B%D6%D0"), ("?\ufffd", "koi8-u", "?%26%2365533%3B"),
    ("é", "windows-1252", "é"), ("#?é", "windows-1252", "#?é"), ("?あ", "euc-jp", "?%A4%A2"),
    ("?あ", "iso-2022-jp", "?%1B$B$%22%1B(B"),
]  # fmt: skip


@pytest.mark.parametrize(("link", "name", "want"), QUERIES)
def test_a_query_is_written_in_the_encoding_of_its_page(link, name, want):
    assert encode_query(link, name) == want


@given(st.text(), st.sampled_from(sorted(NAMES)))
def test_any_link_has_a_query_in_any_encoding(link, name):
    assert encode_query(f"?{link}", name).startswith("?")


TAGS = st.sampled_from(
    [b"<meta", b" charset", b"=", b"'", b'"', b">", b"<!--", b"-->", b"<?xml encoding", b"koi8-r"]
)


@given(st.one_of(st.binary(), st.lists(TAGS).map(b"".join)), st.none() | st.text(max_size=20))
@example(b"<meta charset=koi8-r", "text/html; charset=\x80")
def test_any_bytes_have_an_encoding_and_a_text(body, content_type):
    text, name = decode(body, content_type)
    assert name in NAMES
    assert isinstance(text, str)


@given(st.binary(max_size=60), st.sampled_from(sorted(NAMES)))
def test_any_bytes_are_text_in_any_encoding(body, name):
    assert isinstance(to_text(body, name), str)
    assert decode(body, f"text/html; charset={name}")[1]


@pytest.mark.parametrize("name", sorted(NAMES - {"replacement"}))
def test_a_large_text_is_decoded_piece_by_piece_to_the_same(name: str) -> None:
    random = Random(name)
    codec = {"gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc-jp": "euc_jp"}
    sample = "Kurz, kurz: 漢字 かな 한국 ünïcode \n".encode(codec.get(name, "utf-8"), "replace")
    noise = bytes(random.choices(range(256), k=5000))
    body = (sample * 40 + noise) * 200
    assert len(body) > 1 << 20
    assert to_text(body, name) == encodings._to_text(body, name)
