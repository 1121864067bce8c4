"""Photos under their content hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from dreamkicks.files import sha256, storage, write_atomic

LONGEST_SIDE = 512


def photo_path(folder: Path, digest: str) -> Path:
    """Where the photo of that hash lies. The name comes from nothing but the hash."""
    return folder / "photos" / digest[:2] / f"{digest}.webp"


def keep_photo(folder: Path, picture: Image.Image) -> str:
    """Re-encode a picture, at most LONGEST_SIDE px, and keep it; returns the SHA-256 of the file."""
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=85)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    path = photo_path(folder, digest)
    if not path.exists():
        write_atomic(path, data)
    return digest


def faults(
    folder: Path, digests: list[str], on_progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """What is wrong with the files of photos, by their hash: those that are lost, and those that can't be read and may be whole."""
    lost, closed = {}, {}
    for place, digest in enumerate(digests):
        if on_progress and place % 50 == 0:
            on_progress(place, len(digests))
        path = photo_path(folder, digest)
        try:
            if sha256(path) != digest:
                lost[digest] = f"photo {path.name} is damaged"
        except FileNotFoundError:
            lost[digest] = f"photo {path.name} is missing"
        except OSError as error:
            closed[digest] = f"photo {path.name} can't be read ({error.strerror})"
    return lost, closed


def sweep_photos(folder: Path, named: set[str]) -> None:
    """Delete photos but those of these hashes, and halves that a kill left. Nobody may be writing meanwhile."""
    with storage(folder):
        for path in (folder / "photos").glob("*/*"):
            if path.suffix in (".webp", ".part") and path.stem not in named:
                path.unlink()
