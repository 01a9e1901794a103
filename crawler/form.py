"""Forms: what a browser would send (https://html.spec.whatwg.org/#form-submission-algorithm).

The successful controls, in tree order, with the values of the page; `fill` changes some and gives
the Request. Values that `fill` is given may be Secrets, of which only the names are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from lxml.html import HtmlElement

from crawler import urls
from crawler.bodies import with_params
from crawler.errors import UsageError
from crawler.request import Request
from crawler.secret import Secret

_BUTTONS = ("submit", "image")
_SILENT = ("button", "reset", "file", *_BUTTONS)
_MULTIPART = "multipart/form-data"


class Field(NamedTuple):
    """One control: its name, what it would send now (None: nothing), and what it is."""

    name: str
    value: Any
    kind: str
    element: HtmlElement


class Form:
    """A form of a page. `fields` shows what it would send as it stands."""

    def __init__(self, element: HtmlElement, base_url: str) -> None:
        """Take the element and the URL that its action is relative to."""
        self._base = base_url
        self._element = element
        self._fields = list(_controls(element))

    @property
    def fields(self) -> dict[str, Any]:
        """The names of all fields with their values; a list where there are several."""
        found: dict[str, Any] = {}
        for field in self._fields:
            if field.name in found:
                before = found[field.name]
                values = before if isinstance(before, list) else [before]
                found[field.name] = [v for v in (*values, field.value) if v is not None] or None
            else:
                found[field.name] = field.value
        return found

    def __repr__(self) -> str:
        return f"<Form {self._attribute('id') or ''} {sorted({f.name for f in self._fields})}>"

    def fill(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        button: str | None = None,
        options: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Request:
        """Give the Request that submits the form with these values.

        A checkbox takes True and False, a group of them or a multiple select a list, a file a Path.
        `button` names the button that is pressed, by name or value; else the first one is.
        `options` are fields of Request. UsageError names a field that the form does not have.
        """
        wanted = {**(values or {}), **named}
        unknown = sorted(set(wanted) - {field.name for field in self._fields})
        if unknown:
            known = ", ".join(sorted({field.name for field in self._fields}))
            raise UsageError(f"the form has no field {unknown[0]!r}; it has: {known}")
        pairs: list[tuple[str, Any]] = []
        files: dict[str, PurePath | str] = {}
        for field, value in self._filled(wanted):
            if isinstance(value, PurePath) or (field.kind == "file" and value is not None):
                files[field.name] = _file(field, value, wanted)
            elif value is not None:
                pairs.append((field.name, value))
        pressed = self._button(button)
        pairs += _pressed(pressed)
        return self._request(pairs, files, pressed, dict(options or {}))

    def _filled(self, wanted: Mapping[str, Any]) -> Iterator[tuple[Field, Any]]:
        """Yield every field with what it sends once the wanted values are in."""
        left = {name: _values(value) for name, value in wanted.items()}
        for field in self._fields:
            if field.name not in left:
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
        action = self._said("action", pressed) or self._base
        url = urls.parse(action, self._base)
        if url is None:
            raise UsageError(f"the form leads to {action!r}, which is no http(s) URL")
        if self._said("method", pressed).lower() != "post":
            if any(isinstance(value, Secret) for _, value in pairs):
                raise UsageError("a GET form writes its fields into the URL; no place for a Secret")
            return Request(with_params(url.partition("?")[0], pairs), **options)
        if files or self._said("enctype", pressed).lower() == _MULTIPART:
            options["files"] = files
        return Request(url, method="POST", data=pairs, **options)

    def _said(self, name: str, pressed: HtmlElement | None) -> str:
        """Give an attribute of the form, or what the pressed button says in its place."""
        own = pressed.get(f"form{name}") if pressed is not None else None
        return (own if own is not None else self._attribute(name)).strip()

    def _attribute(self, name: str) -> str:
        return self._element.get(name) or ""

    def _button(self, wanted: str | None) -> HtmlElement | None:
        """Give the button that is pressed: the wanted one, or the first (as Enter does)."""
        buttons = [button for button in _owned(self._element) if _is_submit(button)]
        if wanted is None:
            return buttons[0] if buttons else None
        for button in buttons:
            if wanted in (button.get("name"), button.get("value"), button.get("id")):
                return button
        raise UsageError(f"the form has no button {wanted!r}")


def find(root: HtmlElement, css: str, base_url: str) -> Form:
    """Give the form that a CSS selector finds, or the one around what it finds."""
    for element in root.cssselect(css):
        nearest = element if element.tag == "form" else next(element.iterancestors("form"), None)
        if nearest is not None:
            return Form(nearest, base_url)
    raise UsageError(f"there is no form {css!r} on {base_url}")


# ---------------------------------------------------------------- controls


def _owned(form: HtmlElement) -> Iterator[HtmlElement]:
    """Yield the controls that belong to a form: inside it, or naming it, and not another one."""
    own = form.get("id")
    tags = ("input", "select", "textarea", "button")
    for element in form.getroottree().iter(*tags):
        named = element.get("form")
        if named is not None:
            if named and named == own:
                yield element
        elif next(element.iterancestors("form"), None) is form:
            yield element


def _controls(form: HtmlElement) -> Iterator[Field]:
    """Yield the fields of a form in tree order; those that are off send nothing, but can be set."""
    for element in _owned(form):
        name = element.get("name")
        if not name or _is_disabled(element) or element.tag == "button":
            continue
        if element.tag == "select":
            yield from _options(element, name)
        elif element.tag == "textarea":
            yield Field(name, _newlines(element.text or ""), "text", element)
        else:
            kind = (element.get("type") or "text").strip().lower()
            if kind in ("checkbox", "radio"):
                on = element.get("checked") is not None
                yield Field(name, _on(element) if on else None, kind, element)
            elif kind == "file":
                yield Field(name, None, kind, element)
            elif kind not in _SILENT:
                yield Field(name, element.get("value") or "", kind, element)


def _options(select: HtmlElement, name: str) -> Iterator[Field]:
    """Yield each option; without `multiple` the first one that can be is chosen if none is."""
    options = [option for option in select.iter("option") if not _is_off(option)]
    chosen = [option for option in options if option.get("selected") is not None]
    if select.get("multiple") is None:
        chosen = chosen[-1:] or options[:1]
    for option in options:
        yield Field(name, _text_of(option) if option in chosen else None, "option", option)


def _is_off(option: HtmlElement) -> bool:
    group = option.getparent()
    in_group = group is not None and group.tag == "optgroup" and group.get("disabled") is not None
    return option.get("disabled") is not None or in_group


def _is_disabled(element: HtmlElement) -> bool:
    """Tell whether a control is disabled, or is in a disabled fieldset but not in its legend."""
    if element.get("disabled") is not None:
        return True
    child = element
    for ancestor in element.iterancestors():
        if ancestor.tag == "fieldset" and ancestor.get("disabled") is not None:
            legend = next(ancestor.iterchildren("legend"), None)
            if child is not legend:
                return True
        child = ancestor
    return any(True for _ in element.iterancestors("datalist"))


def _on(element: HtmlElement) -> str:
    """Give what a checkbox, a radio button or an option sends when it is on."""
    if element.tag == "option":
        return _text_of(element)
    value = element.get("value")
    return "on" if value is None else value


def _text_of(option: HtmlElement) -> str:
    value = option.get("value")
    return " ".join(option.text_content().split()) if value is None else value


def _newlines(text: str) -> str:
    """Drop the first line feed, as the parser of HTML does, and write CRLF, as forms are sent."""
    text = text.removeprefix("\n")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def _file(field: Field, value: Any, wanted: Mapping[str, Any]) -> PurePath | str:
    """Give the path that a file field sends; UsageError for several, or what is no path."""
    if len(_values(wanted[field.name])) > 1 or isinstance(value, Secret):
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
    """Give what one of several choices sends, when `wanted` is what shall be on."""
    own = _on(field.element)
    if isinstance(wanted, bool):
        return own if wanted else None
    return own if own in _values(wanted) else None


def _is_submit(element: HtmlElement) -> bool:
    kind = (element.get("type") or "").strip().lower()
    if element.tag == "button":
        return kind not in ("button", "reset") and not _is_disabled(element)
    return element.tag == "input" and kind in _BUTTONS and not _is_disabled(element)


def _pressed(button: HtmlElement | None) -> list[tuple[str, Any]]:
    """Give what the pressed button adds; an image sends where it was touched."""
    if button is None:
        return []
    name = button.get("name") or ""
    if button.tag == "input" and (button.get("type") or "").strip().lower() == "image":
        dot = f"{name}." if name else ""
        return [(f"{dot}x", "0"), (f"{dot}y", "0")]
    return [(name, button.get("value") or "")] if name else []
