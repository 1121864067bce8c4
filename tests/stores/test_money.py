from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkicks.stores.money import lowest, price_of


@pytest.mark.parametrize(
    ("said", "amount", "currency"),
    [
        ("€ 1.299,95", "1299.95", "EUR"),
        ("1.299,95 €", "1299.95", "EUR"),
        ("129.95", "129.95", "USD"),
        (129.5, "129.50", "USD"),
        (99, "99.00", "USD"),
        (62.991, "62.99", "USD"),
        ("Rs. 12,999", "12999.00", "INR"),
        ("₹12,999.00", "12999.00", "INR"),
        ("CHF 1'299.95", "1299.95", "CHF"),
        ("£1 299", "1299.00", "GBP"),
        ("12999.00 INR", "12999.00", "INR"),
        ("C$ 30", "30.00", "CAD"),
        ("$129", "129.00", "USD"),
        ("129,95 - 149,95", "129.95", "USD"),
        ("NEW 99", "99.00", "USD"),
        ("\x1b[31m€ 5", "5.00", "EUR"),
    ],
)
def test_prices_as_shops_write_them(said: object, amount: str, currency: str) -> None:
    assert price_of(said, "usd") == (Decimal(amount), currency)


@pytest.mark.parametrize(
    "said", ["0", 0, 0.001, -5, "-5", "free", "", "NaN", float("inf"), 1e30, True, None, [1], "99999999999999"]
)
def test_no_price(said: object) -> None:
    assert price_of(said, "EUR") == (None, None)


@given(
    st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none()), st.one_of(st.none(), st.text(max_size=5))
)
def test_any_input_gives_a_price_in_range_or_none(said: object, currency: str | None) -> None:
    amount, code = price_of(said, currency)
    assert amount is None or Decimal(0) <= amount <= 10_000_000
    assert code is None or (len(code) == 3 and code.isupper())


def test_lowest() -> None:
    assert lowest([(None, None), (Decimal(20), "EUR"), (Decimal(10), "EUR")]) == (Decimal(10), "EUR")
    assert lowest([(None, None)]) == (None, None)
