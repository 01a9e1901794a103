"""Selectors of CSS, read as https://www.w3.org/TR/selectors-4/ says."""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.css import matching
from crawler.parse.css.matching import Compound, Selector, Test, Weight
from crawler.parse.css.syntax import COMMENT, parts_of, unmasked

_CHAR = r"(?:[\w-]|[^\x00-\x7f]|\\[0-9a-fA-F]{1,6}[ \t\n\r\f]?|\\[^\n0-9a-fA-F])"
_NAME = rf"(?:--|-?(?![\d-]){_CHAR}){_CHAR}*+"
_NAMED = lazy(_NAME)
_ESCAPE = lazy(r"\\(?:([0-9a-fA-F]{1,6})[ \t\n\r\f]?|(.))")
_COMBINED = lazy(r"[ \t\n\r\f]*+([>+~]?)[ \t\n\r\f]*+")
_TYPE = lazy(rf"(?:({_NAME}|\*)?(\|)(?![|=]))?({_NAME}|\*)")
_HASH = lazy(rf"#({_NAME})")
_CLASS = lazy(rf"\.({_NAME})")
_PSEUDO = lazy(rf"(::?)({_NAME})(\(?)")
_ATTRIBUTE = lazy(
    rf"""\[\s*(?:(?:{_NAME}|\*)?\|(?!=))?({_NAME})\s*
    (?:([~|^$*]?=)\s*("[^"]*"|'[^']*'|{_NAME})\s*([iIsS]?)\s*)?(?:\]|\Z)""",
    re.VERBOSE,
)
_PLACE = lazy(r"([+-]?)(\d*)n(?:\s*([+-])\s*(\d+))?|([+-]?\d+)")
_MOST = 2000  # characters of a selector
_DEEPEST = 8  # selectors in selectors
_HASHED = frozenset("is where not has matches -webkit-any".split())
# What the pointer or a click makes of an element: what it shows then is but to unfold. And what
# scripts do.
_ON_EVENT = frozenset(
    "hover focus active target checked focus-within focus-visible target-within defined"
    " placeholder-shown default valid invalid in-range out-of-range user-valid user-invalid"
    " indeterminate autofill -webkit-autofill playing paused muted"
    .split()
)  # fmt: skip
_NEVER = frozenset(
    "visited popover-open modal fullscreen -webkit-full-screen picture-in-picture host"
    " current past future local-link blank -internal-list-box host-context state"
    .split()
)  # fmt: skip
_ELEMENTS = frozenset(
    "before after first-line first-letter marker selection placeholder backdrop cue slotted part"
    " file-selector-button grammar-error spelling-error target-text highlight view-transition"
    " details-content scroll-marker scroll-button column picker picker-icon checkmark"
    .split()
)  # fmt: skip
_NO_WEIGHT = (0, 0, 0)


class BadSelector(ValueError):
    """What browsers take for no selector: the rule counts for nothing."""


def selectors_of(
    text: str, around: tuple[Selector, ...] | None = None, *, quirks: bool = False
) -> tuple[Selector, ...]:
    """Return the selectors of a masked list; those of pseudo-elements are left out.

    `around` are those of the rule in which this one is nested. `BadSelector` where one of them is
    none.
    """
    found = [_SelectorReader(one, around, quirks=quirks).relative() for one in _listed(text)]
    return tuple(one for one in found if one is not None)


def _listed(text: str) -> list[str]:
    if len(text) > _MOST:
        raise BadSelector(text[:40])
    return parts_of(text.replace(COMMENT, ""))


