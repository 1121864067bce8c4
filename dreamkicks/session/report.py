"""report.html: dreams, their recipes and what was found, in one file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from dreamkicks import pictures
from dreamkicks.brands.classifier import Verdict
from dreamkicks.catalogue.product import Finding
from dreamkicks.errors import PictureError
from dreamkicks.files import write_atomic
from dreamkicks.session.dream import Dream
from dreamkicks.text import clean

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1a17; --soft: #6f6a62; --line: #ddd6ca; --paper: #fbf9f5; --card: #fff; --pop: #d9471f }
@media (prefers-color-scheme: dark) {
  :root { --ink: #efeae2; --soft: #a29b90; --line: #3a362f; --paper: #171512; --card: #211e1a; --pop: #ff7a4d } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 ui-sans-serif, system-ui, sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.25rem }
h1 { font: 600 2rem/1.1 ui-serif, Georgia, serif; margin: 0 0 2rem }
h2 { font-size: .8rem; letter-spacing: .12em; text-transform: uppercase; color: var(--soft); margin: 2rem 0 .75rem }
section.story { border-top: 1px solid var(--line); padding: 1.5rem 0 2.5rem }
.row { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)) }
figure, article { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden }
figure img, article img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff }
figcaption, article div { padding: .6rem .8rem .8rem; font-size: .9rem; overflow-wrap: anywhere }
small { color: var(--soft); display: block } a { color: var(--pop) } del { color: var(--soft) }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .3rem .8rem; align-items: center; max-width: 34rem }
.bars i { background: var(--pop); height: .6rem; border-radius: .3rem; min-width: 2px }
@media print { body { background: #fff } figure, article { break-inside: avoid } }
"""


@dataclass(frozen=True)
class Story:
    """A dream with what led to it, and what was found for the last of them."""

    dreams: Sequence[tuple[Dream, Image.Image]]
    verdict: Verdict | None = None
    findings: Sequence[Finding] = ()


def write_report(path: Path, title: str, stories: Iterable[Story]) -> None:
    """Write the report. Everything foreign is cleaned and escaped; there is no script in it. Raises StorageError."""
    body = "".join(_story(story) for story in stories)
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style><main><h1>{_text(title)}</h1>{body}</main></html>\n"
    )
    write_atomic(path, page.encode())


def _story(story: Story) -> str:
    parts = ['<section class="story"><h2>The dream</h2><div class="row">']
    parts += [_figure(dream, picture) for dream, picture in story.dreams]
    parts.append("</div>")
    if story.verdict is not None:
        parts.append("<h2>Looks like</h2>" + _bars(story.verdict))
    if story.findings:
        parts.append('<h2>Nearest in the catalogue</h2><div class="row">')
        parts += [_card(finding) for finding in story.findings]
        parts.append("</div>")
    return "".join([*parts, "</section>"])


def _figure(dream: Dream, picture: Image.Image) -> str:
    ignored = "".join(f" <del>{_text(word)}</del>" for word in dream.ignored)
    return (
        f'<figure><img alt="{_text(dream.words)}" src="{_data(pictures.to_png(picture), "png")}"><figcaption>'
        f"{_text(dream.words)}{ignored}<small>{_text(dream.model)}, seed {dream.seed}, {dream.steps} steps, "
        f"{dream.size} px, {dream.seconds:.2f} s</small></figcaption></figure>"
    )


def _bars(verdict: Verdict) -> str:
    if not verdict.is_sneaker:
        return f"<p>No sneaker (probability of one: {verdict.sneaker_probability:.0%}).</p>"
    rows = "".join(
        f'<span>{_text(guess.brand)}</span><i style="width:{max(1, round(guess.probability * 100))}%"></i>'
        f"<span>{guess.probability:.0%}</span>"
        for guess in verdict.brands[:5]
    )
    return f'<div class="bars">{rows}</div>'


def _card(finding: Finding) -> str:
    product = finding.product
    title = _text(product.title)
    if product.url and product.url.startswith(("https://", "http://")):
        title = f'<a rel="noopener noreferrer" href="{escape(product.url, quote=True)}">{title}</a>'
    price = "" if product.price is None else f"{product.price} {_text(product.currency or '')} · "
    try:
        buffer = io.BytesIO()
        pictures.load(product.photo).save(buffer, "WEBP", quality=85)
        image = f'<img alt="" src="{_data(buffer.getvalue(), "webp")}">'
    except PictureError:
        image = ""
    return (
        f"<article>{image}<div>{finding.rank}. {title}<small>{_text(product.brand)} · {price}{_text(product.store)} · "
        f"{finding.score:.2f}</small></div></article>"
    )


def _text(text: str) -> str:
    return escape(clean(text, 500), quote=True)


def _data(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
