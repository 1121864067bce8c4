"""Files at addresses that fsspec knows: s3://bucket/shoes.parquet, memory://, file:// and whatever else is installed."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dreamkicks import files
from dreamkicks.catalogue.catalogue import OnProgress
from dreamkicks.errors import Cancelled, DreamkicksError, StorageError
from dreamkicks.text import clean, reason

_MOST_BYTES = 100_000_000_000
_PIECE = 4_000_000
_NEAR = ("file", "local", "memory")


def is_address(name: str) -> bool:
    """Whether that means an address and no path; a drive's letter is none, and s3:/bucket is one with a slip."""
    return "://" in name or re.match(r"[A-Za-z][\w+.-]+:/", name) is not None


@contextlib.contextmanager
def fetched(address: str, folder: Path, offline: bool, on_progress: OnProgress | None) -> Iterator[IO[bytes]]:
    """A copy of the file at an address, in a file without a name in `folder`. Progress is in MB.

    Raises StorageError when it can't be had or is over 100 GB; Cancelled.
    """
    system, path = _locate(address, offline)
    with _nameless(folder) as here:
        with _reaching(address, "read"):
            size = system.info(path).get("size") or 0
            with system.open(path, "rb") as there:
                for piece in _pieces(there, size, on_progress):
                    with files.storage(folder):
                        here.write(piece)
                        here.flush()
        yield here


@contextlib.contextmanager
def delivered(address: str, folder: Path, offline: bool, on_progress: OnProgress | None) -> Iterator[IO[bytes]]:
    """A file without a name in `folder` to write into; it goes to an address when all went well. Progress is in MB.

    It arrives under another name and is then moved, so that nobody reads half of it; where that can't be, it is written in place.
    Raises StorageError when it can't be delivered; Cancelled.
    """
    system, path = _locate(address, offline)
    with _nameless(folder) as here:
        with files.storage(folder):
            yield here
            size = here.seek(0, os.SEEK_END)

        def send(place: str) -> None:
            here.seek(0)
            with system.open(place, "wb") as there:
                for piece in _pieces(here, size, on_progress):
                    there.write(piece)

        with _reaching(address, "written"):
            if system.isdir(path):
                raise IsADirectoryError("that is a folder; name a file in it")
            parent, slash, _ = path.rpartition("/")
            beside = f"{parent}{slash}.{secrets.token_hex(8)}.part"
            try:
                send(beside)
                try:
                    system.mv(beside, path)
                except Exception:  # some can't move, or may not
                    send(path)
            finally:
                with contextlib.suppress(Exception):
                    if system.exists(beside):
                        system.rm(beside)


def _locate(address: str, offline: bool) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    import fsspec

    protocol, separator, rest = address.partition("://")
    if not separator or not rest or rest.endswith("/") or "::" in address:
        raise StorageError(f"{_shown(address)} names no file. Write an address as s3://bucket/shoes.parquet.")
    if offline and protocol not in _NEAR:
        raise StorageError(
            f"{_shown(address)} can't be reached: the program is set to stay offline. Unset DREAMKICKS_OFFLINE, or leave out "
            "--offline."
        )
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        raise StorageError(
            f"Addresses of the kind '{clean(protocol, 30)}' are not known. Write one as s3://bucket/shoes.parquet."
        ) from None
    except ImportError as error:
        raise StorageError(
            f"Addresses of the kind '{protocol}' need a package that is not installed: {clean(str(error))}. "
            "For s3 install s3fs."
        ) from error
    with _reaching(address, "used"):
        return fsspec.url_to_fs(address)


@contextlib.contextmanager
def _reaching(address: str, done: str) -> Iterator[None]:
    """Turn whatever a file system raises, each its own, into a StorageError."""
    try:
        yield
    except (DreamkicksError, Cancelled):
        raise
    except FileNotFoundError as error:
        raise StorageError(f"{_shown(address)} does not exist. Check the address.") from error
    except Exception as error:
        raise StorageError(
            f"{_shown(address)} can't be {done}: {reason(error)}. Check the address, what you may do there and the network."
        ) from error


def _nameless(folder: Path) -> IO[bytes]:
    with files.storage(folder):
        return tempfile.TemporaryFile(dir=folder)


def _pieces(source: IO[bytes], size: int, on_progress: OnProgress | None) -> Iterator[bytes]:
    done = 0
    while piece := source.read(_PIECE):
        done += len(piece)
        if done > _MOST_BYTES:
            raise StorageError(f"It is over {_MOST_BYTES // 1_000_000_000} GB, which no snapshot is.")
        yield piece
        if on_progress:
            on_progress(done // 1_000_000, max(done, size) // 1_000_000)


def _shown(address: str) -> str:
    """An address without the password that some carry."""
    return clean(re.sub(r"//[^/]*@", "//", address), 500)
