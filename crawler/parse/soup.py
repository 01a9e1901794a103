"""`page.soup`: the very tree that BeautifulSoup builds on lxml, for a part of the time.

BeautifulSoup makes ten calls and three dictionaries for each tag, and walks up to the root for each
string. `LeanTreeBuilder` makes the same elements straight from what lxml tells. As that leans on how
BeautifulSoup's elements are made, both first build `SPECIMEN`: where anything in any element
differs, as a later version may bring it, BeautifulSoup's own builder is used
(docs/decisions/0022-soup.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from bs4 import BeautifulSoup
from bs4.builder._lxml import LXMLTreeBuilder
from bs4.element import Comment, Doctype, NavigableString, PageElement, Tag
from lxml import etree

SPECIMEN = """<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "x"><!-- c --><?pi d?>
<html lang=en class=" a  b "><head><meta charset=latin-1><meta http-equiv=content-type
content="text/html; charset=latin-1"><title> T &amp; t </title><style>s</style><script>a</script>
<script></script></head> <body><p accesskey="a b" Class=b>one<br>two <b>x<i>y</b>z</i><!----><td
headers="c d"><a rel="e f" href="#" name="">g</a></td><pre> <b> </b>

 </pre><textarea> </textarea><ruby>r<rt>s</rt></ruby><template><b>t</b></template><svg:a
xlink:href=b /> \n\t </body></html><p>after</x>"""


def soup_of(html: str) -> BeautifulSoup:
    """Return what `BeautifulSoup(html, "lxml")` gives."""
    if _alike():
        try:
            return BeautifulSoup(html, builder=LeanTreeBuilder)
        except _Odd:
            pass
    return BeautifulSoup(html, "lxml")


class _Odd(Exception):
    """The document has what is too rare to be built here."""


class LeanTreeBuilder(LXMLTreeBuilder):
    """BeautifulSoup's builder on lxml, but what lxml tells goes to a `_Tree`."""

    def default_parser(self, encoding: str | None) -> Any:
        """Return what makes the parser, with the options that BeautifulSoup asks for."""
        return self._parser

    def _parser(self, target: object, **options: Any) -> etree.HTMLParser:
        self._tree = _Tree(self)
        return etree.HTMLParser(target=self._tree, **options)  # type: ignore[arg-type]

    def feed(self, markup: str | bytes) -> None:
        """Build the tree of a document."""
        super().feed(markup)
        self._tree.finish()
        del self._tree


class _Kind(NamedTuple):
    """What all tags of a name have in common."""

    name: str
    lists: frozenset[str]  # attributes that hold a list of words
    empty: bool  # may be written <br/>
    strings: Any  # types of its strings that are its text
    keeps: bool  # its white space stays as it is
    holder: Any  # the type of its strings, where it has one of its own


_PLAIN = LXMLTreeBuilder()
_SPACES = BeautifulSoup.ASCII_SPACES


@lru_cache(maxsize=256)
def _kind_of(name: str) -> _Kind:
    lists, holder = _PLAIN.cdata_list_attributes, _PLAIN.string_containers.get(name)
    return _Kind(
        name,
        frozenset(lists["*"] | lists.get(name.lower(), set())),
        _PLAIN.can_be_empty_element(name),
        {holder} if holder else Tag.MAIN_CONTENT_STRING_TYPES,
        name in _PLAIN.preserve_whitespace_tags,
        holder,
    )


