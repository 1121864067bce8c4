"""dreamkicks catalog refresh | import | add | stats | report | verify | export | stores"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkicks.cli import output
from dreamkicks.cli.shared import load_settings, open_studio
from dreamkicks.errors import StoreError

if TYPE_CHECKING:
    from dreamkicks.catalogue.refresh import StoreReport
    from dreamkicks.settings import Settings
    from dreamkicks.stores.fetcher import Fetcher
    from dreamkicks.stores.store import Store

app = typer.Typer(help="The products that are searched.", no_args_is_help=True)

_REQUESTS = 6
"""The most that a check asks of one shop."""

_Names = Annotated[list[str] | None, typer.Argument(metavar="STORE", help="Only these; all without.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command()
def refresh(
    context: typer.Context,
    names: _Names = None,
    budget: Annotated[int | None, typer.Option(min=1, help="The most requests of this run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be asked, and ask nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when anything failed.")] = False,
    as_json: _Json = False,
) -> None:
    """Bring in what shops sell today."""
    from dreamkicks.catalogue.refresh import refresh as run
    from dreamkicks.catalogue.refresh import rehearse

    chosen, wrong = _choose(names)
    studio = open_studio(context)
    on_dry_run = functools.partial(_tell_address, as_json) if dry_run else None
    with contextlib.closing(_fetcher(studio.settings, budget=budget, on_dry_run=on_dry_run)) as fetcher:
        if dry_run:
            reports = rehearse(studio.catalogue, chosen, fetcher)
        else:
            _introduce(studio.settings)
            with output.stores() as on_store:
                reports = run(studio.catalogue, studio.encoder, chosen, fetcher, on_store)
    for report in reports:
        if dry_run:
            _tell_trouble(report)
        else:
            _tell(report, as_json)
    if all(report.stopped and not report.listed for report in reports) or (
        strict and (wrong or any(report.stopped or report.failed for report in reports))
    ):
        raise typer.Exit(1)


def _choose(names: list[str] | None) -> tuple[list[Store], bool]:
    """The stores of these names, or all; and whether others could not be used, each of which was told."""
    from dreamkicks import locations
    from dreamkicks.stores.store import stores

    known, wrong = stores()
    for name in names or ():
        if name in wrong:
            raise StoreError(wrong[name])
        if name not in known:
            raise StoreError(
                f"No store is called '{name}'. Choose from: {', '.join(known)}; or add it to {locations.stores_file()}."
            )
    if names:
        return [known[name] for name in dict.fromkeys(names)], False
    for reason in wrong.values():
        output.problem(reason)
    return list(known.values()), bool(wrong)


def _fetcher(settings: Settings, **options: Any) -> Fetcher:
    from dreamkicks import locations
    from dreamkicks.stores.cache import Cache
    from dreamkicks.stores.fetcher import Fetcher

    cache = Cache(locations.shop_cache(), time.time())
    return Fetcher(cache, contact=settings.contact, offline=settings.offline, **options)


def _introduce(settings: Settings) -> None:
    if not settings.contact:
        output.note("Shops see no contact of yours; set DREAMKICKS_CONTACT to an address where they reach you.")


def _tell_address(as_json: bool, url: str, if_changed: bool) -> None:
    if as_json:
        output.json_line({"url": url, "if_changed": if_changed})
    else:
        output.line(f"{url} (if it changed)" if if_changed else url)


def _tell(report: StoreReport, as_json: bool) -> None:
    if as_json:
        output.json_line(report.to_json())
        return
    output.line(
        f"{report.store}: {report.listed} listed, {report.new} new, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.gone} gone, {report.pictures} pictures, {report.requests} requests, {len(report.failed)} failed"
    )
    _tell_trouble(report)


def _tell_trouble(report: StoreReport) -> None:
    for address, reason in report.failed:
        output.note(f"{address}: {reason}")
    if report.stopped:
        output.note(f"{report.store} stopped: {report.stopped}")


@app.command("import")
def import_(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(help="A folder of pictures, a CSV beside its pictures, or a snapshot: a file or an address."),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(help="A table for the folder: file, brand, title, price, currency, url, store, style."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Bring in pictures of your own, or the catalogue of others; what is known already is skipped."""
    from dreamkicks.catalogue.importer import import_products

    studio = open_studio(context)
    with output.progress("importing") as on_progress:
        report = import_products(studio.catalogue, studio.encoder, source, csv, on_progress, studio.settings.offline)
    for name, reason in report.failed:
        output.note(f"{name}: {reason}")
    if as_json:
        failed = [{"file": name, "reason": reason} for name, reason in report.failed]
        output.json_line({**vars(report), "failed": failed})
    else:
        updated = f"{report.updated} updated, " if report.updated else ""
        output.line(
            f"{report.added} added, {updated}{report.skipped} known already, {len(report.failed)} with problems"
        )
    if report.failed and not report.added and not report.updated and not report.skipped:
        raise typer.Exit(1)


@app.command()
def add(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(help="A picture, or - for stdin.")],
    brand: Annotated[str, typer.Option(help="Who makes it.")],
    title: Annotated[str, typer.Option(help="What it is called.")],
    price: Annotated[str | None, typer.Option(help="A number: 129.95.")] = None,
    currency: Annotated[str, typer.Option(help="Of the price.")] = "EUR",
    url: Annotated[str | None, typer.Option(help="Where it is sold.")] = None,
    as_json: _Json = False,
) -> None:
    """Add one product."""
    from dreamkicks.catalogue.importer import parse_price
    from dreamkicks.catalogue.product import Listing, web_address
    from dreamkicks.cli.shared import load_picture

    try:
        amount = None if price is None else parse_price(price)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None
    if not re.fullmatch("[A-Za-z]{3}", currency):
        raise typer.BadParameter(f"'{currency}' is no currency such as EUR.")
    if url is not None and web_address(url) is None:
        raise typer.BadParameter(f"'{url}' is no http or https address.")
    picture = load_picture(photo)
    studio = open_studio(context)
    listing = Listing(brand, title, price=amount, currency=None if amount is None else currency, url=url)
    with studio.catalogue.writing(), output.progress("indexing") as on_progress:
        number = studio.catalogue.keep(picture, listing)
        studio.catalogue.index(studio.encoder, on_progress)
    product = studio.catalogue.product(number)
    if as_json:
        output.json_line(product.to_json())
    else:
        output.line(f"{product.id}: {product.brand} {product.title}")


