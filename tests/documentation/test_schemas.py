"""The published JSON schemas describe what the program really writes, prints and reads."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from safetensors import safe_open
from typer.testing import CliRunner

from facetalk.cli.app import app
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS
from facetalk.data.manifest import CURATED_COLUMNS, REJECTED_COLUMNS
from facetalk.data.notes import NOTE_COLUMNS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.edit_list import read_edit_list
from facetalk.io.motion import read_motion, write_motion
from facetalk.motion.heads import load_head
from facetalk.pipelines import animator
from facetalk.pipelines import train as training
from facetalk.pipelines.line_table import COLUMNS
from facetalk.pipelines.styles import save_style
from tests.avatars import little_avatar
from tests.cli.test_commands import short_video as short_video  # a fixture
from tests.documentation.blocks import ROOT
from tests.exporters.motions import eventful
from tests.pipelines.performers import use_toys
from tests.pipelines.test_animate import make_speech
from tests.talkers.toys import listening_talker

SCHEMAS = ROOT / "docs/schemas"
NAMES = sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.json"))


@cache
def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))


def check(name: str, value: Any) -> Any:
    """Validate a value; without any of the required keys it would be refused."""
    validator = Draft202012Validator(schema(name))
    validator.validate(value)
    for key in schema(name).get("required", ()):
        assert not validator.is_valid({other: item for other, item in value.items() if other != key}), key
    return value


def document(*words: object, code: int = 0) -> Any:
    """What a command prints with `--json`."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def moving() -> Motion:
    """A third of a second of random curves on the bundled head, with events."""
    curves = 0.4 * torch.rand(10, len(ARKIT_NAMES), generator=torch.Generator().manual_seed(0))
    return eventful(still_motion("facetalk", curves, ARKIT_NAMES, FPS, load_head().num_betas))


def meta(path: Path | str) -> dict[str, Any]:
    """The JSON text of a motion file, without facetalk's reader."""
    with np.load(path, allow_pickle=False) as arrays:
        return json.loads(str(arrays["meta"]))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_valid_documented_and_refuse_nonsense(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["title"] and schema(name)["description"]
    assert f"(schemas/{name}.schema.json)" in (ROOT / "docs/schemas.md").read_text("utf-8")
    for nonsense in (3, [3], {"nonsense": 3}):
        # A record of options has any file name as its key, but never a number as its value.
        assert not Draft202012Validator(schema(name)).is_valid(nonsense), nonsense


def test_documents_of_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_speech(Path("a.wav"), 0.3)
    Path("broken.wav").write_text("no audio")
    check("batch", document("animate", "a.wav", "--format", "npz,csv"))
    check("made", json.loads(Path("a/.a.made.json").read_text("utf-8")))
    check("motion-meta", meta("a/a.npz"))
    again = check("batch", document("animate", "a.wav", "broken.wav", "--format", "npz", "--skip-existing", code=1))
    assert again["skipped"] and again["failed"]
    check("batch", document("animate", code=2))
    words = ["animate", "a.wav", "broken.wav", "b.wav", "--format", "npz", "--skip-existing", "--json-lines"]
    make_speech(Path("b.wav"), 0.3)
    lines = CliRunner().invoke(app, words).stdout.splitlines()
    events = [check("batch-line", json.loads(line))["event"] for line in lines]
    assert sorted(events) == ["done", "failed", "skipped", "summary"]


def test_frames_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(animator, "load_talker", lambda name: listening_talker())
    result = CliRunner().invoke(app, ["animate", "-", "--raw", "16000"], input=bytes(20_000))
    events = [check("frames", json.loads(line))["event"] for line in result.stdout.splitlines()]
    assert events == ["start", *["frame"] * 19, "end"]


def test_documents_about_motions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_motion("a.npz", moving())
    for words in (
        ("edit", "a.npz", "--mirror", "-o", "b.npz"),
        ("export", "a.npz", "--format", "csv,a2f,visemes-json,rhubarb-json", "-o", "."),
        ("convert", "a.csv", "-o", "c.npz"),
        ("render", "a.npz", "--size", "16", "-o", "a.mp4"),
    ):
        check("batch", document(*words))
    assert check("motion-meta", meta("b.npz"))["events"]
    check("visemes", json.loads(Path("a.visemes.json").read_text("utf-8")))
    check("audio2face", json.loads(Path("a.a2f.json").read_text("utf-8")))
    check("rhubarb", json.loads(Path("a.rhubarb.json").read_text("utf-8")))
    assert check("diff", document("diff", "a.npz", "b.npz"))["curves"]
    check("evaluate", document("evaluate", "a.npz", "b.npz"))
    check("error", document("diff", "a.npz", "missing.npz", code=1))


def test_documents_about_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("styles", document("styles"))
    check("heads", document("heads"))
    check("weights", document("weights"))
    check("weights", document("weights", "--verify"))
    check("avatar", document("avatar", little_avatar(tmp_path / "character.glb")))
    trained = training.TrainingResult(tmp_path / "run", {"r_open": 0.5, "steps": 3.0})
    monkeypatch.setattr(training, "train", lambda *options, **settings: trained)
    check("train", document("train", "styletalk"))


@pytest.mark.slow
def test_the_document_of_the_doctor() -> None:
    check("doctor", document("doctor"))


def test_a_saved_style(tmp_path: Path) -> None:
    path = save_style("happy", tmp_path / "anna.safetensors")
    with safe_open(path, "pt") as file:
        check("style", file.metadata())


def test_tables_have_the_columns_of_their_schemas() -> None:
    assert set(schema("manifest")["properties"]) == set(CURATED_COLUMNS)
    assert set(schema("rejected")["properties"]) == set(REJECTED_COLUMNS)
    assert set(schema("lines")["properties"]) == set(COLUMNS)
    assert set(schema("speakers")["properties"]) == {"path", *NOTE_COLUMNS}
    check("lines", {"file": "a.wav", "style": "happy", "gain": ""})
    check("speakers", {"path": "ann/a.mp4", "speaker": "Ann", "av_corr": "0.5"})


def test_lists_of_edits(tmp_path: Path) -> None:
    """The list in docs/editing.md is good for both, and what the schema refuses the reader refuses, too."""
    page = (ROOT / "docs/editing.md").read_text("utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "take.edits.yaml"
    path.write_text(text, "utf-8")
    assert len(read_edit_list(path).edits) == len(check("edits", yaml.safe_load(text))["edits"])
    for wrong in (
        {"version": 1, "edits": [{"channel": "jawOpen"}]},
        {"version": 1, "edits": [{"channel": "jawOpen", "value": 1, "gain": 1}]},
        {"version": 1, "edits": [{"channel": "jawOpen", "gain": -1}]},
        {"version": 1, "edits": [{"channel": "jawOpen", "value": 1, "easing": "soft"}]},
        {"version": 1, "edits": [{"channel": "jawOpen", "value": 1, "colour": "red"}]},
        {"edits": []},
    ):
        assert not Draft202012Validator(schema("edits")).is_valid(wrong), wrong
        path.write_text(yaml.safe_dump(wrong), "utf-8")
        with pytest.raises(FacetalkError):
            read_edit_list(path)


@pytest.mark.slow
def test_a_dataset(short_video: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    folder = tmp_path / "set"
    check("batch", document("fit", short_video, bad, "-o", folder, code=1))
    for name in ("manifest", "rejected"):
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            check(name, row)
    check("motion-meta", meta(folder / "short.npz"))
    assert read_motion(folder / "short.npz").num_frames == 15
