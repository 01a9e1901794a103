"""Pages as Markdown: tables, code, lists, references, and the main content alone."""

import time

import pytest

from crawler.parse.markdown import markdown_of

URL = "https://a.example/x/y"


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>a <b>bold </b>move", "a **bold** move"),
        ("<p>2 * 3, _x_, snake_case, `t`", r"2 \* 3, \_x\_, snake_case, \`t\`"),
        (
            "<p># no heading<p>1. no list<p>- neither",
            "\\# no heading\n\n1\\. no list\n\n\\- neither",
        ),
        ("<p>&lt;b> &amp;amp; [x](y)", r"\<b> \&amp; [x\](y)"),
        ("<p>10<sup>6</sup> H<sub>2</sub>O", "10<sup>6</sup> H<sub>2</sub>O"),
        ("<p>a<br>b", "a  \nb"),
        ("<h2>T <em>x</em><a class=headerlink href=#t>¶</a></h2>", "## T *x*"),
        ("<a href='/c'>d</a>", "[d](https://a.example/c)"),
        ("<base href=/b/><a href=c>d</a>", "[d](https://a.example/b/c)"),
        (
            "<a href='a b(.html' title='\"t\"'>d</a>",
            '[d](<https://a.example/x/a%20b(.html> "\\"t\\"")',
        ),
        ("<a href=javascript:x()>d</a>", "d"),
        ("<img src=i.png alt='a [b]'>", r"![a \[b\]](https://a.example/x/i.png)"),
        ("<a href=/c><h3>Card</h3><p>text</p></a>", "### [Card](https://a.example/c)\n\ntext"),
        ("<p><code>a `b`</code> <code>x|y</code>", "`` a `b` `` `x|y`"),
        ("<pre><code class=language-py>a\n  b\n</code></pre>", "```py\na\n  b\n```"),
        ("<div class=highlight-rust><pre>```</pre></div>", "````rust\n```\n````"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ul><li>a</li><ul><li>b</ul></ul>", "- a\n  - b"),
        ("<ol start=9><li>a<li>b<p>c</ol>", "9. a\n\n10. b\n\n    c"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n>\n> b"),
        ("<dl><dt>a<dd>b<dd>c</dl>", "a\n:   b\n:   c"),
        ("<dl><div><dt>a<dd>b</div><dl><dt>c<dd>d</dl></dl>", "a\n:   b\n\nc\n:   d"),
        ("<table><tr><td>1<td>2</table>", "|  |  |\n| --- | --- |\n| 1 | 2 |"),
        (
            "<table><tr><th>a<th>b<th>c<tr><td rowspan=2>1<td colspan=2>2<tr><td>x|y<td>z</table>",
            "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 |  |\n|  | x\\|y | z |",
        ),
        (
            "<table><tr><th>a<th>b<tr><td><ul><li>x<li>y</ul><td><p>p<p><code>q|r</code></table>",
            "| a | b |\n| --- | --- |\n| - x<br>- y | p<br>`q\\|r` |",
        ),
        ("<table><tr><td><table><tr><td>1</table><p>x</table>", "1\n\nx"),
        ("<script>x</script><!-- c --><style>y</style>", ""),
        ("", ""),
    ],
)
def test_markup_becomes_the_markdown_that_means_it(html: str, markdown: str) -> None:
    assert markdown_of(html, URL) == (markdown + "\n" if markdown else "")


def test_markup_within_itself_thousandfold_is_no_trouble() -> None:
    for name in ("div", "b", "ul", "ul><b", "ul><li", "dl><dt", "table><tr><td", "blockquote"):
        assert "deep" in markdown_of(f"<{name}>" * 3000 + "deep", URL)


# Each takes up to 0.3 s, and took over 2 s where every element was read again for those around it.
@pytest.mark.parametrize(
    "html",
    [
        "<div class=nav>" * 1500 + "<b>x</b>" * 20_000,
        "<header>" * 1500 + "<b>x</b>" * 10_000,
        "<blockquote>" * 1500 + "<!--c-->" * 20_000,
        "<dl><dd>" * 10_000,
        "<div><!--c-->" * 40_000,
    ],
    ids=["navigation", "header", "quotes", "terms", "comments"],
)
def test_what_stands_in_thousands_of_others_is_read_in_linear_time(html: str) -> None:
    began = time.process_time()
    markdown_of(html, URL, main=True)
    markdown_of(html, URL)
    assert time.process_time() - began < 1.5


def test_a_page_that_is_no_tree_in_its_whole_depth_has_its_text() -> None:
    assert markdown_of("<v>" * 201 + "deep" + "</-", URL) == "deep\n"


def test_control_characters_in_the_markup_are_no_trouble() -> None:
    around = "<div class=nav \x01=\x02>\x03</div>\x04<nav>\x05</nav>\x06"
    text = markdown_of(f"a\x01{around}<p \x07>{WORDS}</p>b\x08{around}", URL, main=True)
    assert "This is a long sentence" in text


WORDS = "This is a long sentence, with commas, about one thing, and it goes on for a while. " * 3
AROUND = "<nav><a href=/>Home</a></nav><div class=sidebar>Buy this</div>"


@pytest.mark.parametrize(
    "html",
    [
        f"{AROUND}<main><h1>T</h1><p>{WORDS}</main><footer>Imprint</footer>",
        f"{AROUND}<article><h1>T</h1><p>{WORDS}</article><article></article><aside>Ads</aside>",
        f"{AROUND}<div><div><h1>T</h1><p>{WORDS}<p>{WORDS}<form>Ask</form></div></div>"
        "<div id=footer>Imprint</div>",
        f"<div role=main><h1>T</h1><p>{WORDS}</div><ul><li><a href=/>Home</a></ul>",
    ],
    ids=["main", "article", "paragraphs", "role"],
)
def test_the_main_content_is_without_what_stands_around_it(html: str) -> None:
    text = markdown_of(html, URL, main=True)
    assert text.startswith("# T\n\nThis is") and text.endswith("for a while.\n")
    assert not {"Home", "Buy", "Imprint", "Ads", "Ask"} & set(text.split())


def test_a_table_with_most_of_the_words_is_not_cut_out_of_its_page() -> None:
    rows = f"<tr><td><p>{WORDS}</td></tr>" * 3
    table = f"<table><thead><tr><th><a href=/k>Key</a></thead><tbody>{rows}</tbody></table>"
    text = markdown_of(f"<body><div><h1>Keys</h1><p>{WORDS}</p>{table}</div>", URL, main=True)
    assert text.startswith("# Keys") and "Key" in text.replace("# Keys", "")


def test_the_main_content_keeps_tables_code_and_links() -> None:
    table = "<table><tr><th>a<th>b<tr><td rowspan=2>1<td>x|y<tr><td>z</table>"
    html = f"{AROUND}<main><p>{WORDS}{table}<pre class=language-py>a()</pre><a href=/c>d</a></main>"
    text = markdown_of(html, URL, main=True)
    assert "| 1 | x\\|y |\n|  | z |" in text
    assert "```py\na()\n```" in text and "[d](https://a.example/c)" in text
