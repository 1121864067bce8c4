from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from dreamkicks.catalogue import footer


@given(st.binary(max_size=300))
def test_a_footer_of_any_bytes(data: bytes) -> None:
    with pytest.raises(ValueError):
        footer.row_groups(io.BytesIO(b"PAR1" + data + (len(data) + 5).to_bytes(4, "little") + b"PAR1"))
    with contextlib.suppress(ValueError):  # and nothing else
        footer.row_groups(io.BytesIO(data + len(data).to_bytes(4, "little") + b"PAR1"))


def small_footer(groups: list[tuple[int, int]], rows: int) -> io.BytesIO:
    """A file of row groups with so many rows each and a column of so many bytes, all below 64."""

    def number(value: int) -> bytes:
        return bytes([2 * value if value >= 0 else -2 * value - 1])

    data = b"\x15\x04\x19\x0c\x16" + number(rows) + b"\x19" + bytes([len(groups) << 4 | 12])
    for count, column in groups:
        data += b"\x19\x1c\x3c\x45\x00\x36" + number(column) + b"\x00\x00\x26" + number(count) + b"\x00"
    return io.BytesIO(b"PAR1" + data + b"\x00" + (len(data) + 1).to_bytes(4, "little") + b"PAR1")


def test_a_footer_that_claims_less_than_nothing_or_contradicts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [footer.RowGroup(2, 50, False), footer.RowGroup(3, 60, False)]
    assert footer.row_groups(small_footer([(2, 50), (3, 60)], 5)) == expected
    for groups, rows in (([(2, 50), (-2, 50)], 0), ([(2, 50), (3, -50)], 5), ([(2, 50), (3, 60)], 4)):
        with pytest.raises(ValueError, match=r"less than nothing|contradicts itself"):
            footer.row_groups(small_footer(groups, rows))
    endless = b"\x16" + b"\xff" * 100
    with pytest.raises(ValueError, match="a number without an end"):
        footer.row_groups(io.BytesIO(endless + len(endless).to_bytes(4, "little") + b"PAR1"))
    monkeypatch.setattr(footer, "MOST_BYTES", 20)
    with pytest.raises(ValueError, match="no footer"):
        footer.row_groups(small_footer([(2, 50), (3, 60)], 5))


@pytest.mark.parametrize("begin", [b"\x19\xf7", b"\x1b", b"\x18"], ids=["a list of doubles", "a map", "a text"])
def test_a_footer_of_a_few_bytes_that_claims_millions(begin: bytes) -> None:
    data = begin + b"\x80\x80\x80\x04" + b"\x77"  # 8 million: enough to notice, and not to wait for ever
    begun = time.process_time()
    with pytest.raises(ValueError, match="can't be understood"):
        footer.row_groups(io.BytesIO(data + len(data).to_bytes(4, "little") + b"PAR1"))
    assert time.process_time() - begun < 0.1


def test_a_footer_is_understood_as_arrow_does(tmp_path: Path) -> None:
    table = pa.table({"a": list(range(1000)), "b": [["x", None], []] * 500, "c": [{"d": 0.5, "e": b"\0"}] * 1000})
    for options in (
        {"compression": "none", "row_group_size": 300},
        {"compression": {"a": "none", "b": "none", "c.list.element.d": "zstd"}, "row_group_size": 40},
        {"compression": "snappy", "store_schema": False, "write_page_index": True},
    ):
        parquet.write_table(table, tmp_path / "x.parquet", **options)
        told = parquet.read_metadata(tmp_path / "x.parquet")
        expected = []
        for group in map(told.row_group, range(told.num_row_groups)):
            columns = [group.column(index) for index in range(group.num_columns)]
            packed = any(column.compression != "UNCOMPRESSED" for column in columns)
            size = sum(column.total_compressed_size for column in columns)
            expected.append(footer.RowGroup(group.num_rows, size, packed))
        with open(tmp_path / "x.parquet", "rb") as file:
            assert footer.row_groups(file) == expected
