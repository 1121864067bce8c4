"""report.html: dreams, their recipes and what was found, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from dreamkicks import pictures
from dreamkicks.brands.classifier import Verdict
from dreamkicks.catalogue.product import Finding
from dreamkicks.page import Bar, bars, image, photo, text, write_page
from dreamkicks.session.dream import Dream
from dreamkicks.text import counted

REPORT = "report.html"


@dataclass(frozen=True)
class Story:
    """A dream with what led to it, and what was found for the last of them."""

    dreams: Sequence[tuple[Dream, Image.Image]]
    verdict: Verdict | None = None
    findings: Sequence[Finding] = ()


def write_report(path: Path, title: str, stories: Iterable[Story]) -> None:
    """Write the report. Everything foreign is cleaned and escaped; there is no script in it. Raises StorageError."""
    write_page(path, title, "".join(_story(story) for story in stories))


def _story(story: Story) -> str:
    parts = ['<section><h2>The dream</h2><div class="row">']
    parts += [_figure(dream, picture) for dream, picture in story.dreams]
    parts.append("</div>")
    if story.verdict is not None:
        parts.append("<h2>Looks like</h2>" + _verdict(story.verdict))
    if story.findings:
        parts.append('<h2>Nearest in the catalogue</h2><div class="row">')
        parts += [_card(finding) for finding in story.findings]
        parts.append("</div>")
    return "".join([*parts, "</section>"])


def _figure(dream: Dream, picture: Image.Image) -> str:
    ignored = "".join(f" <del>{text(word)}</del>" for word in dream.ignored)
    return (
        f"<figure>{image(pictures.to_png(picture), 'png', dream.words)}<figcaption>"
        f"{text(dream.words)}{ignored}<small>{text(dream.model)}, seed {dream.seed}, {counted(dream.steps, 'step')}, "
        f"{dream.size} px, {dream.seconds:.2f} s</small></figcaption></figure>"
    )


def _verdict(verdict: Verdict) -> str:
    if not verdict.is_sneaker:
        return f"<p>No sneaker (probability of one: {verdict.sneaker_probability:.0%}).</p>"
    return bars(Bar(guess.brand, guess.probability, f"{guess.probability:.0%}") for guess in verdict.brands[:5])


def _card(finding: Finding) -> str:
    product = finding.product
    title = text(product.title)
    if product.url and product.url.startswith(("https://", "http://")):
        title = f'<a rel="noopener noreferrer" href="{escape(product.url, quote=True)}">{title}</a>'
    also = "".join(f"<br>also at {text(offer.asked)}" for offer in finding.also)
    return (
        f"<article>{photo(product.photo)}<div>{finding.rank}. {title}<small>{text(product.brand)} · {text(product.asked)} · "
        f"{finding.score:.2f}{also}</small></div></article>"
    )
