"""The one look of the HTML pages that the program writes: one file each that needs nothing else and runs nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from dreamkicks import pictures
from dreamkicks.errors import PictureError
from dreamkicks.files import write_atomic
from dreamkicks.text import clean

# Dark is for screens: on paper a page is light whatever the machine prefers.
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1a17; --soft: #6f6a62; --line: #ddd6ca; --paper: #fbf9f5; --card: #fff; --pop: #d9471f;
  --tint: #f5cfc2 }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #efeae2; --soft: #a29b90; --line: #3a362f; --paper: #171512; --card: #211e1a; --pop: #ff7a4d; --tint: #63301f } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 ui-sans-serif, system-ui, sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.25rem }
h1 { font: 600 2rem/1.1 ui-serif, Georgia, serif; margin: 0 0 2rem }
h2 { font-size: .8rem; letter-spacing: .12em; text-transform: uppercase; color: var(--soft); margin: 2rem 0 .75rem }
section { border-top: 1px solid var(--line); padding: 1.5rem 0 2.5rem }
.row { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)) }
.tiles { margin-bottom: 2rem; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)) }
figure, article { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden }
figure img, article img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff }
figcaption, article div { padding: .6rem .8rem .8rem; font-size: .9rem; overflow-wrap: anywhere }
article b { display: block; font: 600 1.6rem/1.2 ui-serif, Georgia, serif }
small { color: var(--soft); display: block } a { color: var(--pop) } del { color: var(--soft) }
.bars { display: grid; grid-template-columns: fit-content(16rem) 1fr max-content; gap: .3rem .8rem; align-items: center; max-width: 34rem }
.bars span { overflow-wrap: anywhere }
.bars i { background: linear-gradient(90deg, var(--pop) var(--full, 100%), var(--tint) 0) }
.bars i { height: .6rem; border-radius: .3rem; min-width: 2px }
.sheet { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }
th { text-align: right; font-weight: 500; color: var(--soft) } td { text-align: right }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; min-width: 7rem }
td[style] { background: linear-gradient(90deg, var(--tint) var(--share), transparent 0) padding-box; border-left: 3px solid transparent }
.histogram { display: flex; align-items: end; gap: 1px; height: 3rem; width: 17rem; margin-left: auto }
.histogram i { flex: 1; background: var(--pop) } .histogram i[style] { min-height: 2px }
.histogram.axis { height: auto }
.histogram b { flex: 1; width: 0; white-space: nowrap; font-size: .75rem; font-weight: 400; text-align: left }
i, td { -webkit-print-color-adjust: exact; print-color-adjust: exact }
@page { margin: 12mm }
@media print {
  :root { font-size: 11px } body { background: #fff } main { max-width: none; padding: 0 } .sheet { overflow: visible }
  figure, article, tr { break-inside: avoid } h2, h2 + p { break-after: avoid } }
"""


def write_page(path: Path, title: str, body: str) -> None:
    """Write a page whose body is HTML already; `title` is foreign text. Raises StorageError."""
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{text(title)}</title><style>{_STYLE}</style><main><h1>{text(title)}</h1>{body}</main></html>\n"
    )
    write_atomic(path, page.encode())


def text(foreign: str) -> str:
    """Foreign text, cleaned and escaped: for between tags and within quotes."""
    return escape(clean(foreign, 500), quote=True)


@dataclass(frozen=True)
class Bar:
    """What it stands for, its length from 0 to 1, what is written after it, and how much of it, from 0 to 1, is full."""

    label: str
    length: float
    note: str
    full: float = 1


def bars(rows: Iterable[Bar]) -> str:
    """Horizontal bars, one below the other; there is none where the length is 0."""
    return f'<div class="bars">{"".join(map(_bar, rows))}</div>'


def _bar(row: Bar) -> str:
    full = f";--full:{row.full:.0%}" if row.full < 1 else ""
    drawn = f'<i style="width:{row.length:.1%}{full}"></i>' if row.length else "<span></span>"
    return f"<span>{text(row.label)}</span>{drawn}<span>{text(row.note)}</span>"


def image(data: bytes, kind: str, alt: str = "") -> str:
    """A picture file as a part of the page; `kind` as in image/png."""
    return f'<img alt="{text(alt)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def photo(path: Path) -> str:
    """A photo of the catalogue as a part of the page; nothing when it can't be read."""
    buffer = io.BytesIO()
    try:
        pictures.load(path).save(buffer, "WEBP", quality=85)
    except PictureError:
        return ""
    return image(buffer.getvalue(), "webp")
