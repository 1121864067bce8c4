from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkicks.catalogue import vectors
from dreamkicks.catalogue.vectors import POINTER, VectorsDamaged, current, load, save


def unit(count: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def keys_of(count: int, seed: int = 1) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(10**6, count, replace=False)).astype(np.int64)


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_what_is_saved_is_loaded(tmp_path: Path, count: int) -> None:
    keys, rows = keys_of(count), unit(count)
    save(tmp_path, "clip-1", keys, rows)
    loaded = load(tmp_path)
    assert loaded is not None
    assert (loaded.generation, loaded.encoder, loaded.rows.shape) == (1, "clip-1", (count, 16))
    np.testing.assert_array_equal(loaded.keys, keys)
    np.testing.assert_array_equal(loaded.rows, rows)


def test_keys_need_no_order(tmp_path: Path) -> None:
    rows = unit(3)
    save(tmp_path, "clip-1", np.array([30, 10, 20]), rows)
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.keys.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(loaded.rows, rows[[1, 2, 0]])


def test_nothing_there_yet(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    assert load(tmp_path) is None
    assert load(tmp_path / "missing") is None


@settings(max_examples=40)
@given(st.data())
def test_search_is_exact(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 60))
    keys, rows = keys_of(count, data.draw(st.integers(0, 99))), unit(count, seed=data.draw(st.integers(0, 99)))
    folder = tmp_path_factory.mktemp("vectors")
    save(folder, "clip-1", keys, rows)
    loaded = load(folder)
    assert loaded is not None
    query, wanted = unit(1, seed=5)[0], data.draw(st.integers(1, 80))
    allowed = data.draw(st.none() | st.lists(st.sampled_from([*keys.tolist(), 10**7]), unique=True))
    scores = {
        int(key): float(row @ query) for key, row in zip(keys, rows, strict=True) if allowed is None or key in allowed
    }
    expected = sorted(scores, key=lambda key: -scores[key])[:wanted]
    found = loaded.search(query, wanted, None if allowed is None else np.array(allowed, np.int64))
    assert [key for key, _ in found] == expected
    np.testing.assert_allclose([score for _, score in found], [scores[key] for key in expected], atol=1e-5)


def test_a_large_catalogue_is_searched_by_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_BELOW", 500)
    keys, rows = keys_of(800), unit(800)
    save(tmp_path, "clip-1", keys, rows)
    loaded = load(tmp_path)
    assert loaded is not None and loaded.recall is not None and 0.9 < loaded.recall <= 1
    agreed, own = 0, 0
    for place in range(0, 800, 40):
        found = loaded.search(rows[place], 10, None)
        own += found[0][0] == keys[place] and found[0][1] == pytest.approx(1, abs=1e-5)
        exact = loaded.search(rows[place], 10, keys)  # narrowed searches are always exact
        agreed += len({key for key, _ in found} & {key for key, _ in exact})
    # A graph may miss; built by several threads it is another one each time.
    assert own >= 19 and agreed >= 180
    save(tmp_path, "clip-1", keys[:100], rows[:100])
    few = load(tmp_path)
    assert few is not None and few.recall is None


def test_the_generation_before_stays(tmp_path: Path) -> None:
    for number in range(1, 6):
        save(tmp_path, "clip-1", keys_of(5), unit(5, seed=number))
        pointer = current(tmp_path)
        assert pointer is not None and pointer[0] == number
    assert sorted(path.name for path in (tmp_path / "generations").iterdir()) == ["000004", "000005"]
    loaded = load(tmp_path)
    assert loaded is not None
    np.testing.assert_array_equal(loaded.rows, unit(5, seed=5))


def put(path: Path, at: int, value: int) -> None:
    with open(path, "r+b", buffering=0) as file:
        file.seek(at)
        file.write(bytes([value]))


def test_two_thousand_flipped_bytes_are_all_noticed(tmp_path: Path) -> None:
    save(tmp_path, "clip-1", keys_of(40), unit(40, seed=1))
    save(tmp_path, "clip-1", keys_of(40), unit(40, seed=2))
    place = tmp_path / "generations" / "000002"
    paths = {
        path: path.read_bytes() for path in (tmp_path / POINTER, place / "manifest.json", place / "vectors.usearch")
    }
    draw = random.Random(0)
    flips = [(path, at) for path, data in paths.items() for at in range(0, len(data), max(1, len(data) // 600))]
    while len(flips) < 2000:
        path = draw.choice(list(paths))
        flips.append((path, draw.randrange(len(paths[path]))))
    for path, at in flips:
        put(path, at, paths[path][at] ^ draw.randrange(1, 256))
        with pytest.raises(VectorsDamaged, match="catalog verify") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)
        put(path, at, paths[path][at])
    assert load(tmp_path) is not None


@pytest.mark.parametrize(
    "content", [b"", b"1", b"1 2 3", b"one two", b"\xff\xfe", b"999 " + b"0" * 64, b"-1 x", b"9" * 5000]
)
def test_a_pointer_to_nowhere(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, "clip-1", keys_of(5), unit(5))
    (tmp_path / POINTER).write_bytes(content)
    with pytest.raises(VectorsDamaged):
        load(tmp_path)


def test_a_pointer_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / POINTER).mkdir()
    with pytest.raises(VectorsDamaged):
        load(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "vectors.usearch"])
def test_half_a_generation(tmp_path: Path, name: str) -> None:
    save(tmp_path, "clip-1", keys_of(50), unit(50))
    path = tmp_path / "generations" / "000001" / name
    data = path.read_bytes()
    for part in (0, 1, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:part])
        with pytest.raises(VectorsDamaged, match=name.replace(".", r"\.")):
            load(tmp_path)
    path.unlink()
    with pytest.raises(VectorsDamaged, match="is incomplete"):
        load(tmp_path)


def test_what_a_killed_writer_left_is_no_trouble(tmp_path: Path) -> None:
    save(tmp_path, "clip-1", keys_of(5), unit(5, seed=1))
    half = tmp_path / "generations" / "000002"
    half.mkdir()
    (half / ".0123.part").write_bytes(b"half")
    (half / "vectors.usearch").write_bytes(b"of one that never was pointed to")
    loaded = load(tmp_path)
    assert loaded is not None and loaded.generation == 1
    save(tmp_path, "clip-1", keys_of(5), unit(5, seed=2))
    pointer = current(tmp_path)
    assert pointer is not None and pointer[0] == 3


def test_a_reader_that_was_too_slow_takes_the_newer_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "clip-1", keys_of(5), unit(5, seed=0))
    newer = [1, 2]

    def slow(folder: Path) -> tuple[int, str] | None:
        pointer = current(folder)
        while newer:  # between the pointer and what it points to, others come and this one goes
            save(folder, "clip-1", keys_of(5), unit(5, seed=newer.pop(0)))
        return pointer

    monkeypatch.setattr(vectors, "current", slow)
    loaded = load(tmp_path)
    assert loaded is not None and loaded.generation == 3
    np.testing.assert_array_equal(loaded.rows, unit(5, seed=2))


def test_readers_go_on_while_generations_come_and_go(tmp_path: Path) -> None:
    save(tmp_path, "clip-1", keys_of(20), unit(20))
    done = threading.Event()

    def write() -> None:
        for seed in range(30):
            save(tmp_path, "clip-1", keys_of(20), unit(20, seed=seed))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        loaded = load(tmp_path)
        assert loaded is not None and len(loaded.keys) == 20
        seen.add(loaded.generation)
    writer.join()
    assert len(seen) > 1
