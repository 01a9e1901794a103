"""Configuration: the sections and their keys, and where values come from.

    from crawler.config import load

`Config`, `ConfigKey`, `keys` and `load` stand in `layers`, and are imported on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.config.layers import Config as Config
    from crawler.config.layers import ConfigKey as ConfigKey
    from crawler.config.layers import keys as keys
    from crawler.config.layers import load as load


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for (PEP 562)."""
    from importlib import import_module

    if name not in ("Config", "ConfigKey", "keys", "load"):
        raise AttributeError(f"module 'crawler.config' has no attribute {name!r}")
    value = getattr(import_module("crawler.config.layers"), name)
    globals()[name] = value
    return value
