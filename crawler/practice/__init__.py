"""A whole small web site to practise on, served on loopback: for `crawler demo` and the tests.

Nothing else of the package imports this one, and it costs nothing until it is imported.
"""

from crawler.practice.hits import Hit
from crawler.practice.server import PracticeSite, application, serve
from crawler.practice.state import SiteState

__all__ = ["Hit", "PracticeSite", "SiteState", "application", "serve"]
