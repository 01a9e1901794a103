"""The expression of the fast pass, by the tag states of the HTML standard.

See https://html.spec.whatwg.org/#tokenization. As machine code and by Python's `re` it finds the
same.
"""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import ATTRIBUTES, COMMENT, END, PLAIN_ATTRIBUTES, PLAIN_NAME, any_case

APART = frozenset(("noscript", "template", "frameset"))
"""Elements whose content is no part of the document itself."""


# SVG and MathML without anything that matters here: taken whole, as its tags follow other rules
# (`foreign`). One with anything else in it sends the document through the tokenizer of `tags`.
_SHAPES = (
    "path g use circle rect defs line polygon polyline ellipse text tspan stop linearGradient"
    " radialGradient clipPath symbol mask pattern marker filter lineargradient radialgradient"
    " clippath image animate animateTransform animateMotion set textPath feGaussianBlur"
    " feOffset feBlend feMerge feMergeNode feColorMatrix feFlood feComposite"
)
_FORMULA = (
    "mi mo mn mrow msup msub msubsup mfrac msqrt mroot mtable mtr mtd mstyle mspace mtext mover"
    " munder munderover mpadded mphantom mfenced menclose mmultiscripts mprescripts semantics"
    " annotation"
)
_TEXTS = "|".join(
    rf"<{name}(?=[\t\n\f\r >]){PLAIN_ATTRIBUTES}(?<!/)>[^<]*+</{name}>"
    for name in ("title", "desc", "style")
)


def _whole(name: str, parts: str, texts: str = "") -> str:
    """Spell a regex for a foreign element with nothing but such parts and text inside."""
    tag = rf"(?=[\t\n\f\r />]){PLAIN_ATTRIBUTES}>"
    inside = rf"[^<]++|</?(?:{parts.replace(' ', '|')}){tag}{texts}|<{COMMENT}"
    # Behind anything else "/" may be the end of a value.
    empty = rf"""(?<=[\t\n\f\r "']/>)|(?<={name}/>)"""
    return rf"{name}{tag}(?:{empty}|(?<!/>)(?:{inside})*+</{name}[\t\n\f\r ]*+>)"


FOREIGN = f"{_whole('svg', _SHAPES, f'|{_TEXTS}')}|{_whole('math', _FORMULA)}"
"""What such an element matches behind its "<"; it is written with re.ASCII in mind."""
DRAWN = frozenset(f"svg math title desc style {_SHAPES} {_FORMULA}".split())
"""The elements that are passed over with it."""
# With those whose content is no part of the document: of `noscript` but the links count.
_RAW = any_case(
    "script style textarea title xmp iframe noembed noframes noscript template frameset"
)
_NAMES = any_case("area base meta plaintext math svg")

_OTHERS = r"""(?:[\t\n\f\r /]++(?!href=)[a-z][a-z-]*+="[^"]*+")*+"""
_HREF = r"""[\t\n\f\r /]++href="([^"&\0]++)\""""
# End tags of nothing but a name, as nearly all are, are passed over without a match; so are start
# tags of nothing but one or two letters.
_SOURCE = rf"""<(?!/\w++>)(?!<)(?!\w\w?>)(?:
      (?=[sm][va][gt])(?:{FOREIGN})                         # foreign content that is plain: passed
    | a{_OTHERS}(?:{_HREF}{PLAIN_ATTRIBUTES}>|>)            # 1: the href of nine links in ten,
                                                            #    none where it is a mere anchor
    | ([aA]{END}|(?=[abmpsABMPS])(?:{_NAMES}){END})         # 2, 3: a tag that matters and its
        ({PLAIN_ATTRIBUTES}|{ATTRIBUTES})(>|\Z)         #    4: attributes, its end
    | (?=[stxinfSTXINF])({_RAW}){END}                       # 5, 6: one whose content is raw text,
        (?:{PLAIN_ATTRIBUTES}|{ATTRIBUTES})>            #       and that text
        ((?:[^<]++|<(?!/(?i:\5)[\t\n\f\r />]))*+)
    | /?+(?!{PLAIN_NAME}{PLAIN_ATTRIBUTES})[a-zA-Z]         # any other with quoted markup
        [^\t\n\f\r />]*+{ATTRIBUTES}(?:>|\Z)
    | {COMMENT}
    | [!?/][^>]*+(?:>|\Z))                                  # a doctype or bogus comment
"""
TAG = lazy(_SOURCE, re.VERBOSE | re.ASCII)
CODE = MachineCode(rf"(?:{_SOURCE})(\Z)?+")  # 7: whether the match reaches the end
# An answer of machine code ends with ANSWER. It is a link alone, or the groups 2 to 6, each behind
# a GROUP. The last may be a match that reaches the end, behind LAST and whether it had an answer.
ANSWER, GROUP, LAST = "\x01", "\x02", "\x03"
ANSWERS = (
    f"${{1:+$1{ANSWER}:}}"
    f"${{2:+{GROUP}$2{GROUP}$3{GROUP}$4{GROUP}{GROUP}{ANSWER}:}}"
    f"${{5:+{GROUP * 4}$5{GROUP}$6{ANSWER}:}}"
    f"${{7:+{LAST}$1$2$5{LAST}$0{ANSWER}:}}"
)
