from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamkicks import pictures
from dreamkicks.errors import PictureError
from tests.drawing import encoded, sneaker

RED, BLUE, WHITE = (200, 30, 40), (20, 40, 200), (255, 255, 255)
KINDS = pictures.FORMATS


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, colour)


def colour_of(image: Image.Image) -> tuple[int, ...]:
    """The one colour of a picture; fails when there are several."""
    pixels = np.asarray(image).reshape(-1, 3)
    assert np.ptp(pixels, axis=0).max() <= 8
    return tuple(int(v) for v in np.median(pixels, axis=0))


def near(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 8


def png(width: int, height: int, depth: int, kind: int, pixels: bytes) -> bytes:
    """A PNG by hand, for what Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_through_every_door(kind: str, tmp_path: Path) -> None:
    data = encoded(flat(RED), kind)
    (tmp_path / "a").write_bytes(data)
    for source in (data, tmp_path / "a", io.BytesIO(data)):
        image = pictures.load(source)
        assert (image.mode, image.size) == ("RGB", (40, 30))
        assert near(colour_of(image), RED)


@pytest.mark.parametrize(
    "data",
    [
        encoded(flat(RED).convert("CMYK"), "JPEG"),
        encoded(flat(RED).convert("CMYK"), "TIFF"),
        encoded(flat(RED).quantize(4), "PNG"),
        encoded(flat(RED).quantize(4), "GIF"),
        encoded(flat(RED).convert("YCbCr"), "JPEG"),
        encoded(flat(RED).convert("RGBA"), "WEBP", lossless=True),
        png(2, 1, 16, 2, b"\0" + struct.pack(">6H", *(v * 257 for v in RED * 2))),
    ],
    ids=["cmyk-jpeg", "cmyk-tiff", "palette-png", "palette-gif", "ycbcr", "opaque-rgba", "16-bit-rgb"],
)
def test_colours_survive(data: bytes) -> None:
    assert near(colour_of(pictures.load(data)), RED)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_cut_off(kind: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    row = np.asarray(pictures.load(encoded(Image.fromarray(ramp), kind)))[0, :, 0]
    assert (row[0], row[-1]) == (0, 255)
    assert (np.diff(row.astype(int)) > 0).all()
    dark = np.full((8, 8), 200, np.uint16)  # near black: 200 of 65535
    assert colour_of(pictures.load(encoded(Image.fromarray(dark), kind))) == (0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_sixteen_bits_cost_no_more_than_they_must(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4000, 4000), np.uint16)).save(tmp_path / "a.png")
    script = (  # resource's ru_maxrss would begin at what this process took
        "import sys; from pathlib import Path; from dreamkicks import pictures\n"
        "def most(): return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "before = most()\n"
        "pictures.load(Path(sys.argv[1]))\n"
        "print((most() - before) * 1024 // 16_000_000)"
    )
    ask = [sys.executable, "-c", script, tmp_path / "a.png"]
    bytes_a_pixel = int(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
    assert bytes_a_pixel <= 14


@pytest.mark.parametrize(("levels", "grey"), [(0.5, 127), (128.0, 128), (np.nan, 0), (np.inf, 255), (-np.inf, 0)])
def test_numbers_that_are_no_bytes(levels: float, grey: int) -> None:
    data = encoded(Image.fromarray(np.full((8, 8), levels, np.float32)), "TIFF")
    assert colour_of(pictures.load(data)) == (grey,) * 3


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("RGBA", (9, 9), (*RED, 0)), "PNG"),
        encoded(Image.new("RGBA", (9, 9), (*RED, 0)), "WEBP", exact=True, lossless=True),
        encoded(Image.new("LA", (9, 9), (0, 0)), "PNG"),
        encoded(flat(RED).quantize(4), "PNG", transparency=0),
        encoded(flat(RED).quantize(4), "GIF", transparency=0),
        encoded(flat(RED), "PNG", transparency=RED),
    ],
    ids=["rgba", "webp", "la", "palette", "gif", "colour-key"],
)
def test_transparency_is_white(data: bytes) -> None:
    assert colour_of(pictures.load(data)) == WHITE


def test_half_transparent_is_half_white() -> None:
    data = encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128)), "PNG")
    assert near(colour_of(pictures.load(data)), (127, 127, 127))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    data = encoded(flat(RED), kind, save_all=True, append_images=[flat(BLUE), flat(WHITE)])
    assert near(colour_of(pictures.load(data)), RED)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_as_the_camera_was(orientation: int, kind: str) -> None:
    upright = flat(WHITE, (48, 32))
    upright.paste(RED, (0, 0, 16, 16))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = pictures.load(encoded(stored, kind, exif=exif))
    assert image.size == (48, 32)
    assert near(image.getpixel((4, 4)), RED)  # type: ignore[arg-type]
    assert near(image.getpixel((44, 28)), WHITE)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short(kind: str) -> None:
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    data = encoded(noise, kind)
    whole = pictures.digest(pictures.load(data))
    for part in range(0, 100, 4):
        with pytest.raises(PictureError):
            pictures.load(data[: len(data) * part // 100])
    for missing in range(1, 40):  # only trailers may be missing, and no pixel
        try:
            image = pictures.load(data[:-missing])
        except PictureError:
            continue
        assert pictures.digest(image) == whole


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(1, 255), st.integers(0, 400))
def test_hostile_bytes_give_a_picture_or_an_error(kind: str, place: int, flip: int, garbage: int) -> None:
    data = bytearray(encoded(flat(RED), kind))
    data[place % len(data)] ^= flip
    for hostile in (bytes(data), bytes(data[:20]) + os.urandom(garbage)):
        with warnings.catch_warnings(action="error"):
            try:
                image = pictures.load(hostile)
            except PictureError as error:
                assert "\n" not in str(error)
                continue
        assert image.mode == "RGB" and image.width * image.height <= pictures.MOST_PIXELS


@pytest.mark.parametrize("size", [(7000, 7000), (12_000, 12_000), (65_535, 65_535), (2**31 - 1, 1), (1, 2**31 - 1)])
def test_a_pixel_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with warnings.catch_warnings(action="error"), pytest.raises(PictureError, match=r"pixels.*Shrink it"):
        pictures.load(png(*size, 8, 0, b"\0" * 10))


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_a_pixel_bomb_costs_no_memory(tmp_path: Path) -> None:
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(b"\0" * 12_001) for _ in range(12_000)) + packed.flush()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 8, 0, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    script = (
        "import resource, sys; from pathlib import Path; from dreamkicks import pictures; from dreamkicks.errors import PictureError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for door in (pictures.load, pictures.recipe_of):\n"
        "  try: print(door(Path(sys.argv[1])))\n"
        "  except PictureError as error: print('refused')\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "bomb.png"], capture_output=True, text=True, check=True
    )
    refused, recipe, megabytes = done.stdout.split()
    assert (refused, recipe, done.stderr) == ("refused", "None", "")
    assert int(megabytes) < 50  # unpacked it is 144 MB


def test_over_the_limit_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded(flat(RED), "JPEG"))
    os.truncate(path, pictures.MOST_BYTES + 1)
    with pytest.raises(PictureError, match=r"large\.jpg is over 50 MB"):
        pictures.load(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a file without an end")
def test_a_file_without_an_end() -> None:
    with pytest.raises(PictureError, match="over 50 MB"):
        pictures.load(Path("/dev/zero"))


def test_errors_name_the_file_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes(encoded(sneaker(), "JPEG")[:3000])
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name, reason in {
        "missing.png": "does not exist. Check the path.",
        "empty.png": "is empty. Save or download it again.",
        "text.png": "is not a picture that can be read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF).",
        "drawing.svg": "is not a picture that can be read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF).",
        "cut.jpg": "is damaged or cut short. Save or download it again.",
        "empty.png/x.png": "can't be read: Not a directory. Check the path.",
        "": "is a folder. Name a picture in it.",
    }.items():
        with pytest.raises(PictureError) as caught:
            pictures.load(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name} {reason}"
    with pytest.raises(PictureError, match=r"^stdin is empty"):
        pictures.load(b"", name="stdin")


def test_a_hostile_name_does_not_reach_the_terminal() -> None:
    with pytest.raises(PictureError) as caught:
        pictures.load(Path("a\x1b[31m\nb\0.png"))
    assert str(caught.value) == "a b .png can't be read: embedded null byte. Check the path."


def test_fit_square_keeps_the_whole_picture() -> None:
    for size in ((40, 20), (20, 40), (1, 1)):
        square = pictures.fit_square(flat(RED, size), 64)
        assert square.size == (64, 64)
        assert near(square.getpixel((32, 32)), RED)  # type: ignore[arg-type]
    for size in ((4000, 1), (1, 4000)):
        assert pictures.fit_square(flat(RED, size), 64).size == (64, 64)
    assert near(square.getpixel((0, 0)), RED)  # type: ignore[arg-type]
    assert pictures.fit_square(flat(RED, (40, 20)), 64).getpixel((32, 2)) == WHITE


def test_a_png_carries_its_recipe(tmp_path: Path) -> None:
    recipe = {"words": "crimson 赤 👟 <b>", "seed": 7, "understood": ["crimson"], "strength": None}
    (tmp_path / "a.png").write_bytes(pictures.to_png(sneaker(), recipe))
    assert pictures.recipe_of(tmp_path / "a.png") == recipe
    assert pictures.digest(pictures.load(tmp_path / "a.png")) == pictures.digest(sneaker())


@pytest.mark.parametrize(
    "text",
    [None, "[1, 2]", "null", "{", "[" * 100_000, '"text"', "NaN"],
    ids=["none", "list", "null", "cut", "deep", "text", "nan"],
)
def test_a_foreign_png_has_no_recipe(tmp_path: Path, text: str | None) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if text is not None:
        info.add_itxt(pictures.RECIPE, text)
    (tmp_path / "a.png").write_bytes(encoded(flat(RED), "PNG", pnginfo=info))
    assert pictures.recipe_of(tmp_path / "a.png") is None


def test_what_is_no_png_has_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(flat(RED), "JPEG"))
    (tmp_path / "cut.png").write_bytes(pictures.to_png(sneaker(), {"seed": 7})[:200])
    assert pictures.recipe_of(tmp_path / "a.jpg") is None
    assert pictures.recipe_of(tmp_path / "cut.png") is None
    with pytest.raises(PictureError, match="does not exist"):
        pictures.recipe_of(tmp_path / "missing.png")


def test_the_digest_is_of_the_pixels() -> None:
    image = sneaker()
    assert pictures.digest(pictures.load(encoded(image, "PNG"))) == pictures.digest(
        pictures.load(encoded(image, "BMP"))
    )
    assert pictures.digest(flat(RED, (20, 10))) != pictures.digest(flat(RED, (10, 20)))
    changed = image.copy()
    changed.putpixel((0, 0), (255, 255, 254))
    assert pictures.digest(changed) != pictures.digest(image)
