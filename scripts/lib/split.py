"""One split for every model: photographs of one shoe share a group and never stand on both sides."""

from __future__ import annotations

import hashlib


def held_out(group: str) -> bool:
    """Whether the group is kept out of training; about one in ten is."""
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10 == 0


def scales(group: str) -> bool:
    """Whether a held-out group sets the scale of probabilities; the other half of them measures it.

    The encoder has seen all that is not held out, and is surer of that than it should be.
    """
    return held_out(group) and int(hashlib.sha256(f"scale:{group}".encode()).hexdigest(), 16) % 2 == 0
