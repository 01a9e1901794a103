"""What is seen or sent in another way than Chromium does, each with its reason.

A file is named with the parts that differ: of a page those of `seen.ours`, of a form `sent`.
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


FORMS = _listed("""
form-input-colors.html sent: the names of colors are not known here, only their digits
form-noscript.html sent: scripts do not run here: what is in noscript is part of the page
form-nul-and-controls.html sent: libxml2's trees hold no control characters
form-textarea-hard.html sent: where a text area wraps its lines, only its layout in pixels tells
""")

PAGES = _listed("""
base-invalid-then-valid.html links: to be mended
base-invalid.html links: to be mended
canonical-noscript.html canonical: to be mended
canonical-svg.html canonical: to be mended
encoding-big5-hkscs.html title links: to be mended
encoding-in-body.html text: to be mended
encoding-none-latin.html encoding: to be mended
encoding-none-utf-8.html title encoding text: to be mended
encoding-utf-32.html title encoding: to be mended
header-refresh-and-meta.html refresh: to be mended
link-caption.html links text: to be mended
link-cut-quote.html text: to be mended
link-details.html text: to be mended
link-foreign-nested.html text: to be mended
link-frameset-ignored.html text: to be mended
link-frameset.html text: to be mended
link-lt-in-tag.html text: to be mended
link-lt-text.html links text: to be mended
link-math.html text: to be mended
link-noscript.html links: to be mended
link-object.html text: to be mended
link-path-unicode.html links: to be mended
link-select.html text: to be mended
link-svg-case.html text: to be mended
link-svg-cdata.html text: to be mended
link-svg-unclosed.html text: to be mended
link-svg.html text: to be mended
link-table-foster.html text: to be mended
link-template-shadow.html links: to be mended
mime-type-xml-feed.html type: to be mended
refresh-base-late.html refresh: to be mended
refresh-http-equiv-spaces.html refresh: to be mended
refresh-two.html refresh: to be mended
refresh-with-name.html refresh: to be mended
svg-document.xml title: to be mended
text-center.html text: to be mended
text-end-tags-stray.html text: to be mended
text-head-late.html text: to be mended
text-ruby.html text: to be mended
text-svg-text.html text: to be mended
text-unclosed-quote.html text: to be mended
text-zero-width.html text: to be mended
xhtml-as-text-xml.xml type text: to be mended
xhtml-as-xml.xml type text: to be mended
xhtml-cdata.xhtml text: to be mended
xhtml-no-namespace.xhtml title links text: to be mended
xhtml-other-namespace.xhtml links: to be mended
xhtml-prefixed.xhtml links text: to be mended
xhtml-script-empty.xhtml text: to be mended
xhtml-textarea.xhtml text: to be mended
xhtml-title-empty.xhtml text: to be mended
xhtml-upper.xhtml links: to be mended
""")
