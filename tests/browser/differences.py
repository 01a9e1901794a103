"""What is seen or sent in another way than Chromium does, each with its reason.

A file is named with the parts that differ: of a page those of `seen.ours`, of a form `sent`.
`STANDARD` are those in which Chromium leaves a standard that Crawlkeep follows, and `OPEN` those
that the standard leaves to each reader: an encoding that nobody declares. `MEANT` are those of
which Crawlkeep's way is the better one for a crawl; `LIMITS` those of a reader without a layout.
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


STANDARD = _listed("""
apart-noscript-in-a.html links: HTML: where no scripts run, noscript is markup
base-invalid-then-valid.html links: HTML: a base that is no URL leaves the page's own
base-invalid.html links: HTML: a base that is no URL leaves the page's own
encoding-big5-cut.html title: Encoding: by its index, which Chromium leaves here
encoding-big5-hkscs.html title links: Encoding: by its index, which Chromium leaves here
encoding-eucjp-3.html title: Encoding: a cut sequence changes nothing for the next one
j1b-noscript-body.html links: HTML: where no scripts run, noscript is markup
j1e-object-nested.html text: HTML: an object without data shows what it holds
j1f-a-href-percent.html links: URL: | stays in a path as it is
j2a-dec-big5-odd.html title: Encoding: by its index, which Chromium leaves here
j2a-dec-eucjp-odd.html text: Encoding: a cut sequence changes nothing for the next one
j2a-href-percent.html links: URL: | stays in a path as it is
j2a-mime-at.html type: Fetch: "@" is in no type, so that the bytes tell
j2a-refresh-dot-only.html refresh: HTML: "." alone is a delay of no seconds
j2a-refresh-quote-inside.html refresh: HTML: the first quote ends a URL in quotes
j2c-base-bad-port.html links: HTML: a base that is no URL leaves the page's own
j2e-mime-html-junk.html encoding: Fetch: what is no type has no charset either
link-noscript.html links: HTML: where no scripts run, noscript is markup
link-path-unicode.html links: URL: | stays in a path as it is
mime-3-long-space.html type title links text: MIME Sniffing: 1,445 bytes are looked at
mime-no-subtype.html type title links text: Fetch: "text/" is no type, so that the bytes tell
mime-quoted-type.html type: Fetch: a type in quotes is none, so that the bytes tell
mime-slash-only.html type: Fetch: "/" is no type, so that the bytes tell
mime-text-html-equals.html type title encoding links text: Fetch: "=" is in no type
""")

OPEN = _listed("""
encoding-header-koi-space.html title encoding: Fetch: " charset " names nothing, and both guess
encoding-meta-body-2k.html title encoding: no declaration where browsers look, and both guess
encoding-meta-far.html title encoding: no declaration where browsers look, and both guess
encoding-none-2022jp.html title encoding text: HTML: bytes that tell their encoding are heeded
encoding-none-eucjp.html title encoding text: nothing is declared, and both guess
encoding-none-latin.html encoding: nothing is declared, and both guess
encoding-none-utf-8.html title encoding text: HTML: UTF-8 that nobody declares is recognised
encoding-utf-32.html title encoding: an unknown name; UTF-8 that nobody declares is recognised
j2a-enc-meta-utf7.html title encoding text: UTF-7 is no encoding, and both guess
j2c-enc-meta-after-1024-body.html encoding text: no declaration where browsers look, and both guess
mime-two-headers-other.html title encoding: HTML: UTF-8 that nobody declares is recognised
""")

MEANT = _listed("""
j2a-link-canonical-bad.html canonical: what is no URL names nothing; the next one does
j2a-mime-attachment.html type: a page that is to be saved is a page, too
j2a-mime-rss.html type encoding: a feed is one; Chromium shows its source
mime-xml-feed-rss.html type encoding: a feed is one; Chromium shows its source
j1e-svg-styled.html text: what a picture hides is hidden
j1d-it-option-display.html text: an option that is hidden is hidden
j1h-nav-dropdown.html text: a menu that is shown under the pointer is but to unfold, and kept
j1c-cms-drupal.html text: a menu that is shown under the pointer is but to unfold, and kept
j1c-select-block.html text: an option that is hidden is hidden
j1b-select-size-multiple.html text: an option that is hidden is hidden
text-3-select-multi.html text: an option that is hidden is hidden
text-checkbox-hack.html text: what a click shows is but to unfold, and kept
text-opacity.html text: what no reader sees is hidden, whatever hides it (docs/text.md)
""")

LIMITS = _listed("""
j1a-table-foster-link.html links: links stand in the order of the source, a browser moves these
j1c-shadow-slots.html text: of a shadow root only the names of its slots are read
j1d-h5-a-table-a.html links: links stand in the order of the source, a browser moves these
j2d-style-ns.xhtml text: a selector with the prefix of a namespace is not heeded
link-caption.html links: links stand in the order of the source, a browser moves captions
xml-html-inside.xml title links: a document in XML is a page if its root is that of one
""")

PAGES = STANDARD | OPEN | MEANT | LIMITS

FORMS = _listed("""
form-late-hard.html sent: where a text area wraps depends on the width of its letters
form-new-hard-cjk.html sent: where a text area wraps depends on the width of its letters
form-new-hard-spaces.html sent: where a text area wraps depends on the width of its letters
form-noscript.html sent: scripts do not run here: what is in noscript is part of the page
j2a-dirname.html sent: HTML: an empty dirname asks for nothing
j2a-submit-formaction.html sent: HTML: what is sent as text/plain is written so
j2b-accept-replacement.html sent: Encoding: what is sent is UTF-8, and called so
j2b-dirname-more.html sent: HTML: a direction stands behind its value, of a button too
""")
