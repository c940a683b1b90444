"""`facetalk styles`, with a small untrained talker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from facetalk.cli.app import app
from facetalk.core.errors import FacetalkError
from facetalk.io.styles import SavedStyle, style_path, write_style
from facetalk.pipelines import styles
from facetalk.pipelines.reports import style_map
from tests.pipelines.test_styles import write_reference
from tests.talkers.toys import toy_talker


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for module in (styles, style_map):
        monkeypatch.setattr(module, "load_talker", lambda name: toy_talker())
    monkeypatch.setattr(styles, "load_head", lambda name: None)
    monkeypatch.setattr(styles, "bundled_styles", lambda folder: toy_talker().styles)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["styles", *arguments])


def names() -> list[str]:
    return [entry["name"] for entry in json.loads(run("--json").stdout)]


def test_styles_are_saved_mixed_listed_and_removed() -> None:
    write_reference(Path("a.npz"), 0.1)
    assert run("save", "mine", "a.npz").exit_code == 0
    assert run("save", "half", "mine:0.5,glad:0.5", "--strength", "0.8").exit_code == 0
    assert run("extract", "glad:1.5,mine:-0.5", "-o", "far.safetensors").stdout.strip() == "far.safetensors"
    assert names() == ["neutral", "glad", "half", "mine"]
    assert run("remove", "half").exit_code == 0
    assert "saved" in run("list").stdout
    assert names() == ["neutral", "glad", "mine"]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("save", "mine", "nobody"), 1, "no such style reference: nobody"),
        (("save", "glad", "neutral"), 2, "'glad' is the name of a bundled style"),
        (("save", "mine", "glad:3,neutral:-2"), 2, "a style's weight is 3"),
        (("extract", "glad", "-o", "glad.npz"), 2, "ends in .safetensors"),
        (("remove", "glad"), 2, "no saved style is named 'glad'"),
        (("plot", "none.npz"), 1, "no such reference: none.npz"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(arguments: tuple[str, ...], code: int, complaint: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert complaint in result.stderr and result.stderr.count("\n") == 1


def test_a_home_that_cannot_be_written_to_has_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(FacetalkError, match=r"cannot make the folder .*; set XDG_DATA_HOME to a writable folder"):
        write_style(style_path("anna"), SavedStyle(torch.zeros(2), "talker"))


def test_a_map_of_motion_files() -> None:
    files = [str(write_reference(Path(f"{index}.npz"), 0.2 * index)) for index in range(4)]
    document = json.loads(run("plot", *files, "-o", "map.png", "--by", "emotion", "--json").stdout)
    assert document["names"] == files
    assert Path("map.png").is_file() and Path("map.html").is_file()
