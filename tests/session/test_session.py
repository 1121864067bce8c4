from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dreamkicks import locations, pictures
from dreamkicks.errors import PictureError, SessionError, StorageError
from dreamkicks.session.session import RECORD, Session
from tests.drawing import encoded, sneaker
from tests.session.dreams import dreamt


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Three dreams: the second edits the first, the third the second."""
    session = Session.create(tmp_path / "session")
    for words, seed, parent in (("red low-top", 1, None), ("gum sole", 2, 1), ("darker", 3, 2)):
        session.add(*dreamt(words, seed, parent))
    return session


def state(session: Session) -> tuple[Any, ...]:
    return session.dreams, session.current, session.accepted, session.cancelled


def at(session: Session) -> int | None:
    return session.current.id if session.current else None


def record(session: Session) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((session.folder / RECORD).read_text(encoding="utf-8"))
    return data


def test_dreams_get_numbers_and_a_place_in_the_tree(session: Session) -> None:
    assert [(dream.id, dream.parent, dream.kind) for dream in session.dreams.values()] == [
        (1, None, "imagine"),
        (2, 1, "edit"),
        (3, 2, "edit"),
    ]
    assert at(session) == 3
    assert pictures.digest(session.picture(session.dream(2))) == pictures.digest(dreamt("gum sole", 2)[1])
    assert sorted(path.name for path in session.folder.iterdir()) == [
        "dream-0001.png",
        "dream-0002.png",
        "dream-0003.png",
        RECORD,
    ]


def test_undo_and_redo(session: Session) -> None:
    assert (session.undo().id, session.undo().id) == (2, 1)
    with pytest.raises(SessionError, match="nothing to undo"):
        session.undo()
    assert at(session) == 1
    assert (session.redo().id, session.redo().id) == (2, 3)
    with pytest.raises(SessionError, match="nothing to redo"):
        session.redo()
    assert at(session) == 3


def test_a_new_dream_after_undo_branches_off_and_forgets_nothing(session: Session) -> None:
    session.undo()
    added = session.add(*dreamt("volt toe", 4, parent=2))
    assert (added.id, added.parent, at(session)) == (4, 2, 4)
    with pytest.raises(SessionError):
        session.redo()
    assert session.dream(3).words == "darker"
    session.picture(session.dream(3))
    assert session.undo().id == 2


def test_fork_goes_to_any_dream_and_undo_comes_back(session: Session) -> None:
    assert session.fork(1).id == 1 == at(session)
    added = session.add(*dreamt("high-top", 5, parent=1))
    assert (added.id, added.parent) == (4, 1)
    assert [session.undo().id, session.undo().id] == [1, 3]
    before = at(session)
    for number in (0, 99, -1):
        with pytest.raises(SessionError, match=f"no dream {number}"):
            session.fork(number)
    assert at(session) == before


def test_it_is_saved_after_every_step_and_reopened_equal(session: Session) -> None:
    def same() -> None:
        assert state(Session.open(session.folder)) == state(session)

    same()
    session.undo()
    same()
    session.redo()
    same()
    session.fork(1)
    same()
    session.add(*dreamt("plain", 5, parent=1))
    same()
    session.note_cancelled("high-top", 7, 99)
    same()
    session.accept({"brands": [{"brand": "Nike", "probability": 0.5}], "findings": []})
    same()
    assert session.cancelled == [{"words": "high-top", "steps": 7, "seed": 99, "after": 4}]
    assert session.accepted is not None and session.accepted["dream"] == 4
    again = Session.open(session.folder)
    assert again.undo().id == 1 and again.redo().id == 4


def test_each_png_carries_its_recipe(session: Session, tmp_path: Path) -> None:
    for dream in session.dreams.values():
        assert pictures.recipe_of(session.folder / dream.file) == json.loads(json.dumps(dream.to_json()))
    (tmp_path / "foreign.png").write_bytes(encoded(sneaker()))
    assert pictures.recipe_of(tmp_path / "foreign.png") is None


def test_a_new_session_writes_nothing_before_its_first_dream() -> None:
    session = Session.create()
    assert session.folder.parent == locations.sessions() and not session.folder.exists()
    assert session.current is None
    with pytest.raises(SessionError, match="nothing to undo"):
        session.undo()
    with pytest.raises(SessionError, match="no dream to accept"):
        session.accept({})
    assert not session.folder.exists()
    assert Session.create().folder != session.folder


def test_an_attempt_that_was_stopped_before_the_first_dream_is_kept_with_it() -> None:
    session = Session.create()
    session.note_cancelled("red", 3, 1)
    with pytest.raises(SessionError, match="no session"):
        Session.latest()
    assert session.add(*dreamt("red", 1)).id == 1
    assert Session.latest().cancelled == [{"words": "red", "steps": 3, "seed": 1, "after": None}]


def test_the_latest_session() -> None:
    with pytest.raises(SessionError, match=r"no session in .* yet"):
        Session.latest()
    made = []
    for number in range(3):
        session = Session.create()
        session.add(*dreamt(f"red {number}", number))
        os.utime(session.folder / RECORD, (1000 + number, 1000 + number))
        made.append(session)
    os.utime(made[1].folder / RECORD, (2000, 2000))
    assert Session.latest().folder == made[1].folder


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema": 1', '"schema": "1"'),
        lambda text: text.replace('"trail"', '"trial"'),
        lambda text: text.replace('"place": 2', '"place": 3'),
        lambda text: text.replace('"place": 2', '"place": -2'),
        lambda text: text.replace('"place": 2', '"place": "x"'),
        lambda text: text.replace('"place": 2', '"place": Infinity'),
        lambda text: text.replace('"seed": 2', '"seed": "2"'),
        lambda text: text.replace('"parent": 1', '"parent": 2'),  # its own parent
        lambda text: text.replace('"parent": 1', '"parent": 3'),  # a circle
        lambda text: text.replace('"parent": 1', '"parent": -7'),
        lambda text: text.replace('"id": 3', '"id": 4'),
        lambda text: text.replace('"id": 3', '"id": 2'),
        lambda text: text.replace('"id": 1', '"id": ' + "9" * 5000),
        lambda text: text.replace('"kind": "edit"', '"kind": "../../x"'),
        lambda text: "[" * 100_000,
        lambda text: "[]",
        lambda text: "null",
        lambda text: '{"schema": 1}',
    ],
)
def test_a_damaged_record_is_one_line_of_error(session: Session, damage: Any) -> None:
    path = session.folder / RECORD
    text = path.read_text(encoding="utf-8")
    assert damage(text) != text
    path.write_text(damage(text), encoding="utf-8")
    with pytest.raises(SessionError) as caught:
        Session.open(session.folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_record_that_is_no_text(session: Session) -> None:
    (session.folder / RECORD).write_bytes(b"\xff\xfe\0")
    with pytest.raises(SessionError, match="can't be read"):
        Session.open(session.folder)
    (session.folder / RECORD).unlink()
    (session.folder / RECORD).mkdir()
    with pytest.raises(SessionError, match="can't be read: Is a directory"):
        Session.open(session.folder)


def test_a_newer_record_is_refused_and_left_alone(session: Session) -> None:
    path = session.folder / RECORD
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    before = path.read_bytes()
    with pytest.raises(SessionError, match=r"newer dreamkicks\. Update"):
        Session.open(session.folder)
    assert path.read_bytes() == before


def test_no_session_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SessionError, match=r"holds no session\. Check the path"):
            Session.open(folder)


def test_a_lost_picture(session: Session) -> None:
    (session.folder / "dream-0002.png").unlink()
    (session.folder / "dream-0003.png").write_bytes(b"no picture")
    for number in (2, 3):
        with pytest.raises(SessionError, match=f"picture of dream {number} is lost"):
            session.picture(session.dream(number))
    session.picture(session.dream(1))


def test_a_full_disk_loses_nothing_that_was_there(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = record(session)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        session.add(*dreamt("one too many", 9, parent=3))
    assert record(session) == before
    for step in (session.undo, lambda: session.fork(1)):
        with pytest.raises(StorageError, match="the disk is full"):
            step()
    assert not list(session.folder.glob("*.part"))
    assert at(session) == 3
    monkeypatch.undo()
    assert session.add(*dreamt("one more", 9, parent=3)).id == 4
    assert state(Session.open(session.folder)) == state(session)


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a part of that path is a file"):
        Session.create(tmp_path / "file" / "session").add(*dreamt("red"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    ask = [sys.executable, "-m", "tests.session.killed", str(tmp_path), "15"]
    done = subprocess.run(ask, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    moments = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [trouble for _, trouble in moments] == [""] * 15
    assert len({steps for steps, _ in moments}) > 3


def test_a_picture_of_ours_begins_a_session(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "one")
    session.add(*dreamt("red runner", 1))
    second = session.add(*dreamt("gum sole", 2, 1))
    again = Session.reopen(tmp_path / "one" / second.file)
    assert again.folder != session.folder
    assert again.current is not None
    assert (again.current.words, again.current.seed, again.current.model) == (second.words, second.seed, second.model)
    assert again.current.parent is None
    assert again.picture(again.current).tobytes() == session.picture(second).tobytes()
    assert Session.open(again.folder).current == again.current
    assert Session.reopen(tmp_path / "one").dreams == session.dreams


def test_a_foreign_picture_begins_none(tmp_path: Path) -> None:
    sneaker().save(tmp_path / "a.png")
    with pytest.raises(SessionError, match="carries no recipe"):
        Session.reopen(tmp_path / "a.png")
    with pytest.raises(PictureError, match="does not exist"):
        Session.reopen(tmp_path / "nowhere.png")
    with pytest.raises(PictureError):
        Session.reopen(tmp_path / ("x" * 300))
