"""What the package promises as a whole: public names, bundled weights, examples and README that agree."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import facetalk
from facetalk.io.audio import read_waveform
from facetalk.io.video import VideoReader
from facetalk.io.weights import weights_dir
from facetalk.pipelines.weights import verify_weights

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", facetalk.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(facetalk, name) is not None
    assert name in dir(facetalk)


@pytest.mark.parametrize("name", [name for name in facetalk.__all__ if not name.startswith("_")])
def test_public_names_are_documented(name: str) -> None:
    item = getattr(facetalk, name)
    docs = inspect.getdoc(item) or ""
    assert docs, name
    if inspect.isfunction(item):
        options = inspect.signature(item).parameters
        missing = [option for option in options if not re.search(rf"^    {option}: ", docs, re.MULTILINE)]
        assert not missing, f"{name} does not document {missing}"
        assert not any(option.kind is option.VAR_KEYWORD for option in options.values())


def test_the_public_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse(Path(facetalk.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names if node.module}
    listed = {name: f"facetalk.{module}" for name, module in facetalk._MODULES.items()}
    assert facetalk.__all__ == sorted([*listed, "__version__"])
    assert {name: homes[name] for name in listed} == listed


@pytest.mark.slow
def test_speech_becomes_a_mesh_in_five_lines(tmp_path: Path) -> None:
    waveform = facetalk.read_waveform(ROOT / "examples/speech.wav")[:16_000]
    motion = facetalk.load_talker().speak(waveform, facetalk.Direction(style="happy"))
    motion = facetalk.add_gestures(motion, waveform, seed=3)
    assert facetalk.export(motion, tmp_path / "speech.glb").stat().st_size > 10_000
    assert motion.num_frames == 30
    assert {"L", "OW"} <= {phoneme.label for phoneme in motion.events_of("phoneme")}  # hello


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        facetalk.sing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import facetalk, sys; assert not {'torch', 'numpy', 'numba', 'mediapipe'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_weight_file_has_its_checksum() -> None:
    assert verify_weights() == {}


def test_a_changed_missing_or_unlisted_weight_file_is_noticed(tmp_path: Path) -> None:
    for name in ("kept", "changed", "gone", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(name.encode())
    sums = subprocess.run(
        ["sha256sum", *(f"{name}/model.safetensors" for name in ("kept", "changed", "gone"))],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "SHA256SUMS").write_text(sums)
    (tmp_path / "changed/model.safetensors").write_bytes(b"other")
    (tmp_path / "gone/model.safetensors").unlink()
    problems = verify_weights(tmp_path)
    assert {name.split("/")[0]: text.split(";")[0] for name, text in problems.items()} == {
        "changed": "differs from its checksum",
        "gone": "is missing",
        "new": "is not listed in the checksums",
    }


def test_every_weights_folder_has_a_card_and_all_are_small() -> None:
    folders = [path.parent for path in weights_dir().glob("*/model.safetensors")]
    assert folders
    readme = (weights_dir() / "README.md").read_text("utf-8")
    for folder in folders:
        assert (folder / "CARD.md").is_file(), folder
        assert f"`{folder.name}`" in readme, folder.name
    assert sum(path.stat().st_size for path in weights_dir().rglob("*") if path.is_file()) < 64e6


def test_the_examples_are_short_and_small() -> None:
    speech, reference = ROOT / "examples/speech.wav", ROOT / "examples/ref.mp4"
    assert 4 < len(read_waveform(speech)) / 16_000 < 8
    with VideoReader(reference) as video:
        assert 90 <= sum(1 for _ in video) <= 200
    assert reference.stat().st_size < 400_000


def test_the_animation_of_the_readme_is_small_and_loops_forever() -> None:
    path = ROOT / "examples/preview.gif"
    assert path.stat().st_size < 2_000_000
    with Image.open(path) as animation:
        assert animation.info["loop"] == 0 and getattr(animation, "n_frames", 1) > 100
        assert 300 <= animation.width <= 480


def test_readme_leads_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    first_screen = text[:2500]
    assert "    pip install . && facetalk animate examples/speech.wav --style examples/ref.mp4" in first_screen
    assert "    pip install '.[test]' && pytest" in first_screen
    assert text.index("examples/preview.gif") < 1000
