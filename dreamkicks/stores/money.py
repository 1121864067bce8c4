"""Prices as shops write them, to a decimal and an ISO 4217 code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from price_parser.parser import Price

from dreamkicks.text import clean

_LEAST, _MOST = Decimal("0.01"), Decimal(10_000_000)
_PLAIN = re.compile(r"\d{1,12}(\.\d{1,2})?")
# Signs that mean one currency only. "$" and "kr" do not; the shop's own currency decides there.
_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "rs": "INR",
    "rs.": "INR",
    "₩": "KRW",
    "zł": "PLN",
    "kč": "CZK",
    "us$": "USD",
    "hk$": "HKD",
    "c$": "CAD",
    "a$": "AUD",
}


def price_of(said: object, currency: str | None = None) -> tuple[Decimal | None, str | None]:
    """A price and its currency: price_of("€ 1.299,95") is (Decimal("1299.95"), "EUR"); (None, None) when there is none.

    `currency` is what the shop says beside the price or of itself; a code or an unmistakable sign in the text goes before it.
    A price of zero is a missing price; of a range, the lower end is taken.
    """
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return None, None
    amount, sign = _written(said) if isinstance(said, str) else (Decimal(str(said)), None)
    if not amount.is_finite() or not _LEAST <= amount <= _MOST:
        return None, None
    return amount.quantize(_LEAST), _iso(sign) or _iso(currency)


def _written(said: str) -> tuple[Decimal, str | None]:
    """What a text has of a number, and the sign of a currency beside it."""
    text = clean(said, 60)
    if _PLAIN.fullmatch(text):
        return Decimal(text), None
    if text.startswith(("-", "−")) or "e+" in text:
        return Decimal(0), None
    parsed = Price.fromstring(text)
    return parsed.amount or Decimal(0), parsed.currency


def lowest(prices: Iterable[tuple[Decimal | None, str | None]]) -> tuple[Decimal | None, str | None]:
    """The lowest of several prices; (None, None) when none is one."""
    known = [(amount, code) for amount, code in prices if amount is not None]
    return min(known, key=lambda found: found[0]) if known else (None, None)


def _iso(currency: str | None) -> str | None:
    code = (currency or "").strip()
    return code.upper() if re.fullmatch(r"[A-Za-z]{3}", code) else _SIGNS.get(code.lower())
