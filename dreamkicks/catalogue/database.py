"""The catalogue's SQLite file: opening, and numbered migrations."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dreamkicks.errors import CatalogueError, CatalogueTooNew

NAME = "catalogue.db"
_MIGRATIONS = Path(__file__).with_name("migrations")


def connect(folder: Path) -> sqlite3.Connection:
    """A connection to the folder's database, brought up to date; made when absent.

    Raises CatalogueTooNew when a newer version wrote it, CatalogueError when it is damaged.
    """
    file = folder / NAME
    try:
        connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, file)
    except sqlite3.DatabaseError as error:
        raise damaged(folder, error) from error
    return connection


def damaged(folder: Path, error: Exception) -> CatalogueError:
    return CatalogueError(
        f"The catalogue's database {folder / NAME} can't be used: {error}. "
        f"Move the folder {folder} away and import again; the catalogue that ships is copied anew."
    )


def _migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Apply what PRAGMA user_version says is missing, each migration in one transaction."""
    migrations = sorted(_MIGRATIONS.glob("*.sql"))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise CatalogueTooNew(f"{file} was written by a newer dreamkicks (schema {version}, this one knows {len(migrations)}). Update dreamkicks.")
    for number, migration in enumerate(migrations[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {migration.read_text(encoding='utf-8')}; PRAGMA user_version = {number}; COMMIT;"
        )
