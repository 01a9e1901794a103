"""What holds for all tests."""

import os

from hypothesis import settings

# An example may be kept waiting by other programs; what is slow is measured in bench/. On a server
# every run tries the same examples, so that a change is judged by itself.
settings.register_profile("calm", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("calm")
