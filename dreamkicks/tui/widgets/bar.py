"""A bar of cells that is filled by a share; half cells count."""

from __future__ import annotations

from textual.content import Content


def bar(share: float, width: int) -> Content:
    """`width` cells, of which the share 0..1 is filled."""
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return Content.assemble((filled, "$primary"), ("─" * (width - len(filled)), "$line"))
