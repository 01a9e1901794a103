"""A tree as Markdown: CommonMark 0.31 with the tables and the strike-through of GitHub.

Blocks are lists of strings without blank lines at their ends; a text is one string, in which `\\0`
is a line break until its block is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from crawler import urls
from crawler.parse.article import text_of
from crawler.parse.markdown_list import is_list, item, number_of, terms_of
from crawler.parse.markdown_table import TICKS, cell_lines, is_layout, rows_of, table_lines

_DEEPEST = 200  # elements within each other; what lies deeper is text
_SPACE = re.compile(r"[ \t\n\r\f]+")
_MARKS = re.compile(
    r"[\\`*]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|<(?=[A-Za-z/!?])|&(?=#?\w{1,32};)|\](?=\()"
)
_STARTS = re.compile(
    r"(?m)^(?:(?=(?:#{1,6}|[-+])(?:\s|$)|>|=+\s*$|-{3,}\s*$|~~~)|(\d{1,9})(?=[.)](?:\s|$)))"
)
_BREAK = re.compile(r" *\0 *")
_BRACKETS = re.compile(r"[\[\]]")
_LANGUAGE = re.compile(
    r"(?:^|[\s:;])(?:language|lang|highlight|brush:?|sourceCode)[-:\s]\s*([\w+#.-]+)"
)
_NO_LANGUAGE = {"default", "none", "text", "plaintext", "notranslate", "source"}
_PERMALINKS = {"", "#", "¶", "§", "🔗", "\uf0c1"}

SKIPPED = frozenset(
    "head title script style template noscript iframe noframes noembed object embed audio video"
    " canvas svg datalist area param source track rp col colgroup annotation annotation-xml".split()
)
BLOCKS = frozenset(
    "html body address article aside blockquote center details dialog dd dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol"
    " optgroup option p pre search section summary table tbody td tfoot th thead tr ul"
    " caption".split()
)
_LISTS = frozenset({"ul", "ol", "menu", "dir"})


class MarkdownWriter:
    """Writes one page; references become absolute against `base`."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._absolute: dict[str, str] = {}
        self._around_blocks: set[Any] = set()  # elements with blocks in them, as <span><div> has
        self._depth = 0
        self.deep = False
        """Whether elements lay within each other deeper than is looked at."""

    def page(self, root: Any) -> str:
        """Return the whole of a tree."""
        for block in root.iter(*BLOCKS):
            for above in block.iterancestors():
                if above in self._around_blocks:
                    break
                self._around_blocks.add(above)
        text = "\n\n".join(self.blocks(root))
        return f"{text}\n" if text else ""

    # ------------------------------------------------------------ blocks

    def blocks(self, element: Any) -> list[str]:
        """Return the blocks of an element's content."""
        found: list[str] = []
        texts: list[str] = [_plain(element.text)]
        self._depth += 1
        for child in element:
            self._child(child, found, texts)
            texts.append(_plain(child.tail))
        self._depth -= 1
        _end(texts, found)
        return found

    def _child(self, child: Any, found: list[str], texts: list[str]) -> None:
        """Put a child where it belongs: to the text so far, or to the blocks behind it."""
        name = child.tag
        if not isinstance(name, str) or name in SKIPPED:
            return
        if self._depth > _DEEPEST:
            self.deep = True
            texts.append(f" {_plain(text_of(child))} ")
        elif name in BLOCKS or child in self._around_blocks:
            _end(texts, found)
            write = _BLOCK.get(name)
            found += self.blocks(child) if write is None else write(self, child)
        else:
            texts.append(self._inline(child))

    def _heading(self, element: Any) -> list[str]:
        text = _one_line(self.text(element)).strip("#").strip()
        return [f"{'#' * int(element.tag[1])} {text}"] if text else []

    def _link_of_blocks(self, element: Any) -> list[str]:
        """Return a link around blocks: its heading, or its first text, is what leads there."""
        found = self.blocks(element)
        target = self._target(element)
        for place, block in enumerate(found if target else ()):
            mark, text = _split_heading(block)
            if (
                "\n" not in block
                and not text.startswith(("|", "- ", "> ", "```"))
                and "](" not in text
            ):
                found[place] = f"{mark}[{text}]({target})"
                break
        return found

    def _rule(self, element: Any) -> list[str]:
        return ["---"]

    def _code(self, element: Any) -> list[str]:
        for line in element.iter("br"):
            line.text = "\n"
        text = text_of(element).strip("\n").expandtabs(4)
        if not text.strip():
            return []
        fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
        return [f"{fence}{_language(element)}\n{text}\n{fence}"]

    def _quote(self, element: Any) -> list[str]:
        lines = "\n\n".join(self.blocks(element)).split("\n")
        return ["\n".join(f"> {line}".rstrip() for line in lines)] if any(lines) else []

    def _list(self, element: Any) -> list[str]:
        """Return a list as one block; a list that stands in it outside of an item is the last's."""
        items: list[list[str]] = []
        markers: list[str] = []
        number = number_of(element.get("start"), 1)
        self._depth += 1
        for child in element:
            if not isinstance(child.tag, str) or child.tag in SKIPPED:
                continue
            if child.tag in _LISTS and items:
                items[-1] += self._alone(child)
                continue
            content = self.blocks(child) if child.tag == "li" else self._alone(child)
            if not content:
                continue
            number = number_of(child.get("value"), number)
            markers.append(f"{number}. " if element.tag == "ol" else "- ")
            number += 1
            items.append(content)
        self._depth -= 1
        made = [item(marker, blocks) for marker, blocks in zip(markers, items, strict=True)]
        loose = any(len([b for b in blocks if not is_list(b)]) > 1 for blocks in items)
        return [("\n\n" if loose else "\n").join(made)] if made else []

    def _alone(self, element: Any) -> list[str]:
        found: list[str] = []
        texts: list[str] = []
        self._child(element, found, texts)
        _end(texts, found)
        return found

    def _term(self, element: Any) -> list[str]:
        text = _one_line(self.text(element))
        return [text] if text else []

    def _terms(self, element: Any) -> list[str]:
        """Return terms with their definitions, each behind a colon (Markdown Extra)."""
        found: list[str] = []
        self._depth += 1
        for child in terms_of(element):
            if child.tag == "dd":
                content = self.blocks(child)
            else:
                content = self._term(child) if child.tag == "dt" else self._alone(child)
            if child.tag != "dd" or not found:
                found += content
            elif content:
                found[-1] += "\n" + item(":   ", content)
        self._depth -= 1
        return found

    def _term_alone(self, element: Any) -> list[str]:
        """Return what is in a term of no list; those of a list are taken there, one by one."""
        within = next(element.iterancestors("dl"), None) is not None
        return [] if within else self.blocks(element)

    def _table(self, element: Any) -> list[str]:
        found = [block for caption in element.findall("caption") for block in self.blocks(caption)]
        rows = rows_of(element)
        if is_layout(element, rows):
            cells = (cell for row in rows for cell in row.cells)
            return found + [block for cell in cells for block in self.blocks(cell)]
        lines = table_lines(rows, self._cell)
        return [*found, "\n".join(lines)] if lines else found

    def _cell(self, element: Any) -> str:
        """Return what is in a cell, on one line: blocks of its own are told apart by <br>."""
        found = self.blocks(element)
        lines = [line for block in found for line in cell_lines(block)]
        return "<br>".join(line.rstrip() for line in lines if line.strip())

    # ------------------------------------------------------------ text

    def text(self, element: Any) -> str:
        """Return an element's content as text, blocks in it as well."""
        texts = [_plain(element.text)]
        self._depth += 1
        for child in element:
            name = child.tag
            if isinstance(name, str) and name not in SKIPPED:
                if self._depth > _DEEPEST:
                    self.deep = True
                    texts.append(_plain(text_of(child)))
                else:
                    texts.append(f" {self.text(child)} " if name in BLOCKS else self._inline(child))
            texts.append(_plain(child.tail))
        self._depth -= 1
        return "".join(texts)

    def _inline(self, element: Any) -> str:
        write = _INLINE.get(element.tag)
        return self.text(element) if write is None else write(self, element)

    def _break(self, element: Any) -> str:
        return "\0"

    def _link(self, element: Any) -> str:
        text, target = self.text(element), self._target(element)
        inner = _SPACE.sub(" ", text).strip()
        if not target or not inner:
            return text
        if inner in _PERMALINKS and element.get("href", "").startswith("#"):
            return ""
        if inner == target and "](" not in inner:
            return f"<{target}>"
        return _around(_one_line(text, keep=True), "[", f"]({target}{_title(element)})")

    def _image(self, element: Any) -> str:
        reference = element.get("src") or element.get("data-src") or ""
        alt = _BRACKETS.sub(r"\\\g<0>", _plain(element.get("alt")).replace("\\]", "]")).strip()
        target = _enclosed(self._resolved(reference))
        return f"![{alt}]({target}{_title(element)})" if target else alt

    def _strong(self, element: Any) -> str:
        return _around(self.text(element), "**", "**")

    def _emphasis(self, element: Any) -> str:
        return _around(self.text(element), "*", "*")

    def _struck(self, element: Any) -> str:
        return _around(self.text(element), "~~", "~~")

    def _raised(self, element: Any) -> str:
        text = self.text(element)
        return f"<{element.tag}>{text}</{element.tag}>" if text.strip() else text

    def _quoted(self, element: Any) -> str:
        return f"“{self.text(element)}”"

    def _reading(self, element: Any) -> str:
        return f"({self.text(element)})"

    def _box(self, element: Any) -> str:
        if element.get("type", "").lower() != "checkbox":
            return ""
        return "[x] " if element.get("checked") is not None else "[ ] "

    def _span_of_code(self, element: Any) -> str:
        text = _SPACE.sub(" ", text_of(element))
        if not text.strip():
            return text
        ticks = "`" * (1 + max(map(len, TICKS.findall(text)), default=0))
        pad = " " if text.strip().startswith("`") or text.strip().endswith("`") else ""
        made = _around(text, f"{ticks}{pad}", f"{pad}{ticks}")
        links = element.findall(".//a[@href]")
        whole = len(links) == 1 and text_of(links[0]).strip() == text.strip()
        target = self._target(links[0]) if whole else ""
        return f"[{made.strip()}]({target})" if target else made

    # ------------------------------------------------------------ references

    def _target(self, element: Any) -> str:
        return _enclosed(self._resolved(element.get("href") or ""))

    def _resolved(self, reference: str) -> str:
        """Return a reference made absolute; "" for one that leads nowhere outside of the page."""
        found = self._absolute.get(reference)
        if found is None:
            bare = reference.strip()
            if bare[:11].lower().startswith(("javascript:", "data:", "about:")):
                found = ""
            else:
                found = (self._base and urls.join(self._base, bare)) or bare  # or it is no URL
            self._absolute[reference] = found
        return found


