"""One split for every model: photographs of one shoe share a group and never stand on both sides."""

from __future__ import annotations

import hashlib


def held_out(group: str) -> bool:
    """Whether the group is kept out of training; about one in ten is."""
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10 == 0
