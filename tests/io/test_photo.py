"""Photos of every kind become upright, opaque images of eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetalk.core.errors import FacetalkError
from facetalk.io import photo
from facetalk.io.photo import LONGEST_SIDE, read_photo

TURN = 0x0112
"""EXIF's tag of the orientation."""


def pattern(width: int = 60, height: int = 40) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, 255 - x], -1).astype(np.uint8)


def test_the_rotation_that_a_camera_noted_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[TURN] = 6
    Image.fromarray(pattern()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), np.rot90(pattern(), -1))


def test_transparent_parts_lie_over_white(tmp_path: Path) -> None:
    opacity = np.zeros((40, 60, 1), np.uint8)
    opacity[:, :30], opacity[:, 30:40] = 255, 51
    Image.fromarray(np.concatenate([pattern(), opacity], 2), "RGBA").save(tmp_path / "a.png")
    image = read_photo(tmp_path / "a.png").astype(int)
    np.testing.assert_array_equal(image[:, :30], pattern()[:, :30])
    assert (image[:, 40:] == 255).all()
    np.testing.assert_allclose(image[:, 30:40], 0.2 * pattern()[:, 30:40] + 0.8 * 255, atol=2)


def test_a_photo_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    image = np.concatenate([pattern(), np.zeros((40, 60, 1), np.uint8)], 2)
    Image.fromarray(image, "RGBA").save(tmp_path / "a.png")
    with pytest.raises(FacetalkError, match="transparent everywhere; give a photo"):
        read_photo(tmp_path / "a.png")
    image[0, 0, 3] = 1
    Image.fromarray(image, "RGBA").save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").min() > 250


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_pixel_is_understood(tmp_path: Path, mode: str) -> None:
    gray = pattern()[..., 0]
    if mode == "I;16":
        image = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode in ("I", "F"):
        image = Image.fromarray(gray.astype({"I": np.int32, "F": np.float32}[mode]))
    else:
        image = Image.fromarray(np.stack([gray] * 3, -1)).convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I", "F") else "a.png")
    image.save(path)
    found = read_photo(path)
    assert found.shape == (40, 60, 3) and found.dtype == np.uint8
    if mode not in ("1", "P"):
        np.testing.assert_allclose(found[..., 1].astype(int), gray, atol=8)


def test_a_large_photo_is_reduced_and_a_huge_one_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(pattern()).resize((3 * LONGEST_SIDE, 64)).save(tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg").shape[1] <= LONGEST_SIDE
    monkeypatch.setattr(photo, "LARGEST_MEGAPIXELS", 0.1)
    with pytest.raises(FacetalkError, match="6144 x 64 pixels"):
        read_photo(tmp_path / "a.jpg")


def test_what_is_no_photo_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    Image.fromarray(pattern()).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(pattern(60, 8)).save(tmp_path / "low.png")
    (tmp_path / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 60\n%%EndComments\nshowpage\n")
    (tmp_path / "empty.png").touch()
    for name, message in {
        "text.png": "not a PNG", "eps.png": "not a PNG", "cut.png": "damaged", "low.png": "at least 32",
        "empty.png": "empty",
        "absent.png": "no such file",
    }.items():  # fmt: skip
        with pytest.raises(FacetalkError, match=message) as caught:
            read_photo(tmp_path / name)
        assert name in str(caught.value)
