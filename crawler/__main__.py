"""The entry point of the command line: `crawler`, and `python -m crawler`."""

from __future__ import annotations

import gc
import sys

from crawler.version import __version__

_OLDEST = (3, 11)


def main() -> None:
    """Run the command of `sys.argv` and leave with its exit code.

    `--version` is answered here, before anything slow is imported.
    """
    if sys.version_info < _OLDEST:
        wanted, found = (".".join(map(str, v)) for v in (_OLDEST, sys.version_info[:3]))
        sys.exit(f"crawler: Python {wanted} or later is needed; {sys.executable} is {found}")
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"crawlkeep {__version__}")
        return
    gc.set_threshold(50_000, 20, 100)  # a crawl makes little garbage
    gc.disable()  # and imports none: a command begins to collect when it has imported what it needs
    try:
        from crawler.cli import run

        code = run(sys.argv[1:])
        if "crawler.spider" not in sys.modules:
            # The interpreter's last collection would take 30 ms to find nothing. Of a spider it may
            # find a file that is still open, whose last lines are written only then.
            gc.freeze()
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
