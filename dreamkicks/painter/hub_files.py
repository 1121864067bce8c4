"""The files of hub models: finding them on this machine, downloading and deleting them.

Safetensors only: other weights can run code when they are read.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from dreamkicks import locations
from dreamkicks.errors import ModelMissing, PainterError
from dreamkicks.files import size_of, storage
from dreamkicks.painter.presets import Preset, find_preset
from dreamkicks.text import reason

LEFT_OUT = ("safety_checker", "feature_extractor")
"""Components that painting does without; the second only serves the first."""
_WITHOUT_WEIGHTS = ("Scheduler", "Tokenizer", "TokenizerFast", "Processor", "FeatureExtractor")
_POLL = 0.1  # seconds between two reports of progress
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOTDIR)


def hub_preset(name: str) -> Preset:
    """The hub preset of that name. Raises UnknownPreset, or PainterError for one that needs no download."""
    preset = find_preset(name)
    if preset.is_folder or not preset.repo:
        raise PainterError(f"'{name}' is on this machine already and does not come from the hub. Choose a hub preset.")
    return preset


def local_folder(preset: Preset) -> Path:
    """Where a preset's model lies: in our cache, else in the Hugging Face cache of this user. Never opens a connection.

    Raises ModelMissing.
    """
    found = [folder for cache in _caches() if (folder := _snapshot(preset, cache)) is not None]
    for folder in found:
        if lacking(folder) is None:
            return folder
    where = "only partly" if found else "not"
    raise ModelMissing(
        f"The model of preset '{preset.name}' is {where} on this machine ({preset.download:g} GB, licence: {preset.licence}). "
        f"Get it with: dreamkicks models pull {preset.name}"
    )


def size_on_disk(preset: Preset) -> int | None:
    """Bytes of a preset's model; None when it is not here, or not all of it."""
    try:
        folder = local_folder(preset)
    except ModelMissing:
        return None
    return size_of(folder)


def bytes_kept(preset: Preset) -> int:
    """Bytes that our cache holds of a preset's model, whole or left of an interrupted pull."""
    return size_of(_kept(preset) / "blobs")


def remove(preset: Preset) -> int:
    """Delete a preset's model, or what is left of an interrupted pull, from our cache; the bytes that this freed.

    Raises PainterError when it only lies in the Hugging Face cache, StorageError when it can't be deleted.
    """
    from huggingface_hub import scan_cache_dir

    cache, folder = locations.models(), _kept(preset)
    if not folder.exists():
        if size_on_disk(preset) is not None:
            raise PainterError(
                f"The model of '{preset.name}' lies in the Hugging Face cache ({local_folder(preset)}), which other programs "
                f"use too. Delete it there with: hf cache rm model/{preset.repo}"
            )
        return 0
    before = _bytes(cache)
    with storage(folder):
        scanned = scan_cache_dir(cache)
        revisions = [
            r.commit_hash for repo in scanned.repos if repo.repo_path == folder.resolve() for r in repo.revisions
        ]
        # The strategy knows which blobs other models share with this one; what an interrupted pull left, it does not know.
        scanned.delete_revisions(*revisions).execute()
        if folder.exists():
            shutil.rmtree(folder)
    return before - _bytes(cache)


def pull(preset: Preset, on_progress: Callable[[int, int], None] | None = None, offline: bool = False) -> Path:
    """Download a preset's model into our cache, or what is missing of it; the folder it lies in.

    Args:
        on_progress: told (bytes here, bytes in all) on the calling thread; what it raises stops the download.
        offline: refuse, as the setting says.

    Raises PainterError (offline, no connection, no access, not safetensors), StorageError (the disk).
    """
    from huggingface_hub import constants, logging, snapshot_download

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its warnings would go to the terminal beside our one line
    if offline or constants.is_offline_mode():
        raise PainterError(
            f"'{preset.name}' can't be pulled: offline is set. Take the setting or HF_HUB_OFFLINE back first."
        )
    meter = _Meter()
    bars: Any = meter.bar
    allowed, ignored = _patterns(preset.variant)

    def download() -> str:
        return snapshot_download(
            preset.repo,
            revision=preset.revision,
            cache_dir=locations.models(),
            allow_patterns=allowed,
            ignore_patterns=ignored,
            tqdm_class=bars,
        )

    with ThreadPoolExecutor(1) as executor:
        job = executor.submit(download)
        try:
            while not wait([job], timeout=_POLL).done:
                if on_progress is not None:
                    on_progress(*meter.read())
        except BaseException:
            meter.stopped = True
            raise
    with storage(locations.models()), _network(preset):
        folder = Path(job.result())
    if on_progress is not None:
        on_progress(*meter.read())
    part = lacking(folder)
    if part is not None:
        raise PainterError(
            f"The hub has no safetensors of {preset.repo}'s {part} (variant: {preset.variant}). Choose another preset."
        )
    return folder


