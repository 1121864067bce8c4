from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkicks.stores.names import brand_of, style_of, title_of


@pytest.mark.parametrize(
    ("said", "brand"),
    [
        ("adidas Originals", "Adidas"),
        ("ADIDAS", "Adidas"),
        ("Air Jordan", "Jordan"),
        ("new  balance", "New Balance"),
        ("Dr Martens", "Dr. Martens"),
        ("Some New Maker", "Some New Maker"),
        ("<b>K&aring;nken</b>\x1b[31m", "Kånken"),
    ],
)
def test_brands_have_one_form(said: str, brand: str) -> None:
    assert brand_of(said, "") == brand


def test_a_shop_that_names_itself_is_not_the_brand() -> None:
    assert brand_of("KICKS CREW", "Air Jordan 1 Low", "kickscrew") == "Jordan"
    assert brand_of(None, "New Balance 990 v5") == "New Balance"
    assert brand_of("", "A shoe of nobody") == "Unknown"


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("Nike Dunk Low DD1391-100", "DD1391-100"),
        ("654275-305", "654275-305"),
        ("adidas Forum (GX9735)", "GX9735"),
        ("374915_01-42", "374915-01"),
        ("1201A019.107", "1201A019-107"),
        ("vn000d3hy28", "VN000D3HY28"),
        ("M990GL6", "M990GL6"),
        ("Air Max 2090 white", None),
        ("EU 42.5", None),
        ("S79208", "S79208"),
        ("Nike Dunk SS2023", None),
        ("FW2021 adidas Forum GX9735", "GX9735"),
        ("654275 305", "654275-305"),
        ("EU4250", None),
        ("US1050", None),
        ("Rs2999", None),
        ("202310-15", None),
        ("2023", None),
        ("VN000EYE", None),
    ],
)
def test_style_codes(text: str, style: str | None) -> None:
    assert style_of(None, text) == style


def test_titles_are_plain_text() -> None:
    said = "Nike &lt;b&gt;Dunk&lt;/b&gt; \x1b]0;owned\x07Low\u202e <i>Retro</i>\n <3 你好 👟"
    assert title_of(said) == "Nike Dunk Low Retro <3 你好 👟"


@given(st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))
def test_no_title_holds_a_control_character(said: object) -> None:
    assert not any(unicodedata.category(character)[0] == "C" for character in title_of(said))
