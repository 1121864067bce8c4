"""All that a refresh leaves in a catalogue, as one value to compare."""

from __future__ import annotations

from dreamkicks.catalogue.catalogue import Catalogue

_QUERIES = {
    "product": "SELECT store, key, brand, title, price, currency, url, available, style, sizes FROM product",
    "photo": "SELECT store, key, source, hash, address, rank() OVER (PARTITION BY product ORDER BY photo.id) "
    "FROM photo JOIN product ON product.id = photo.product",
    "price": "SELECT store, key, price.price, price.currency, rank() OVER (PARTITION BY product ORDER BY price.rowid) "
    "FROM price JOIN product ON product.id = price.product",
    "listing": "SELECT store, key, stamp, fingerprint FROM listing",
}


def ledger_of(catalogue: Catalogue) -> dict[str, list[tuple[object, ...]]]:
    """The tables apart from ids and times, each sorted."""
    with catalogue.transaction() as base:
        return {name: sorted(map(tuple, base.execute(query)), key=repr) for name, query in _QUERIES.items()}
