"""Pages in encodings other than declared UTF-8, each with the text that must come out of it."""

from dataclasses import dataclass

from aiohttp import web

from crawler.practice.layout import content


@dataclass(frozen=True, slots=True)
class Sample:
    """One page: `codec` makes its bytes, `header` is what Content-Type says.

    `text` is what a reader that follows the Encoding standard gets, None where the bytes
    and the label cannot agree and any text without an exception will do.
    """

    about: str
    codec: str
    written: str
    header: str
    meta: str = ""
    text: str | None = ""

    @property
    def expected(self) -> str | None:
        return self.written if self.text == "" else self.text


SAMPLES = {
    "windows-1251": Sample(
        "windows-1251, said in the header",
        "cp1251",
        "Маяк не спрашивает имён.",
        "text/html; charset=windows-1251",
    ),
    "koi8-r": Sample(
        "koi8-r, said in a meta element",
        "koi8_r",
        "Лодка ждёт прилива.",
        "text/html",
        '<meta charset="koi8-r">',
    ),
    "shift_jis": Sample(
        "Shift_JIS, said in an old meta element",
        "cp932",
        "港の朝は早い。",
        "text/html",
        '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">',
    ),
    "utf-16": Sample(
        "UTF-16 with a byte order mark, said nowhere",
        "utf-16",
        "Æ, ø og å på kajen.",
        "text/html",
    ),
    "utf-8-bom": Sample(
        "UTF-8 with a byte order mark against a false header",
        "utf-8-sig",
        "Die Möwe weiß es längst.",
        "text/html; charset=iso-8859-1",
    ),
    "undeclared": Sample(
        "UTF-8, said nowhere",
        "utf-8",
        "Żeglarz słucha ciszy.",
        "text/html",
    ),
    "latin-1-label": Sample(
        "ISO-8859-1 by name, windows-1252 by the standard",
        "cp1252",
        "“Five euros” – it said €5…",
        "text/html; charset=ISO-8859-1",
    ),
    "mislabelled": Sample(
        "windows-1251 that its header calls UTF-8",
        "cp1251",
        "Причал пуст.",
        "text/html; charset=utf-8",
        text=None,
    ),
    "unknown-label": Sample(
        "a label that no standard knows, over a true meta element",
        "utf-8",
        "Çay hazır.",
        "text/html; charset=harbour-9",
        '<meta charset="utf-8">',
    ),
}


def routes() -> list[web.RouteDef]:
    return [web.get("/encoding/{name}/", sample)]


async def sample(request: web.Request) -> web.Response:
    shown = SAMPLES.get(request.match_info["name"])
    if shown is None:
        raise web.HTTPNotFound
    html = (
        f"<!DOCTYPE html>\n<html><head>{shown.meta}<title>{shown.written}</title></head>\n"
        f'<body><p id="text">{shown.written}</p><a href="/odd/">Oddities</a></body></html>\n'
    )
    return content(html.encode(shown.codec), shown.header)