_BLOCK: dict[str, Callable[[MarkdownWriter, Any], list[str]]] = {
    **{f"h{level}": MarkdownWriter._heading for level in range(1, 7)},
    **dict.fromkeys(_LISTS, MarkdownWriter._list),
    "a": MarkdownWriter._link_of_blocks,
    "blockquote": MarkdownWriter._quote,
    "dd": MarkdownWriter._term_alone,
    "dl": MarkdownWriter._terms,
    "dt": MarkdownWriter._term_alone,
    "hr": MarkdownWriter._rule,
    "pre": MarkdownWriter._code,
    "table": MarkdownWriter._table,
}
_INLINE: dict[str, Callable[[MarkdownWriter, Any], str]] = {
    **dict.fromkeys(("b", "strong"), MarkdownWriter._strong),
    **dict.fromkeys(("em", "i", "cite", "dfn", "var"), MarkdownWriter._emphasis),
    **dict.fromkeys(("del", "s", "strike"), MarkdownWriter._struck),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), MarkdownWriter._span_of_code),
    **dict.fromkeys(("sub", "sup"), MarkdownWriter._raised),
    "a": MarkdownWriter._link,
    "br": MarkdownWriter._break,
    "img": MarkdownWriter._image,
    "input": MarkdownWriter._box,
    "q": MarkdownWriter._quoted,
    "rt": MarkdownWriter._reading,
}


