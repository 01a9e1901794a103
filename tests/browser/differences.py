"""What is seen or sent in another way than Chromium does, each with its reason.

A file is named with the parts that differ: of a page those of `seen.ours`, of a form `sent`.
`MEANT` are those of which Crawlkeep's way is the better one for a crawl, or the standard's; the
others are limits of a reader without a tree, or without a layout.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """The parts of a page or a form that differ, and why they stay so."""

    parts: tuple[str, ...]
    reason: str


def _listed(text: str) -> dict[str, Difference]:
    """Read lines of `file parts: reason`."""
    found = {}
    for line in text.strip().splitlines():
        named, _, reason = line.partition(": ")
        file, *parts = named.split()
        assert reason.strip() and file not in found, line
        found[file] = Difference(tuple(parts), reason.strip())
    return found


MEANT = _listed("""
base-invalid-then-valid.html links: by the standard a base that is no URL leaves the page's own
base-invalid.html links: by the standard a base that is no URL leaves the page's own
encoding-big5-cut.html title: by the index of the standard, which Chromium leaves here
encoding-big5-hkscs.html title links: by the index of the standard, which Chromium leaves here
encoding-meta-far.html title encoding: by the standard a meta counts wherever it stands
encoding-none-latin.html encoding: nothing is declared, and both guess
encoding-none-utf-8.html title encoding text: UTF-8 that nobody declares is recognised
encoding-utf-32.html title encoding: an unknown name; UTF-8 that nobody declares is recognised
link-details.html text: what one click shows is text of the page
link-noscript.html links: scripts do not run here: what is in noscript is meant for us
link-path-unicode.html links: the URL standard leaves | in a path as it is
link-template-shadow.html links: links in a shadow root are seen and clicked like all others
mime-slash-only.html type: by the Fetch standard "/" is no type, so that the bytes tell
mime-vendor-xml.xml type: a page in XHTML is read whatever its type is called; browsers save it
robots-name-spaces.html robots: what a site says to robots is heeded with spaces around it, too
text-ruby.html text: the parentheses of ruby keep words and readings apart
xhtml-entity-subset.xhtml title links: entities of a page's own are not expanded, lest they grow
xhtml-no-namespace.xhtml title links text: sent as XHTML, it is read as a page; browsers show markup
""")

LIMITS = _listed("""
link-caption.html links: links stand in the order of the source, a browser moves captions
link-lt-in-tag.html text: the name of a tag contains a "<"
link-lt-text.html links text: a stray "</ " begins a comment; to look for it costs each page 3 %
link-math.html text: what is wrong in a formula is not drawn, and single letters become italic
link-object.html text: whether the content of an object is shown, depends on what it loads
text-display.html text: what a style sheet makes a block begins no line
""")

PAGES = MEANT | LIMITS

FORMS = _listed("""
form-noscript.html sent: scripts do not run here: what is in noscript is part of the page
""")
