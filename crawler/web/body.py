"""What a request says beside its URL: query parameters, form fields, files, and how it is stored.

The stored form is JSON. A Secret becomes `{"$secret": name}`, which no form field, header or cookie
that a page gave can look like: those are strings.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote_plus, urlencode

import msgspec

from crawler.config.secrets import Secret, is_secret, revealed
from crawler.errors import UsageError, without_passwords
from crawler.lazy_regex import lazy

KEPT = (str, bytes, PurePath, Mapping, list, tuple)  # forms of data that can be read twice
RAW = (str, bytes, PurePath)  # forms of data that are no form fields
_SECRET = "$secret"
VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
"""What asks for a page only if it is another one, by the header of the page that it repeats."""
_CONDITIONS, _HEADERS = frozenset(VALIDATORS.values()), frozenset(("headers",))
_FIELD = lazy(r"[\w.\[\]$:-]+")
_USERINFO = lazy(r"^[/\\]*[^\s/\\?#]*@")


def with_params(url: str, params: Mapping[str, Any] | Iterable[tuple[str, str]]) -> str:
    """Add query parameters to a canonical URL; a list value gives one for each of its members."""
    query = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs(params)])
    if not query:
        return url
    return f"{url}{'' if url[-1] in '?&' else '&' if '?' in url else '?'}{query}"


def _quoted(text: Any) -> str:
    """Write a name or value as urlencode does; most have nothing to escape, which is soon seen."""
    text = str(text)
    return text if text.isalnum() and text.isascii() else quote_plus(text)


def pairs(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of form data, a list value as one field for each member; else nothing."""
    if data is None or isinstance(data, RAW):
        return
    is_table = type(data) is dict or isinstance(data, Mapping)  # the first is soon asked
    for name, value in data.items() if is_table else data:
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, (list, tuple)):
            for member in value:
                yield name, _text(member)
        elif value is not None:
            yield name, _text(value)


def _text(value: Any) -> str | Secret:
    if isinstance(value, (str, Secret)):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def identity(data: Any, files: Mapping[str, Any] | None) -> bytes | None:
    """Return bytes that are the same for the same body; secrets and files count by their names."""
    if files is not None:
        said = [*pairs(data), *((name, f"file:{path}") for name, path in files.items())]
        return b"multipart\0" + urlencode(said).encode()
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, PurePath):
        return b"file\0" + str(data).encode()
    return urlencode(list(pairs(data))).encode()


def on_wire(data: Any) -> bytes | Path | None:
    """Return the body of `data` with its secrets revealed; a Path is to be streamed."""
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, PurePath):
        return Path(data)
    # As https://url.spec.whatwg.org/#urlencoded-serializing has it: Python differs in these two.
    said = urlencode([(name, revealed(value)) for name, value in pairs(data)], safe="*")
    return said.replace("~", "%7E").encode()


def opened(path: str | PurePath) -> BinaryIO:
    """Open a file to be streamed; the client closes it. UsageError if it cannot be read."""
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be sent: {error.strerror}") from None


# ---------------------------------------------------------------- stored


def stored(data: Any) -> dict[str, Any]:
    """Return the stored form of a request's `data`."""
    if isinstance(data, bytes):
        return {"data_bytes": base64.b64encode(data).decode()}
    if isinstance(data, PurePath):
        return {"data_file": str(data)}
    return {"data": data if isinstance(data, (str, Mapping)) else list(pairs(data))}


def plain(value: Any) -> Any:
    """Write a value as JSON can hold it; UsageError for one that it cannot."""
    if isinstance(value, Secret):
        return {_SECRET: value.name}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PurePath):
        return str(value)
    raise UsageError(
        f"a request carries a {type(value).__name__}, which cannot be stored; give JSON values"
    )


_decode = msgspec.json.Decoder().decode


def read_extra(extra: str) -> Any:
    """Return what a request carries, as it is stored; ValueError for what is no JSON."""
    try:
        return _decode(extra)  # what it takes, it reads as json does, in a third of the time
    except (msgspec.DecodeError, UnicodeEncodeError):
        return json.loads(extra)


def revived(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a Request from their stored form."""
    if "data_bytes" in fields:
        fields["data"] = base64.b64decode(fields.pop("data_bytes"))
    elif "data_file" in fields:
        fields["data"] = Path(fields.pop("data_file"))
    for name in ("headers", "cookies", "data"):
        value = fields.get(name)
        if isinstance(value, dict):
            fields[name] = {k: v if type(v) is str else _revive(v) for k, v in value.items()}
        elif isinstance(value, list):
            fields[name] = [(key, _revive(member)) for key, member in value]
    return fields


def _revive(value: Any) -> Any:
    if isinstance(value, list):
        return [_revive(member) for member in value]
    return Secret(value[_SECRET]) if isinstance(value, dict) else value


# ---------------------------------------------------------------- shown


def shown(extra: str) -> str:
    """Return what a request carried without what nobody should read in the table of pages."""
    fields = read_extra(extra)
    if fields.keys() == _HEADERS and fields["headers"].keys() <= _CONDITIONS:
        return extra  # of a recrawl
    headers, cookies, data = fields.get("headers"), fields.get("cookies"), fields.get("data")
    if "json" in fields:
        fields["json"] = _masked_json(fields["json"])
    if headers:
        fields["headers"] = {k: _masked(v) if is_secret(k, v) else v for k, v in headers.items()}
    if cookies:
        fields["cookies"] = {name: _masked(value) for name, value in cookies.items()}
    if isinstance(data, dict):
        fields["data"] = {k: _masked(v) if is_secret(k) else v for k, v in data.items()}
    elif isinstance(data, list):
        fields["data"] = [(k, _masked(v) if is_secret(k) else v) for k, v in data]
    elif isinstance(data, str):
        fields["data"] = _masked_text(data)
    if "data_bytes" in fields:
        fields["data_bytes"] = _masked_bytes(fields["data_bytes"])
    for step in fields.get("steps", ()):
        if isinstance(step.get("text"), str) and is_secret(step["css"]):
            step["text"] = _masked(step["text"])
    if fields.get("proxy"):
        fields["proxy"] = without_userinfo(fields["proxy"])
    return json.dumps(fields)


def _masked(value: Any) -> Any:
    return value if isinstance(value, dict) else "***"


def _masked_json(value: Any) -> Any:
    """Return a JSON value without what stands under the name of a secret, however deep."""
    if isinstance(value, dict):
        return {k: "***" if is_secret(k) else _masked_json(v) for k, v in value.items()}
    return [_masked_json(member) for member in value] if isinstance(value, list) else value


def _masked_text(text: str) -> str:
    """Return a body without its secrets: of JSON, of form fields, else all that names one."""
    if not is_secret(text):
        return text
    try:
        return json.dumps(_masked_json(json.loads(text)))
    except (ValueError, RecursionError):
        pass
    try:
        fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return "***"
    if not all(_FIELD.fullmatch(name) for name, _ in fields):
        return "***"
    return urlencode([(name, "***" if is_secret(name) else value) for name, value in fields])


def _masked_bytes(coded: str) -> str:
    text = base64.b64decode(coded).decode("utf-8", "replace")
    masked = _masked_text(text)
    return coded if masked == text else base64.b64encode(masked.encode()).decode()


def without_userinfo(url: str) -> str:
    """Take "user:password@" out of a URL of any scheme, or of none."""
    return without_passwords(url) if "://" in url else _USERINFO.sub("", url)
