"""What every fitter of the table must do, with a toy detector and toy networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.fitters import spectre
from facetalk.fitters.base import Fitter
from facetalk.fitters.registry import METHODS, check_method, load_fitter
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from tests.fitters.toy import NUM_FRAMES, SIZE, use_fake_detector, write_clip
from tests.recipes.toy_faces import tiny_encoder
from tests.tracking.synthetic import make_point_head


@pytest.fixture(scope="module")
def bundled() -> HeadModel:
    return load_head()


@pytest.fixture
def fitter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, bundled: HeadModel) -> Fitter:
    use_fake_detector(monkeypatch, make_point_head())
    monkeypatch.setattr(spectre, "load_face_encoder", lambda name: tiny_encoder(bundled.num_betas))
    return load_fitter(request.param)


@pytest.mark.parametrize("fitter", METHODS, indirect=True)
def test_a_video_becomes_a_motion_of_the_head_with_camera_error_and_confidence(
    fitter: Fitter, bundled: HeadModel, tmp_path: Path
) -> None:
    assert isinstance(fitter, Fitter)
    video = write_clip(tmp_path / "a.mp4", 200)
    steps: list[tuple[int, int]] = []
    lengths: list[int] = []
    motion = fitter.fit(
        video, bundled, progress=lambda what, done, total: steps.append((done, total)), on_length=lengths.append
    )
    assert lengths == [motion.num_frames]
    assert motion.head == bundled.name and motion.expression_names == bundled.shape.expression_names
    assert motion.fps == 30 and motion.num_frames == round(NUM_FRAMES / 25 * 30)
    assert motion.camera is not None and motion.camera.image_size == SIZE
    assert motion.fit_error is not None and len(motion.fit_error) == motion.num_frames
    assert motion.confidence is not None and 0 <= float(motion.confidence.min()) <= float(motion.confidence.max()) <= 1
    assert motion.source == str(video) and motion.source_fps == 25
    assert "MediaPipe" in motion.meta["detector"] and motion.meta["command"].startswith("fit")
    assert steps[-1][0] == steps[-1][1] >= NUM_FRAMES


@pytest.mark.parametrize("fitter", METHODS, indirect=True)
def test_a_video_without_a_face_and_a_person_who_is_not_there_are_errors(
    fitter: Fitter, bundled: HeadModel, tmp_path: Path
) -> None:
    with pytest.raises(FacetalkError, match=r"dark\.mp4: no face was found in any of its 12 frames"):
        fitter.fit(write_clip(tmp_path / "dark.mp4", 0), bundled)
    with pytest.raises(UsageError, match=r"--face 2: .*a\.mp4 shows one face"):
        fitter.fit(write_clip(tmp_path / "a.mp4", 200), bundled, face=2)


def test_unknown_methods_and_refinement_of_methods_without_it_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown method 'flow'; known methods: landmarks, spectre"):
        load_fitter("flow")
    with pytest.raises(UsageError, match=r"landmarks has no refinement.*--method spectre"):
        check_method("landmarks", refine=True)


def test_fitting_imports_no_training_code() -> None:
    code = (
        "import sys, facetalk.pipelines.fit_command, facetalk.fitters.landmarks, facetalk.fitters.spectre\n"
        "loaded = [name for name in sys.modules if name.startswith(('facetalk.training', 'facetalk.recipes'))]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_of_methods_imports_nothing_heavy() -> None:
    code = "import sys, facetalk.fitters.registry; assert not {'torch', 'numba', 'mediapipe'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
