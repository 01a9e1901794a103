"""From what a user types to a spider: by its name in `spiders/`, as module:Class, as a file."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from linecache import getline
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from crawler.cli.argument_values import typed
from crawler.cli.python_errors import with_way_out
from crawler.errors import SpiderError
from crawler.spider.arguments import filled, refuse_other
from crawler.store.address import StoreAddress, address_of
from crawler.web.error_place import error_line, place_of
from crawler.web.error_place import shown as shown_path

if TYPE_CHECKING:
    from crawler.spider import Spider

SPIDERS = Path("spiders")

_NO_SPIDER = 'has no spider: a class that derives from Spider and says `name = "…"`'


@dataclass(frozen=True, slots=True)
class FoundSpider:
    """A spider as its file shows it, without running the file; `problem` where it is broken."""

    name: str
    file: Path
    about: str = ""
    problem: str = ""


def load(
    text: str,
    arguments: list[str],
    *,
    store: str | StoreAddress | None = None,
    resume: bool = False,
) -> Spider:
    """Return the spider that `text` names, made with the `-a` arguments.

    With `resume` those of its crawl count for what is not given; `store` is by default that of its
    name. SpiderError names the nearest spider, the file and line that does not load, or the
    argument that is not the crawl's.
    """
    kind = find(text)
    given = values_of(kind, arguments)
    path: StoreAddress = Path("data") / f"{kind.name}.db"
    if store is not None:
        path = address_of(store, crawl=kind.name)
    stored = _arguments_of(path, kind.name) if resume else None
    try:
        spider = kind(**(filled(kind, given, stored) if stored is not None else given))
    except TypeError as error:
        raise SpiderError(f"{text}: {error}; give it with -a name=value") from None
    if stored is not None:
        refuse_other(spider, stored, str(path))
    return spider


def values_of(kind: type[Spider], arguments: list[str]) -> dict[str, object]:
    """Return the `-a` arguments by name, each of the type that the spider declares."""
    pairs = (_argument(argument) for argument in arguments)
    return {name: typed(kind, name, text) for name, text in pairs}


def _arguments_of(path: StoreAddress, name: str) -> str | None:
    """Return the arguments that a spider's crawl keeps, None if there is none yet."""
    if isinstance(path, Path) and not path.is_file():
        return None
    from crawler.errors import QueryError, StoreRefused
    from crawler.inspect.query import Reader

    try:
        with Reader(path) as reader:
            values = dict(reader.query("SELECT key, value FROM crawl").rows)
            begun = [*reader.query("SELECT 1 FROM seen LIMIT 1").rows]
    except (QueryError, StoreRefused):
        return None  # no store at all, which the crawl itself will say
    return values.get("arguments") if begun and values.get("spider") == name else None


def find(text: str) -> type[Spider]:
    """Return the class that `text` names: a spider's name, `module:Class`, or a file."""
    if "://" in text:
        raise SpiderError(f"{text} is no spider; without one: crawler crawl {text}")
    if Path(text).is_dir():
        raise SpiderError(f"{text} is a folder; name a spider in it, or give --all")
    module, colon, name = text.rpartition(":")
    if not colon:
        module, name = text, ""
    if module.endswith(".py"):
        return _only(_run_file(Path(module)), name, module)
    if colon:
        return _only(_import(module), name, module)
    return _named(text)


def shown(name: str) -> type[Spider]:
    """Return the spider whose name a file in `spiders/` shows; no other file is run.

    For names that are data: a path, a module or a computed name is unknown here. SpiderError then.
    """
    files = [known.file for known in survey() if known.name == name and not known.problem]
    for kind in _kinds(_run_file(files[0])) if files else ():
        if kind.name == name:
            return kind
    raise SpiderError(f"no file in {SPIDERS}/ shows a spider {name!r}")


def survey() -> list[FoundSpider]:
    """Read every file of `spiders/`, without running it, and return the spiders in it by name."""
    found = [spider for file in _files() for spider in _read(file)]
    return sorted(found, key=lambda spider: spider.name)


