"""Where an edit acts, on drawn shoes and with a painting that is all one colour."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dreamkicks.painter.blueprint import COLOURED_PARTS, Blueprint, Lab
from dreamkicks.painter.colour import to_lab
from dreamkicks.painter.framing import frame
from dreamkicks.painter.measure import Measured, measure
from dreamkicks.painter.region import (
    area_of,
    follow_sole,
    keep_the_rest,
    one_by_one,
    share_of,
    stripes_of,
    tune,
    tune_pattern,
)
from tests.drawing import sneaker

RED: Lab = (50.0, 70.0, 50.0)
BLUE: Lab = (40.0, 20.0, -60.0)


@pytest.fixture
def shoe() -> np.ndarray:
    return np.asarray(frame(sneaker("#2c8a4b", sole="#8a5a2b")))


@pytest.fixture
def seen(shoe: np.ndarray) -> Measured:
    found = measure(shoe)
    assert found is not None
    return found


@pytest.mark.parametrize("part", ["upper", "sole", "toe", "heel", "accent"])
def test_a_colour_changes_its_part_and_nothing_far_from_it(shoe: np.ndarray, seen: Measured, part: str) -> None:
    painted = np.full_like(shoe, (200, 0, 200))
    kept = keep_the_rest(shoe, painted, share_of(shoe, painted, seen, Blueprint(**{part: RED})))
    changed = np.abs(kept.astype(int) - shoe).sum(-1) > 30
    area = stripes_of(seen) if part == "accent" else area_of(seen, part)
    assert changed[area].mean() > 0.95
    rows, columns = np.nonzero(area)
    assert not changed[: max(0, rows.min() - 24)].any() and not changed[rows.max() + 25 :].any()
    assert not changed[:, : max(0, columns.min() - 24)].any() and not changed[:, columns.max() + 25 :].any()


def test_drift_is_taken_back(shoe: np.ndarray, seen: Measured) -> None:
    drifted = np.clip(shoe.astype(int) + 6, 0, 255).astype(np.uint8)
    kept = keep_the_rest(shoe, drifted, share_of(shoe, drifted, seen, Blueprint(sole=RED)))
    away = seen.mask.copy()
    away[seen.sole_line - 8 :] = False
    assert np.array_equal(kept[away], shoe[away])


@pytest.mark.parametrize("part", ["upper", "sole", "toe", "heel", "accent"])
def test_a_part_gets_the_colour_asked_for(shoe: np.ndarray, seen: Measured, part: str) -> None:
    asked, area = Blueprint(**{part: BLUE}), stripes_of(seen) if part == "accent" else area_of(seen, part)
    inside = np.array(Image.fromarray(area).filter(ImageFilter.MinFilter(9)))
    tuned = {strength: to_lab(tune(shoe, seen, asked, strength)) for strength in (0.0, 0.5, 1.0)}
    away = [math.dist(np.median(lab[inside], axis=0), BLUE) for lab in tuned.values()]
    assert away[0] > 40 and away[2] < 14 and away[1] == pytest.approx((away[0] + away[2]) / 2, rel=0.2)
    assert np.abs(tuned[0.0] - to_lab(shoe)).max() < 2
    far = ~np.array(Image.fromarray(area).filter(ImageFilter.MaxFilter(25)))
    assert np.abs(tuned[1.0] - to_lab(shoe))[far].max() < 2


def test_details_get_the_contrast_asked_for_and_only_they(shoe: np.ndarray, seen: Measured) -> None:
    draw = np.random.default_rng(0)
    grain = (draw.normal(size=(*shoe.shape[:2], 1)) * 6 * area_of(seen, "upper")[..., None]).round()
    shoe = np.clip(shoe + grain, 0, 255).astype(np.uint8)
    before = measure(shoe)
    assert before is not None
    shown = []
    for asked in (0.08, 0.5, 0.93):
        tuned = tune_pattern(shoe, Blueprint(pattern=asked), 1.0)
        after = measure(tuned)
        assert after is not None and (after.mask != before.mask).sum() < 0.01 * before.mask.sum()
        assert np.array_equal(tuned[seen.sole_line + 12 :], shoe[seen.sole_line + 12 :])
        assert math.dist(after.blueprint.upper or (), before.blueprint.upper or ()) < 4
        shown.append(after.busyness)
    assert shown[0] < 0.8 * before.busyness and shown[0] < shown[1] < shown[2] and shown[2] > 1.2 * before.busyness
    assert np.array_equal(tune_pattern(shoe, Blueprint(upper=RED), 1.0), shoe)
    half, none = (measure(tune_pattern(shoe, Blueprint(pattern=0.93), strength)) for strength in (0.5, 0.0))
    assert half is not None and before.busyness * 1.05 < half.busyness < shown[2] * 0.95
    assert none is not None and none.busyness == pytest.approx(before.busyness, rel=0.02)


@pytest.mark.parametrize(("asked", "part"), [(Blueprint(pattern=0.9), "upper"), (Blueprint(brand="Nike"), "shoe")])
def test_a_pattern_changes_the_upper_and_a_brand_the_shoe(
    shoe: np.ndarray, seen: Measured, asked: Blueprint, part: str
) -> None:
    painted = np.full_like(shoe, (200, 0, 200))
    kept = keep_the_rest(shoe, painted, share_of(shoe, painted, seen, asked))
    changed = np.abs(kept.astype(int) - shoe).sum(-1) > 30
    area = area_of(seen, "upper") | (area_of(seen, "sole") if part == "shoe" else False)
    assert changed[area].mean() > 0.95
    assert not changed[~np.array(Image.fromarray(area).filter(ImageFilter.MaxFilter(49)))].any()
    assert changed[area_of(seen, "sole")].mean() > 0.9 or part == "upper"


def test_a_border_that_is_no_row_is_followed(shoe: np.ndarray, seen: Measured) -> None:
    left, _, right, _ = seen.box
    wave = seen.sole_line + np.round(9 * np.sin((np.arange(256) - left) / 25)).astype(int)
    rows, inside = np.arange(256)[:, None], seen.mask & (np.arange(256)[:, None] > seen.sole_line - 40)
    waved = shoe.copy()
    waved[inside & (rows < wave)] = (44, 138, 75)
    waved[inside & (rows >= wave)] = (138, 90, 42)
    found = follow_sole(waved, seen)
    assert found.border is not None
    off = np.abs(found.border - wave)[left + 6 : right - 6]
    assert np.median(off) < 3 and off.max() < 8 and np.abs(wave - seen.sole_line).max() == 9
    sole = np.zeros_like(inside)
    sole[seen.sole_line + 10 :] = seen.mask[seen.sole_line + 10 :]
    assert area_of(found, "sole")[sole].all() and not area_of(found, "upper")[sole].any()


def test_where_nothing_changes_the_border_stays_a_row(shoe: np.ndarray, seen: Measured) -> None:
    plain = np.where(seen.mask[..., None], np.uint8(120), shoe)
    assert follow_sole(plain, seen).border is None


def test_a_pale_upper_is_painted_up_to_its_edge_and_the_paper_is_not(shoe: np.ndarray, seen: Measured) -> None:
    upper = area_of(seen, "upper") & (np.arange(256) > 110)
    pale = np.where(upper[..., None], np.uint8(248), shoe)
    found = measure(pale)
    assert found is not None and area_of(found, "upper")[upper].mean() < 0.5
    looked = follow_sole(pale, found)
    assert area_of(looked, "upper")[upper].mean() > 0.9
    mist = np.where(upper[..., None], np.uint8((200, 0, 0)), np.uint8((255, 225, 225)))
    share = share_of(pale, mist, looked, Blueprint(upper=RED))
    assert share[upper].mean() > 0.9 and share[:100].max() == 0
    far = ~np.array(Image.fromarray(seen.mask | upper).filter(ImageFilter.MaxFilter(9)))
    assert share[far].max() < 0.2


def test_a_sole_as_white_as_paper_is_coloured_and_the_paper_below_a_toe_is_not(
    shoe: np.ndarray, seen: Measured
) -> None:
    sole = area_of(seen, "sole")
    inside = np.array(Image.fromarray(sole).filter(ImageFilter.MinFilter(13)))
    white = np.where(inside[..., None], np.uint8(255), shoe)
    share = share_of(white, np.full_like(white, 240), seen, Blueprint(sole=RED))
    deep = np.array(Image.fromarray(inside).filter(ImageFilter.MinFilter(5)))
    assert deep.sum() > 500 and share[deep].min() > 0.7
    assert math.dist(to_lab(tune(white, seen, Blueprint(sole=RED), 1.0))[deep].mean(0), RED) < 20
    _, _, right, bottom = seen.box
    toe = np.zeros_like(sole)
    toe[seen.sole_line + 6 : bottom - 3, right - 40 :] = True
    lifted = np.where(toe[..., None], np.uint8(255), shoe)  # its shadow stays
    assert (sole & toe).sum() > 200
    share = share_of(lifted, np.full_like(lifted, 240), seen, Blueprint(sole=RED))
    assert share[toe & np.roll(toe, 6, axis=1)].mean() < 0.2


def test_one_thing_at_a_time() -> None:
    asked = Blueprint(upper=RED, sole=BLUE, toe=RED, accent=BLUE, height=0.6, sole_height=0.2)
    assert one_by_one(asked) == [
        Blueprint(height=0.6),
        Blueprint(sole_height=0.2),
        Blueprint(upper=RED, toe=RED),
        Blueprint(sole=BLUE, accent=BLUE),
    ]
    everything = Blueprint(**dict.fromkeys(COLOURED_PARTS, RED))
    assert one_by_one(everything) == [everything]
    assert one_by_one(Blueprint()) == [Blueprint()]
