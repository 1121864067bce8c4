"""The catalogue's SQLite file: opening, and numbered migrations."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from dreamkicks import files
from dreamkicks.catalogue.vectors import POINTER
from dreamkicks.errors import CatalogueBusy, CatalogueError, CatalogueTooNew, DreamkicksError, StorageError

NAME = "catalogue.db"
HEADER = "catalogue.header"
"""A copy of the database's header as its last user left it. Half of these 100 bytes SQLite doesn't check, nor need."""
_COUNTER, _COUNTED = slice(24, 28), slice(92, 96)
"""Where the header counts its changes (https://www.sqlite.org/fileformat.html), and says at which count it was written."""
_PATIENCE = 250  # times 20 ms
_MIGRATIONS = Path(__file__).with_name("migrations")


def connect(folder: Path) -> sqlite3.Connection:
    """A connection to the folder's database, brought up to date; made when absent.

    Raises CatalogueTooNew when a newer version wrote it, CatalogueError when it is damaged.
    """
    file = folder / NAME
    _check_header(folder)
    try:
        connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
    except sqlite3.DatabaseError as error:
        raise unusable(folder, error) from error
    try:
        connection.row_factory = sqlite3.Row
        _migrate(connection, file)  # first, as the others write: a newer file stays as it is
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise unusable(folder, error) from error
    except CatalogueError:
        connection.close()
        raise
    return connection


def close(connection: sqlite3.Connection, folder: Path) -> None:
    """Close a connection, and note the header that it leaves."""
    connection.close()
    # Without a note, or with an old one, the header is only compared with itself.
    with contextlib.suppress(OSError, StorageError):
        log = folder / f"{NAME}-wal"
        if log.exists() and log.stat().st_size:
            return  # others are at work; the last of them brings its changes into the file
        header = _header(folder)
        if len(header) == 100 and header != _noted(folder):
            files.write_atomic(folder / HEADER, header)


def _check_header(folder: Path) -> None:
    """Raises CatalogueError when the header is not as it was written; whatever else is wrong SQLite notices."""
    for last in (False, False, True):
        header, noted = _header(folder), _noted(folder)
        if len(header) < 100:
            return
        told = header[_COUNTER] == header[_COUNTED]
        # Every change of the header counts, so the same count means the same header.
        if told and (len(noted) != 100 or noted[_COUNTER] != header[_COUNTER] or noted == header):
            return
        if not last:
            time.sleep(0.02)  # it may be written at this very moment
    raise _damaged(
        folder, f"its header is not as it was written (or {HEADER} beside it is another one's: delete that then)"
    )


def _header(folder: Path) -> bytes:
    try:
        with open(folder / NAME, "rb") as file:
            return file.read(100)
    except OSError:  # SQLite says what is wrong with it
        return b""


def _noted(folder: Path) -> bytes:
    try:
        return (folder / HEADER).read_bytes()
    except OSError:
        return b""


def _use_wal(connection: sqlite3.Connection) -> None:
    # Going over to WAL wants the file for itself, and SQLite does not wait for that however long its timeout is.
    for last in (*[False] * _PATIENCE, True):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.02)


def unusable(folder: Path, error: sqlite3.DatabaseError) -> DreamkicksError:
    """What to raise for an error of SQLite: the disk's or another process's fault, or a damaged file."""
    file, code = folder / NAME, getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageError(f"Can't write {file}: the disk is full; free some space and try again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return StorageError(
            f"Can't write {file}: {error}. Check the disk, or choose another folder with DREAMKICKS_HOME."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CatalogueBusy(f"Another program is using {file}. Wait until it is done, then try again.")
    return _damaged(folder, str(error))


def _damaged(folder: Path, reason: str) -> CatalogueError:
    return CatalogueError(
        f"The catalogue's database {folder / NAME} can't be used: {reason}. "
        f"Move the folder {folder} away and import again; the catalogue that ships is copied anew."
    )


def _check_version(connection: sqlite3.Connection, file: Path) -> int:
    version, newest = connection.execute("PRAGMA user_version").fetchone()[0], len(_migrations())
    if version > newest:
        raise CatalogueTooNew(
            f"{file} was written by a newer dreamkicks (schema {version}, this one knows {newest}). Update dreamkicks."
        )
    if version == 0 and (file.parent / POINTER).exists():
        raise _damaged(file.parent, "it is empty, and the vectors beside it are not")
    return int(version)


def _migrations() -> list[Path]:
    return sorted(_MIGRATIONS.glob("*.sql"))


def _migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Apply what PRAGMA user_version says is missing, all of it or nothing."""
    if _check_version(connection, file) == len(_migrations()):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _check_version(connection, file)  # another process may have been quicker
    for number, migration in enumerate(_migrations()[version:], start=version + 1):
        for statement in _statements(migration.read_text(encoding="utf-8")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.commit()


def _statements(script: str) -> Iterator[str]:
    # sqlite3's executescript would commit before it begins.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
