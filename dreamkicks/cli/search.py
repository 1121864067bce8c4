"""dreamkicks search"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import load_picture, open_studio


def search(
    context: typer.Context,
    image: Annotated[str | None, typer.Argument(help="A picture, or - for stdin.")] = None,
    text: Annotated[str | None, typer.Option(help="Words to search for; together with a picture, both count.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many results.")] = 10,
    brand: Annotated[str | None, typer.Option(help="Only this brand.")] = None,
    store: Annotated[str | None, typer.Option(help="Only this store.")] = None,
    max_price: Annotated[
        str | None,
        typer.Option(
            help="Nothing dearer, and nothing without a price: 129.95. Numbers are compared, whatever their currency; name one "
            "with --currency."
        ),
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Only offers in this currency: EUR.")] = None,
    available: Annotated[bool, typer.Option("--available", help="Only what can be bought now.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
) -> None:
    """Find the products nearest to a picture or to words."""
    if image is None and text is None:
        raise typer.BadParameter("There is nothing to search for: give a picture or --text.")
    from dreamkicks.catalogue.importer import parse_price
    from dreamkicks.catalogue.product import Filters

    try:
        most = None if max_price is None else parse_price(max_price)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None
    studio = open_studio(context)
    picture = None if image is None else load_picture(image)
    studio.catalogue.check_filters(filters := Filters(brand, store, most, currency, available))
    with output.progress("indexing") as on_progress:
        found = studio.search(picture, text, k, filters, on_progress)
    if as_json:
        for finding in found:
            output.json_line(finding.to_json())
    elif found:
        output.findings(found)
    if not found:
        output.note("Nothing fits. Loosen the filters, or fill the catalogue: dreamkicks catalog import FOLDER")
