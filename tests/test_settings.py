from __future__ import annotations

from pathlib import Path

import pytest

from dreamkicks import locations, settings
from dreamkicks.errors import DreamkicksError


def test_defaults() -> None:
    found = settings.load()
    assert (found.model, found.encoder, found.device, found.offline, found.contact) == (
        "builtin",
        "builtin",
        "auto",
        False,
        "",
    )


def test_the_order_file_environment_option(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locations.settings_file().write_text('model = "file"\ndevice = "cpu"\ncontact = "me@example.org"\nunknown = 1\n')
    assert settings.load().model == "file"
    monkeypatch.setenv("DREAMKICKS_MODEL", "environment")
    assert settings.load().model == "environment"
    assert settings.load(model="option", device=None).model == "option"
    assert settings.load().device == "cpu" and settings.load().contact == "me@example.org"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'device = "toaster"', "device"),
        (b"offline = 7", "offline"),
        (b"model = ", "settings.toml"),
        (b"\xff\xfe", "settings.toml"),
        (b"model = [1]", "model"),
    ],
)
def test_a_setting_that_can_t_be_used(content: bytes, named: str) -> None:
    locations.settings_file().write_bytes(content)
    with pytest.raises(DreamkicksError) as caught:
        settings.load()
    assert f"'{named}'" in str(caught.value) and str(locations.settings_file()) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMKICKS_GRAPHICS", "oil")
    with pytest.raises(DreamkicksError, match="'graphics'"):
        settings.load()


def test_a_folder_in_place_of_the_file() -> None:
    locations.settings_file().mkdir()
    assert settings.load().model == "builtin"
