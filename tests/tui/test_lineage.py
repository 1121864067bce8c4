from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkicks.session.dream import Dream
from dreamkicks.tui.widgets.lineage import lineage


def dream(number: int, parent: int | None) -> Dream:
    kind = "imagine" if parent is None else "edit"
    return Dream(number, parent, kind, f"words {number}", 1, "builtin", None, 8, 128, 0.1, (), (), {})  # type: ignore[arg-type]


def test_a_chain_stays_in_one_column_and_branches_step_right() -> None:
    parents = {1: None, 2: 1, 3: 2, 4: 2, 5: 3, 6: 5, 7: 5, 8: None, 9: 8}
    drawn = [f"{lead}{dream.id}" for lead, dream in lineage(dream(*pair) for pair in parents.items())]
    assert drawn == ["1", "2", "├─3", "│ 5", "│ ├─6", "│ └─7", "└─4", "8", "9"]


def test_a_long_session_is_no_problem() -> None:
    rows = lineage([dream(1, None), *(dream(number, number - 1) for number in range(2, 3000))])
    assert [row.id for _, row in rows] == list(range(1, 3000))
    assert {lead for lead, _ in rows} == {""}


@settings(max_examples=100)
@given(st.lists(st.integers(0, 20), max_size=20))
def test_every_dream_once_and_after_its_parent(links: list[int]) -> None:
    dreams = [dream(place + 1, link if 0 < link <= place else None) for place, link in enumerate(links)]
    order = [row.id for _, row in lineage(dreams)]
    assert sorted(order) == [dream.id for dream in dreams]
    assert all(dream.parent is None or order.index(dream.parent) < order.index(dream.id) for dream in dreams)