def lacking(folder: Path) -> str | None:
    """The first component of a model in diffusers' layout whose files are not all here; None for a whole model."""
    try:
        entries = dict(json.loads((folder / "model_index.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return "model_index.json"
    for name, entry in entries.items():
        if name in LEFT_OUT or name.startswith("_") or not isinstance(entry, list) or entry[-1] is None:
            continue
        part = folder / name
        if not any(path.is_file() for path in part.glob("*.json")):
            return name
        if not str(entry[-1]).endswith(_WITHOUT_WEIGHTS) and not _weights(part):
            return name
    return None


def variant_of(folder: Path, wanted: str | None) -> str | None:
    """The variant to load: the wanted one where it is there, the plain weights where they are, else the one there is."""
    parts = [_weights(part) for part in folder.iterdir() if part.is_dir() and part.name not in LEFT_OUT]
    if any(wanted in tags for tags in parts):
        return wanted
    return next((sorted(tags - {None})[0] for tags in parts if tags and None not in tags), None)  # type: ignore[type-var]


def _weights(part: Path) -> set[str | None]:
    """The variants (None: the plain one) of which a component has all safetensors."""
    found: set[str | None] = set()
    for path in part.glob("*.safetensors"):
        if "-of-" not in path.name and path.is_file():
            found.add(path.stem.partition(".")[2] or None)
    # Of a large model: diffusion_pytorch_model.safetensors.index.json, or ...index.fp16.json, names all shards.
    for path in part.glob("*.safetensors.index*.json"):
        with contextlib.suppress(ValueError, KeyError, AttributeError, OSError):
            shards = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
            if all((part / shard).is_file() for shard in shards):
                found.add(path.stem.partition(".index")[2].lstrip(".") or None)
    return found


def _patterns(variant: str | None) -> tuple[list[str], list[str]]:
    """What to download and what to leave: components live in folders, a single-file checkpoint beside them is a copy."""
    weights = f"*/*.{variant}*.safetensors" if variant else "*/*.safetensors"
    allowed = ["model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.jinja", weights]
    ignored = [f"{part}/*" for part in LEFT_OUT] + ["*non_ema*"] + ([] if variant else ["*/*.*.safetensors"])
    return allowed, ignored


def _caches() -> Iterator[Path]:
    from huggingface_hub import constants

    yield locations.models()
    yield Path(constants.HF_HUB_CACHE)


def _kept(preset: Preset) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return locations.models() / repo_folder_name(repo_id=preset.repo, repo_type="model")


def _snapshot(preset: Preset, cache: Path) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(preset.repo, "model_index.json", cache_dir=cache, revision=preset.revision)
    return Path(index).parent if isinstance(index, str) else None


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@contextlib.contextmanager
def _network(preset: Preset) -> Iterator[None]:
    """Turn the hub's errors into PainterErrors that say what to do; a disk's errors pass."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError as error:  # the hub says the same of a gated model and of none at all
        raise PainterError(
            f"The hub gives no access to {preset.repo}. Accept its licence on its page there, then log in with: hf auth login"
        ) from error
    except Exception as error:  # httpx's, the hub's and xet's, which share no base
        if getattr(error, "errno", None) in _DISK:
            raise
        raise PainterError(
            f"The download of {preset.repo} failed ({reason(error)}). Check the connection and pull again; "
            "what has arrived is kept."
        ) from error


class _Meter:
    """Counts the bytes of a download through the progress bars that huggingface_hub makes, and can stop it."""

    def __init__(self) -> None:
        self.stopped = False
        self._bars: list[Any] = []

    def read(self) -> tuple[int, int]:
        """Bytes here, bytes in all (0 while unknown). One bar counts what arrives, one what is written: the fuller one."""
        bars = [bar for bar in self._bars if bar.unit == "B"]
        done, total = max((bar.n for bar in bars), default=0), max((bar.total or 0 for bar in bars), default=0)
        return min(done, total), total

    def bar(self, *_: object, total: int | None = None, initial: int = 0, unit: str = "it", **__: object) -> Any:
        """Stands in for the class of the bars."""
        bar = _Bar(self, total, initial, unit)
        self._bars.append(bar)
        return bar


class _Bar:
    """What huggingface_hub uses of a tqdm bar, without drawing one."""

    format_dict: dict[str, Any] = {}  # noqa: RUF012 - read for its "rate", which an empty one lacks

    def __init__(self, meter: _Meter, total: int | None, initial: int, unit: str) -> None:
        self._meter, self.total, self.n, self.unit = meter, total, initial, unit

    def update(self, n: float | None = 1) -> None:
        self.n += int(n or 0)
        if self._meter.stopped:
            raise InterruptedError("the download was stopped")  # on a thread of the download, which ends with it

    def refresh(self, *_: object, **__: object) -> None: ...

    close = set_description = set_description_str = set_postfix_str = refresh

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None: ...
