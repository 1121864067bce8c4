"""The one door for pictures: whatever comes in leaves as a plain RGB image, or as an error that says why."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from dreamkicks.errors import PictureError
from dreamkicks.text import clean

MOST_BYTES = 50_000_000
MOST_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
RECIPE = "dreamkicks"
_LONGEST_NAME = 500


def load(source: Path | bytes | BinaryIO, name: str | None = None) -> Image.Image:
    """Any picture as RGB: turned as its EXIF says, transparency on white, the first frame, 8 bits a channel.

    `name` is what errors call the picture; a path names itself.
    Raises PictureError when it is missing, empty, no picture, truncated, over MOST_BYTES or over MOST_PIXELS.
    """
    name = clean(name or (str(source) if isinstance(source, Path) else "the picture"), _LONGEST_NAME)
    data = _read(source, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd pictures; they are refused or mended here
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise PictureError(f"{name} unpacks to far too many pixels. Shrink it first.") from None
        except Exception as error:
            # Decoders raise whatever they like on hostile bytes: struct.error, IndexError, OverflowError ...
            raise PictureError(f"{name} is not a picture that can be read ({', '.join(FORMATS)}).") from error
        if image.width * image.height > MOST_PIXELS:
            raise PictureError(
                f"{name} has {image.width} x {image.height} pixels; {MOST_PIXELS // 1_000_000} million is the most. "
                "Shrink it first."
            )
        try:
            image.seek(0)
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
        except Exception as error:
            raise PictureError(f"{name} is damaged or cut short. Save or download it again.") from error


def _read(source: Path | bytes | BinaryIO, name: str) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            if isinstance(source, Path):
                if source.is_dir():
                    raise PictureError(f"{name} is a folder. Name a picture in it.")
                with open(source, "rb") as file:
                    data = file.read(MOST_BYTES + 1)
            else:
                data = source.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise PictureError(f"{name} does not exist. Check the path.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PictureError(f"{name} can't be read: {reason}. Check the path.") from error
    if not data:
        raise PictureError(f"{name} is empty. Save or download it again.")
    if len(data) > MOST_BYTES:
        raise PictureError(f"{name} is over {MOST_BYTES // 1_000_000} MB. Shrink it first.")
    return data


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow clips 16-bit and float pictures to 8 bits; scale by their own range instead, in place: 40 million pixels are 160 MB.
        levels = np.nan_to_num(np.array(image, np.float32), copy=False)
        brightest = 65535 if image.mode.startswith("I;16") else levels.max(initial=0)
        top = 65535 if brightest > 255 else 255 if brightest > 1 else 1
        np.clip(levels, 0, top, out=levels)
        levels *= 255
        levels /= top
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """The whole picture inside a white square of `size` pixels."""
    return ImageOps.pad(image, (size, size), Image.Resampling.LANCZOS, color="white")


def to_png(image: Image.Image, recipe: dict[str, Any] | None = None) -> bytes:
    """PNG bytes, with the recipe as JSON in a text chunk."""
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_itxt(RECIPE, json.dumps(recipe, ensure_ascii=False))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def recipe_of(path: Path) -> dict[str, Any] | None:
    """The recipe that a PNG of ours carries; None for any other picture."""
    data = _read(path, clean(str(path), _LONGEST_NAME))
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.load()  # text chunks may follow the pixels
            recipe = json.loads(image.info.get(RECIPE, "null"))
    except Exception:  # any picture without a readable recipe is simply one without a recipe
        return None
    return recipe if isinstance(recipe, dict) else None


def digest(image: Image.Image) -> str:
    """SHA-256 of the pixels and their size: equal for the same picture in two files."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.convert("RGB").tobytes()).hexdigest()
