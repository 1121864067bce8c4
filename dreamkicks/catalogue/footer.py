"""A look at a Parquet file's footer before Arrow sees the file: as much of Thrift's compact protocol as that takes.

Arrow tells of codecs and sizes as well, but some footers that contradict themselves end the whole process when it is asked to.
Field numbers are those of the Parquet format's parquet.thrift.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO, Any

MOST_BYTES = 8_000_000
"""Of the footer; that of a snapshot of 50 GB."""


@dataclass(frozen=True)
class RowGroup:
    rows: int
    size: int
    """Bytes that its columns take in the file."""
    compressed: bool


def row_groups(file: IO[bytes]) -> list[RowGroup]:
    """What the footer says of a file's row groups. Raises ValueError when it has no footer, or one that can't be understood."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    end = file.read()
    length = int.from_bytes(end[:4], "little")
    if end[4:] != b"PAR1" or not 0 < length <= min(size - 8, MOST_BYTES):
        raise ValueError("no footer")
    file.seek(size - 8 - length)
    try:
        footer = _Thrift(file.read(length)).struct()
        groups, rows = [_group(group) for group in footer[4]], footer[3]
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError("a footer that can't be understood") from error
    if sum(group.rows for group in groups) != rows:
        raise ValueError("a footer that contradicts itself")
    return groups


def _group(fields: dict[int, Any]) -> RowGroup:
    columns = [column[3] for column in fields[1]]
    sizes, rows = [int(column[7]) for column in columns], int(fields[3])
    if rows < 0 or min(sizes) < 0:
        raise ValueError("less than nothing")
    return RowGroup(rows, sum(sizes), compressed=any(column[4] != 0 for column in columns))


class _Thrift:
    """Reads on from where it is; every element takes a byte at least, so no list in it is longer than what is left of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = head & 15 == 1 if head & 15 in (1, 2) else self._value(head & 15)
        return fields

    def _value(self, kind: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._varint())
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._varint()
                return [self._value(head & 15) for _ in range(count)]
            case 11:
                count = self._varint()
                kinds = self._byte() if count else 0
                return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]
            case 12:
                return self.struct()
        raise ValueError("no such type")

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _varint(self) -> int:
        number, shift = 0, 0
        while (byte := self._byte()) & 128:
            number, shift = number | (byte & 127) << shift, shift + 7
            if shift > 63:
                raise ValueError("a number without an end")
        return number | byte << shift

    def _zigzag(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def _skip(self, count: int) -> None:
        self._place += count
        if self._place > len(self._data):
            raise IndexError("beyond its end")
