"""The tree of dreams as lines, the way version control draws it: a chain of edits stays in one column, branches step right."""

from __future__ import annotations

from collections.abc import Iterable

from dreamkicks.session.dream import Dream


def lineage(dreams: Iterable[Dream]) -> list[tuple[str, Dream]]:
    """Every dream once, parents before children, with what is drawn in front of it."""
    known = {dream.id: dream for dream in dreams}
    children: dict[int | None, list[Dream]] = {}
    for dream in known.values():
        children.setdefault(dream.parent if dream.parent in known else None, []).append(dream)
    rows = []
    stack = [("", "", dream) for dream in reversed(children.get(None, []))]
    while stack:
        lead, below, dream = stack.pop()
        rows.append((lead, dream))
        after = children.get(dream.id, [])
        if len(after) == 1:
            stack.append((below, below, after[0]))
        else:
            last = len(after) - 1
            branches = [
                (f"{below}{'└─' if place == last else '├─'}", f"{below}{'  ' if place == last else '│ '}", child)
                for place, child in enumerate(after)
            ]
            stack.extend(reversed(branches))
    return rows
