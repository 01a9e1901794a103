"""Numbers as people write them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.numbers import number

# How CLDR writes them: the separator of groups, that of the fraction, the minus.
LOCALES = {
    "en": (",", ".", "-"),
    "de": (".", ",", "-"),
    "fr": ("\u202f", ",", "-"),
    "sv": ("\u00a0", ",", "\u2212"),
    "de-CH": ("’", ".", "-"),
    "es": (".", ",", "-"),
    "plain": ("", ".", "-"),
}


def written(value: Decimal, locale: str) -> str:
    group, point, minus = LOCALES[locale]
    whole, _, fraction = f"{abs(value):,f}".partition(".")
    text = whole.replace(",", group) + (point + fraction if fraction else "")
    return minus + text if value < 0 else text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.56", 1234.56),
        ("1.234,56 €", 1234.56),
        ("1 234,5", 1234.5),
        ("1\u202f234,567", 1234.567),
        ("1'234.50", 1234.5),
        ("CHF 1’234.50", 1234.5),
        ("−3", -3),
        ("-$3.50", -3.5),
        ("€ -3", -3),
        ("12%", 12),
        ("Price: £10.99 incl. VAT", 10.99),
        ("1,234", 1234),
        ("1.234", 1234),
        ("0.125", 0.125),
        ("0,125 kg", 0.125),
        ("1234.567", 1234.567),
        ("1.2345", 1.2345),
        ("1.234.567", 1234567),
        ("12,34,567.89", 1234567.89),
        ("$.50", 0.5),
        ("Rs.500", 500),
        ("19,-", 19),
        ("1.5E3", 1500),
        ("50 m²", 50),
        ("5 km", 5),
        ("SKU-5", 5),
        ("Tea - 3", 3),
        ("١٬٢٣٤٫٥", 1234.5),
        ("１２.5", 12.5),
        ("007", 7),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234", ",", 1.234),
        ("1.234", ".", 1.234),
        ("1.234", ",", 1234),
        ("1,234", ".", 1234),
        (",5", ",", 0.5),
        ("1.234,5", ",", 1234.5),
    ],
)
def test_the_decimal_separator_may_be_said(text: str, decimal: Any, value: float) -> None:
    assert number(text, decimal=decimal) == value
    assert number(decimal=decimal)(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tea",
        "10-20",
        "£10 £8",
        "2026-01-02",
        "1,2,3",
        "12,34",
        "5½",
        "1.2k",
        "3 Mio. €",
        "1.23.456",
        "1,234.567.8",
        "12 1,000",
        "1" * 500,
        "1e999",
    ],
)
def test_what_is_not_one_number_is_refused(text: str) -> None:
    decimal: Any = "." if text == "12,34" else None
    with pytest.raises(ValueError):
        number(text, decimal=decimal)


def test_the_kind_says_what_is_returned() -> None:
    assert repr(number("1.234,50", kind=Decimal)) == "Decimal('1234.50')"
    assert repr(number("12", kind=Decimal)) == "Decimal('12')"
    assert repr(number("1,234.00", kind=int)) == "1234"
    assert number("9007199254740993", kind=int) == 2**53 + 1
    assert isinstance(number("12"), float)
    with pytest.raises(ValueError, match="no whole number"):
        number("3.5", kind=int)


@given(
    st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False),
    st.sampled_from(sorted(LOCALES)),
    st.sampled_from(["{}", "{} €", "{}%", "Price: {} kg", "£{}"]),
)
def test_prices_come_back_from_every_locale(value: Decimal, locale: str, around: str) -> None:
    text = written(value, locale)
    read = number(around.format(text), kind=Decimal)
    assert read == value


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=5
    ),
    st.sampled_from(sorted(LOCALES)),
)
def test_any_number_comes_back_where_the_separator_is_said(value: Decimal, locale: str) -> None:
    point: Any = LOCALES[locale][1]
    assert number(written(value, locale), decimal=point, kind=Decimal) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_as_python_writes_them(value: float) -> None:
    assert number(repr(value), decimal=".") == value


@given(st.text(alphabet="0123456789.,'-− e€k½٣²\u00a0", max_size=30))
def test_any_text_gives_a_number_or_a_value_error(text: str) -> None:
    for kind in (int, float, Decimal):
        try:
            assert isinstance(number(text, kind=kind), kind)  # type: ignore[type-var]
        except ValueError as error:
            assert str(error)
