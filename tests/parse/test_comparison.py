"""Whether two pages say the same is told by what differs, and agrees with their texts."""

import random
import time

import pytest

from crawler.parse.comparison import is_same, told_by_difference
from crawler.parse.text import text_of
from tests.parse.test_fast_pass_and_soup import HARD

_PAGE = (
    '<!DOCTYPE html><title>T</title><script src="a.js">1</script><p class="a">One <b>two</b></p>'
    '<!-- x --><div style="clear: both">three &amp; four<br/></div><a href="?a=1">5</a>'
)
SAME, OTHER, UNTOLD = True, False, None


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (_PAGE.replace("<!-- x -->", ""), SAME),
        (_PAGE.replace("<!-- x -->", "<!-- <p>y</p> -->"), SAME),
        (_PAGE.replace(">1</script", ">2</script"), SAME),
        (_PAGE.replace("a.js", "b.js"), SAME),
        (_PAGE.replace("<title>T", "<title>U"), SAME),
        (_PAGE.replace('class="a"', 'class="b" id=c'), SAME),
        (_PAGE.replace("?a=1", "?a=2"), SAME),
        (_PAGE.replace("<br/>", "<br>"), SAME),
        (_PAGE.replace("two", "2"), OTHER),
        (_PAGE.replace("two", "towns"), OTHER),
        (_PAGE.replace("<p class", "<p>more</p><p class"), OTHER),
        (_PAGE.replace("&amp;", "&lt;"), OTHER),
        (f"{_PAGE}<table>more<td>and more", OTHER),
        (_PAGE.replace("two", "owt"), UNTOLD),  # the same letters
        (_PAGE.replace("One ", "One"), UNTOLD),
        (_PAGE.replace("<b>two</b>", "<B>two</B>"), UNTOLD),
        (_PAGE.replace("two", "tw\u00ado"), UNTOLD),  # which nobody sees
        (_PAGE.replace("three &amp;", "three &a<!-- -->mp;"), UNTOLD),
        (_PAGE.replace("two", "two<"), UNTOLD),
        (_PAGE.replace("<b>two", "<b hidden>two"), UNTOLD),
        (_PAGE.replace("<b>two", "<b style='display:none'>two"), UNTOLD),
        (_PAGE.replace("<b>two", '<b style="font-size:0">two'), UNTOLD),
        (_PAGE.replace("<b>two", '<b title="<i>">two'), UNTOLD),
        (_PAGE.replace("<b>two", "<b aria-hidden=true>two"), UNTOLD),
        (_PAGE.replace("<b>two", "<b>two<noscript>x</noscript>"), UNTOLD),
        (_PAGE.replace("<p", "<style>p{display:none}</style><p"), UNTOLD),
        (_PAGE.replace("1</script", "if (1<2 && '</p>'){}</script"), SAME),
        (_PAGE.replace("x -->", "<p>y</p> -->").replace("One", "Two"), OTHER),
        (_PAGE.replace("1</script", "'<!--'</script"), UNTOLD),
        (_PAGE.replace("1</script>", "2</script >"), SAME),
        (_PAGE.replace("<p", "<!-- <p"), UNTOLD),
        (_PAGE.replace("two", "t\0wo"), UNTOLD),
        (_PAGE.encode().decode("utf-8-sig"), SAME),
    ],
)
def test_what_differs_tells_whether_the_text_does(other: str, told: bool | None) -> None:
    for one, two in ((_PAGE, other), (other, _PAGE)):
        pages = one.encode(), two.encode()
        assert told_by_difference(*pages, "utf-8") is told
        assert is_same(*pages, "text/html; charset=utf-8") is (text_of(one) == text_of(two))


@pytest.mark.parametrize(
    "silent",
    [
        '<i class="icon" aria-hidden="true"></i>',
        "<span hidden></span>",
        '<hr style="width: 0">',
        "<br hidden>",
        '<object data="a.svg"></object>',
        '<iframe src="a" style="display: none"></iframe>',
        '<noscript><iframe src="a" style="display: none"></iframe> <img src=b></noscript>',
        '<svg class="icon" aria-hidden="true"><g><path d="M1"/></g> <use href="#a"></use></svg>',
        '<p style="width: 50%; clear: both; ">',
    ],
)
def test_what_has_no_text_may_be_hidden_on_a_plain_page(silent: str) -> None:
    one, same = (f"<p>a<b title='{title}'>b</b></p>{silent}<p>c</p>" for title in ("1", "2"))
    other, more = one.replace("c</p>", "d</p>"), one.replace(silent, silent * 2)
    told = (told_by_difference(one.encode(), to.encode(), "utf-8") for to in (same, other, more))
    assert list(told) == [True, False, None]
    assert text_of(one) == text_of(same) != text_of(other)