def loaded() -> list[FoundSpider]:
    """Run every file of `spiders/`, and give its spiders by name, and the files that do not load.

    A file without a spider, which others import, is passed over.
    """
    return sorted(
        (spider for file in _files() for spider in _loaded(file)), key=lambda spider: spider.name
    )


def _loaded(file: Path) -> Iterator[FoundSpider]:
    try:
        module = _run_file(file)
    except SpiderError as error:
        yield FoundSpider(file.stem, file, problem=str(error))
        return
    kinds = _kinds(module)
    for kind in kinds:
        about = (vars(kind).get("__doc__") or "").strip().partition("\n")[0]
        yield FoundSpider(kind.name, file, about, _unfit(kind))
    if not kinds and (problem := _nameless(module, file)):
        yield FoundSpider(file.stem, file, problem=problem)


def _unfit(kind: type[Spider]) -> str:
    """Return why a spider cannot run, as far as that shows without its arguments."""
    from crawler.spider import check

    try:
        check(kind.__new__(kind))
    except SpiderError as error:
        return str(error)
    except Exception as error:  # a property that needs what `__init__` sets
        return "" if isinstance(error, AttributeError) else _broken(None, error)
    return ""


def _nameless(module: ModuleType, file: Path, called: str | None = None) -> str:
    """Return which spider of a module, or class so called, has no name; empty if there is none."""
    from crawler.spider import Spider

    for kind in vars(module).values():
        own = inspect.isclass(kind) and kind.__module__ == module.__name__
        if own and issubclass(kind, Spider) and not kind.name and called in (None, kind.__name__):
            try:
                line = f":{inspect.getsourcelines(kind)[1]}"
            except (OSError, TypeError, SystemError):  # the last one by gh-106905
                line = ""
            return f"{shown_path(file)}{line}: class {kind.__name__} has no `name`; give it one"
    return ""


# ---------------------------------------------------------------- by name


def _named(name: str) -> type[Spider]:
    spiders = survey()
    # The file that shows the name comes first; a name that is computed needs all of them run.
    shown = [spider.file for spider in spiders if spider.name == name]
    rest = [file for file in _files() if file not in shown]
    broken: list[SpiderError] = []
    for file in dict.fromkeys(shown + rest):
        try:
            module = _run_file(file)
            if namesakes := [kind for kind in _kinds(module) if kind.name == name]:
                return _first_of(namesakes, file, shown)
            if problem := _nameless(module, file, None if file.stem == name else name):
                raise SpiderError(problem)
        except SpiderError as error:
            if file in shown or file.stem == name:
                raise
            broken.append(error)
    if (SPIDERS / f"{name}.py").is_file():
        raise SpiderError(f"{SPIDERS / name}.py {_NO_SPIDER}")
    text = _unknown(name, [spider.name for spider in spiders if not spider.problem])
    if text.lower().count(repr(name).lower()) > 1:  # it is there in other letters
        broken = []
    raise SpiderError("; it may be in what does not load: ".join([text, *map(str, broken[:1])]))


def _first_of(kinds: list[type[Spider]], file: Path, files: list[Path]) -> type[Spider]:
    """Return the first of the spiders of one name; SpiderError where several say it themselves."""
    own = [kind.__name__ for kind in kinds if "name" in vars(kind)]
    if len(own) > 1:
        raise SpiderError(
            f"{file}: {' and '.join(own)} are both called {kinds[0].name!r}; one needs another"
            f" `name`, or write {file}:{own[0]}"
        )
    if others := [str(each) for each in files if each != file]:
        raise SpiderError(
            f"{file} and {' and '.join(others)} have a spider {kinds[0].name!r} each; one needs"
            f" another `name`, or name the file: crawler run {file}"
        )
    return kinds[0]


def _unknown(name: str, known: list[str]) -> str:
    alike = [each for each in known if each.lower() == name.lower()]
    near = alike or difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f"there is no spider {name!r}; did you mean {near[0]!r}?"
    if known:
        return f"there is no spider {name!r}; there are: {', '.join(known)}"
    return (
        f"there is no spider {name!r}, and none at all in {SPIDERS}/;"
        f" make one with `crawler new {name}`"
    )


def _files() -> list[Path]:
    return sorted(file for file in SPIDERS.glob("*.py") if not file.name.startswith("_"))


