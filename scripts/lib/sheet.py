"""Contact sheets: many pictures at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

CELL = 128


def sheet(rows: Sequence[Sequence[Image.Image]], titles: Sequence[str] = ()) -> Image.Image:
    """Pictures in rows, shrunk to CELL px, with a line of words above each column where titles are given."""
    head = 18 if titles else 0
    paper = Image.new("RGB", (CELL * len(rows[0]), CELL * len(rows) + head), "white")
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    for column, title in enumerate(titles):
        pen.text((CELL * (column + 0.5), 4), title, fill="black", font=font, anchor="mt")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            small = picture.resize((CELL, CELL), Image.Resampling.LANCZOS)
            paper.paste(small, (CELL * column, CELL * row + head))
    return paper
