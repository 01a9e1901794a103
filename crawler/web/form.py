"""Forms: what a browser would send (https://html.spec.whatwg.org/#form-submission-algorithm).

The successful controls, in tree order, with the values of the page; `fill` changes some and gives
the Request. Values that `fill` is given may be Secrets, of which only the names are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from lxml.html import HtmlElement

from crawler import urls
from crawler.config.secrets import Secret
from crawler.errors import UsageError
from crawler.parse.browser_tree import held
from crawler.parse.encodings import encode_query
from crawler.web import form_values
from crawler.web.form_tree import FormTree
from crawler.web.request import Request
from crawler.web.text_area import wrapped

_BUTTONS = ("submit", "image")
_SILENT = ("button", "reset", *_BUTTONS)
_MULTIPART, _PLAIN = "multipart/form-data", "text/plain"
_FORM = "application/x-www-form-urlencoded"
_TEXTS = ("text", "search", "tel", "url", "email", "hidden", "password", "textarea")


_SIZE = re.compile(r"[\t\n\f\r ]*\+?([0-9]{1,9})")  # as integers are read: "5x" is 5


class Field(NamedTuple):
    """One control: its name, what it would send now (None: nothing), and what it is."""

    name: str
    value: Any
    kind: str
    element: HtmlElement


class Form:
    """A form of a page. `fields` shows what it would send as it stands."""

    def __init__(
        self,
        element: HtmlElement,
        tree: FormTree,
        base_url: str,
        *,
        url: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        """Take the element, its tree, what its action is relative to, the page's URL, encoding."""
        self._base, self._url = base_url, url or base_url
        self._page_encoding = encoding
        self._encoding = form_values.picked(element.get("accept-charset"), encoding)
        self._element = element
        self._controls = list(tree.controls(element))
        self._fields = list(_fields(self._controls, tree, self._encoding))
        self._buttons = [
            one for one in self._controls if _is_submit(one) and not tree.is_disabled(one)
        ]

    @property
    def fields(self) -> dict[str, Any]:
        """The names of all fields with their values; a list where there are several."""
        found: dict[str, list[Any]] = {}
        for field in self._fields:
            if field.kind != "button":
                found.setdefault(field.name, []).append(field.value)
        return {
            name: values[0] if len(values) == 1 else [v for v in values if v is not None] or None
            for name, values in found.items()
        }

    def __repr__(self) -> str:
        return f"<Form {self._attribute('id') or ''} {sorted(self.fields)}>"

    def fill(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        button: str | None = None,
        options: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Request:
        """Return the Request that submits the form with these values.

        A checkbox takes True and False, a group of them or a multiple select a list, a file a Path.
        `button` names the button that is pressed, by name or value; else the first one is.
        `options` are fields of Request. UsageError names a field that the form does not have.
        """
        wanted = {**(values or {}), **named}
        names = {field.name for field in self._fields if field.kind != "button"}
        unknown = sorted(set(wanted) - names)
        if unknown:
            known = ", ".join(sorted(names))
            raise UsageError(f"the form has no field {unknown[0]!r}; it has: {known}")
        pressed = self._button(button)
        pairs: list[tuple[str, Any]] = []
        files: dict[str, PurePath | str] = {}
        for field, value in self._filled(wanted):
            if field.kind == "button":
                pairs += _pressed(field.element) if field.element is pressed else ()
            elif isinstance(value, PurePath) or (field.kind == "file" and value):
                files[field.name] = _file(field, value, wanted)
                pairs.append((field.name, ""))
            elif value is not None:
                pairs += _entries(field, value)
        pairs = [(form_values.crlf(name), _lines(value)) for name, value in pairs]
        return self._request(pairs, files, pressed, dict(options or {}))

    def _filled(self, wanted: Mapping[str, Any]) -> Iterator[tuple[Field, Any]]:
        """Yield every field with what it sends once the wanted values are in."""
        left = {name: _values(value) for name, value in wanted.items()}
        for field in self._fields:
            if field.name not in left or field.kind == "button":
                yield field, field.value
            elif field.kind in ("checkbox", "radio", "option"):
                yield field, _chosen(field, wanted[field.name])
            elif left[field.name]:
                yield field, left[field.name].pop(0)

    def _request(
        self,
        pairs: list[tuple[str, Any]],
        files: dict[str, PurePath | str],
        pressed: HtmlElement | None,
        options: dict[str, Any],
    ) -> Request:
        # Of keywords no space is taken off: " post" is none, which is to say GET.
        method, url = self._said("method", pressed).lower(), self._action(pressed)
        secrets = any(isinstance(value, Secret) for _, value in pairs)
        if method == "dialog":
            raise UsageError("the form closes a dialog of its page; nothing is sent")
        if method != "post":
            if secrets:
                raise UsageError("a GET form writes its fields into the URL; no place for a Secret")
            pairs = [
                (name, PurePath(files[name]).name if name in files else value)
                for name, value in pairs
            ]
            query = form_values.urlencoded(pairs, self._encoding)
            return Request(f"{url.partition('?')[0]}?{query}", **options)
        kind = self._said("enctype", pressed).lower()
        kind = _MULTIPART if files else kind if kind in (_MULTIPART, _PLAIN) else _FORM
        if kind == _MULTIPART:
            # Each file is sent where its empty text stands among the fields.
            unsent = {field.name for field in self._fields if field.kind == "file"}
            options["files"] = files | {
                name: files.get(name, "") for name, _ in pairs if name in unsent
            }
        texts = (text for pair in pairs for text in pair if isinstance(text, str))
        if kind != _PLAIN and (self._encoding == "utf-8" or all(map(str.isascii, texts))):
            return Request(url, method="POST", data=pairs, **options)
        if secrets or files:
            raise UsageError(
                f"the form is sent as {kind} in {self._encoding}, where a Secret or a file beside"
                " text that is not ASCII has no place; write the request yourself"
            )
        return self._written(url, pairs, kind, options)

    def _written(
        self, url: str, pairs: list[tuple[str, Any]], kind: str, options: dict[str, Any]
    ) -> Request:
        """Return the Request whose body is written here, in the encoding of the form."""
        if kind == _PLAIN:
            body = form_values.plain(pairs, self._encoding)
        elif kind == _FORM:
            body = form_values.urlencoded(pairs, self._encoding).encode()
        else:
            mark, body = form_values.multipart(pairs, self._encoding, options.pop("files", {}))
            kind = f"{kind}; boundary={mark}"
        options["headers"] = {"Content-Type": kind} | dict(options.get("headers") or {})
        return Request(url, method="POST", data=body, **options)

    def _action(self, pressed: HtmlElement | None) -> str:
        """Return where the form leads: without an action to its own page, also under a `<base>`."""
        action = self._said("action", pressed).strip()
        if not action:
            return self._url
        url = urls.parse(encode_query(action, self._page_encoding), self._base)
        if url is None:
            raise UsageError(f"the form leads to {action!r}, which is no http(s) URL")
        return url

    def _said(self, name: str, pressed: HtmlElement | None) -> str:
        """Return an attribute of the form, or what the pressed button says in its place."""
        own = pressed.get(f"form{name}") if pressed is not None else None
        return own if own is not None else self._attribute(name)

    def _attribute(self, name: str) -> str:
        return self._element.get(name) or ""

    def _button(self, wanted: str | None) -> HtmlElement | None:
        """Return the button that is pressed: the wanted one, or the first (as Enter does)."""
        if wanted is None:
            return self._buttons[0] if self._buttons else None
        for button in self._buttons:
            if wanted in (button.get("name"), button.get("value"), button.get("id")):
                return button
        raise UsageError(f"the form has no button {wanted!r}")


def find(
    html: str,
    css: str,
    base_url: str,
    *,
    url: str | None = None,
    encoding: str = "utf-8",
    xml: bool = False,
) -> Form:
    """Return the form that a CSS selector finds on a page, or the one around what it finds.

    Where it finds a control, it is the form of that; `xml` says that the page is XHTML.
    """
    tree = FormTree(html, xml=xml)
    for element in tree.root.cssselect(css):
        nearest = element if element.tag == "form" else tree.owner(element)
        if nearest is not None:
            return Form(nearest, tree, base_url, url=url, encoding=encoding)
    raise UsageError(f"there is no form {css!r} on {base_url}")


# ---------------------------------------------------------------- controls


def _fields(controls: list[HtmlElement], tree: FormTree, encoding: str) -> Iterator[Field]:
    """Yield the fields of a form in tree order; those that are off send nothing, but can be set."""
    radios: dict[str, Field] = {}
    found: list[Field] = []
    for element in controls:
        off = tree.is_disabled(element)
        for field in _fields_of(element, held(element.get("name") or ""), encoding):
            if field.kind == "radio" and field.value is not None:
                radios[field.name] = field
            if not off:
                found.append(field)
    for field in found:  # of the buttons of one group the last one that is checked is on
        off = field.kind == "radio" and radios.get(field.name) is not field
        yield field._replace(value=None) if off else field


def _fields_of(element: HtmlElement, name: str, encoding: str) -> Iterator[Field]:
    kind = (element.get("type") or "").lower()
    if _is_submit(element):
        yield Field(name, None, "button", element)
    elif not name or element.tag == "button":
        return
    elif element.tag == "select":
        yield from _options(element, name)
    elif element.tag == "textarea":
        yield Field(name, _lines(held("".join(element.itertext()))), "textarea", element)
    elif kind in ("checkbox", "radio"):
        on = element.get("checked") is not None
        yield Field(name, _on(element) if on else None, kind, element)
    elif kind == "file":
        yield Field(name, "", kind, element)
    elif kind == "hidden" and name.lower() == "_charset_":
        yield Field(name, form_values.spelled(encoding), kind, element)
    elif kind not in _SILENT:
        value = form_values.sanitized(kind, held(element.get("value") or ""), element.attrib)
        yield Field(name, value, kind or "text", element)


def _entries(field: Field, value: Any) -> list[tuple[str, Any]]:
    """Return what a field sends: its value and, where it asks for that, its direction."""
    if field.kind == "textarea" and isinstance(value, str):
        value = wrapped(value, field.element.attrib)
    direction = field.element.get("dirname")
    if not direction or field.kind not in _TEXTS:
        return [(field.name, value)]
    return [(field.name, value), (direction, form_values.direction_of(field.element, str(value)))]


def _options(select: HtmlElement, name: str) -> Iterator[Field]:
    """Yield each option. One is chosen if none is, unless several lines are shown.

    An option that is off can be chosen, as placeholders are, but sends nothing.
    """
    within = ("option", "datalist")
    options = [one for one in select.iter("option") if _around(one, *within) is None]
    chosen = [one for one in options if one.get("selected") is not None]
    if select.get("multiple") is None:
        shown = _SIZE.match(select.get("size") or "")
        first = [option for option in options if not _is_off(option)][:1]
        chosen = chosen[-1:] or (first if shown is None or int(shown[1]) <= 1 else [])
    on = set(chosen)
    for option in options:
        if not _is_off(option):
            value = _text_of(option) if option in on else None
            yield Field(name, value, "option", option)


def _is_off(option: HtmlElement) -> bool:
    group = _around(option, "optgroup")
    in_group = group is not None and group.get("disabled") is not None
    return option.get("disabled") is not None or in_group


def _around(option: HtmlElement, *names: str) -> HtmlElement | None:
    """Return the nearest element of these names around an option, within its list."""
    found = next(option.iterancestors(*names, "select"), None)
    return found if found is not None and found.tag != "select" else None


def _on(element: HtmlElement) -> str:
    """Return what a checkbox, a radio button or an option sends when it is on."""
    if element.tag == "option":
        return _text_of(element)
    value = element.get("value")
    return "on" if value is None else held(value)


def _text_of(option: HtmlElement) -> str:
    value = option.get("value")
    return form_values.collapsed(_text_within(option)) if value is None else held(value)


def _text_within(option: HtmlElement) -> str:
    """Return the text of an option, without scripts that stand in it."""
    return "".join(option.xpath(".//text()[not(ancestor::script)]"))


def _lines(value: Any) -> Any:
    return form_values.crlf(value) if isinstance(value, str) else value


def _file(field: Field, value: Any, wanted: Mapping[str, Any]) -> PurePath | str:
    """Return the path that a file field sends; UsageError for several, or what is no path."""
    if len(_values(wanted.get(field.name))) > 1 or isinstance(value, Secret):
        raise UsageError(f"the field {field.name!r} sends one file; give its Path")
    path: PurePath | str = value
    return path


def _values(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(member) for member in value]
    return [] if value is None else [_plain(value)]


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, Secret, PurePath)) else str(value)


def _chosen(field: Field, wanted: Any) -> str | None:
    """Return what one of several choices sends, when `wanted` is what shall be on."""
    own = _on(field.element)
    if isinstance(wanted, bool):
        return own if wanted else None
    return own if own in _values(wanted) else None


def _is_submit(element: HtmlElement) -> bool:
    kind = (element.get("type") or "").lower()
    if element.tag == "button":
        parent = element.getparent()  # the button of a list opens it
        return kind not in ("button", "reset") and (parent is None or parent.tag != "select")
    return element.tag == "input" and kind in _BUTTONS


def _pressed(button: HtmlElement | None) -> list[tuple[str, Any]]:
    """Return what the pressed button adds; an image sends where it was touched."""
    if button is None:
        return []
    name = button.get("name") or ""
    if button.tag == "input" and (button.get("type") or "").lower() == "image":
        dot = f"{name}." if name else ""
        return [(f"{dot}x", "0"), (f"{dot}y", "0")]
    value = button.get("value")
    if value is None:  # an input sends what browsers write on it
        value = "Submit" if button.tag == "input" else ""
    direction = button.get("dirname") if button.tag == "input" else None
    about = [(direction, form_values.direction_of(button, value))] if direction else []
    return [(name, value), *about] if name else []
