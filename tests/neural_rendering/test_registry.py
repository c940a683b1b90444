"""The contract of every neural renderer in the table, kept by a toy one that stands in for a trained person."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.exporters.base import ExportOptions
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.looks import Look
from facetalk.io.ffmpeg import describe
from facetalk.io.motion import write_motion
from facetalk.io.synthetic_media import SOURCE_TYPE, XMP_BOX, synthetic
from facetalk.io.video import VideoReader
from facetalk.neural_rendering.base import NeuralRenderer
from facetalk.neural_rendering.registry import NEURAL_RENDERERS, load_neural_renderer
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.render import render
from facetalk.pipelines.render_files import render_file


class Painter:
    """Shows a gray that follows the jaw."""

    image_size = (48, 32)

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise FacetalkError(f"nobody to paint at {path}")

    def frames(self, motion: Motion, camera: str = "front") -> Iterator[np.ndarray]:
        for jaw in motion.channel("jawOpen"):
            yield np.full((32, 48, 3), int(255 * jaw), np.uint8)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEURAL_RENDERERS, "photo", f"{__name__}:Painter")


def talking(num_frames: int = 6) -> Motion:
    curves = torch.rand(num_frames, 52, generator=torch.Generator().manual_seed(0))
    return still_motion("facetalk", curves, ARKIT_NAMES, 30.0, 40)


@pytest.mark.parametrize("name", NEURAL_RENDERERS)
def test_each_renderer_refuses_what_shows_nobody_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("not an image")
    for path in (tmp_path / "absent", tmp_path / "empty", tmp_path / "text.png"):
        with pytest.raises(FacetalkError) as caught:
            load_neural_renderer(name, path)
        assert str(path) in str(caught.value)


def test_an_unknown_renderer_is_refused() -> None:
    with pytest.raises(UsageError, match="there are: photo"):
        load_neural_renderer("oil", "x")


@pytest.mark.usefixtures("painter")
def test_a_video_shows_the_person_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    assert isinstance(load_neural_renderer("photo", tmp_path), NeuralRenderer)
    path = render(talking(), tmp_path / "a.mp4", photo=tmp_path, audio=torch.zeros(3200))
    with VideoReader(path) as video:
        levels = [float(image.mean()) for _, image in video]
    expected = (255 * talking().channel("jawOpen")).int().float()
    torch.testing.assert_close(torch.tensor(levels), expected, atol=3, rtol=0)
    told = describe(path)
    assert "Synthetic media" in told and "facetalk" in told and "creation_time" in told
    content = path.read_bytes()
    (start,) = [at for at in range(len(content)) if content.startswith(XMP_BOX, at)]
    size, kind = struct.unpack(">I4s", content[start - 8 : start])
    assert kind == b"uuid" and start - 8 + size == len(content)
    assert SOURCE_TYPE in content[start + 16 :].decode()


def test_what_a_file_states_has_its_time_in_utc() -> None:
    stated = synthetic("a <face>", datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    assert stated.tags["creation_time"] == "2030-01-02T03:04:05Z"
    assert "a &lt;face&gt;" in stated.xmp and "a <face>" in stated.tags["comment"]


@pytest.mark.usefixtures("painter")
def test_a_motion_file_is_rendered_again_when_the_person_has_changed(tmp_path: Path) -> None:
    motion, out, person = tmp_path / "m.npz", tmp_path / "m.mp4", tmp_path / "run"
    write_motion(motion, talking())
    person.mkdir()
    (person / "model.safetensors").write_bytes(b"one")
    assert render_file(motion, out, photo=person).state == "done"
    assert render_file(motion, out, photo=person, skip_existing=True).state == "skipped"
    (person / "model.safetensors").write_bytes(b"two")
    assert "photo" in render_file(motion, out, photo=person, skip_existing=True).redone
    made = json.loads((tmp_path / ".m.made.json").read_text())["m.mp4"]
    assert made["command"] == "render" and made["photo_fingerprint"]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"avatar": "a.glb"}, "a video shows one face"),
        ({"size": 64}, "takes no --size"),
        ({"backend": "pyrender"}, "takes no --backend"),
        ({"over": "a.mp4", "camera": "tracked"}, "takes no --over"),
        ({"over": "a.mp4"}, "--photo takes no --over"),
    ],
)
def test_what_belongs_to_the_head_is_refused_beside_a_person(others: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExportOptions(photo="run", **others)  # type: ignore[arg-type]


def test_colors_of_the_head_are_refused_where_only_a_person_is_seen() -> None:
    look, message = Look(skin="dark"), "--portrait takes no --skin, --eyes or --hair"
    motion = still_motion("facetalk", torch.zeros(1, 52), ARKIT_NAMES, 30.0, 33)
    with pytest.raises(UsageError, match=message):
        render(motion, "a.mp4", portrait="a.png", look=look)
    with pytest.raises(UsageError, match=message):
        render_file("a.npz", "a.mp4", portrait="a.png", look=look)
    with pytest.raises(UsageError, match=message):
        AnimateOptions(portrait="a.png", formats=("mp4", "npz"), look=look)
    assert AnimateOptions(portrait="a.png", formats=("mp4", "glb"), look=look).look == look


def test_a_portrait_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="--portrait names no file"):
        load_neural_renderer("portrait", "")
