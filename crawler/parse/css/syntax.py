"""A style sheet taken apart, by https://www.w3.org/TR/css-syntax-3/: blocks, and what heads them.

Errors are recovered from as browsers do: what no bracket closes ends with its block, or with the
sheet. Strings and what is escaped are masked, so that nothing in them is taken for syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crawler.lazy_regex import lazy

_LEXEMES = lazy(
    r"""/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)
    | "(?:[^"\\\n]|\\(?s:.))*+"?
    | '(?:[^'\\\n]|\\(?s:.))*+'?
    | url\(\s*+(?!["'\s])(?:[^)\\]|\\.)*+
    | \\[^0-9a-fA-F\n]""",
    re.VERBOSE | re.IGNORECASE,
)
_BRACKET = lazy(r"[(){}\[\];]")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_MASKED = {ord(sign): 0xE000 + ord(sign) for sign in "{}()[];:,!@&.#>+~*\"'/ "}
_UNMASKED = {masked: sign for sign, masked in _MASKED.items()}
COMMENT = "\x1a"
"""What stands for a comment: it parts two words, and means nothing else."""
_MARKS = lazy(r"<!--|-->")  # which once hid a sheet from browsers that knew no styles


def masked(text: str) -> str:
    """Return a sheet whose strings, URLs and escapes hold no syntax; comments become `COMMENT`."""

    def mask(found: re.Match[str]) -> str:
        lexeme = found[0]
        if lexeme.startswith("/*"):
            return COMMENT
        if lexeme[0] in "\"'":
            quote = lexeme[0]
            inside = lexeme[1:].removesuffix(quote)
            return f"{quote}{inside.translate(_MASKED)}{quote}"
        if lexeme[0] == "\\":
            return f"\\{lexeme[1:].translate(_MASKED)}"
        return f"{lexeme[:4]}{lexeme[4:].translate(_MASKED)}"

    return _LEXEMES.sub(mask, text)


def unmasked(text: str) -> str:
    """Return a piece of a masked text as it was, but for escapes of a single sign."""
    return text.translate(_UNMASKED)


def blocks(text: str, *, nested: bool = False) -> Iterator[tuple[str, str | None]]:
    """Yield what heads each block of a masked text, and the block; None if a `;` ends it instead.

    `nested`: it is the inside of a rule, where declarations stand, too.
    """
    at = since = 0
    open_: list[str] = []
    while (found := _BRACKET.search(text, at)) is not None:
        sign, at = found[0], found.end()
        if sign == ";":
            head = _headed(text[since : found.start()])
            if not open_ and (nested or head.startswith("@")):
                yield head, None
                since = at
        elif sign == "{" and not open_:
            end = _end_of_block(text, at)
            head = _headed(text[since : found.start()])
            if not (nested and head.startswith("--")):  # the value of a custom property
                yield head, text[at:end]
                since = end + 1
            at = end + 1
        elif sign in _CLOSES:
            open_.append(_CLOSES[sign])
        elif open_ and sign == open_[-1]:
            open_.pop()
    if nested and (head := _headed(text[since:])):
        yield head, None


def _headed(text: str) -> str:
    return _MARKS.sub(" ", text).strip(f" \t\n\r\f{COMMENT}")


def _end_of_block(text: str, at: int) -> int:
    """Return where the block ends whose inside begins at `at`."""
    open_ = ["}"]
    for found in _BRACKET.finditer(text, at):
        sign = found[0]
        if sign in _CLOSES:
            open_.append(_CLOSES[sign])
        elif sign == open_[-1]:
            open_.pop()
            if not open_:
                return found.start()
    return len(text)


def parts_of(text: str, sign: str = ",") -> list[str]:
    """Return the pieces of a masked text between signs that stand in no bracket."""
    depth = since = 0
    found = []
    for at, one in enumerate(text):
        if one in "([":
            depth += 1
        elif one in ")]":
            depth -= 1
        elif one == sign and depth == 0:
            found.append(text[since:at])
            since = at + 1
    return [*found, text[since:]]
