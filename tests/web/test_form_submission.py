"""What a form sends, byte for byte: the values of `SENT` are what Chromium sent for these pages."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from following_story import crawled

from crawler import Request, ScrapedPage, Secret, Spider
from crawler.errors import UsageError
from crawler.http.multipart import body_of_files
from crawler.practice import PracticeSite
from crawler.web.body import on_wire
from crawler.web.response import Response

HERE = "http://e.org/dir/page"


def page(html: str, encoding: str = "utf-8") -> ScrapedPage:
    body = f"<!doctype html><meta charset={encoding}>{html}".encode(encoding, "xmlcharrefreplace")
    return ScrapedPage(
        Response(HERE, 200, {"Content-Type": "text/html"}, body, 0, 0), Request(HERE)
    )


def sent(html: str, encoding: str = "utf-8", **values: Any) -> str:
    request = page(html, encoding).form().fill(values)
    body = on_wire(request.data)
    assert not isinstance(body, Path)
    url = request.url.removeprefix("http://e.org")
    return f"{url} {body.decode('latin-1')}" if body is not None else url


def get(controls: str, encoding: str = "utf-8", attributes: str = "") -> str:
    url = sent(f"<form action=/s {attributes}>{controls}</form>", encoding)
    return url.partition("?")[2]


SENT = [
    ("<input name=q value=\"a*b c-d_e.f(g)!'\">", "q=a*b+c-d_e.f%28g%29%21%27"),
    ("<input type=radio name=r value=1 checked><input type=radio name=r value=2 checked>", "r=2"),
    ("<input type=file name=f>", "f="),
    ("<button name=go value=1></button><input name=a value=1>", "go=1&a=1"),
    ("<input type=image name=i><input name=a value=1>", "i.x=0&i.y=0&a=1"),
    ('<select name=s><option value="" disabled selected>x<option value=1>1</select>', ""),
    ("<select name=s><option disabled value=0>x<option value=1>1</select>", "s=1"),
    ("<select name=s size=3><option value=1>1</select>", ""),
    ("<select name=s size=x><option value=1>1</select>", "s=1"),
    ("<select name=s><option selected value=1>1<option selected value=2>2</select>", "s=2"),
    ("<select name=s><optgroup disabled><option>0</optgroup><option>1</select>", "s=1"),
    ("<textarea name=t>\n\nx\r\ny<b>z</b></textarea>", "t=%0D%0Ax%0D%0Ay%3Cb%3Ez%3C%2Fb%3E"),
    ('<input type=hidden name="n&#10;m" value="a&#13;b">', "n%0D%0Am=a%0D%0Ab"),
    ('<input name=x value="a&#10;b">', "x=ab"),
    ("<input name=q dirname=q.dir value=1>", "q=1&q.dir=ltr"),
    ("<p dir=RTL><input name=q dirname=q.dir value=1></p>", "q=1&q.dir=rtl"),
    ("<input type=hidden name=_charset_ value=z><input name=_charset_ value=z>",
     "_charset_=UTF-8&_charset_=z"),
    ("<template><input name=b></template><input name=c>", "c="),
    ("<input type=checkbox name=c checked><input type=checkbox name=d value='' checked>",
     "c=on&d="),
    ("<fieldset disabled><legend><input name=a></legend><legend><input name=b></legend></fieldset>",
     "a="),
]  # fmt: skip


@pytest.mark.parametrize(("controls", "query"), SENT)
def test_the_entry_list_is_that_of_a_browser(controls: str, query: str) -> None:
    assert get(controls) == query


VALUES = [
    ("number value=abc", ""), ("number value=+5", ""), ("number value=.5e3", ".5e3"),
    ("number value=1.", ""), ("color", "%23000000"), ("color value=#ABCDEF", "%23abcdef"),
    ("range", "50"), ("range min=0 max=9 step=2", "4"), ("range value=999", "100"),
    ("range min=5 max=1", "5"), ("range step=any value=1.25", "1.25"),
    ("number value=1e400", ""), ("range value=1e400", "50"), ("range min=-1e400", "50"),
    ("range step=1e400", "50"), ("range step=1e-320", "50"),
    ("range max=1e308 step=1e-9", "5e%2B307"), ("color value='rgb(1e400 -1e400 0)'", "%23ff0000"),
    ("date value=2020-02-30", ""), (f"date value={'9' * 5000}-01-01", ""),
    (f"week value={'0' * 5000}-W01", ""),
    ("date value=2024-02-29", "2024-02-29"), ("month value=2020-13", ""),
    ("month value=2020-12", "2020-12"), ("week value=2020-W53", "2020-W53"),
    ("week value=2021-W53", ""), ("time value=25:00", ""),
    ("time value=23:59:59.5", "23%3A59%3A59.5"),
    ("datetime-local value='2020-01-01 10:00'", "2020-01-01T10%3A00"),
    ("email value=' a@b '", "a%40b"), ("email multiple value=' a , b '", "a%2Cb"),
    ("url value=' x '", "x"), ("text value=' x '", "+x+"), ("strange value=x", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("control", "value"), VALUES)
def test_a_value_is_what_its_type_makes_of_it(control: str, value: str) -> None:
    assert get(f"<input name=v type={control}>") == f"v={value}"


ENCODED = [  # page, attributes of the form, value, what is sent
    ("windows-1251", "", "поиск", "%EF%EE%E8%F1%EA"),
    ("windows-1251", "", "€漢é", "%88%26%2328450%3B%26%23233%3B"),
    ("shift_jis", "", "é検", "%26%23233%3B%8C%9F"),
    ("gbk", "", "€é", "%80%A8%A6"),
    ("utf-8", "accept-charset='bogus, koi8-r utf-8'", "п", "%D0"),
    ("windows-1251", "accept-charset=bogus", "п", "%EF"),
    ("utf-8", "accept-charset=utf-16", "п", "%D0%BF"),
]


@pytest.mark.parametrize(("encoding", "attributes", "text", "value"), ENCODED)
def test_a_form_is_sent_in_its_encoding(encoding, attributes, text, value) -> None:
    assert get(f"<input name=q value='{text}'>", encoding, attributes) == f"q={value}"
    posted = sent(f"<form method=post {attributes}><input name=q></form>", encoding, q=text)
    assert posted == f"/dir/page q={value}"


def test_the_charset_field_says_the_name_as_the_standard_spells_it() -> None:
    field = "<input type=hidden name=_charset_>"
    for label, name in {"sjis": "Shift_JIS", "big5": "Big5", "latin1": "windows-1252"}.items():
        assert get(field, attributes=f"accept-charset={label}") == f"_charset_={name}"


def test_the_action_is_that_of_the_page_or_its_base() -> None:
    base, field = "<base href=/b/>", "<input name=a value=1>"
    for action, url in {
        "": "/dir/page?a=1",
        "action": "/dir/page?a=1",
        "action=' '": "/dir/page?a=1",
        "action=x": "/b/x?a=1",
        "action=#f": "/b/?a=1",
        "action='?z=2'": "/b/?a=1",
    }.items():
        assert sent(f"{base}<form {action}>{field}</form>") == url
    posted = sent("<form action='/s?z=п' method=post><input name=q value=п></form>", "windows-1251")
    assert posted == "/s?z=%EF q=%EF"


def test_a_button_may_say_otherwise() -> None:
    html = (
        "<form action=/s><input name=a value='b c'><button name=x formaction=/t formmethod=post"
        " formenctype=text/plain></button><input type=submit name=y value=2></form>"
    )
    pressed = page(html).form().fill(button="x")
    assert (pressed.url, pressed.data) == ("http://e.org/t", b"a=b c\r\nx=\r\n")
    assert dict(pressed.headers or {}) == {"Content-Type": "text/plain"}
    assert page(html).form().fill(button="y").url == "http://e.org/s?a=b+c&y=2"


def test_multipart_in_another_encoding_is_written_as_browsers_write_it() -> None:
    html = (
        "<form method=post enctype=multipart/form-data>"
        "<input name='q\"п&#10;x'><input type=file name=f></form>"
    )
    request = page(html, "windows-1251").form().fill({'q"п\nx': "€п\nb"})
    kind = (request.headers or {})["Content-Type"]
    mark = str(kind).removeprefix("multipart/form-data; boundary=").encode()
    part = b'Content-Disposition: form-data; name="q%22\xef%0D%0Ax"\r\n\r\n\x88\xef\r\nb\r\n'
    file = b'Content-Disposition: form-data; name="f"; filename=""\r\n'
    file += b"Content-Type: application/octet-stream\r\n\r\n\r\n"
    assert request.data == b"--%b\r\n%b--%b\r\n%b--%b--\r\n" % (mark, part, mark, file, mark)


def test_each_file_field_of_one_name_is_sent_as_a_file() -> None:
    files = "<input type=file name=f>" * 2
    html = f"<form method=post enctype=multipart/form-data>{files}<input name=z></form>"
    body = asyncio.run(body_of_files(page(html).form().fill()).as_bytes())
    assert body.count(b'name="f"; filename=""') == 2
    assert body.count(b"Content-Disposition") == 3


def test_what_cannot_be_sent_says_why() -> None:
    with pytest.raises(UsageError, match="closes a dialog"):
        page("<form method=dialog></form>").form().fill()
    with pytest.raises(UsageError, match="windows-1251, where a Secret"):
        fields = "<input name=a value=п><input name=p>"
        page(f"<form method=post>{fields}</form>", "windows-1251").form().fill(p=Secret("P"))
    with pytest.raises(UsageError, match="no http"):
        page("<form action=mailto:a@b></form>").form().fill()


def test_the_names_of_multipart_fields_go_out_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "bild ä.png"
    file.write_bytes(b"x")

    texts: list[str] = []

    class Sends(Spider):
        name = "sends"

        def start(self) -> Any:
            data, files = [('\u00e9"\r\n', "v")], {"datei \u00fc": file}
            yield Request(self.start_urls[0], method="POST", data=data, files=files)

        def parse(self, page: ScrapedPage) -> None:
            texts.append(page.json()["text"])

    async def story() -> None:
        async with PracticeSite(robots=False) as site:
            spider = Sends()
            spider.start_urls = [site.at("/echo")]
            await crawled(spider, tmp_path / "f.db")

    asyncio.run(story())
    assert 'name="\u00e9%22%0D%0A"' in texts[0]
    assert 'name="datei \u00fc"; filename="bild \u00e4.png"' in texts[0]
