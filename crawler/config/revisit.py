"""The section [revisit]."""

from crawler.config.section import Section, SomeSeconds


class RevisitSettings(Section, frozen=True, kw_only=True):
    """When `crawler recrawl` visits a page again."""

    first: SomeSeconds = 86400.0
    """Seconds to the second visit. A change halves the time, none makes it half as long again."""
    least: SomeSeconds = 3600.0
    """Seconds between two visits of a page that changes all the time."""
    most: SomeSeconds = 5184000.0
    """Seconds between two visits of a page that never changes."""
