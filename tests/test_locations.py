from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from dreamkicks import locations


def test_everything_kept_lies_in_the_home(home: Path) -> None:
    assert locations.home() == home
    kept = (
        locations.sessions,
        locations.catalogue,
        locations.models,
        locations.settings_file,
        locations.stores_file,
        locations.shop_cache,
    )
    places = [place() for place in kept]
    assert all(place.is_relative_to(home) and place != home for place in places)
    assert len(set(places)) == len(places)


def test_without_a_home_the_platform_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMKICKS_HOME", "")
    assert locations.home() == Path(platformdirs.user_data_dir("dreamkicks"))
    monkeypatch.delenv("DREAMKICKS_HOME")
    assert locations.home() == Path(platformdirs.user_data_dir("dreamkicks"))


def test_a_home_may_be_relative_or_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DREAMKICKS_HOME", "here")
    assert locations.home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DREAMKICKS_HOME", "~/there")
    assert locations.home() == tmp_path / "there"


def test_what_ships_is_there() -> None:
    assert (locations.prompts() / "words.toml").is_file()
    assert (locations.weights() / "encoder" / "open_clip_config.json").is_file()
