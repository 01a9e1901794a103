"""Which boxes elements have: without any style, and by a value of `display`.

https://html.spec.whatwg.org/#rendering, https://www.w3.org/TR/css-display-3/
"""

from __future__ import annotations

from crawler.parse.css.element import Element

DISPLAYS = {
    name: display
    for display, names in {
        "none": "area base basefont command datalist frame frameset head link meta noembed noframes"
        " noscript param rp script source style template title track",
        "block": "address article aside blockquote body center dd details dialog dir div dl dt"
        " fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li"
        " listing main menu nav ol optgroup option p plaintext pre search section summary ul xmp",
        "inline-block": "button input marquee meter progress select textarea",
        "contents": "slot",
        "ruby": "ruby rt",
        "table": "table",
        "table-row": "tr",
        "table-cell": "td th",
        "table-row-group": "tbody tfoot thead",
        "table-caption": "caption",
        "table-column": "col colgroup",
    }.items()
    for name in names.split()
}
# What is none of a box itself, and so nothing without one.
REPLACED = frozenset(
    "audio br canvas embed iframe img input meter object progress select textarea video wbr".split()
)
# What each kind of box is outside, where its name does not say it.
_OUTSIDE = {"-webkit-box": "block", "-webkit-flex": "flex", "-webkit-inline-box": "inline-block",
            "-webkit-inline-flex": "inline-flex", "flow-root": "block", "flow": "block",
            "list-item": "block", "inline-list-item": "inline", "math": "inline",
            "ruby-text": "ruby", "table-column-group": "table-column",
            "table-header-group": "table-row-group", "table-footer-group": "table-row-group",
            }  # fmt: skip
_BOXED = {"inline-flex": "flex", "inline-grid": "grid", "inline-table": "table"}
_KEPT = frozenset(("none", "contents", "block", "flex", "grid", "table"))


def kind_of(display: str) -> str:
    """Return the one name of a value of `display`, which may be of several words."""
    words = display.split()
    if len(words) == 1:
        return _OUTSIDE.get(display, display)
    inner = next((word for word in words if word in ("flex", "grid", "table")), "")
    if "inline" not in words:
        return inner or "block"
    return f"inline-{inner or 'block'}" if inner or "flow-root" in words else "inline"


def own_display(element: Element) -> str:
    """Return what an element is for a browser, without any style."""
    name, own = element.name, element.attributes
    if element.foreign:
        if name in _UNDRAWN[element.foreign]:
            return "none"
        return "block" if name in ("foreignobject", "text") else "inline"
    if own and (
        ("hidden" in own and name != "embed" and own["hidden"].lower() != "until-found")
        or ("popover" in own and not (name == "dialog" and "open" in own))
        or (name == "input" and own.get("type", "").lower() == "hidden")
    ):
        return "none"
    return "none" if name == "dialog" and "open" not in own else DISPLAYS.get(name, "inline")


_UNDRAWN = {
    "svg": frozenset("title desc metadata style script".split()),
    "math": frozenset("annotation annotation-xml mphantom style script".split()),
}


def is_above(element: Element) -> bool:
    """Return whether a browser puts an element above the page."""
    return element.name == "dialog" or "popover" in element.attributes


def is_never(element: Element) -> bool:
    """Return whether no style gives an element a box."""
    return element.name in ("noscript", "noembed", "noframes") or (
        element.name == "audio" and "controls" not in element.attributes
    )


def is_skipped(element: Element) -> bool:
    return element.attributes.get("hidden", "").lower() == "until-found"


def in_box(display: str, box: str) -> str:
    """Return how an element is displayed in a box, which may make boxes of all in it, or lines."""
    if box == "ruby":  # https://www.w3.org/TR/css-ruby-1/#anon-gen-inlinize
        return f"inline-{display}" if display in ("block", "flex", "grid", "table") else display
    if box not in ("flex", "grid", "inline-flex", "inline-grid") or display in _KEPT:
        return display
    return _BOXED.get(display, "block")
