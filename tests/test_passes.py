"""The way of one plain page through the package stays short."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_FILES = 27


def test_a_plain_page_passes_at_most_27_files_and_the_documentation_names_them() -> None:
    script = ROOT / "docs" / "make" / "passes.py"
    told = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    files = re.findall(r"^\| `([\w/.]+)` \|", told, re.MULTILINE)
    assert 10 < len(files) <= MOST_FILES, files
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = page.partition("<!-- passes: begin -->")[2].partition("<!-- passes: end -->")[0]
    assert re.findall(r"^\| `([\w/.]+)` \|", block, re.MULTILINE) == files, "make docs"
