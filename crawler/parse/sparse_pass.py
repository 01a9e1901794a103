"""The sparse pass: the tags of a few names, as the tokenizer finds them, at a fraction of its cost.

One expression in machine code stops only at tags of these names and at what may hide one: raw text,
comments, markup within quotes. What it cannot tell (foreign content that is not plain, `plaintext`,
a script within a script) is left to the whole tokenizer. As in the fast pass all loops are
possessive, so that every search is linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from crawler.lazy_regex import lazy
from crawler.parse.fast_expression import DRAWN, FOREIGN
from crawler.parse.foreign import NAMESPACES
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import (
    ATTRIBUTES,
    COMMENT,
    INNER_SCRIPT,
    PLAIN_ATTRIBUTES,
    PLAIN_NAME,
    SPACE,
    any_case,
)
from crawler.parse.tokenizer import RAW, tags
from crawler.parse.windows import before_foreign

APART = frozenset(("template", "noscript"))
"""Elements whose content is no part of the document: see `apart.Apart`."""
WINDOW = 1 << 17
"""Characters that one search may take: some milliseconds that no other thread gets."""

Found: TypeAlias = "str | list[str]"
"""The reference of a plain link, or a name (`/` before that of an end tag), attributes and text.

With its text, a plain link has no name, and of its attributes only the reference.
"""


class Unsure(Exception):
    """One expression cannot tell; the tokenizer can."""


_END = r"(?=[\t\n\f\r />])"  # what ends the name of a tag
_RAW = rf"(?:{any_case(RAW)}){_END}"
_OTHERS = rf"""(?:{SPACE}++(?!(?:href|hreflang|rel|type)=)[a-z][a-z-]*+="[^"]*+")*+"""
PLAIN_LINK = rf"""{_OTHERS}{SPACE}++href="(?P<href>[^"\0]++)"{_OTHERS}{SPACE}*+"""
"""The attributes of a link that has nothing but its reference to tell, as most have."""
# What may stand within a link whose text is asked for: text, comments, pictures, and other tags.
_WITHIN = (
    rf"[^<]++|<(?:(?![a-zA-Z!?/])|(?=[sm][va][gt])(?:{FOREIGN})|{COMMENT}"
    rf"|(?!/?[aA]{_END})(?!(?i:{_RAW}|/?(?:template|noscript){_END}|(?:plaintext|svg|math){_END}))"
    rf"/?{PLAIN_NAME}{PLAIN_ATTRIBUTES}>)"
)
# End tags of nothing but a name, as nearly all are, are passed over without a match; so are start
# tags of nothing but one or two letters.
_PATTERN = rf"""<(?=[a-zA-Z!?/])(?!/(?!(?i:template|noscript)\b)\w++>)(?!\w\w?>)(?:
      {{drawn}}                                                 # a plain picture or formula
    | {{links}}                                                 # a link
    | (?={{initials}})(?P<name>{{names}}){_END}                 # another tag that matters
        (?P<attributes>{PLAIN_ATTRIBUTES}|{ATTRIBUTES})>
    | (?=[stxinSTXIN])(?P<raw>{any_case(RAW)}){_END}           # one whose content is raw text,
        (?P<about>{PLAIN_ATTRIBUTES}|{ATTRIBUTES})>         # its attributes, and that text
        (?P<content>(?:[^<]++|<(?!/(?i:(?P=raw)){_END})(?P<commented>!--)?+)*+)
    | /?+(?!{PLAIN_NAME}{PLAIN_ATTRIBUTES})[a-zA-Z]             # any other with quoted markup
        [^\t\n\f\r />]*+{ATTRIBUTES}(?:>|\Z)
    | {COMMENT}
    | (?:[!?]|/(?![a-zA-Z]))[^>]*+(?:>|\Z))                     # a doctype or bogus comment
    (?P<last>\Z)?+"""
# An answer of machine code ends with _ANSWER. It is the reference of a plain link, or a name,
# attributes and text, each behind a _GROUP. Before what reaches the end stands, within two _LAST,
# all from there to the end.
_ANSWER, _GROUP, _LAST, _UNSURE = _SIGNS = "\x01\x02\x03\x04"
_NAME = lazy(r"[a-z][a-z0-9-]*")
# A tag inside of a link, which is no part of its text; what is none of these the tokenizer reads.
_MARK = lazy(rf"<(?!{_RAW})/?{PLAIN_NAME}{PLAIN_ATTRIBUTES}>")


