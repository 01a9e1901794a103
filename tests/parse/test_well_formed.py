"""Documents in XML are read up to their first error, as browsers read them."""

import codecs

import pytest

from crawler.parse.charset import decode
from crawler.parse.well_formed import well_formed

TYPE = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "x">'
CUT = {
    "<a><b>1</b>2</a>": "<a><b>1</b>2</a>",
    "<a><b>1</b>2</c><d/>": "<a><b>1</b>",  # another end tag: the text before it is not shown
    "<a>1<b x=1>2</b></a>": "<a>",  # nor that before a tag that is none
    "<a>1<b x='1' x='2'/></a>": "<a>",
    "<a><x:b>1</x:b><c y:d='e'/></a>": "<a><x:b>1</x:b>",  # an attribute whose prefix is none
    "<a><b>1</b>2 < 3</a>": "<a><b>1</b>2 ",
    "<a><b/>2&nbsp;3</a>": "<a><b/>",
    "<a><!-- - -- - --><b/></a>": "<a>",
    "<a>1</a>2<b/>": "<a>1</a>",
    "<a>1<b>2": "<a>1<b>2",  # cut off, it is there as far as it goes
    "<a>1<b x='": "<a>1<b x='",
    "<!DOCTYPE a SYSTEM 'x'><a>1&nbsp;&foo;&lt;</a>": "<!DOCTYPE a SYSTEM 'x'><a>1&lt;</a>",
    f"{TYPE}<html>1&nbsp;&foo;</html>": f"{TYPE}<html>1&nbsp;</html>",  # with HTML's entities
    "": "",
}


@pytest.mark.parametrize("text", CUT)
def test_what_is_behind_the_first_error_is_not_there(text: str) -> None:
    found = well_formed(text)
    assert found.text == CUT[text]
    assert (found.error is None) == text.startswith(("<a><b>1</b>2</a>", "<!DOCTYPE"))


def test_entities_of_a_document_are_written_out_where_they_are_small() -> None:
    head = (
        "<!DOCTYPE a [<!ENTITY x 'o\"e'><!ENTITY x '2'><!ENTITY y '&x;&lt;'>"
        "<!ENTITY z '<c d=\"&x;\"/>&#38;amp;'><!ENTITY % p '3'>]>"
    )
    one = "o&#34;e"
    body = "<a b='&x;'>&x;&y;&z;<![CDATA[&x;]]><!--&x;--></a>"
    assert well_formed(f"{head}{body}").text == (
        f"{head}<a b='{one}'>{one}{one}&lt;<c d=\"{one}\"/>&amp;<![CDATA[&x;]]><!--&x;--></a>"
    )
    deep = "".join(f"<!ENTITY e{n + 1} '&e{n};&e{n};'>" for n in range(20))
    deep = f"<!DOCTYPE a [<!ENTITY e0 'x'>{deep}]><a>&e20;</a>"
    assert "amplification" in (well_formed(deep).error or "")
    large = f"<!DOCTYPE a [<!ENTITY x '{'-' * 999}'>]><a>{'&x;' * 1000}</a>"
    assert well_formed(large).text == large


def test_attributes_that_a_document_type_gives_are_written_out_where_a_tag_has_none() -> None:
    head = (
        "<!DOCTYPE a [<!ATTLIST b x CDATA '&#34;&#38;' y CDATA #IMPLIED z (p|q) #FIXED 'p'>"
        "<!ATTLIST b x CDATA 'late'><!ENTITY e '1'>]>"
    )
    body = "<a>\u00e9\U0001f600<b/><!--<b/>--><![CDATA[<b/>]]><bb/><b x='1'>&e;</b>"
    written = (
        '<a>\u00e9\U0001f600<b x="&quot;&amp;" z="p"/><!--<b/>--><![CDATA[<b/>]]><bb/>'
        "<b z=\"p\" x='1'>1</b>"
    )
    assert well_formed(f"{head}{body}</a>").text == f"{head}{written}</a>"
    assert well_formed(f"{head}{body}<c></a>").text == f"{head}{written}<c>"
    large = f"<!DOCTYPE a [<!ATTLIST b x CDATA '{'-' * 999}'>]><a>{'<b/>' * 1000}</a>"
    assert well_formed(large).text == large


def test_numbers_of_control_characters_stand_for_themselves() -> None:
    text = "<a b='&#x85;'>&#0159;&#127;&#160;&#x9;</a>"
    assert well_formed(text).text == "<a b='\x85'>\x9f&#127;&#160;&#x9;</a>"


def test_an_error_is_told_with_its_place() -> None:
    assert well_formed("<a>\n  <b></a>").error == "line 2, column 8: mismatched tag"


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ("", b"\xc3\xa9<b/>\xff<c/>", "\u00e9<b/>"),
        ("", b"\xef\xbf\xbd<b>\xef\xbf\xbd</b>", None),  # U+FFFD that is meant
        ("", b"\xef\xbf\xbd<b/>\xe4\xb8<c/>", "\ufffd<b/>"),
        ("EUC-JP", b"\xc6\xfc<b/>\xff<c/>", "\u65e5<b/>"),
        ("GB18030", b"\x841\xa47<b/>\xff<c/>", "\ufffd<b/>"),
        ("UTF-16", b"<b/>\x00\xd8<c/>", None),
    ],
)
def test_bytes_that_are_none_of_the_encoding_are_an_error_of_xml(
    head: str, body: bytes, text: str | None
) -> None:
    start, end = f'<?xml version="1.0" encoding="{head or "utf-8"}"?><a>', "</a>"
    raw = start.encode() + body + end.encode()
    if head == "UTF-16":
        raw = codecs.BOM_UTF16_LE + start.encode("utf-16le")
        raw += b"".join(bytes((byte, 0)) for byte in body[:4]) + body[4:6] + end.encode("utf-16le")
    html, _ = decode(raw, "application/xhtml+xml", xml=True)
    found = well_formed(html)
    assert found.text == (html if text is None else f"{start}{text}")
    assert (found.error or "").endswith("XML" if text else "")
    assert "\uffff" not in decode(raw, "application/xhtml+xml")[0]


def test_what_a_document_type_gives_is_told_where_it_is_too_much() -> None:
    entity = f'<!DOCTYPE a [<!ENTITY e "{"x" * 5000}">]><a>{"&e;" * 20}</a>'
    given = f'<!DOCTYPE a [<!ATTLIST b c CDATA "{"x" * 5000}">]><a>{"<b/>" * 20}</a>'
    for text, kind in ((entity, "entities"), (given, "attributes")):
        found = well_formed(text)
        assert (found.text, found.error) == (text, None)
        assert found.left_out == f"its own {kind}: over 65,536 characters"
    assert well_formed(entity.replace("&e;" * 20, "&e;")).left_out is None
