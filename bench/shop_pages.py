"""Write a shop as files: products in categories, with filters, crumbs and related products.

    .venv/bin/python bench/shop_pages.py DIRECTORY --products 20000

The same bytes for the same number: 20,000 product pages of some 9 KB that share one pattern of
URLs, and 1,000 pages of listings that lead to them. What a shop has and a manual has not: a menu
of all categories on every page, one template over many pages, numbers in the URLs.
"""

import argparse
import random
from pathlib import Path

PRODUCTS = 20_000
CATEGORIES, A_LISTING = 40, 20
WORDS = (
    "light steel oak linen classic round small large compact folding outdoor soft matt black white"
    " blue green table chair lamp shelf box frame cover holder stand set kit board bottle basket"
    " for home office kitchen garden travel with and of a the in two three easy to clean made from"
    " recycled material stays firm dries fast fits every corner comes with screws warranty years"
).split()
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title} | Shop</title>
<link rel="stylesheet" href="/docs/theme.css"><meta name="description" content="{about}"></head>
<body><header><a href="{up}index.html">Shop</a><nav><ul>{menu}</ul></nav></header>
<main>{body}</main><footer><p>Prices with VAT. {about}</p></footer></body></html>
"""
CARD = (
    '<li class="card"><article><h3><a href="{up}product/{number}.html" title="{name}">{name}</a>'
    '</h3><p class="price">{price}</p><p class="stock">In stock: <span>{stock}</span></p></article>'
    "</li>"
)


def write(directory: Path, products: int = PRODUCTS) -> None:
    """Write every page of the shop below a directory that exists."""
    names = [_name(number) for number in range(products)]
    listed = {
        category: [n for n in range(products) if n % CATEGORIES == category]
        for category in range(CATEGORIES)
    }
    (directory / "product").mkdir(exist_ok=True)
    (directory / "category").mkdir(exist_ok=True)
    start = _page("All categories", "<h1>Welcome</h1>" + _text(random.Random("start"), 200), "")
    (directory / "index.html").write_text(start, encoding="utf-8")
    for category, numbers in listed.items():
        for at in range(0, len(numbers), A_LISTING):
            path = directory / "category" / f"{_listing(category, at)}.html"
            path.write_text(_list_page(category, numbers, at, names), encoding="utf-8")
    for number in range(products):
        page = _product_page(number, names, products)
        (directory / "product" / f"{number}.html").write_text(page, encoding="utf-8")


def _listing(category: int, at: int) -> str:
    return f"{category}-{at // A_LISTING + 1}"


def _list_page(category: int, numbers: list[int], at: int, names: list[str]) -> str:
    cards = "".join(_card(n, names, "../") for n in numbers[at : at + A_LISTING])
    pages = "".join(
        f'<a href="{_listing(category, to)}.html">{to // A_LISTING + 1}</a> '
        for to in (0, at - A_LISTING, at + A_LISTING, (len(numbers) - 1) // A_LISTING * A_LISTING)
        if 0 <= to < len(numbers)
    )
    body = f'<h1>Category {category}</h1><ol class="cards">{cards}</ol><p class="pages">{pages}</p>'
    return _page(f"Category {category}, page {at // A_LISTING + 1}", body, "../")


def _product_page(number: int, names: list[str], products: int) -> str:
    chance = random.Random(number)
    related = "".join(_card(chance.randrange(products), names, "../") for _ in range(8))
    table = "".join(
        f"<tr><th>{chance.choice(WORDS)}</th><td>{chance.randrange(10, 900)} mm</td></tr>"
        for _ in range(20)
    )
    reviews = "".join(
        f'<li class="review"><h4>{_text(chance, 5)}</h4><p>{_text(chance, 60)}</p></li>'
        for _ in range(6)
    )
    category = number % CATEGORIES
    crumbs = f'<p><a href="../category/{_listing(category, 0)}.html">Category {category}</a></p>'
    body = (
        f'{crumbs}<h1>{names[number]}</h1><p class="price">{_price(number)}</p>'
        f"<p>{_text(chance, 250)}</p><table>{table}</table><ul>{reviews}</ul>"
        f'<h2>Related</h2><ol class="cards">{related}</ol>'
    )
    return _page(names[number], body, "../")


def _page(title: str, body: str, up: str) -> str:
    menu = "".join(
        f'<li><a href="{up}category/{_listing(category, 0)}.html">Category {category}</a></li>'
        for category in range(CATEGORIES)
    )
    return PAGE.format(title=title, about=f"{title} at a good price", up=up, menu=menu, body=body)


def _card(number: int, names: list[str], up: str) -> str:
    return CARD.format(
        up=up, number=number, name=names[number], price=_price(number), stock=number * 7 % 50
    )


def _name(number: int) -> str:
    return f"{_text(random.Random(f'name {number}'), 4).capitalize()} {number}"


def _price(number: int) -> str:
    return f"{number * 7919 % 90000 / 100 + 5:.2f} EUR"


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--products", type=int, default=PRODUCTS)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    write(options.directory, options.products)


if __name__ == "__main__":
    main()
