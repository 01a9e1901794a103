"""Forms: what a browser would send for them, and what `fill` makes of that."""

import time
from pathlib import Path
from typing import Any

import pytest

from crawler import Request, ScrapedPage, Secret
from crawler.errors import UsageError
from crawler.web.response import Response

BASE = "http://a.example/dir/page?old=1"


def page(html: str) -> ScrapedPage:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    return ScrapedPage(Response(BASE, 200, headers, html.encode(), 0.0, 0.0), Request(BASE))


def sent(controls: str, **values: Any) -> list[tuple[str, Any]]:
    request = page(f"<form method=post>{controls}</form>").form().fill(values)
    return list(request.data)  # type: ignore[arg-type]


SUCCESSFUL = {
    "<input name=a value=1>": [("a", "1")],
    "<input name=a>": [("a", "")],
    "<input value=1>": [],
    "<input name=a value=1 disabled>": [],
    "<fieldset disabled><input name=a></fieldset>": [],
    "<fieldset disabled><legend><input name=a></legend></fieldset>": [("a", "")],
    "<input type=hidden name=t value=x>": [("t", "x")],
    "<input type=checkbox name=c>": [],
    "<input type=checkbox name=c checked>": [("c", "on")],
    "<input type=checkbox name=c value=v checked>": [("c", "v")],
    "<input type=radio name=r value=1><input type=radio name=r value=2 checked>": [("r", "2")],
    "<select name=s><option>one<option>two</select>": [("s", "one")],
    "<select name=s><option disabled>one<option value=2>two</select>": [("s", "2")],
    "<select name=s><option>a<option selected> b  c </select>": [("s", "b c")],
    "<select name=s multiple><option>a<option selected>b<option selected>c</select>": [
        ("s", "b"),
        ("s", "c"),
    ],
    "<select name=s multiple><option>a</select>": [],
    "<textarea name=t>\nline\nnext</textarea>": [("t", "line\r\nnext")],
    "<input type=file name=f>": [("f", "")],
    "<input type=reset name=x value=1><input type=button name=y value=1>": [],
    "<button name=go value=1>Go</button><button name=no value=2>": [("go", "1")],
    "<input type=submit name=go value=Go><input name=a>": [("go", "Go"), ("a", "")],
    "<input type=image name=i>": [("i.x", "0"), ("i.y", "0")],
    "<template><input name=a></template><object name=o></object>": [],
}


@pytest.mark.parametrize("controls", SUCCESSFUL)
def test_the_successful_controls_are_sent_in_tree_order(controls: str) -> None:
    assert sent(controls) == SUCCESSFUL[controls]


def test_fill_changes_values_by_name() -> None:
    assert sent("<input name=a value=1><input name=b>", a=2) == [("a", "2"), ("b", "")]
    assert sent("<input type=checkbox name=c value=v>", c=True) == [("c", "v")]
    assert sent("<input type=checkbox name=c checked>", c=False) == []
    boxes = "".join(f"<input type=checkbox name=c value={v}>" for v in "xyz")
    assert sent(boxes, c=["x", "z"]) == [("c", "x"), ("c", "z")]
    radios = "<input type=radio name=r value=1 checked><input type=radio name=r value=2>"
    assert sent(radios, r="2") == [("r", "2")]
    assert sent("<select name=s><option>a<option>b</select>", s="b") == [("s", "b")]
    assert sent("<input name=a><input name=a>", a=["1", "2"]) == [("a", "1"), ("a", "2")]


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no field 'pasword'; it has: password, user"):
        sent("<input name=user><input name=password>", pasword="x")
    with pytest.raises(UsageError, match="no form"):
        page("<p>").form("#login")


def test_action_method_and_encoding_are_the_forms_or_the_buttons() -> None:
    form = page("<form action=../to#x><input name=q value='ä b'></form>").form()
    assert form.fill().url == "http://a.example/to?q=%C3%A4+b"
    bare = page("<form><input name=q></form>").form().fill(q="1")
    assert bare.url == "http://a.example/dir/page?q=1"
    buttons = "<button name=b value=1 formaction=/other formmethod=post>x</button><button name=n>"
    posted = page(f"<form action=/to>{buttons}</form>").form()
    assert (posted.fill(button="b").url, posted.fill().method) == ("http://a.example/other", "POST")
    assert posted.fill(button="n").url == "http://a.example/to?n="


def test_a_file_or_its_encoding_makes_the_form_multipart() -> None:
    controls = "<input type=file name=f><input name=a value=1>"
    form = page(f"<form method=post enctype=multipart/form-data>{controls}</form>").form()
    assert (form.fill().files, form.fill().data) == ({"f": ""}, [("f", ""), ("a", "1")])
    assert form.fill(f=Path("x.png")).files == {"f": Path("x.png")}
    assert form.fill(f="x.png").files == {"f": "x.png"}
    with pytest.raises(UsageError, match="'f' sends one file"):
        form.fill(f=[Path("x.png"), Path("y.png")])


def test_controls_outside_belong_to_the_form_they_name() -> None:
    html = "<form id=one method=post><input name=a form=two></form><input name=b form=one value=2>"
    assert list(page(html).form("#one").fill().data or ()) == [("b", "2")]


def test_a_secret_goes_into_a_post_and_into_no_url() -> None:
    field = "<input type=password name=p>"
    assert sent(field, p=Secret("P")) == [("p", Secret("P"))]
    with pytest.raises(UsageError, match="no place for a Secret"):
        page(f"<form>{field}</form>").form().fill(p=Secret("P"))


def test_options_are_fields_of_the_request() -> None:
    request = (
        page("<form><input name=callback></form>")
        .form()
        .fill({"callback": "x"}, options={"callback": "after", "session": "two"})
    )
    assert (request.callback, request.session) == ("after", "two")
    assert request.url.endswith("?callback=x")


# Each takes up to 0.2 s, and took over 3 s where controls looked at all others, or up to the root.
@pytest.mark.parametrize(
    "html",
    [
        "<form id=x method=post></form>" + "<input form=x name=a>" * 8000,
        "<form method=post>" + "<div>" * 1500 + "<input name=a>" * 8000,
        "<form method=post><select name=a multiple>" + "<option selected>b" * 12_000,
        f"<form method=post><textarea name=a wrap=hard cols=1>{'x' * 400_000}",
    ],
    ids=["named", "deep", "options", "word"],
)
def test_a_form_of_thousands_of_controls_is_read_in_linear_time(html: str) -> None:
    form = page(html).form()
    began = time.process_time()
    assert form.fields and form.fill().data
    form = page(html).form()
    assert time.process_time() - began < 1.5
