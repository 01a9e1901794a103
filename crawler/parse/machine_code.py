"""Regular expressions as machine code, for the few that read whole pages.

PCRE2 compiles them, and takes all matches of a text in one call: three to six times as fast as
Python's `re`, which is told one match at a time (docs/decisions/0055-machine-code.md has figures).
"""

from __future__ import annotations

import logging
from functools import cache, cached_property
from typing import TYPE_CHECKING, AnyStr, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Substitute: TypeAlias = Callable[[AnyStr, AnyStr, bool], AnyStr | None]

log = logging.getLogger(__name__)

# The long s and the Kelvin sign of Unicode are no "s" and no "k" in any case.
_AS_IN_PYTHON = "(*CASELESS_RESTRICT)"


class MachineCode:
    r"""An expression as for `re.VERBOSE | re.ASCII`, compiled when it is first used.

    `\Z` is the end of the text, as in Python. Both methods return None where only Python's `re` can
    tell: where there is no PCRE2, or memory must not be executed; beyond a limit of PCRE2; for lone
    surrogates. The GIL is held meanwhile.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.replace(r"\Z", r"\z")

    def expanded(self, template: str, text: str, raw: bytes | None = None) -> str | None:
        """Return what `template` says of each match, one behind the other.

        `$1` is a group, and `${2:+one:other}` what stands for it where it matched, and where not
        (https://pcre2project.github.io/pcre2/doc/pcre2api/, "Creating a new string"). `raw` is the
        same text in UTF-8, where it is at hand and the expression counts no characters: a text
        beyond ASCII is encoded for PCRE2 else.
        """
        if raw is None:
            return self._of_text(template, text, False)
        found = self._of_bytes(template.encode(), raw, False)
        return found.decode() if found is not None else None

    def replaced(self, template: str, text: AnyStr) -> AnyStr | None:
        """Return the text with `template`, of the same syntax, in place of each match."""
        if isinstance(text, bytes):
            return self._of_bytes(template.encode(), text, True)
        return self._of_text(template, text, True)

    @cached_property
    def _of_text(self) -> _Substitute[str]:
        return _compiled(_AS_IN_PYTHON + self._pattern)

    @cached_property
    def _of_bytes(self) -> _Substitute[bytes]:
        return _compiled(self._pattern.encode())


def _compiled(source: AnyStr) -> _Substitute[AnyStr]:
    try:
        import pcre2
        from pcre2 import _cy  # Pattern.sub always keeps what stands between the matches
    except ImportError as error:
        return _none(error)
    everywhere = int(_cy.SubstituteOption.GLOBAL | _cy.SubstituteOption.UNSET_EMPTY)
    alone = int(_cy.SubstituteOption.REPLACEMENT_ONLY)
    try:
        pattern = pcre2.compile(source, pcre2.VERBOSE | pcre2.ASCII, jit=True)
    except pcre2.LibraryError as error:
        if isinstance(error, pcre2.PatternError):
            raise
        return _none(error)
    substitute, code = _cy.substitute, pattern._pcre2_code

    def substituted(template: AnyStr, text: AnyStr, between: bool) -> AnyStr | None:
        options = everywhere if between else everywhere | alone
        try:
            return cast("AnyStr", substitute(code, template, text, 0, options)[0])
        except (pcre2.LibraryError, UnicodeEncodeError):
            return None

    return substituted


def _none(why: Exception) -> _Substitute[AnyStr]:
    _say_once(str(why))
    return lambda template, text, between: None


@cache
def _say_once(why: str) -> None:
    log.info(
        "no machine code from PCRE2 (%s): reading a page takes two to three times as long", why
    )
