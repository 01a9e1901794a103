"""`crawler config`: every key with its default, as a file to start from."""

from __future__ import annotations

import json
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from crawler.cli.declared import Option

if TYPE_CHECKING:
    from crawler.config.layers import ConfigKey

_HEAD = """\
# The configuration of Crawlkeep: every key, at its default. Take the "#" off what you change.
# Of two layers the later wins: this file, a spider's `settings`, the environment
# (CRAWLER_SECTION__KEY), the command line (--set section.key=value). Tables (headers, hosts, pins,
# keys) are joined, entry by entry; an empty one ({}) forgets what earlier layers said.
"""
_MARKDOWN_HEAD = """\
# Configuration

Layers, the later wins: the defaults, `config.toml` in the working directory (or `--config FILE`), \
a spider's `settings`, the environment (`CRAWLER_SECTION__KEY`), `--set section.key=value`. \
Tables (`fetch.headers`, `proxy.hosts`, `tls.pins`, `[auth]` …) are joined, entry by entry; \
an empty one (`{}`) forgets what earlier layers said. \
An unknown key is an error that names the nearest known one. \
`crawler config` prints a `config.toml` with every key at its default; \
this page is made from the same source by `crawler config --format markdown`.
"""


class ConfigFormat(StrEnum):
    """How the keys are written."""

    TOML = "toml"
    MARKDOWN = "markdown"


def config(
    format: Annotated[
        ConfigFormat, Option("--format", "-f", help="How keys are written.")
    ] = ConfigFormat.TOML,
    check: Annotated[
        Path | None,
        Option(metavar="FILE", help="Check this file instead; silent when it is right."),
    ] = None,
) -> None:
    """Print every configuration key.

    With its default and meaning, as a config.toml to start from.

    Example: crawler config > config.toml
    """
    from crawler.config import layers as configuration

    if check is not None:
        configuration.load(check, environ={})
        return
    print(as_toml() if format is ConfigFormat.TOML else as_markdown(), end="")


def as_toml() -> str:
    """Return the text of a `config.toml` in which every key stands, commented out."""
    lines = [_HEAD]
    for section, about, keys in _sections():
        lines.append(f"\n[{section}]\n{_comment(about)}\n")
        lines += [f"\n{_comment(key.help)}\n# {key.name} = {_toml(key)}\n" for key in keys]
    return "".join(lines)


def as_markdown() -> str:
    """Return the page of the documentation that names every key."""
    lines = [_MARKDOWN_HEAD]
    for section, about, keys in _sections():
        lines.append(f"\n## [{section}]\n\n{about}\n\n| key | type | default | meaning |\n")
        lines.append("|---|---|---|---|\n")
        for key in keys:
            kind = key.kind.replace("|", "\\|")
            help_ = " ".join(key.help.split()).replace("|", "\\|")
            default = "unset" if key.default is None else f"`{_value(key.default)}`"
            lines.append(f"| `{key.name}` | {kind} | {default} | {help_} |\n")
    return "".join(lines)


def _sections() -> list[tuple[str, str, list[ConfigKey]]]:
    """Return each section's name, what it is about, and its keys."""
    from crawler.config.layers import SECTIONS, keys

    every = keys()
    return [
        (name, _about(section), [key for key in every if key.section == name])
        for name, section in SECTIONS.items()
    ]


def _about(section: type) -> str:
    return " ".join((section.__doc__ or "").split())


def _comment(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 98, initial_indent="# ", subsequent_indent="# ")


def _toml(key: ConfigKey) -> str:
    """Write a default as TOML; what is unset has no value there."""
    return "# unset" if key.default is None else _value(key.default)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return json.dumps(value, ensure_ascii=False)