@lru_cache(maxsize=64)
def _expression(wanted: frozenset[str], *, plain: bool, texts: bool) -> tuple[MachineCode, str]:
    """Return the expression that stops at these names, and the template of its answers.

    Unsure for a name that it cannot spell.
    """
    if not all(map(_NAME.fullmatch, wanted)):
        raise Unsure("a name that is none of HTML")
    names = (wanted | {"base", "meta", "plaintext", *APART, *NAMESPACES}) - RAW
    initials = "".join(sorted({name[0] for name in names}))
    links = []
    answers = [
        f"${{last:+{_LAST}$0{_LAST}:}}",
        f"${{name:+{_GROUP}$name{_GROUP}$attributes{_ANSWER}:}}",
    ]
    kept = f"{_GROUP}$raw{_GROUP}$about{_GROUP}${{commented:+$content:}}{_ANSWER}"
    answers.append(f"${{{'raw' if wanted & RAW else 'commented'}:+{kept}:}}")
    if plain:
        links.append(f"a{PLAIN_LINK}>")
    if texts and "a" in wanted:
        links.append(rf"(?P<link>[aA]){_END}(?P<told>{PLAIN_ATTRIBUTES}|{ATTRIBUTES})>")
        within = rf"(?:(?=(?P<text>(?:{_WITHIN})*+)(?:</?[aA]{_END}|(?P<cut>\Z))))?+"
        answers.insert(0, f"${{cut:+{_LAST}$0$text{_LAST}:}}")
        text = f"{_GROUP}${{text:+$text:{_UNSURE}}}"
        answers.append(f"${{link:+{_GROUP}$link{_GROUP}$told{text}{_ANSWER}:}}")
    else:
        links += [f"a{_OTHERS}>"] if plain else []
        within = text = ""
    if plain:
        answers.append(f"${{href:+$href{text}{_ANSWER}:}}")
    pattern = _PATTERN.format(
        drawn="(?!)" if wanted & DRAWN else f"(?=[sm][va][gt])(?:{FOREIGN})",
        links=f"(?:{'|'.join(links)}){within}" if links else "(?!)",
        initials=f"[{initials}{initials.upper()}]|/[nNtT]",
        names=f"{any_case(names)}|/(?:{any_case(APART)})",
    )
    return MachineCode(pattern), "".join(answers)


def sparse_tags(
    text: str, wanted: frozenset[str], *, plain: bool = False, texts: bool = False
) -> Iterator[Found]:
    """Yield the tags of `wanted`, `base`, `meta` and `APART` of an HTML document, in their order.

    `plain`: of a link that has nothing else to tell, only its reference as it is written. `texts`:
    with a link stands its text. Unsure where only the whole tokenizer can tell, at any time.
    """
    expression, template = _expression(wanted, plain=plain, texts=texts)
    if any(sign in text for sign in _SIGNS):
        raise Unsure("control characters")
    at, size = 0, len(text)
    while at < size:
        # A match holds the GIL however long it is: what the end of a window cuts off is matched
        # again from its own start.
        start, end = at, min(size, at + WINDOW)
        if end < size:
            end = before_foreign(text, at, end)
        joined = expression.expanded(template, text[at:end])
        if joined is None or _UNSURE in joined:
            raise Unsure("beyond what an expression can tell")
        first, *last = joined.split(_LAST)
        if end == size:
            first, at = first + "".join(last[1::2]), size
        else:
            at = end - (len(last[0]) if last else text[end - 1] == "<")
            if at == start:
                raise Unsure(f"longer than {WINDOW:,} characters")
        answers = first.split(_ANSWER)
        del answers[-1]
        for answer in answers:
            if answer[0] != _GROUP and not texts:
                yield answer
            elif (tag := _tag(answer, wanted)) is not None:
                yield tag


def _tag(answer: str, wanted: frozenset[str]) -> list[str] | None:
    """Return name, attributes and text of a tag, None for raw text that nobody wants."""
    first, second, *more = answer.split(_GROUP)
    if first:
        return ["", first, _text(second)]
    name, attributes, inside = second.lower(), more[0], more[1] if more[1:] else ""
    if name == "plaintext" or name in NAMESPACES:
        raise Unsure(name)
    if name == "template" and "shadowroot" in attributes.lower():
        raise Unsure("which element holds it")
    if name in RAW:
        if name == "script" and inside and INNER_SCRIPT.search(inside):
            raise Unsure(name)
        return [name, attributes, ""] if name in wanted else None
    return [name, attributes, _text(inside)]


def _text(html: str) -> str:
    """Return the text of a piece of a document, without the tags in it."""
    if "<" not in html:
        return html
    text = _MARK.sub("", html)
    return "".join(tag.before for tag in tags(html)) if "<" in text else text
