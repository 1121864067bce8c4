from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dreamkicks.errors import CatalogueBusy, StorageError, WeightsError
from dreamkicks.files import CHECKSUMS, lock, replacing, verify_checksums, write_atomic, write_checksums

OLD, NEW = b"old" * 1000, b"new" * 100_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a"
    write_atomic(path, OLD)
    write_atomic(path, NEW)
    assert path.read_bytes() == NEW
    assert names(path.parent) == ["a"]


def test_the_longest_name_that_the_disk_takes(tmp_path: Path) -> None:
    path = tmp_path / ("鞋" * 85)  # 255 bytes
    write_atomic(path, NEW)
    assert path.read_bytes() == NEW


def test_what_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, OLD)
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(NEW)
        file.flush()
        raise KeyboardInterrupt
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
def test_a_link_stays_and_so_do_a_file_s_rights(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "a"
    write_atomic(path, OLD)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "to nothing").symlink_to(tmp_path / "new" / "b")
    for name in ("link", "to nothing"):
        write_atomic(tmp_path / name, NEW)
    assert path.read_bytes() == (tmp_path / "new" / "b").read_bytes() == NEW
    assert (tmp_path / "link").readlink() == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (names(path.parent), names(tmp_path)) == (["a"], ["elsewhere", "link", "new", "to nothing"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with a name")
def test_a_pipe_and_a_device_are_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(pipe, OLD)
    assert os.read(reader, 2 * len(OLD)) == OLD
    os.close(reader)
    assert pipe.is_fifo() and names(tmp_path) == ["pipe"]
    (tmp_path / "null").symlink_to(os.devnull)  # not the device itself: as root the mistake would replace it
    write_atomic(tmp_path / "null", NEW)
    assert Path(os.devnull).is_char_device() and (tmp_path / "null").is_symlink()
    script = "from pathlib import Path; from dreamkicks.files import write_atomic; write_atomic(Path('/dev/stdout'), b'told')"
    if Path("/dev/stdout").exists():
        assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout == b"told"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A limit on the size of files fails inside write(2) itself, after part of the data was taken, as a full disk does."""
    path = tmp_path / "a"
    write_atomic(path, OLD)
    script = f"""
        import resource, signal
        from pathlib import Path
        from dreamkicks.errors import StorageError
        from dreamkicks.files import write_atomic
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            write_atomic(Path({str(path)!r}), b"new" * 100_000)
        except StorageError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout == f"Can't write {path}: files there may not grow that large; choose another folder.\n"
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_atomic(path, OLD)

    def full(descriptor: int) -> None:
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"x")  # the kernel's own ENOSPC

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        write_atomic(path, NEW)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("path", ["/proc/dreamkicks/a", "/sys/a"])
def test_a_folder_that_takes_no_files(path: str) -> None:
    if not Path(path).parents[-2].is_dir():
        pytest.skip("needs Linux's kernel file systems")
    with pytest.raises(StorageError, match="choose another"):
        write_atomic(Path(path), NEW)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    for path in (tmp_path / "file" / "a", tmp_path / "file" / "deeper" / "a"):
        with pytest.raises(StorageError, match="a part of that path is a file"):
            write_atomic(path, NEW)
    with pytest.raises(StorageError, match="that is a folder"):
        write_atomic(tmp_path, NEW)
    with pytest.raises(StorageError, match="name is too long"):
        write_atomic(tmp_path / ("x" * 300), NEW)
    assert (tmp_path / "file").read_bytes() == OLD


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="may not write there"):
        write_atomic(tmp_path / "a", NEW)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path, busy = tmp_path / "new" / "lock", CatalogueBusy("busy")
    with lock(path, busy):
        script = (
            "from pathlib import Path; from dreamkicks.files import lock; import sys\n"
            f"try:\n  with lock(Path({str(path)!r}), RuntimeError('busy')): print('mine')\n"
            "except RuntimeError as error: print(error)"
        )
        ask = [sys.executable, "-c", script]
        assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "busy\n"
        with pytest.raises(CatalogueBusy), lock(path, busy):
            pass
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "mine\n"
    with lock(path, busy):
        pass


def test_a_lock_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), lock(tmp_path / "file" / "lock", CatalogueBusy("busy")):
        pass


def test_checksums_name_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.bin").write_bytes(OLD)
    (tmp_path / "inner" / "b.bin").write_bytes(NEW)
    write_checksums(tmp_path)
    assert len((tmp_path / CHECKSUMS).read_text().splitlines()) == 2
    verify_checksums(tmp_path)

    for place in (0, len(NEW) // 2, len(NEW) - 1):
        damaged = bytearray(NEW)
        damaged[place] ^= 1
        (tmp_path / "inner" / "b.bin").write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"inner/b\.bin is damaged"):
            verify_checksums(tmp_path)
    (tmp_path / "inner" / "b.bin").unlink()
    with pytest.raises(WeightsError, match=r"inner/b\.bin is missing"):
        verify_checksums(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"nonsense\n", None])
def test_checksums_that_can_t_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / CHECKSUMS).write_bytes(content)
    with pytest.raises(WeightsError, match="Install dreamkicks again"):
        verify_checksums(tmp_path)


def test_an_unknown_trouble_keeps_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StorageError, match="Input/output error"):
        write_atomic(tmp_path / "a", NEW)
    assert names(tmp_path) == []
