"""One split for every model: photographs of one shoe share a group and never stand on both sides."""

from __future__ import annotations

import hashlib

FOLDS = 5


def held_out(group: str) -> bool:
    """Whether the group is kept out of training; about one in ten is."""
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10 == 0


def fold(group: str) -> int:
    """Which of FOLDS parts the group belongs to, to cross-validate inside the training split or inside the held-out one."""
    return int(hashlib.sha256(f"fold:{group}".encode()).hexdigest(), 16) % FOLDS