@pytest.mark.parametrize(
    "around",
    [
        "<select>{}</select>",
        "<style>.x{{display:none}}</style>{}",
        "<div hidden>{}</div>",
        "{}<style>p{{display:none}}</style>",
        '<a title="> {}">',
        "<!-- {} -->",
        "<xmp>{}</xmp>",
        "<svg><p>{}</svg>",
        "<p>&am{}",
        "<dialog>{}</dialog>",
        "<span hidden>{}</span>",
        "<noscript>{}</noscript>",
        "<svg><title>a</title></svg>{}",
        '<p style="width: 0">{}',
    ],
)
def test_a_page_that_is_not_plain_is_read(around: str) -> None:
    one, two = (around.format(f"<p>{text}</p>").encode() for text in ("a", "b"))
    assert told_by_difference(one, two, "utf-8") is None
    assert is_same(one, two, None) is (text_of(one.decode()) == text_of(two.decode()))


def test_pages_are_compared_in_their_encodings() -> None:
    page = "<p>{}</p><p>end</p>"
    for name in ("utf-8", "windows-1252", "shift_jis", "utf-16le"):
        kind = f"text/html; charset={name}"
        one, same, other = (
            page.format(text).encode(name) for text in ("a\xb4", "a<i>\xb4</i>", "b\xb4")
        )
        assert is_same(one, same, kind)
        assert not is_same(one, other, kind)
    named = "<meta charset={}><p>\xb4é</p>"
    one, other = named.format("utf-8").encode(), named.format("latin1").encode()
    assert told_by_difference(one, other, "utf-8") is True  # but they are not in one encoding
    assert not is_same(one, other, "text/html")


_PLAIN = (
    "<p> </p> <b> </b> &amp; &lt;p> <td> </td> <br> <!--x--> <div> </div> <table> <tr> </table> >"
    " <li> <ul> </ul> <h1> </h1> <a> </a> <form> <button> <caption> <tbody> <dl> <dt> <pre> <body>"
    " </body> </html> <head> <col> <textarea>x</textarea> <title>t</title> <script>1</script>"
    " <script>2</script> <!--y<p>--> &nbsp; &#60; \u05d0 \u200b \xad <P> <b\tid=q> <br/> word &am"
    " <select> <option> <svg> <i\thidden> < ' \" <!-- <rp> <i\thidden></i> <br\thidden>"
    " <svg><path\td='M1'/></svg> <noscript><img\tid=a></noscript> <object\tdata=a></object>"
).split(" ")


def test_what_is_told_of_random_markup_agrees_with_its_texts() -> None:
    chosen = random.Random(2)
    pages = [page for page in HARD.values() if len(page) < 3000]
    told = 0
    end = time.monotonic() + 60
    for _ in range(12_000):
        page = "".join(chosen.choices(_PLAIN, k=chosen.randrange(1, 12)))
        page = page if chosen.random() < 0.9 else chosen.choice(pages)
        start = chosen.randrange(len(page) + 1)
        more = "".join(chosen.choices(_PLAIN, k=chosen.choice((1, 1, 2, 3))))
        other = page[:start] + more + page[start + chosen.choice((0, 0, 1, 9)) :]
        verdict = told_by_difference(page.encode(), other.encode(), "utf-8")
        if verdict is not None:
            told += 1
            assert verdict is (text_of(page) == text_of(other)), (page, other)
    assert told > 400
    assert time.monotonic() < end


def test_long_pages_are_looked_through_in_no_time() -> None:
    page = b"<p>a</p><!-- - -- -->" * 40_000
    began = time.thread_time()
    assert is_same(page + b"<p>b</p>", page + b"<p>c</p>", "text/html; charset=utf-8") is False
    assert told_by_difference(page + b"<p " * 9_000, page + b"<p>c", "utf-8") is None
    assert told_by_difference(b"<p a" + b" a" * 30_000, b"<p a=" + b" a" * 30_000, "utf-8") is None
    assert time.thread_time() - began < 2
