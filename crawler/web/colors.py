"""Colors as a form sends them: `<input type=color>` takes any of CSS, and sends six digits.

By https://html.spec.whatwg.org/#update-a-color-well-control-color and CSS Color 4, of which the
names, the digits, `rgb()`, `hsl()`, `hwb()`, `oklab()`, `oklch()` and `color(srgb …)` are known
here; all else is black, as what is no color is.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Callable, Iterable

from crawler.lazy_regex import lazy

_NAMES = """
    aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc
    bisque ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a
    burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50
    cornflowerblue 6495ed cornsilk fff8dc crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b
    darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey a9a9a9 darkkhaki bdb76b
    darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred 8b0000
    darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f
    darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff
    dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0
    forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700
    goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 honeydew f0fff0
    hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa
    lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080
    lightcyan e0ffff lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3
    lightpink ffb6c1 lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa
    lightslategray 778899 lightslategrey 778899 lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00
    limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 mediumaquamarine 66cdaa
    mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371
    mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585
    midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead
    navy 000080 oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500
    orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee palevioletred db7093
    papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum dda0dd powderblue b0e0e6
    purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue 4169e1
    saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d
    silver c0c0c0 skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa
    springgreen 00ff7f steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347
    turquoise 40e0d0 violet ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00
    yellowgreen 9acd32
""".split()
NAMED = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))
"""The named colors of CSS Color 4, section 6.1, by their digits."""
_DIGITS = lazy(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_FUNCTION = lazy(r"(?:(rgb|hsl)a?\(|(hwb|oklab|oklch)\(|color\(\s*(srgb)\s)\s*([^()]*?)\s*\)")
_MOST = 1e9  # of a number, which may have an exponent
_PART = lazy(r"([-+]?(?:\d+\.?|\d*\.\d+)(?:e[-+]?\d+)?)(%|deg|)")


def simple(value: str) -> str:
    """Return a color as `#` and its six digits; `#000000` for what is none.

    As in Chromium spaces around digits or a function are left out, and around a name are wrong.
    """
    named = NAMED.get(value.lower(), "000000")
    color = value.strip("\t\n\f\r ").lower()
    if _DIGITS.fullmatch(color):
        digits = color[1:] if len(color) > 5 else "".join(digit * 2 for digit in color[1:])
        return f"#{digits[:6]}"
    found = _FUNCTION.fullmatch(color)
    kind = found[1] or found[2] or found[3] if found else ""
    return f"#{_computed(kind, found[4]) if found else named}"


def _computed(kind: str, inside: str) -> str:
    """Return the digits of a function: of its three numbers, whatever transparency follows."""
    parts = re.split(r"\s*[,/]\s*|\s+", inside)
    values = [_PART.fullmatch(part) for part in parts[:3]]
    if len(parts) not in (3, 4) or not all(values):
        return "000000"
    numbers = [(max(-_MOST, min(float(value[1]), _MOST)), value[2]) for value in values if value]
    scaled = [255 * part for part in _OF[kind](numbers)]
    return "".join(f"{min(255, max(0, int(part + 0.5))):02x}" for part in scaled)


Numbers = list[tuple[float, str]]
"""The arguments of a function, each with its unit."""


def _shares(numbers: Numbers, whole: float) -> list[float]:
    """Return each as a share of `whole`, where it is no percentage."""
    return [number / (100 if unit == "%" else whole) for number, unit in numbers]


def _hsl(numbers: Numbers) -> Iterable[float]:
    _, full, light = (min(1.0, max(0.0, number / 100)) for number, _ in numbers)
    return colorsys.hls_to_rgb(numbers[0][0] % 360 / 360, light, full)


def _hwb(numbers: Numbers) -> Iterable[float]:
    white, black = (max(0.0, number / 100) for number, _ in numbers[1:])
    if white + black >= 1:
        return [white / (white + black)] * 3
    pure = colorsys.hls_to_rgb(numbers[0][0] % 360 / 360, 0.5, 1.0)
    return [part * (1 - white - black) + white for part in pure]


def _oklab(numbers: Numbers) -> Iterable[float]:
    [light], near = _shares(numbers[:1], 1), _shares(numbers[1:], 0.4)
    return _from_oklab(light, 0.4 * near[0], 0.4 * near[1])


def _oklch(numbers: Numbers) -> Iterable[float]:
    light, chroma, angle = _shares(numbers[:1], 1)[0], *_shares(numbers[1:2], 0.4), numbers[2][0]
    hue = math.radians(angle)
    return _from_oklab(light, 0.4 * chroma * math.cos(hue), 0.4 * chroma * math.sin(hue))


def _from_oklab(light: float, a: float, b: float) -> Iterable[float]:
    """Return sRGB by CSS Color 4, section 17."""
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return [
        12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in linear
    ]


_OF: dict[str, Callable[[Numbers], Iterable[float]]] = {
    "rgb": lambda numbers: _shares(numbers, 255),
    "srgb": lambda numbers: _shares(numbers, 1),
    "hsl": _hsl,
    "hwb": _hwb,
    "oklab": _oklab,
    "oklch": _oklch,
}
