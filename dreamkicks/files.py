"""Writing files so that nobody ever reads half of one, one writer at a time, and checksums of what ships."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from dreamkicks.errors import StorageError, WeightsError

CHECKSUMS = "SHA256SUMS"


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "the disk is full; free some space and try again",
            errno.EDQUOT: "your share of the disk is full; free some space and try again",
            errno.EROFS: "the folder is read-only; choose another with -o or DREAMKICKS_HOME",
            errno.EACCES: "you may not write there; choose another folder with -o or DREAMKICKS_HOME",
            errno.ENOTDIR: "a part of that path is a file; choose another folder",
            errno.EEXIST: "a part of that path is a file; choose another folder",
            errno.ENOENT: "that folder can't be made; choose another with -o or DREAMKICKS_HOME",
            errno.EFBIG: "files there may not grow that large; choose another folder",
            errno.EISDIR: "that is a folder; name a file in it",
            errno.ENAMETOOLONG: "that name is too long; choose a shorter one",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"Can't write {path}: {advice}.") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into; it takes the place of `path` when all went well.

    Written beside, fsynced, renamed: a reader sees the old file or the new one, a crash leaves the old one. A link stays, and so
    does who may read the file. A pipe or a device is written into as it is.
    Raises StorageError.
    """
    with storage(path):
        if path.exists() and not path.is_file():  # a file in the place of /dev/null would be everybody's trouble
            with open(path, "wb") as there:
                yield there
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with open(beside, "w+b") as file:
                with contextlib.suppress(FileNotFoundError):  # there was no file before
                    shutil.copymode(target, beside)
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            with contextlib.suppress(OSError):  # there is none where none could be made
                beside.unlink(missing_ok=True)
        fsync_folder(target.parent)


def write_atomic(path: Path, data: bytes | bytearray) -> None:
    """Write a whole file as `replacing` does. Raises StorageError."""
    with replacing(path) as file:
        file.write(data)


def fsync_folder(folder: Path) -> None:
    """Make renames in a folder durable; a no-op where folders can't be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(path: Path, busy: Exception) -> Iterator[None]:
    """Hold the lock file `path`; raise `busy` at once when another process holds it."""
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = FileLock(path)
        try:
            guard.acquire(timeout=0)
        except Timeout:
            raise busy from None
    try:
        yield
    finally:
        guard.release()


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS (sha256sum's format) over every file below `folder`."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (CHECKSUMS, "MODEL_CARD.md"))
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_atomic(folder / CHECKSUMS, "".join(lines).encode())


def verify_checksums(folder: Path) -> None:
    """Compare every file with SHA256SUMS.

    Raises WeightsError naming the first file that is missing or damaged.
    """
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{folder / CHECKSUMS} can't be read. Install dreamkicks again.") from error
    if not lines:
        raise WeightsError(f"{folder / CHECKSUMS} is empty. Install dreamkicks again.")
    for line in lines:
        expected, _, name = line.partition("  ")
        try:
            intact = sha256(folder / name) == expected
        except OSError as error:
            raise WeightsError(f"{folder / name} is missing. Install dreamkicks again.") from error
        if not intact:
            raise WeightsError(f"{folder / name} is damaged (its SHA-256 differs). Install dreamkicks again.")


def is_file(path: Path) -> bool:
    """Whether a file is there. Path's own way raises where a name is too long or a folder is closed."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there, told in the same way."""
    try:
        return path.is_dir()
    except OSError:
        return False


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder and those below it."""
    size = 0
    for inner, _, names in os.walk(folder):  # unlike rglob it puts up with folders that a writer clears away meanwhile
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (Path(inner) / name).stat().st_size
    return size