def _plain(text: str | None) -> str:
    """Return text of a page with its white space collapsed, and what would be a mark escaped."""
    if not text:
        return ""
    if not text.isalnum():
        text = _MARKS.sub(r"\\\g<0>", _SPACE.sub(" ", text.replace("\0", "")))
    return text


def _end(texts: list[str], found: list[str]) -> None:
    """Make a block of the text so far, if there is any."""
    if len(texts) == 1 and texts[0] in ("", " "):
        texts.clear()
        return
    text = _SPACE.sub(" ", "".join(texts)).strip(" \0")
    texts.clear()
    if text:
        lines = _BREAK.sub("  \n", text) if "\0" in text else text
        found.append(_STARTS.sub(lambda at: f"{at[1] or ''}\\", lines))


def _one_line(text: str, *, keep: bool = False) -> str:
    """Return a text without line breaks; `keep` leaves the white space around it."""
    line = _SPACE.sub(" ", text.replace("\0", " "))
    return line if keep else line.strip()


def _around(text: str, before: str, after: str) -> str:
    """Put marks around a text, within the white space around it."""
    inner = text.strip(" \0")
    if not inner:
        return text
    at = text.index(inner)
    if before == after and inner.startswith(before):  # bold in bold
        return text
    return f"{text[:at]}{before}{inner}{after}{text[at + len(inner) :]}"


def _split_heading(block: str) -> tuple[str, str]:
    found = re.match(r"#{1,6} ", block)
    return (found[0], block[found.end() :]) if found else ("", block)


def _language(element: Any) -> str:
    """Return the language of a code block, by the classes of it, of its <code>, or around it."""
    near = [element, *element.findall("code")[:1], *list(element.iterancestors())[:3]]
    for one in near:
        found = _LANGUAGE.search(one.get("class") or "")
        if found:
            name = found[1].removesuffix("3") if found[1] == "python3" else found[1]
            return "" if name in _NO_LANGUAGE else name
    return ""


def _title(element: Any) -> str:
    title = _SPACE.sub(" ", element.get("title") or "").strip()
    return ' "' + title.replace("\\", "\\\\").replace('"', '\\"') + '"' if title else ""


def _enclosed(url: str) -> str:
    """Return a URL as the target of a link: with spaces or lone parentheses in angle brackets."""
    url = url.replace("\n", "").replace("<", "%3C").replace(">", "%3E")
    if " " in url or url.count("(") != url.count(")"):
        return f"<{url}>"
    return url
