"""What shops answered last: bodies with their validators, so that what is unchanged is not sent again, and where each run is.

It holds nothing that can't be asked again: a cache that is damaged, or of another version, is begun anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamkicks.errors import StorageError
from dreamkicks.files import storage

_VERSION = 1
_SCHEMA = (
    "CREATE TABLE answer (url TEXT PRIMARY KEY, etag TEXT, modified TEXT, body BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE run (store TEXT PRIMARY KEY, started REAL NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {_VERSION}",
)
_KEEP = 60 * 86_400
_RESUME = 86_400


@dataclass(frozen=True)
class Entry:
    """A kept body; `at` is when the shop last said that it is so, in seconds of the epoch."""

    etag: str | None
    modified: str | None
    body: bytes
    at: float

    @property
    def validators(self) -> dict[str, str]:
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        # httpx takes none but ASCII back.
        return {name: value for name, value in headers.items() if value and value.isascii()}


class Cache:
    """One SQLite file; any thread may use it. Every method raises StorageError when the file can't be used."""

    def __init__(self, file: Path, now: float) -> None:
        """Open the file and drop what nobody asked for in 60 days."""
        self._file = file
        self._guard = threading.Lock()
        with _using(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _open(file, now)
            except _Useless:
                for suffix in ("", "-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
                self._connection = _open(file, now)

    def get(self, url: str) -> Entry | None:
        rows = self._ask("SELECT etag, modified, body, at FROM answer WHERE url = ?", url)
        try:
            return next((Entry(etag, modified, zlib.decompress(body), at) for etag, modified, body, at in rows), None)
        except zlib.error:
            return None

    def put(self, url: str, entry: Entry) -> None:
        row = (url, entry.etag, entry.modified, zlib.compress(entry.body), entry.at)
        self._ask("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", *row)

    def confirm(self, url: str, at: float) -> None:
        """The shop said that the kept body still holds."""
        self._ask("UPDATE answer SET at = ? WHERE url = ?", at, url)

    def begun(self, store: str, now: float) -> float | None:
        """When the store's unfinished run began; None when there is none, or it is over a day old."""
        rows = self._ask("SELECT started FROM run WHERE store = ?", store)
        return next((started for (started,) in rows if now - _RESUME < started <= now), None)

    def begin(self, store: str, now: float) -> float:
        """Go on with the store's unfinished run, or begin one; returns when it began."""
        started = self.begun(store, now) or now
        self._ask("INSERT OR REPLACE INTO run VALUES (?, ?)", store, started)
        return started

    def finish(self, store: str) -> None:
        self._ask("DELETE FROM run WHERE store = ?", store)

    def close(self) -> None:
        with self._guard:
            self._connection.close()

    def _ask(self, query: str, *values: object) -> list[Any]:
        with _using(self._file), self._guard:
            return self._connection.execute(query, values).fetchall()


class _Useless(sqlite3.DatabaseError):
    """The file is damaged, or of another version."""


def _open(file: Path, now: float) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")  # of two processes that find no file, the second waits for the first
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise _Useless("a cache of another version")
            for statement in () if version else _SCHEMA:
                connection.execute(statement)
            connection.execute("DELETE FROM answer WHERE at < ?", (now - _KEEP,))
        # Another process that is at work stands in the way of WAL; without it all goes on, a little slower.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        connection.close()
        if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _Useless(str(error)) from error
        raise
    return connection


def _code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextlib.contextmanager
def _using(file: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into a StorageError that says what to do."""
    try:
        with storage(file):
            yield
    except sqlite3.DatabaseError as error:
        advice = {
            sqlite3.SQLITE_FULL: "free some space and try again",
            sqlite3.SQLITE_BUSY: "wait until the other program that uses it is done, then try again",
        }.get(_code(error), "check the disk, or delete the file: it holds nothing that can't be asked again")
        raise StorageError(f"Can't use {file}: {error}; {advice}.") from error
