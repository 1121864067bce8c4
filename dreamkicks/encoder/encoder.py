"""Pictures and words to unit vectors in one space, by any CLIP that open_clip loads."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dreamkicks import device as devices
from dreamkicks import locations
from dreamkicks.errors import EncoderError
from dreamkicks.files import CHECKSUMS, is_file, sha256, verify_checksums
from dreamkicks.text import reason

BUILTIN = "builtin"
# Small is both lighter and quicker: on one thread of a CPU a picture takes 28 ms and the process 961 MB at most; with 32 in a batch 33 ms
# and 1,154 MB.
_BATCH = 8
# Larger pictures shrink before they are padded: the square around a strip of 40 million pixels would fill the memory.
_LONGEST_SIDE = 2048


class Encoder:
    """A CLIP. `identity` tells whether two vectors can be compared: they can when it is equal."""

    def __init__(self, name: str, identity: str, model_name: str, pretrained: str | None, device: str) -> None:
        import open_clip
        import torch

        self.name = name
        self.identity = identity
        self._device = devices.choose(device).name
        try:
            self._model, self._prepare = open_clip.create_model_from_pretrained(
                model_name, pretrained=pretrained, device=self._device, cache_dir=str(locations.models())
            )
            # open_clip's tokenizers pad as the model's config says: SigLIP's to the full length, with its own padding id.
            self._tokenize = open_clip.get_tokenizer(model_name, cache_dir=str(locations.models()))
        except Exception as error:  # what open_clip, safetensors and tokenizers raise on odd files has no common base
            raise EncoderError(
                f"The encoder '{name}' can't be loaded: {reason(error)}. "
                "Check its name and your connection, or use --encoder builtin."
            ) from error
        self._model.eval()
        with torch.inference_mode():
            self.dim = int(self._model.encode_text(self._tokenize(["sneaker"]).to(self._device)).shape[-1])

    def pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB pictures to (n, dim) float32 rows of length one.

        The mean of the picture and its mirror image: shoes that look left and right are the same shoe.
        """
        import torch

        rows = []
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                batch = torch.stack([self._prepare(_square(image)) for image in images[start : start + _BATCH]]).to(
                    self._device
                )
                seen = self._model.encode_image(batch, normalize=True) + self._model.encode_image(
                    batch.flip(-1), normalize=True
                )
                rows.append(seen.float().cpu().numpy())
        return _unit(np.concatenate(rows)) if rows else np.zeros((0, self.dim), np.float32)

    def words(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to (n, dim) float32 rows of length one."""
        import torch

        if not texts:
            return np.zeros((0, self.dim), np.float32)
        with torch.inference_mode():
            said = self._model.encode_text(self._tokenize(list(texts)).to(self._device))
        return _unit(said.float().cpu().numpy())


def _square(image: Image.Image) -> Image.Image:
    # Padding keeps the whole shoe; the models' own centre crop would cut the toe off.
    side = max(image.size)
    if image.size == (side, side):
        return image
    if side > _LONGEST_SIDE:
        image = image.copy()
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
        side = max(image.size)
    sheet = Image.new("RGB", (side, side), "white")
    sheet.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return sheet


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


_opening = threading.Lock()


def open_encoder(name: str = BUILTIN, device: str = "auto") -> Encoder:
    """The encoder of that name; opened once in a process.

    `builtin`, a folder in open_clip's layout, `model/pretrained` as open_clip lists them (ViT-B-32/laion2b_s34b_b79k), or
    `hf-hub:owner/name` (hf-hub:Marqo/marqo-fashionSigLIP). Those of the hub are downloaded when they are first used.
    Raises WeightsError, EncoderError, and PainterError for a device that is not here.
    """
    with _opening:
        return _open(name, device)


@functools.cache
def _open(name: str, device: str) -> Encoder:
    if name == BUILTIN:
        folder = locations.weights() / "encoder"
        verify_checksums(folder)
        print_of = hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()[:12]
        return Encoder(name, f"{name}-{print_of}", f"local-dir:{folder}", None, device)
    if is_file(Path(name) / "open_clip_config.json"):
        folder = Path(name).resolve()
        return Encoder(name, f"folder-{_print_of(folder)}", f"local-dir:{folder}", None, device)
    if name.startswith("hf-hub:"):
        return Encoder(name, name, name, None, device)
    model, _, pretrained = name.partition("/")
    if not pretrained:
        raise EncoderError(
            f"'{name}' names no encoder. Use builtin, a folder, model/pretrained such as ViT-B-32/laion2b_s34b_b79k, "
            "or hf-hub:owner/name."
        )
    return Encoder(name, name, model, pretrained, device)


def _print_of(folder: Path) -> str:
    """What an encoder's folder holds, in twelve characters: other weights, another tokenizer or another config differ."""
    digest = hashlib.sha256()
    try:
        for path in sorted(folder.glob("*")):
            if path.is_file() and path.suffix != ".md":
                digest.update(f"{path.name} {sha256(path)}\n".encode())
    except OSError as error:
        raise EncoderError(
            f"The encoder's folder {folder} can't be read: {error.strerror}. Check its rights."
        ) from error
    return digest.hexdigest()[:12]
