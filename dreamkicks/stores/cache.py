"""What shops answered last: bodies with their validators, so that what is unchanged is not sent again, and where each run is.

It holds nothing that can't be asked again: a cache that is damaged, or of another version, is begun anew.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

from dreamkicks.files import storage

_VERSION = 1
_SCHEMA = """
CREATE TABLE answer (url TEXT PRIMARY KEY, etag TEXT, modified TEXT, body BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE run (store TEXT PRIMARY KEY, started REAL NOT NULL) WITHOUT ROWID;
"""
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
        return {name: value for name, value in headers.items() if value}


class Cache:
    """One SQLite file; any thread may use it."""

    def __init__(self, file: Path, now: float) -> None:
        """Open the file and drop what nobody asked for in 60 days. Raises StorageError."""
        self._guard = threading.Lock()
        with storage(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _open(file)
        except sqlite3.DatabaseError:
            with storage(file):
                for suffix in ("", "-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
            self._connection = _open(file)
        self._connection.execute("DELETE FROM answer WHERE at < ?", (now - _KEEP,))

    def get(self, url: str) -> Entry | None:
        with self._guard:
            row = self._connection.execute(
                "SELECT etag, modified, body, at FROM answer WHERE url = ?", (url,)
            ).fetchone()
        try:
            return Entry(row[0], row[1], zlib.decompress(row[2]), row[3]) if row else None
        except zlib.error:
            return None

    def put(self, url: str, entry: Entry) -> None:
        row = (url, entry.etag, entry.modified, zlib.compress(entry.body), entry.at)
        with self._guard:
            self._connection.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", row)

    def confirm(self, url: str, at: float) -> None:
        """The shop said that the kept body still holds."""
        with self._guard:
            self._connection.execute("UPDATE answer SET at = ? WHERE url = ?", (at, url))

    def begun(self, store: str, now: float) -> float | None:
        """When the store's unfinished run began; None when there is none, or it is over a day old."""
        with self._guard:
            row = self._connection.execute("SELECT started FROM run WHERE store = ?", (store,)).fetchone()
        return row[0] if row and now - _RESUME < row[0] <= now else None

    def begin(self, store: str, now: float) -> float:
        """Go on with the store's unfinished run, or begin one; returns when it began."""
        started = self.begun(store, now) or now
        with self._guard:
            self._connection.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (store, started))
        return started

    def finish(self, store: str) -> None:
        with self._guard:
            self._connection.execute("DELETE FROM run WHERE store = ?", (store,))

    def close(self) -> None:
        with self._guard:
            self._connection.close()


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
    elif version != _VERSION:
        connection.close()
        raise sqlite3.DatabaseError("a cache of another version")
    return connection
