from __future__ import annotations

from pathlib import Path

import pytest

from dreamkicks.errors import StoreError
from dreamkicks.stores.store import stores

GOOD = """
[corner]
kind = "shopify"
site = "https://corner.example"
collections = ["shoes"]
"""


def test_the_five_that_ship(tmp_path: Path) -> None:
    found, wrong = stores(tmp_path / "none.toml")
    assert wrong == {}
    assert set(found) == {"sneakerbaas", "superkicks", "kickscrew", "footshop", "highsnobiety"}
    assert {found[name].kind for name in ("sneakerbaas", "superkicks", "kickscrew")} == {"shopify"}
    assert {found[name].kind for name in ("footshop", "highsnobiety")} == {"pages"}


def test_ones_own_store_is_added_and_may_replace(tmp_path: Path) -> None:
    own = tmp_path / "stores.toml"
    own.write_text(GOOD + GOOD.replace("[corner]", "[footshop]"))
    found, _ = stores(own)
    assert found["corner"].asked == {"corner.example"}
    assert found["footshop"].kind == "shopify"
    assert len(found) == 6


def test_the_port_of_https_goes_without_saying(tmp_path: Path) -> None:
    own = tmp_path / "stores.toml"
    own.write_text(
        GOOD.replace("corner.example", "corner.example:443") + 'pictures = ["a.example:443", "b.example:8443"]'
    )
    found, wrong = stores(own)
    assert (found["corner"].site, found["corner"].asked, wrong) == ("https://corner.example", {"corner.example"}, {})
    assert found["corner"].pictures == {"a.example", "b.example:8443"}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (GOOD.replace("https", "http"), "site"),
        (GOOD.replace("corner.example", "corner.example/shop"), "site"),
        (GOOD.replace("corner.example", "corner.example:0443"), "site"),
        (GOOD.replace('"shopify"', '"magento"'), "kind"),
        (GOOD.replace("collections", "collection"), "collection"),
        (GOOD.replace('["shoes"]', '["../admin"]'), "collections"),
        (GOOD + "delay = 0.0\n", "delay"),
        (GOOD + 'products = "("\n', "products"),
        (GOOD.replace("[corner]", "[mine]"), "name"),
        (GOOD.replace('collections = ["shoes"]', ""), "entry"),
        ("corner = 1", "corner"),
    ],
)
def test_a_mistake_is_named_and_hides_no_other_store(tmp_path: Path, entry: str, named: str) -> None:
    own = tmp_path / "stores.toml"
    more = GOOD.replace("[corner]", "[good]"), GOOD.replace("[corner]", "[footshop]").replace("https", "ftp")
    own.write_text("\n".join((entry, *more)))
    found, wrong = stores(own)
    assert set(found) == {"sneakerbaas", "superkicks", "kickscrew", "highsnobiety", "good"}
    assert len(wrong) == 2 and "The site of store 'footshop'" in wrong.pop("footshop")
    (reason,) = wrong.values()
    assert named in reason and str(own) in reason


def test_a_file_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    own = tmp_path / "stores.toml"
    own.write_text("[corner")
    with pytest.raises(StoreError, match=r"stores\.toml"):
        stores(own)
