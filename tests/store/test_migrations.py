"""Migrations that have landed stay as they are: a store somewhere was made by them."""

import hashlib
from pathlib import Path

import pytest

from crawler.store import schema
from crawler.store.postgres import schema as postgres_schema

LANDED = Path(__file__).with_name("migrations.sha256")
STORES = {"sqlite": schema.MIGRATIONS, "postgres": postgres_schema.MIGRATIONS}


def landed() -> dict[str, str]:
    lines = LANDED.read_text("ascii").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def here() -> dict[str, str]:
    return {
        f"{store}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
        for store, files in STORES.items()
        for file in files
    }


def test_no_migration_is_changed_once_it_has_landed() -> None:
    """A new one gets its line in migrations.sha256, by `sha256sum`; a line never changes."""
    changed = [name for name, digest in landed().items() if here().get(name) != digest]
    assert changed == [], "stores were made by these as they were: write a further migration"
    new = "".join(f"{d}  {n}\n" for n, d in here().items() if n not in landed())
    assert new == "", f"add to {LANDED.name}:\n{new}"


@pytest.mark.parametrize("store", STORES)
def test_a_new_migration_comes_behind_those_that_were_there(store: str) -> None:
    """The version of a store is how many were run, so that none may come between."""
    names = [name.partition("/")[2] for name in landed() if name.startswith(store)]
    assert [file.name for file in STORES[store]][: len(names)] == names
