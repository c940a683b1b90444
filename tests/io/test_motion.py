"""Motion files: what goes in comes out, and every fault gets one clear line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError
from facetalk.core.events import Event
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.io.motion import read_motion, write_motion

NAMES = ("jawOpen", "mouthSmileLeft", "browInnerUp")


def make_motion(num_frames: int = 7, fps: float = 29.97, fitted: bool = True) -> Motion:
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    poses: dict[str, Any] = {name: noise(num_frames, 3) for name in POSES}
    motion = Motion(
        head="toy", fps=fps, expression=noise(num_frames, 3), expression_names=NAMES, transl=noise(num_frames, 3),
        betas=noise(4), meta={"command": "facetalk fit ä.mp4", "seed": 3}, **poses,
    )  # fmt: skip
    if not fitted:
        return motion
    camera = Camera(torch.tensor([[700.0, 0, 256], [0, 700, 250], [0, 0, 1]]), (512, 500))
    error = torch.rand(num_frames, generator=generator)
    error[2] = torch.nan
    return motion.replace(
        camera=camera, fit_error=error, confidence=torch.rand(num_frames), source="ä clip.mp4", source_fps=23.976
    )


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("fps", [30, 23.976, 120.0])
def test_a_motion_survives_the_file(tmp_path: Path, fps: float, fitted: bool) -> None:
    motion = make_motion(fps=fps, fitted=fitted)
    write_motion(tmp_path / "sub" / "a.npz", motion)
    back = read_motion(tmp_path / "sub" / "a.npz")
    for name in ("expression", *POSES, "transl", "betas"):
        torch.testing.assert_close(getattr(back, name), getattr(motion, name), rtol=0, atol=0)
    assert (back.head, back.fps, back.expression_names) == ("toy", fps, NAMES)
    assert (back.source, back.source_fps) == (motion.source, motion.source_fps)
    assert back.meta["seed"] == 3
    assert back.meta["command"] == "facetalk fit ä.mp4"
    assert "facetalk_version" in back.meta
    if fitted:
        assert back.camera is not None and motion.camera is not None
        assert back.camera.image_size == (512, 500)
        torch.testing.assert_close(back.camera.K, motion.camera.K)
        assert back.fit_error is not None and motion.fit_error is not None
        torch.testing.assert_close(back.fit_error, motion.fit_error, equal_nan=True)
    else:
        assert back.camera is None and back.fit_error is None and back.confidence is None


def test_the_file_holds_the_documented_arrays_and_no_pickles(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_motion(path, make_motion())
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {
            "format", "version", "head", "fps", "expression", "expression_names", *POSES, "transl", "betas", "camera_K",
            "image_size", "fit_error", "confidence", "source", "source_fps", "meta",
        }  # fmt: skip
        assert str(file["format"]) == "facetalk-motion"
        assert int(file["version"]) == 1
        assert file["camera_K"].shape == (3, 3)


def test_events_survive_the_file_to_a_tenth_of_a_millisecond(tmp_path: Path) -> None:
    events = (
        Event("phrase", 0.0, 0.2),
        Event("phoneme", 0.0, 0.01234, "AH"),
        Event("phoneme", 0.01234, 0.1, "P"),
        Event("blink", 0.1, 0.2, strength=0.5),
    )
    motion = make_motion().replace(events=events)
    write_motion(tmp_path / "a.npz", motion)
    back = read_motion(tmp_path / "a.npz")
    assert [(e.kind, e.label, e.strength) for e in back.events] == [(e.kind, e.label, e.strength) for e in events]
    for event, written in zip(back.events, events, strict=True):
        assert (event.start, event.end) == pytest.approx((written.start, written.end), abs=5.1e-5)
    assert "events" not in back.meta
    with np.load(tmp_path / "a.npz") as file:
        meta = json.loads(str(file["meta"]))
    assert meta["events"][1] == {"kind": "phoneme", "spans": [[0.0, 0.0123, "AH"], [0.0123, 0.1, "P"]]}
    assert {"kind": "blink", "spans": [[0.1, 0.2, "", 0.5]]} in meta["events"]


def test_events_of_long_speech_are_small(tmp_path: Path) -> None:
    """Three minutes of fast speech: 2000 phonemes and 500 words."""
    still = still_motion("toy", torch.zeros(180, 3), NAMES, 1.0, 4)
    edges = torch.rand(2001, generator=torch.Generator().manual_seed(0)).cumsum(0).double()
    edges = (edges / edges[-1] * 180).tolist()
    phonemes = [Event("phoneme", first, last, "AH") for first, last in itertools.pairwise(edges)]
    words = [Event("word", first, last, "something") for first, last in itertools.pairwise(edges[::4])]
    write_motion(tmp_path / "still.npz", still)
    write_motion(tmp_path / "a.npz", still.with_events(phonemes + words))
    assert len(read_motion(tmp_path / "a.npz").events) == 2500
    assert (tmp_path / "a.npz").stat().st_size - (tmp_path / "still.npz").stat().st_size < 25_000


def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    write_motion(tmp_path / "a.npz", make_motion())
    change(tmp_path / "a.npz", shoe_size=np.array(43, np.float32))
    assert read_motion(tmp_path / "a.npz").num_frames == 7


def change(path: Path, **values: np.ndarray | str | None) -> None:
    """Rewrite a file with some arrays exchanged, `None` taking one away."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | values
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"format": None}, "does not say its format"),
        ({"format": "voca"}, "its format is 'voca'"),
        ({"version": np.int64(2)}, "version 2; .*upgrade"),
        ({"version": None}, "'version' is missing"),
        ({"jaw_pose": None}, "'jaw_pose' is missing"),
        ({"jaw_pose": np.zeros((6, 3))}, r"'jaw_pose' has shape \(6, 3\), it must be \(7, 3\)"),
        ({"expression": np.zeros((7, 2))}, r"'expression' has shape \(7, 2\), it must be \(any, 3\)"),
        ({"expression": np.zeros((0, 3))}, "without frames"),
        ({"transl": np.full((7, 3), np.nan)}, "'transl' holds values that are not finite"),
        ({"expression": np.full((7, 3), "x")}, "'expression' holds <U1, not numbers"),
        ({"fps": np.float64(0)}, "fps is 0"),
        ({"fps": np.float64(np.nan)}, "'fps' must be one finite number"),
        ({"head": np.int64(3)}, "'head' must be one text"),
        ({"meta": "{"}, "'meta' is not valid JSON"),
        ({"meta": '{"seed": ' + "9" * 5000 + "}"}, "'meta' is not valid JSON: an integer of 5000 digits"),
        ({"meta": '{"seed": NaN}'}, "NaN is not a JSON value"),
        ({"meta": "[" * 100_000}, "more than 100 levels"),
        ({"expression": np.full((7, 3), 1e30)}, "expression of the motion reaches 1e\\+30"),
        ({"expression": np.full((7, 3), 1e300)}, "not finite in expression"),
        ({"transl": np.full((7, 3), 1e20)}, "transl of the motion reaches"),
        ({"betas": np.full(4, -1e9)}, "betas of the motion reaches"),
        ({"fps": np.float64(1e-9)}, "fps of the motion is 1e-09; it must be 1 to 1000"),
        ({"fps": np.float64(1e9)}, "fps of the motion is 1e\\+09"),
        ({"source_fps": np.float64(1e6)}, "source_fps of the motion is 1e\\+06"),
        ({"image_size": np.array([100_000, 100_000])}, "'image_size' is 100000x100000"),
        ({"image_size": np.array([0, 0])}, "'image_size' is 0x0"),
        ({"camera_K": np.zeros((3, 3))}, "'camera_K' is not the matrix of a camera"),
        ({"expression_names": np.array(["a", "b", "a"])}, "holds the same name twice"),
        ({"expression_names": np.array(["a", "b", "\x1b[31m"])}, "cannot be the name of an expression"),
        ({"head": np.array("flame:/etc/passwd")}, "names a head without its path"),
        ({"head": np.array("gnm:../x")}, "names a head without its path"),
        ({"source": np.array("x" * 5000)}, "'source' has 5000 characters"),
        ({"meta": "[1]"}, "'meta' is not a JSON object"),
        ({"meta": '{"events": {}}'}, "'meta' events is not a list"),
        ({"meta": '{"events": [3]}'}, r"events\[0\] is not an object"),
        ({"meta": '{"events": [{"kind": "word", "spans": 3}]}'}, "a list of 'spans'"),
        ({"meta": '{"events": [{"kind": "word", "spans": [[1]]}]}'}, r"holds \[1\], not \[start, end"),
        ({"meta": '{"events": [{"kind": "word", "spans": [[0, "x"]]}]}'}, r"holds \[0, 'x'\], not"),
        ({"meta": '{"events": [{"kind": "yawn", "spans": [[0, 0.1]]}]}'}, "the kind 'yawn'"),
        ({"meta": '{"events": [{"kind": "word", "spans": [[0, 0.1, 5]]}]}'}, r"holds \[0, 0.1, 5\], not"),
        ({"meta": '{"events": [{"kind": "word", "spans": [[0, 100]]}]}'}, "a word ends at 100.00 s"),
        ({"meta": '{"events": "' + "x" * (1 << 21) + '"}'}, "'meta' has 2097166 characters"),
        ({"image_size": None}, "'image_size' is missing"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(
    tmp_path: Path, values: dict[str, np.ndarray | str | None], complaint: str
) -> None:
    path = tmp_path / "a.npz"
    write_motion(path, make_motion())
    change(path, **values)
    with pytest.raises(FacetalkError, match=complaint) as caught:
        read_motion(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_files_that_are_no_archives_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    write_motion(whole, make_motion())
    (tmp_path / "text.npz").write_text("hello, this is a text\n")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:700])
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "pickled.npz", format=np.array([{}], dtype=object))
    for name in ("text.npz", "empty.npz", "cut.npz", "array.npy", "pickled.npz", ""):
        with pytest.raises(FacetalkError, match="is not a motion file") as caught:
            read_motion(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(FacetalkError, match="no motion file at"):
        read_motion(tmp_path / "missing.npz")


def test_a_motion_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    motion = make_motion()
    broken = motion.replace(expression=motion.expression / 0)
    with pytest.raises(ValueError, match="not finite in expression"):
        write_motion(tmp_path / "a.npz", broken)
    assert list(tmp_path.iterdir()) == []