def _read(file: Path) -> Iterator[FoundSpider]:
    """Yield the classes of a file that have bases and a literal `name`."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except SyntaxError as error:
        yield FoundSpider(file.stem, file, problem=_located(file, error.lineno, error))
        return
    except (OSError, ValueError) as error:
        yield FoundSpider(file.stem, file, problem=f"{file}: {error}")
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            name = _literal_name(node)
            if name:
                yield FoundSpider(name, file, (ast.get_docstring(node) or "").partition("\n")[0])


def _literal_name(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        value = statement.value
        named = any(isinstance(target, ast.Name) and target.id == "name" for target in targets)
        if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


# ---------------------------------------------------------------- running a file


def _run_file(file: Path) -> ModuleType:
    """Run a spider's file as a module; its neighbours and the working directory can be imported."""
    if not file.is_file():
        known = SPIDERS / file.name
        hint = f"; did you mean {known}?" if known.is_file() else ""
        raise SpiderError(f"{file}: there is no such file{hint}")
    # Behind all others: spiders/csv.py must not be what Python gets for its own `csv`.
    folders = (str(file.parent.absolute()), str(Path.cwd()))
    sys.path += [folder for folder in folders if folder not in sys.path]
    spec = importlib.util.spec_from_file_location(f"spiders.{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses and pydantic look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        del sys.modules[module.__name__]
        raise SpiderError(_broken(file, error)) from None
    return module


def _import(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name + ".").startswith(error.name + "."):
            raise SpiderError(f"there is no module {name!r}; write module:Class") from None
        raise SpiderError(_broken(None, error)) from None
    except (Exception, SystemExit) as error:  # as above
        raise SpiderError(_broken(None, error)) from None


def _broken(file: Path | None, error: BaseException) -> str:
    """Return in one line what a spider's file raised, and in which line of the user's own code."""
    if isinstance(error, SyntaxError):
        return _located(Path(error.filename or file or ""), error.lineno, error)
    if isinstance(error, SystemExit) and file is not None:
        return f"{shown_path(file)}: it ends the process when it is loaded (SystemExit: {error})"
    line = error_line("".join(traceback.format_exception(error)))
    if line is None or not error.__traceback__:
        return f"{file}: {type(error).__name__}: {error}"
    return with_way_out(_undecorated(line) if file is not None else line)


def _undecorated(line: str) -> str:
    """Return an `error_line` that points to a class or function and not to its decorator.

    `@item` raises for what the class under it says.
    """
    place = place_of(line)
    file, _, number = place.rpartition(":")
    at = int(number)
    while getline(file, at).lstrip().startswith("@") and getline(file, at).rstrip()[-1:] != "(":
        at += 1
    return f"{file}:{at}{line[len(place) :]}"


def _located(file: Path, line: int | None, error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    place = shown_path(file) if line is None else f"{shown_path(file)}:{line}"
    return with_way_out(f"{place}: {type(error).__name__}: {text}")


def _kinds(module: ModuleType) -> list[type[Spider]]:
    """Return the spiders that a module defines itself."""
    from crawler.spider import Spider

    return [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Spider)
        and kind.__module__ == module.__name__
        and kind.name
    ]


def _only(module: ModuleType, name: str, shown: str) -> type[Spider]:
    """Return the class `name` of a module, or its only spider."""
    from crawler.spider import Spider

    kinds = _kinds(module)
    if name:
        kind = getattr(module, name, None) or next((k for k in kinds if k.name == name), None)
        if inspect.isclass(kind) and issubclass(kind, Spider):
            return kind
        names = [kind.__name__ for kind in kinds]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) or names[:1]
        hint = f"; did you mean {shown}:{near[0]}?" if near else ""
        raise SpiderError(f"{shown} has no spider {name!r}{hint}")
    if len(kinds) == 1:
        return kinds[0]
    if not kinds:
        raise SpiderError(f"{shown} {_NO_SPIDER}")
    raise SpiderError(f"{shown} has several spiders; write {shown}:{kinds[0].__name__}")


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SpiderError(f"-a {text}: write it as name=value, like -a base=https://example.com/")
    return name, value
