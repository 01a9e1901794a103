"""A practice site on a thread of its own, for crawls that run elsewhere than in the test's loop."""

from crawler.testing.site import served as site_on_a_thread

__all__ = ["site_on_a_thread"]
