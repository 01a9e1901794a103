"""Mistakes in a spider's class that show before anything is fetched: callbacks and names.

What a request is given as callback is looked at in the source, because a request is made only when
its page is there, hours later maybe. What cannot be known so is left to the request itself.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.errors import SpiderError
from crawler.spider.arguments import read_by
from crawler.spider.discarded import discarded
from crawler.spider.leftovers import leftover, of_meta, of_request, of_self
from crawler.spider.signatures import TOLD, unknown
from crawler.web.callback import HasCallbacks, private

if TYPE_CHECKING:
    from crawler.spider import Spider

_MAKERS = {"Request": None, "Download": None, "Rule": None, "follow": 1, "follow_all": 1}
"""What takes a callback, and the place of it among the positional arguments."""

_REQUESTS = ("Request", "follow", "follow_all")

_KEPT = "a request is kept by the name of its callback: make it a method of the spider"
_FUNCTION = "a function outside of the spider"
_GIVEN = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)
_HOOKS = ("parse", "start", "start_urls", "on_error", "opened", "closed")


def look(spider: Spider) -> None:
    """Raise SpiderError for the first mistake that the class of a spider shows."""
    kind = type(spider)
    own = [part for part in kind.__mro__ if part.__module__.partition(".")[0] != "crawler"]
    own = [part for part in own if part is not object and issubclass(part, HasCallbacks)]
    used = {name for part in own for name in read_by(part)}
    for part in own:
        for name in vars(part):
            if name != "settings" and hasattr(_plain(kind), name):
                continue  # it is ours
            told = leftover(name, vars(part)[name], used=name in used)
            if told is not None:
                raise SpiderError(f"{_where(part, name)}{kind.name}: {told}")
    _look_for_misspelt(kind, own, used)
    _look_for_self(kind)
    _look_at_parse(kind, spider.start_urls)
    _look_at_errback(kind, "on_error")
    for part in own:
        for found in _Source.of(part):
            found.look(kind)


def _look_for_misspelt(kind: type[Spider], own: list[type], used: set[str]) -> None:
    """Raise for a name that nothing uses and that is nearly one of ours, where ours is missing."""
    names = {name: part for part in own for name in vars(part) if not name.startswith("_")}
    for hook in _HOOKS:
        if hook in names:
            continue
        for name in difflib.get_close_matches(hook, sorted(names), n=3, cutoff=0.75):
            is_method = callable(vars(names[name])[name])
            if name in used or is_method == (hook == "start_urls") or name in dir(_plain(kind)):
                continue
            raise SpiderError(
                f"{_where(names[name], name)}{kind.name}: nothing uses {name!r}; did you mean"
                f" {hook!r}?"
            )


def _look_for_self(kind: type[Spider]) -> None:
    """Raise for a `parse` that takes no page beside the spider, as one without `self`."""
    method = inspect.getattr_static(kind, "parse", None)
    if not inspect.isfunction(method):
        return
    try:
        inspect.signature(method, follow_wrapped=False).bind_partial(None, None)
    except TypeError:
        part = next(part for part in kind.__mro__ if "parse" in vars(part))
        raise SpiderError(
            f"{_where(part, 'parse')}{kind.name}: parse() takes no page; write"
            " `def parse(self, page):`"
        ) from None


def _look_at_parse(kind: type[Spider], start_urls: Sequence[str]) -> None:
    """Raise for a `parse` that takes what no start URL gives it."""
    plain = _plain(kind)
    parse = inspect.getattr_static(kind, "parse", None)
    own_start = getattr(kind, "start", None) is not getattr(plain, "start", None)
    if own_start or not start_urls or parse is inspect.getattr_static(plain, "parse", None):
        return
    why = _not_called_with(parse, [])
    if why is not None:
        raise SpiderError(
            f"{_where(kind, 'parse')}{kind.name}: parse() of a start URL gets the page alone:"
            f" {why}; give it in `start`: Request(url, args={{…}})"
        )


def _look_at_errback(kind: type[Spider], name: str) -> None:
    """Raise for an errback that takes more than the five values that there are for it."""
    method = inspect.getattr_static(kind, name, None)
    if not inspect.isfunction(method):
        return
    taken = list(inspect.signature(method, follow_wrapped=False).parameters.values())[1:]
    needed = [each for each in taken if each.default is each.empty and each.kind in _GIVEN]
    if len(needed) > TOLD or any(each.kind is each.KEYWORD_ONLY for each in needed):
        raise SpiderError(
            f"{_where(kind, name)}{kind.name}: {name}() gets request, outcome, status, page and"
            f" error, in this order, as far as it takes them; not {needed[-1].name!r}"
        )


def _plain(kind: type[Spider]) -> type:
    """Return the first class of ours that a spider derives from."""
    return next(part for part in kind.__mro__ if part.__module__.partition(".")[0] == "crawler")


def _where(part: type, name: str) -> str:
    """Return the file and line of a method, as the beginning of a message."""
    value = inspect.getattr_static(part, name)
    function = inspect.unwrap(getattr(value, "__func__", value))
    code = getattr(function, "__code__", None)
    if code is not None:
        return f"{_shown(code.co_filename)}:{code.co_firstlineno}: "
    file = getattr(sys.modules.get(part.__module__), "__file__", None)
    return f"{_shown(file)}: " if file else ""


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


# Two threads that parse at once are a SystemError of CPython 3.11 (gh-106905).
_PARSING = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Source:
    """The source of one class: its file, its tree, and the names around it."""

    file: str
    tree: ast.ClassDef
    names: dict[str, Any]

    @classmethod
    def of(cls, part: type) -> Iterator[_Source]:
        """Yield the source of a class, if there is one: a class may be made otherwise."""
        try:
            with _PARSING:
                lines, first = inspect.findsource(part)
                tree = _class_at(first + 1, ast.parse("".join(lines)))
        except (OSError, TypeError, ValueError, SyntaxError, SystemError, RecursionError):
            return
        if tree is not None:
            module = sys.modules.get(part.__module__)
            file = _shown(inspect.getsourcefile(part) or "")
            yield cls(file, tree, vars(module) if module is not None else {})

    def look(self, kind: type[Spider]) -> None:
        """Raise for the first callback in it that no request can have, or name that is Scrapy's."""
        assigned = self._assigned()
        for node in self.tree.body:
            inner = dict(_made_in(node))
            me = None
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.args.args:
                me = node.args.args[0].arg
            for value, told in _leftovers_in(kind, node, me, assigned):
                raise SpiderError(f"{self.file}:{value.lineno}: {kind.name}: {told}")
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    for field, given, named in _callbacks_of(call):
                        for value in _either(given):
                            why = self._why(kind, value, field, me, inner)
                            if why is None and field == "errback":
                                _look_at_errback(kind, getattr(value, "attr", ""))
                            why = why or _unfit(kind, value, me, named)
                            if why is None:
                                continue
                            raise SpiderError(f"{self.file}:{value.lineno}: {kind.name}: {why}")
        for line, told in discarded(kind, self.tree, self.names):
            raise SpiderError(f"{self.file}:{line}: {kind.name}: {told}")

    def _assigned(self) -> set[str]:
        """Return the names of attributes that the class sets somewhere."""
        return {
            node.attr
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        }

    def _why(
        self,
        kind: type[Spider],
        value: ast.expr,
        field: str,
        me: str | None,
        inner: dict[str, str],
    ) -> str | None:
        """Return why a value can be no callback, None if it may be one."""
        if isinstance(value, ast.Lambda):
            return f"{field}: a lambda; {_KEPT}"
        if isinstance(value, ast.Constant) and value.value is not None:
            if isinstance(value.value, str):
                return _missing(kind, value.value, field)
            return f"{field}: {value.value!r} is no method; give one of the spider, or its name"
        if isinstance(value, ast.Call):
            called = ast.unparse(value.func)
            if called.rpartition(".")[2] == "partial":
                return f"{field}: a partial; write {field}=self.method, args={{…}}"
            if me is not None and called.startswith(f"{me}.") and called.count(".") == 1:
                return f"{field}: {called} is called here; write {field}={called} without ()"
            return None
        if isinstance(value, ast.Name):
            what = inner.get(value.id) or _outside(self.names.get(value.id))
            if what is not None and (value.id in inner or not hasattr(kind, value.id)):
                return f"{field}: {value.id} is {what}; {_KEPT}"
            return None
        if isinstance(value, ast.Attribute):
            return self._attribute(kind, value, field, me)
        return None

    def _attribute(
        self, kind: type[Spider], value: ast.Attribute, field: str, me: str | None
    ) -> str | None:
        owner, name = value.value, value.attr
        if isinstance(owner, ast.Name) and owner.id == me:
            if private(name):
                return f"{field}: {name} is private to its class; call it _{name.lstrip('_')}"
            return None if name in self._assigned() else _missing(kind, name, field)
        made = isinstance(owner, ast.Call) and ast.unparse(owner.func) != "super"
        known = self.names.get(owner.id) if isinstance(owner, ast.Name) else None
        if isinstance(owner, ast.Attribute) and ast.unparse(owner.value) == me:
            known = getattr(kind, owner.attr, None)  # an object that all spiders of the class share
            known = None if callable(known) else known
        foreign = known is not None and not inspect.isclass(known) and not inspect.ismodule(known)
        foreign = foreign or (inspect.isclass(known) and not issubclass(known, HasCallbacks))
        if made or (foreign and not isinstance(known, HasCallbacks)):
            return (
                f"{field}: {ast.unparse(value)} is a method of another object, not of the spider:"
                " give the spider a method that calls it"
            )
        return None


