"""`crawler identity`: the key that requests are signed with, and the directory to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from crawler.cli.declared import Argument, Option


def identity(
    action: Annotated[str, Argument(help="new makes a key, show shows it.")] = "show",
    key: Annotated[str, Option(help="The file of the key; as in [identity] key_file.")] = "",
    agent: Annotated[
        str, Option(help="The origin that publishes it; as in [identity] agent.")
    ] = "",
    headers: Annotated[
        bool, Option("--headers", help="Print the headers to publish it with, signed.")
    ] = False,
    valid: Annotated[float, Option(help="Seconds for which --headers are signed.", min=1)] = 86_400,
) -> None:
    """Make or show the key that signs requests.

    Requests are signed once `[identity]` names the key and the origin. The answer with the
    directory is signed as well: --headers prints its headers, to be renewed before they expire.

    Example: crawler identity new --key identity.pem --agent https://crawler.example
    """
    from crawler.config import layers as configuration
    from crawler.errors import UsageError
    from crawler.http import identity as identities

    settings = configuration.load().identity
    path = Path(key or settings.key_file or "identity.pem")
    origin = (agent or settings.agent or "https://crawler.example").rstrip("/")
    if action not in ("new", "show"):
        raise UsageError(f"crawler identity {action}: it is `new` or `show`")
    if headers and not (agent or settings.agent):
        raise UsageError("crawler identity --headers: name the origin, --agent https://…")
    made = identities.new_key(path) if action == "new" else identities.read_key(path)
    if headers:
        signed = identities.directory_headers(made, origin, lifetime=valid)
        print("\n".join(f"{name}: {value}" for name, value in signed.items()))
        return
    print(f"key       {path}; keep it secret, it is nowhere else")
    print(f"key id    {identities.key_id(made)}")
    print(f"publish   {origin}{identities.DIRECTORY}")
    print(f"as        {identities.DIRECTORY_TYPE}")
    print(f"signed    crawler identity show --headers --agent {origin}\n")
    print(identities.directory(made))
    print(f'\n[identity]\nkey_file = "{path}"\nagent = "{origin}"')
