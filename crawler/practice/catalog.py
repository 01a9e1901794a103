"""The goods of the practice shop, grown from word tables: the same 160 on every start."""

import hashlib
from dataclasses import dataclass
from functools import cache

PER_CATEGORY = 20

THINGS = {
    "Lamps": ("Lantern", "Reading Lamp", "Storm Light", "Night Light", "Candle Holder"),
    "Kitchen": ("Teapot", "Bread Knife", "Soup Ladle", "Pepper Mill", "Butter Dish"),
    "Garden": ("Trowel", "Watering Can", "Seed Box", "Rain Gauge", "Bird Table"),
    "Paper": ("Notebook", "Wall Map", "Letter Set", "Calendar", "Sketch Block"),
    "Travel": ("Satchel", "Folding Cup", "Pocket Compass", "Picnic Rug", "Luggage Tag"),
    "Music": ("Tuning Fork", "Hand Bell", "Wind Chime", "Metronome", "Bird Whistle"),
    "Clocks": ("Wall Clock", "Egg Timer", "Alarm Clock", "Sundial", "Hourglass"),
    "Toys": ("Spinning Top", "Kite", "Marble Run", "Paper Theatre", "Sailing Boat"),
}
MANNERS = ("Patient", "Travelling", "Quiet", "Second-Best", "Everyday", "Northern", "Sunday")
STUFFS = ("Brass", "Beech", "Enamel", "Linen", "Copper", "Slate", "Willow", "Tin", "Cork")
PRAISE = (
    "Made in small numbers by somebody who uses one at home.",
    "It does one thing, and does it without complaint.",
    "Repairable with a screwdriver and an afternoon.",
    "Heavier than it looks, and better for it.",
    "Comes in a plain box that is hard to throw away.",
    "Ages well; so, we are told, do its owners.",
    "Not the newest design, and in no hurry to become it.",
)


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale; the price is in cents, `stock` 0 is sold out, `rating` is 1 to 5."""

    number: int
    name: str
    category: str
    cents: int
    stock: int
    rating: int
    praise: str

    @property
    def slug(self) -> str:
        return f"{self.number}-{self.name.lower().replace(' ', '-')}"

    @property
    def price(self) -> str:
        return f"€{self.cents // 100}.{self.cents % 100:02}"

    @property
    def availability(self) -> str:
        return f"In stock ({self.stock} available)" if self.stock else "Sold out"


@cache
def products() -> tuple[Product, ...]:
    """All goods by number (from 1), the categories taking turns."""
    names = list(THINGS)
    return tuple(
        _product(number, names[(number - 1) % len(names)])
        for number in range(1, PER_CATEGORY * len(names) + 1)
    )


@cache
def by_slug() -> dict[str, Product]:
    """Every product by its part of a URL path."""
    return {product.slug: product for product in products()}


@cache
def category(name: str) -> tuple[Product, ...]:
    """The goods of one category, in order of number."""
    return tuple(product for product in products() if product.category == name)


def _product(number: int, group: str) -> Product:
    turn = (number - 1) // len(THINGS)
    dice = hashlib.sha256(f"{group} {turn}".encode()).digest()
    thing = THINGS[group][turn % len(THINGS[group])]
    manner = MANNERS[turn % len(MANNERS)]
    return Product(
        number=number,
        name=f"{manner} {STUFFS[dice[0] % len(STUFFS)]} {thing}",
        category=group,
        cents=350 + int.from_bytes(dice[1:3]) % 9000,
        stock=dice[3] % 23 if dice[4] % 8 else 0,
        rating=1 + dice[5] % 5,
        praise=f"{PRAISE[dice[6] % len(PRAISE)]} {PRAISE[(dice[6] + 1 + dice[7] % 6) % 7]}",
    )