def _made_in(method: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that a method gives to functions, and what each is, in words."""
    for node in ast.walk(method):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node is not method:
            yield node.name, _FUNCTION
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            yield from (
                (each.id, "a lambda") for each in node.targets if isinstance(each, ast.Name)
            )


def _outside(known: object) -> str | None:
    """Return in words what a name of the module stands for, None if a callback may be meant."""
    if inspect.isclass(known):
        return "a class"
    return _FUNCTION if inspect.isfunction(known) else None


def _either(value: ast.expr) -> Iterator[ast.expr]:
    """Yield each value that an expression may have: both of `self.a if new else self.b`."""
    if isinstance(value, ast.IfExp):
        yield from _either(value.body)
        yield from _either(value.orelse)
    else:
        yield value.value if isinstance(value, ast.NamedExpr) else value


def _class_at(line: int, module: ast.Module) -> ast.ClassDef | None:
    """Return the class that begins on a line, its decorators included, None if there is none.

    `inspect.getsource` would read the lines with `tokenize`, which takes a twentieth of a start.
    """
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            starts = [node.lineno, *(each.lineno for each in node.decorator_list)]
            if line in starts:
                return node
    return None


def _callbacks_of(call: ast.Call) -> Iterator[tuple[str, ast.expr, list[str] | None]]:
    """Yield the callbacks that a call gives, and the names of the arguments they are to get."""
    maker = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if maker not in _MAKERS and not {"callback", "errback"} & named.keys():
        return
    args = named.get("args")
    # What is not said is not given, unless by what a dictionary holds.
    keys: list[str] | None = (
        [] if maker in (*_REQUESTS, "Rule") and args is None and None not in named else None
    )
    if isinstance(args, ast.Dict) and all(isinstance(key, ast.Constant) for key in args.keys):
        keys = [str(key.value) for key in args.keys if isinstance(key, ast.Constant)]
    for field in ("callback", "errback"):
        if field in named:
            yield field, named[field], keys if field == "callback" else None
    place = _MAKERS.get(maker)
    if place is not None and len(call.args) > place:
        yield "callback", call.args[place], keys


def _leftovers_in(
    kind: type[Spider], tree: ast.AST, me: str | None, own: set[str]
) -> Iterator[tuple[ast.expr, str]]:
    """Yield what a method uses that only Scrapy has, and what is said of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _leftovers_of(node)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == me:
            told = None if hasattr(kind, node.attr) else of_self(node.attr)
            if told is not None and node.attr not in own:
                yield node, told


def _leftovers_of(call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    """Yield the arguments of a call, and keys of its `meta`, that only Scrapy would heed."""
    maker = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if maker not in _REQUESTS:
        return
    for keyword in call.keywords:
        why = of_request(keyword.arg) if keyword.arg else None
        if why is not None:
            yield keyword.value, why
        if keyword.arg == "meta" and isinstance(keyword.value, ast.Dict):
            for key in keyword.value.keys:
                if isinstance(key, ast.Constant) and (why := of_meta(str(key.value))):
                    yield key, why


def _missing(kind: type[Spider], name: str, field: str) -> str | None:
    return None if callable(getattr(kind, name, None)) else unknown(kind, name, field)


def _unfit(
    kind: type[Spider], value: ast.expr, me: str | None, named: list[str] | None
) -> str | None:
    """Return why a method cannot be called with the arguments of a request, None if it can."""
    if isinstance(value, ast.Constant):
        name = str(value.value)
    elif isinstance(value, ast.Attribute) and ast.unparse(value.value) == me:
        name = value.attr
    else:
        return None
    why = (
        None if named is None else _not_called_with(inspect.getattr_static(kind, name, None), named)
    )
    return f"args of a request for {name}(): {why}" if why else None


def _not_called_with(method: Any, named: list[str]) -> str | None:
    """Return why a method cannot be called with a page and these arguments, None if it can."""
    if not inspect.isfunction(method):  # it has no self, or is known only later
        return None
    try:
        # What a decorator gives to it is no argument of the request.
        taken = inspect.signature(method, follow_wrapped=False)
        taken.bind(None, None, **dict.fromkeys(named))
    except ValueError:
        return None
    except TypeError as error:
        return str(error)
    return None
