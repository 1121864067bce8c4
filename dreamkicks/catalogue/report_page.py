"""catalogue.html: the numbers of report.py, drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from dreamkicks.catalogue.report import EDGES, Counts, Prices, Report, Shared
from dreamkicks.page import Bar, bars, photo, text, write_page
from dreamkicks.text import counted, named

_TICKS = 4
_MISSING = {
    "brand": "brand",
    "price": "price",
    "url": "link",
    "picture": "picture",
    "sizes": "sizes",
    "style": "style code",
}
_VIEWS = {
    "shoe": "a sneaker",
    "worn": "a sneaker on a foot",
    "other": "no sneaker",
    "unknown": "not looked at yet",
}
_SEEN = {
    "day": "within a day",
    "week": "a week",
    "month": "a month",
    "older": "longer ago",
    "never": "never",
}


def write_report(path: Path, report: Report) -> None:
    """Write the report as one page without script. Everything foreign is cleaned and escaped. Raises StorageError."""
    write_page(path, "What is in the catalogue", "".join(_sections(report)))


def _sections(report: Report) -> Iterator[str]:
    total = report.total
    yield _tiles(report)
    if not total.products:
        yield "<p>The catalogue is empty. Run dreamkicks catalog refresh or dreamkicks catalog import to fill it.</p>"
        return
    yield _section("Brands", _brands(report))
    yield _section(
        "Prices by store and currency",
        _prices(report.prices),
        "Of every product, gone ones too. A quarter of the products, half of them, three quarters cost no more than the columns "
        "25%, 50% and 75% say. The bars are equally wide on a logarithmic scale, the same for all stores of a currency."
        + _more(report.prices_in_all - len(report.prices), "price list"),
        "No product has a price.",
    )
    most = max(report.pictures.values())
    pictures = [
        Bar(number.replace("+", " or more"), count / most, _of(count, total.products))
        for number, count in report.pictures.items()
    ]
    yield _section("Pictures a product", bars(pictures))
    views = [
        Bar(_VIEWS[view], count / report.photos, _of(count, report.photos))
        for view, count in report.views.items()
        if count
    ]
    yield _section(
        "What the pictures show",
        bars(views) if views else "",
        "As the built-in model sees them. It finds three in four sneakers on feet; of others on a street or a floor it takes one in "
        "nine for such. A sole from below it does not know.",
        "No product has a picture.",
    )
    yield _section(
        "Sizes",
        _sizes(report),
        "How many products are made in a size, and of how many of them that size can be bought (the full part of the bar)."
        + _more(report.sizes_in_all - len(report.sizes), "size"),
        "No product says its sizes.",
    )
    yield _section(
        "One photo, several products",
        _shared(report.shared),
        f"{counted(report.shared.photos, 'photo')} of {counted(report.shared.products, 'product')}, equal to the pixel. Between stores "
        f"it is often the maker's own; within one store ({counted(report.shared.within_a_store, 'photo')}) it is a double entry or a "
        "stand-in." + _more(report.shared.photos - len(report.shared.most), "photo"),
        "Every photo is of one product only.",
    )
    lacking = [(name, counts.missing, counts.products) for name, counts in _shelves(report)]
    yield _section(
        "Missing fields",
        _shares("products", _MISSING, lacking),
        "Products without, by store." + _more(report.stores_in_all - len(report.stores), "store"),
    )
    available = [(name, counts.seen, counts.available) for name, counts in _shelves(report)]
    yield _section(
        "How fresh",
        _shares("available", _SEEN, available),
        "When what is available was last looked at in its shop, by store; never, if a person brought it in.",
    )
    gone = [(name, counts.last_seen, counts.gone) for name, counts in _shelves(report)]
    yield _section(
        "Gone",
        _shares("gone", _SEEN, gone) if total.gone else "",
        "When what can't be bought was last seen in its shop, by store.",
        "Everything can be bought.",
    )


def _tiles(report: Report) -> str:
    total = report.total
    tiles = [
        (named(total.products, "product"), total.products),
        ("available", total.available),
        ("gone", total.gone),
        (named(report.photos, "photo"), report.photos),
        (named(report.brands_in_all, "brand"), report.brands_in_all),
        (named(report.stores_in_all, "store"), report.stores_in_all),
        (f"{named(report.joined.shoes, 'shoe')} at several stores", report.joined.shoes),
    ]
    inner = "".join(f"<article><div><b>{count:,}</b>{name}</div></article>" for name, count in tiles)
    return f'<div class="row tiles">{inner}</div>'


def _brands(report: Report) -> str:
    most, total = max(report.brands.values()), report.total.products
    rows = [Bar(brand, count / most, _of(count, total)) for brand, count in report.brands.items()]
    others, rest = report.brands_in_all - len(report.brands), total - sum(report.brands.values())
    return bars(rows) + (f"<p>{counted(others, 'more brand')}: {_of(rest, total)}.</p>" if others else "")


def _prices(told: Sequence[Prices]) -> str:
    """One table: currency by currency, the quartiles and the histogram of each store."""
    currencies = sorted({prices.currency or "" for prices in told}, key=lambda code: (not code, code))
    rows = "".join(
        _currency(code, [prices for prices in told if (prices.currency or "") == code]) for code in currencies
    )
    return f'<div class="sheet"><table>{rows}</table></div>' if rows else ""


def _currency(code: str, stores: Sequence[Prices]) -> str:
    reached = {Decimal(edge) for prices in stores for edge in prices.histogram}
    edges = [edge for edge in EDGES if min(reached) <= edge <= max(reached)]
    every = math.ceil(len(edges) / _TICKS)
    ticks = "".join(f"<b>{'' if place % every else f'{edge:,}'}</b>" for place, edge in enumerate(edges))
    names = "".join(f"<th>{name}</th>" for name in ("products", "lowest", "25%", "50%", "75%", "highest"))
    rows = f'<tr><th>{text(code) or "no currency"}</th>{names}<th><div class="histogram axis">{ticks}</div></th></tr>'
    for prices in stores:
        most = max(prices.histogram.values())
        columns = "".join(_column(edge, prices.histogram.get(str(edge), 0), most) for edge in edges)
        numbers = "".join(f"<td>{number:,}</td>" for number in (prices.products, *map(Decimal, prices.quartiles)))
        rows += f'<tr><td>{text(prices.store)}</td>{numbers}<td><div class="histogram">{columns}</div></td></tr>'
    return rows


def _column(edge: Decimal, count: int, most: int) -> str:
    return f'<i style="height:{count / most:.0%}" title="from {edge:,}: {count:,}"></i>' if count else "<i></i>"


def _sizes(report: Report) -> str:
    if not report.sizes:
        return ""
    most = max(size.products for size in report.sizes)
    return bars(
        Bar(
            size.label,
            size.products / most,
            f"{size.products:,} ({size.available:,} to be bought)",
            size.available / size.products,
        )
        for size in sorted(report.sizes, key=lambda size: _order(size.label))
    )


def _order(label: str) -> tuple[str, list[float], str]:
    """EU 9 before EU 42, EU 42 before EU 42 2/3, and all of them before UK 3."""
    return (
        re.split(r"\d", label, maxsplit=1)[0],
        [float(number) for number in re.findall(r"\d+(?:\.\d+)?", label)],
        label,
    )


def _shared(shared: Shared) -> str:
    cards = "".join(
        f"<article>{photo(Path(one.photo))}<div>{counted(one.products, 'product')}, {counted(one.stores, 'store')}"
        f"<small>{'<br>'.join(text(title) for title in one.titles)}"
        f"{'<br>…' if one.products > len(one.titles) else ''}</small></div></article>"
        for one in shared.most
    )
    return f'<div class="row">{cards}</div>' if cards else ""


def _shelves(report: Report) -> list[tuple[str, Counts]]:
    return [*report.stores.items(), *([("all", report.total)] if report.stores_in_all > 1 else [])]


def _shares(counted: str, names: dict[str, str], rows: Sequence[tuple[str, dict[str, int], int]]) -> str:
    """A table of stores: how many are `counted`, and parts of them, shaded by their share."""
    head = "".join(f"<th>{name}</th>" for name in (counted, *names.values()))
    body = ""
    for store, counts, total in rows:
        cells = "".join(
            f'<td style="--share:{100 * counts[name] / max(1, total):.0f}%">{counts[name]:,}</td>' for name in names
        )
        body += f"<tr><td>{text(store)}</td><td>{total:,}</td>{cells}</tr>"
    return f'<div class="sheet"><table><tr><th>store</th>{head}</tr>{body}</table></div>'


def _section(title: str, content: str, explained: str = "", nothing: str = "") -> str:
    said = explained if content else nothing
    return f"<section><h2>{title}</h2>{f'<p>{said}</p>' if said else ''}{content}</section>"


def _of(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})"


def _more(count: int, thing: str) -> str:
    return f" Not shown: {counted(count, f'more {thing}')}." if count else ""