class _Tree:
    """The tree of one document while it grows: a target for lxml's parser.

    `path` leads from the soup to `top`, the innermost open tag; `last` is the element before the
    next one in the document's order; `text` is what was told since.
    """

    def __init__(self, builder: LeanTreeBuilder) -> None:
        soup: Any = builder.soup
        self.builder, self.soup, self.top = builder, soup, soup
        self.path: list[Any] = [soup]
        self.kinds: list[_Kind] = []  # of the open tags whose strings are special
        self.last: Any = None
        self.text: list[str] = []
        self.namespaces = builder.active_namespace_prefixes[-1]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Open a tag."""
        if self.text:
            self._end_text()
        kind, builder = _kind_of(name), self.builder
        # One after the other and in BeautifulSoup's order: then Python keeps the values without a
        # dictionary for each tag.
        tag: Any = Tag.__new__(Tag)
        tag.parser_class = BeautifulSoup
        tag.name = kind.name
        tag.namespace = None
        tag._namespaces = self.namespaces
        tag.prefix = tag.sourceline = tag.sourcepos = None
        tag.attribute_value_list_class = builder.attribute_value_list_class
        tag.attrs = self._attrs(kind, attributes)
        tag.known_xml = False
        tag.contents = []
        self._link(tag)
        tag.hidden = False
        tag.can_be_empty_element = kind.empty
        tag.cdata_list_attributes = builder.cdata_list_attributes
        tag.preserve_whitespace_tags = builder.preserve_whitespace_tags
        tag.interesting_string_types = kind.strings
        self.path.append(tag)
        self.top = tag
        if kind.keeps or kind.holder:
            self.kinds.append(kind)
        if name == "meta":
            builder.set_up_substitutions(tag)

    def _attrs(self, kind: _Kind, attributes: Mapping[str, str]) -> dict[str, Any]:
        attrs: dict[str, Any] = self.builder.attribute_dict_class(attributes)
        for name in attrs:
            if name in kind.lists:
                words = self.builder.attribute_value_list_class(attrs[name].split())
                dict.__setitem__(attrs, name, words)
            elif name[0] == "{":  # to BeautifulSoup this is a namespace
                raise _Odd
        return attrs

    def _link(self, element: Any) -> None:
        """Put the next element where it belongs."""
        parent, last = self.top, self.last
        element.parent = parent
        element.previous_element = last
        if last is not None:
            last.next_element = element
        element.next_element = element.next_sibling = None
        siblings = parent.contents
        if siblings:
            siblings[-1].next_sibling = element
            element.previous_sibling = siblings[-1]
        else:
            element.previous_sibling = None
        siblings.append(element)
        self.last = element

    def end(self, name: str) -> None:
        """Close the innermost open tag of that name, with those inside it."""
        if self.text:
            self._end_text()
        path = self.path
        if path[-1].name != name and all(tag.name != name for tag in path):
            return
        closed = None
        while closed != name:
            closed = path.pop().name
            if self.kinds and self.kinds[-1].name == closed:
                self.kinds.pop()
        self.top = path[-1]

    def data(self, text: str) -> None:
        """Take a part of a text."""
        self.text.append(text)

    def comment(self, text: str) -> None:
        """Add a comment."""
        self._add(text, Comment)

    def pi(self, target: str, data: str) -> None:
        """Add a processing instruction."""
        self._add(f"{target} {data}", self.builder.processing_instruction_class)

    def doctype(self, name: str, public: str, system: str) -> None:
        """Add the document type."""
        self._add(Doctype._string_for_name_and_ids(name, public, system), Doctype)

    def close(self) -> None:
        """Do nothing: BeautifulSoup still has to take the end."""

    def finish(self) -> None:
        """Take the text at the very end."""
        if self.text:
            self._end_text()
        self.soup._most_recent_element = self.last

    def _add(self, text: str, kind: Any) -> None:
        if self.text:
            self._end_text()
        self.text.append(text)
        self._end_text(kind)

    def _end_text(self, kind: Any = NavigableString) -> None:
        """Make a string of the text so far."""
        text = "".join(self.text)
        self.text.clear()
        if self.kinds:
            text, kind = self._special(text, kind)
        elif not text.strip(_SPACES):
            text = "\n" if "\n" in text else " "
        string: Any = str.__new__(kind, text)
        string.hidden = False
        self._link(string)

    def _special(self, text: str, kind: Any) -> tuple[str, Any]:
        """Return what a string becomes inside tags whose strings are special."""
        if not text.strip(_SPACES) and not any(open_.keeps for open_ in self.kinds):
            text = "\n" if "\n" in text else " "
        if kind is NavigableString:
            kind = next((open_.holder for open_ in reversed(self.kinds) if open_.holder), kind)
        return text, kind


@cache
def _alike() -> bool:
    """Whether this version of BeautifulSoup builds what is built here."""
    try:
        ours = BeautifulSoup(SPECIMEN, builder=LeanTreeBuilder)
    except (AttributeError, TypeError):
        return False
    return drawn(ours) == drawn(BeautifulSoup(SPECIMEN, "lxml"))


def drawn(soup: BeautifulSoup) -> list[object]:
    """Return all that the elements of a soup hold, their places instead of themselves."""
    elements = list(_elements(soup))
    places = {id(element): place for place, element in enumerate(elements)}

    def draw(value: Any) -> object:
        if isinstance(value, PageElement):
            return places.get(id(value), "elsewhere")
        if isinstance(value, (list, tuple)):
            return type(value), [draw(one) for one in value]
        if isinstance(value, dict):
            return type(value), [(draw(key), draw(one)) for key, one in value.items()]
        return type(value), value

    return [
        (
            type(element),
            str(element) if isinstance(element, str) else "",
            {name: draw(value) for name, value in vars(element).items() if name not in _PASSING},
        )
        for element in elements
    ]


_PASSING = {"builder", "open_tag_counter"}  # what the soup itself holds for the time of building


def _elements(soup: BeautifulSoup) -> Iterator[Any]:
    waiting: list[Any] = [soup]
    while waiting:
        element = waiting.pop()
        yield element
        if isinstance(element, Tag):
            waiting += reversed(element.contents)
