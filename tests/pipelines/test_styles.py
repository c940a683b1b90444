"""Styles by name, file and mixture, with a small untrained talker."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.weights import write_tensors
from facetalk.pipelines import styles
from facetalk.pipelines.reports import style_map
from facetalk.talkers.styles import strengthened
from facetalk.talkers.styletalk import StyleTalk
from tests.talkers.toys import toy_talker


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(styles, "load_talker", lambda name: toy_talker())
    monkeypatch.setattr(styles, "load_head", lambda name: None)
    monkeypatch.setattr(styles, "bundled_styles", lambda folder: toy_talker().styles)
    monkeypatch.setattr(style_map, "load_talker", lambda name: toy_talker())


def write_reference(path: Path, level: float) -> Path:
    rows = level + 0.1 * torch.rand(80, 52, generator=torch.Generator().manual_seed(round(100 * level)))
    write_motion(path, still_motion("facetalk", rows, ARKIT_NAMES, 30.0, 3))
    return path


def resolve(text: str, talker: StyleTalk, strength: float = 1.0) -> torch.Tensor:
    return strengthened(styles.resolve_style(text, talker), talker.neutral_style, strength)


def test_a_saved_style_is_the_reference_under_a_name() -> None:
    talker = toy_talker()
    write_reference(Path("calm.npz"), 0.1)
    styles.save_style("calm.npz", "mine")
    torch.testing.assert_close(resolve("mine", talker), resolve("calm.npz", talker))
    assert [(entry.name, entry.kind) for entry in styles.list_styles()] == [
        ("neutral", "bundled"),
        ("glad", "bundled"),
        ("mine", "saved"),
    ]
    with pytest.raises(FacetalkError, match="exists already"):
        styles.save_style("calm.npz", "mine")
    styles.save_style("calm.npz", "mine", strength=0.5, overwrite=True)
    torch.testing.assert_close(resolve("mine", talker), resolve("calm.npz", talker, 0.5))
    styles.remove_style("mine")
    with pytest.raises(FacetalkError, match="no such style reference: mine; it is neither a file nor one of"):
        resolve("mine", talker)
    with pytest.raises(UsageError, match="no saved style is named 'mine'"):
        styles.remove_style("mine")


def test_mixtures_take_names_and_files() -> None:
    talker = toy_talker()
    write_reference(Path("a.npz"), 0.1)
    write_reference(Path("b.npz"), 0.6)
    styles.save_style("b.npz", "out.safetensors")
    a, b, glad = (resolve(name, talker) for name in ("a.npz", "out.safetensors", "glad"))
    torch.testing.assert_close(b, resolve("b.npz", talker))
    torch.testing.assert_close(
        resolve("a.npz:0.25,out.safetensors:1.25,glad:-0.5", talker), 0.25 * a + 1.25 * b - 0.5 * glad
    )
    torch.testing.assert_close(resolve("glad", talker, strength=0.0), talker.neutral_style)


def test_what_cannot_be_a_style_is_refused() -> None:
    talker = toy_talker()
    for name, complaint in (("9lives", "not a valid name for a style"), ("glad", "name of a bundled style")):
        with pytest.raises(UsageError, match=complaint):
            styles.save_style(str(write_reference(Path("a.npz"), 0.1)), name)
    write_tensors(Path("other.safetensors"), {"x": torch.zeros(3)})
    with pytest.raises(FacetalkError, match="not a saved style"):
        resolve("other.safetensors", talker)
    with pytest.raises(UsageError, match="between 0 and"):
        resolve("glad", talker, strength=-1.0)


def test_a_motion_is_a_reference_too() -> None:
    talker = toy_talker()
    motion = read_motion(write_reference(Path("calm.npz"), 0.1))
    torch.testing.assert_close(styles.resolve_style(motion, talker), styles.resolve_style("calm.npz", talker))
    styles.save_style(motion, "mine")
    torch.testing.assert_close(resolve("mine", talker), resolve("calm.npz", talker))
    with pytest.raises(FacetalkError, match="not finite in expression"):
        styles.resolve_style(motion.replace(expression=motion.expression * torch.nan), talker)


def test_swapped_arguments_are_recognized() -> None:
    write_reference(Path("calm.npz"), 0.1)
    with pytest.raises(UsageError, match="the reference comes first, then the name"):
        styles.save_style("calm", "calm.npz")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (torch.full((24,), torch.nan), "not finite"),
        (torch.full((24,), 1e30), "beyond 1000"),
        (torch.zeros(24, 1), "2-dimensional"),
        (torch.zeros(()), "0-dimensional"),
        (torch.zeros(24, dtype=torch.int32), "holds no numbers"),
        (torch.zeros(7), "was saved for another talker"),
    ],
)
def test_a_style_file_with_anything_but_a_code_is_refused(code: torch.Tensor, reason: str) -> None:
    talker = toy_talker()
    about = {"format": "facetalk-style", "talker": talker.fingerprint(), "source": "x"}
    write_tensors(Path("bad.safetensors"), {"style_code": code}, about)
    with pytest.raises(FacetalkError, match=reason) as caught:
        styles.resolve_style("bad.safetensors", talker)
    assert "\n" not in str(caught.value)


def test_a_style_of_another_talker_is_refused() -> None:
    write_reference(Path("a.npz"), 0.1)
    styles.save_style("a.npz", "mine")
    other = toy_talker()
    with torch.no_grad():
        other.generator.style_encoder.embed.weight.add_(0.5)
    with pytest.raises(FacetalkError, match="saved for another talker"):
        resolve("mine", other)


def test_a_map_takes_a_folder_without_a_manifest() -> None:
    for index in range(3):
        write_reference(Path(f"folder/{index}.npz"), 0.1 * index)
    assert style_map.plot_styles([Path("folder")], Path("map.png")).names == ["0.npz", "1.npz", "2.npz"]
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="no motion or video files found in empty"):
        style_map.plot_styles([Path("empty")], Path("other.png"))


def test_a_map_is_an_image_and_a_page_with_every_name() -> None:
    references = [write_reference(Path(f"clip<{index}>.npz"), 0.1 * index) for index in range(5)]
    made = style_map.plot_styles(references, Path("map.png"), by="speaker")
    assert made.picture.read_bytes()[1:4] == b"PNG"
    page = made.page.read_text("utf-8")
    assert all(f'"clip\\u003c{index}>.npz"' in page for index in range(5))
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page
    with pytest.raises(FacetalkError, match="exists already"):
        style_map.plot_styles(references, Path("map.png"))
    with pytest.raises(UsageError, match="three references"):
        style_map.plot_styles(references[:2], Path("few.png"))
    with pytest.raises(UsageError, match="speaker or emotion"):
        style_map.plot_styles(references, Path("few.png"), by="hair")
