"""The pytest plug-in: fixtures for spiders, and the option that writes snapshots anew.

It is loaded by every run of pytest where the package is installed, so it imports nothing at all
until a fixture is asked for.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-items`."""
    parser.getgroup("crawler").addoption(
        "--update-items",
        action="store_true",
        help="write the snapshots of assert_items anew",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hand the option on, where it is given."""
    if config.getoption("update_items", False):
        from crawler.testing import changes

        changes.updating = True


@pytest.fixture
def crawl():  # type: ignore[no-untyped-def]
    """Crawl recorded answers, or a dict of pages: `crawler.testing.crawl`."""
    from crawler.testing import offline

    return offline.crawl


@pytest.fixture
def recording(request):  # type: ignore[no-untyped-def]
    """Load a recording by its name, from `recordings/` beside the test's file."""
    from crawler.testing import recording as recordings

    folder = request.path.parent / "recordings"

    def load(name: str):  # type: ignore[no-untyped-def]
        return recordings.Recording.load(folder / f"{name}{recordings.ENDING}")

    return load


@pytest.fixture
def assert_items(request):  # type: ignore[no-untyped-def]
    """Compare a spider's items with their snapshot; a recording may be given by its name."""
    from crawler.testing import changes
    from crawler.testing import recording as recordings

    folder = request.path.parent / "recordings"

    def check(spider, recording, snapshot=None, **options):  # type: ignore[no-untyped-def]
        if isinstance(recording, str) and "/" not in recording and "." not in recording:
            recording = folder / f"{recording}{recordings.ENDING}"
        return changes.assert_items(spider, recording, snapshot, **options)

    return check


@pytest.fixture
def site():  # type: ignore[no-untyped-def]
    """Serve the practice site on loopback; its `url` has a slash at the end, `hits` what came."""
    from crawler.testing import site as sites

    with sites.served() as served:
        yield served