class _SelectorReader:
    """One selector that is being read."""

    def __init__(
        self, text: str, around: tuple[Selector, ...] | None, *, quirks: bool, depth: int = 0
    ) -> None:
        self._text, self._at = text.strip(" \t\n\r\f"), 0
        self._around, self._quirks, self._depth = around, quirks, depth
        self._weight: list[Weight] = []
        self._certain, self._none = True, False
        if not self._text or depth > _DEEPEST:
            raise BadSelector(text)

    def relative(self) -> Selector | None:
        """Return it as one of a nested rule, if it is in one: below what is around that."""
        if self._around is None:
            return self.whole()
        if self._text[0] not in ">+~" and "&" in self._text:
            return self.whole()
        return self.whole(self._nesting())

    def _nesting(self) -> Compound:
        around = self._around
        if around is None:
            return Compound("", "", (), (matching.is_root,), "")
        self._weight.append(max((one.weight for one in around), default=_NO_WEIGHT))
        self._certain = self._certain and all(one.certain for one in around)
        return Compound("", "", (), (matching.any_of(around),), "")

    def whole(self, first: Compound | None = None) -> Selector | None:
        """Return it; `first` is what stands before it. None for that of a pseudo-element."""
        compounds = [] if first is None else [first]
        while self._at < len(self._text):
            combined = _COMBINED.match(self._text, self._at)
            assert combined is not None
            sign = combined[1] or (" " if compounds else "")
            if (sign and not compounds) or (self._none and compounds):
                raise BadSelector(self._text)
            self._at = combined.end()
            compounds.append(self._compound(sign))
        if not compounds:
            raise BadSelector(self._text)
        weight = [sum(one) for one in zip(_NO_WEIGHT, *self._weight, strict=True)]
        if self._none:
            return None
        return Selector(
            tuple(reversed(compounds)), (weight[0], weight[1], weight[2]), self._certain
        )

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _compound(self, combined: str) -> Compound:
        begin, name, id_ = self._at, "", ""
        classes: list[str] = []
        tests: list[Test] = []
        if found := self._take(_TYPE):
            if found[1] not in (None, "*"):  # no prefix is known here
                raise BadSelector(self._text)
            if found[2] and not found[1]:
                tests.append(matching.never)
            if found[3] != "*":
                name = _ident(found[3]).lower()
                self._weight.append((0, 0, 1))
        while True:
            if found := self._take(_CLASS):
                classes.append(self._cased(found[1]))
                self._weight.append((0, 1, 0))
            elif found := self._take(_HASH):
                other, id_ = id_, self._cased(found[1])
                self._weight.append((1, 0, 0))
                if other and other != id_:
                    tests.append(matching.never)
            elif found := self._take(_ATTRIBUTE):
                tests.append(
                    matching.attribute(
                        _ident(found[1]).lower(),
                        found[2] or "",
                        _unquoted(found[3] or ""),
                        (found[4] or "").lower(),
                    )
                )
                self._weight.append((0, 1, 0))
            elif found := self._take(_PSEUDO):
                tests += self._pseudo(found)
            elif self._text.startswith("&", self._at):
                self._at += 1
                tests += self._nesting().tests
            else:
                break
        if self._at == begin:
            raise BadSelector(self._text)
        return Compound(name, id_, tuple(classes), tuple(tests), combined)

    def _cased(self, name: str) -> str:
        return _ident(name).lower() if self._quirks else _ident(name)

    def _pseudo(self, found: re.Match[str]) -> list[Test]:
        colons, name, bracket = found[1], found[2].lower(), found[3]
        inside = self._inside() if bracket else None
        if colons == "::" or name in ("before", "after", "first-line", "first-letter"):
            if name not in _ELEMENTS and not name.startswith("-webkit-"):
                raise BadSelector(self._text)
            self._none = True
            return []
        if self._none:  # a state of a pseudo-element
            return []
        if inside is not None:
            return [self._of(name, inside)]
        self._weight.append((0, 1, 0))
        if name in _ON_EVENT:
            self._certain = False
            return []
        test = matching.STATES.get(name) or (matching.never if name in _NEVER else None)
        if test is None:
            raise BadSelector(self._text)
        return [test]

    def _inside(self) -> str:
        """Take what stands in a bracket that is open."""
        depth, start = 1, self._at
        for at in range(start, len(self._text)):
            depth += {"(": 1, ")": -1}.get(self._text[at], 0)
            if depth == 0:
                self._at = at + 1
                return self._text[start:at]
        self._at = len(self._text)
        return self._text[start:]

    def _of(self, name: str, inside: str) -> Test:
        """Return the test of a pseudo-class with what stands in its brackets."""
        if name in _HASHED:
            found = self._selectors(inside, forgiving=name in ("is", "where", "matches"),
                                    inner=name == "has")  # fmt: skip
            if name != "where":
                self._weight.append(max((one.weight for one in found), default=_NO_WEIGHT))
            self._certain = self._certain and all(one.certain for one in found)
            if name == "has":
                return matching.has(found)
            if name == "not":
                return (
                    matching.none_of(found)
                    if all(one.certain for one in found)
                    else matching.always
                )
            return matching.any_of(found)
        if name in ("nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"):
            return self._nth(name, inside)
        self._weight.append((0, 1, 0))
        if name == "lang":
            if _NAMED.fullmatch(inside.strip()) is None:  # a list, which Chromium knows not
                raise BadSelector(inside)
            return matching.lang(_ident(inside.strip()))
        if name == "dir":
            return matching.dir(inside.strip().lower())
        if name in _NEVER:
            return matching.never
        raise BadSelector(self._text)

    def _selectors(
        self, text: str, *, forgiving: bool, inner: bool = False
    ) -> tuple[Selector, ...]:
        found = []
        for one in parts_of(text):
            try:
                reader = _SelectorReader(
                    one, self._around, quirks=self._quirks, depth=self._depth + 1
                )
                selector = reader.whole(matching.ANCHOR if inner else None)
            except BadSelector:
                if not forgiving:
                    raise
                continue
            if selector is None:
                if not forgiving:
                    raise BadSelector(text)
                continue
            found.append(selector)
        return tuple(found)

    def _nth(self, name: str, inside: str) -> Test:
        place, of, listed = inside.partition(" of ")
        of_type = name.endswith("type")
        text = {"odd": "2n+1", "even": "2n"}.get(place.strip().lower(), place.strip().lower())
        found = _PLACE.fullmatch(text)
        if found is None or (of and of_type):
            raise BadSelector(inside)
        selectors = self._selectors(listed, forgiving=False) if of else ()
        weight = max((one.weight for one in selectors), default=_NO_WEIGHT)
        self._weight += [(0, 1, 0), weight]
        if found[5]:
            step, first = 0, int(found[5])
        else:
            step = int(f"{found[1]}{found[2] or 1}")
            first = int(f"{found[3] or ''}{found[4] or 0}")
        return matching.nth(step, first, selectors, of_type=of_type, last="last" in name)


def _ident(text: str) -> str:
    """Return a name without its escapes."""

    def unescaped(found: re.Match[str]) -> str:
        number = int(found[1], 16) if found[1] else 0
        return found[2] or (chr(number) if 0 < number < 0x110000 else "\ufffd")

    return unmasked(_ESCAPE.sub(unescaped, text) if "\\" in text else text)


def _unquoted(text: str) -> str:
    text = text.strip()
    return _ident(text[1:-1] if text[:1] in ("'", '"') else text)
