"""What every section of the configuration is made of.

The modules of sections do without `from __future__ import annotations`: msgspec would have to
compile each annotation once more, which takes 3 ms at every start.
"""

from typing import Annotated

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]
AtOnce = Annotated[int, Meta(ge=1, le=10_000)]
"""How many of something there are at the same time; each takes memory from the start."""
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
SomeSeconds = Annotated[float, Meta(gt=0)]
LeaseSeconds = Annotated[float, Meta(ge=1, le=3600)]
RateText = Annotated[str, Meta(pattern=r"^[1-9][0-9]*/(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?[smh]?$")]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One closed table of the configuration."""