@app.command()
def stats(as_json: _Json = False) -> None:
    """What is in the catalogue."""
    from dreamkicks.catalogue.catalogue import Catalogue

    found = Catalogue.of_user().stats()
    if as_json:
        output.json_line(vars(found))
        return
    output.line(
        f"{found.products} products, {found.photos} photos, {found.indexed} indexed by {found.encoder}, {found.bytes / 1e6:.1f} MB"
    )
    if found.recall is not None:
        output.line(f"a search finds {found.recall:.0%} of the ten nearest photos")
    for label, counts in (("brands", found.brands), ("stores", found.stores)):
        output.line(f"{label}: {', '.join(f'{name} {count}' for name, count in list(counts.items())[:20])}")
    for currency, (low, high) in found.prices.items():
        output.line(f"prices: {low} to {high} {currency}")


@app.command()
def report(
    out: Annotated[Path, typer.Option("-o", help="The HTML file to write.")] = Path("catalogue.html"),
    as_json: _Json = False,
) -> None:
    """Write a page with plots: brands, prices, pictures, sizes, what is there twice, missing or old."""
    from dataclasses import asdict

    from dreamkicks.catalogue.catalogue import Catalogue
    from dreamkicks.catalogue.report import report_on
    from dreamkicks.catalogue.report_page import write_report

    with output.progress("counting"):
        found = report_on(Catalogue.of_user(), time.time())
    write_report(out, found)
    if as_json:
        output.json_line({"path": str(out), **asdict(found)})
    else:
        output.path_line(str(out))


@app.command()
def verify(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Forget photos that are lost, delete files that are no product's, and index anew."
        ),
    ] = False,
    as_json: _Json = False,
) -> None:
    """Check every file of the catalogue."""
    studio = open_studio(context)
    problems = []
    if repair:
        with studio.catalogue.writing(), output.progress("repairing") as on_progress:
            problems = studio.catalogue.repair(studio.encoder, on_progress)
    with output.progress("checking") as on_progress:
        problems += studio.catalogue.verify(on_progress)
    if as_json:
        output.json_line({"problems": [vars(problem) for problem in problems]})
    elif not problems:
        output.line("The catalogue is in order.")
    for problem in problems:
        output.problem(f"{problem.what}: {problem.advice}")
    if problems:
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="Where to: shoes.parquet, or an address as s3://bucket/shoes.parquet.")],
) -> None:
    """Write a snapshot: all products with their photos and prices in one Parquet file, for catalog import or any other reader."""
    from dreamkicks.catalogue.catalogue import Catalogue
    from dreamkicks.catalogue.importer import export_products

    with output.progress("exporting") as on_progress:
        count = export_products(Catalogue.of_user(), target, on_progress, load_settings(context).offline)
    output.note(f"{count} photos")
    output.path_line(target)


@app.command("stores")
def list_stores(
    context: typer.Context,
    names: _Names = None,
    check: Annotated[bool, typer.Option("--check", help="Ask each shop for a product, in a few requests.")] = False,
    as_json: _Json = False,
) -> None:
    """The shops that a refresh asks: those that ship, and your own. What is wrong with an entry is told."""
    chosen, wrong = _choose(names)
    if check:
        wrong = not _check(load_settings(context), chosen, as_json) or wrong
    else:
        _list(chosen, as_json)
    if wrong:
        raise typer.Exit(1)


def _list(chosen: list[Store], as_json: bool) -> None:
    from dreamkicks import locations
    from dreamkicks.catalogue.catalogue import Catalogue
    from dreamkicks.catalogue.ledger import Ledger

    seen = Ledger(Catalogue.of_user()).refreshed()
    rows: list[list[str]] = []
    for store in chosen:
        products, available, when = seen.get(store.name, (0, 0, None))
        entry: dict[str, Any] = {"products": products, "available": available, "refreshed": when}
        if as_json:
            output.json_line({**store.model_dump(mode="json"), **entry})
        rows.append([store.name, store.kind, store.site, str(products), str(available), when or "never"])
    if not as_json:
        output.table(["store", "kind", "site", "products", "available", "refreshed"], rows)
        output.note(f"Add your own in {locations.stores_file()}.")


def _check(settings: Settings, chosen: list[Store], as_json: bool) -> bool:
    """Tell what each store shows; whether all show something."""
    from dreamkicks.stores.listing import check

    if settings.offline:
        raise StoreError("Offline no shop can be checked. Leave out --offline, or unset DREAMKICKS_OFFLINE.")
    _introduce(settings)
    well = True
    for store in chosen:
        with contextlib.closing(_fetcher(settings, budget=_REQUESTS, attempts=2)) as fetcher:
            found = check(store, fetcher)
        said = found.to_json()
        if as_json:
            output.json_line(said)
        elif said["ok"]:
            price = " ".join(filter(None, (said["price"], said["currency"]))) or "no price"
            output.line(f"{found.store}: ok ({said['title']}, {price})")
        else:
            output.line(f"{found.store}: {found.reason}")
        well = well and said["ok"]
    return well
