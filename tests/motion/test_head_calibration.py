"""Points go where the detector sees them, along the surface, and are measured once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.landmarks import IBUG_INNER_FACE_SLICE
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.surface_points import SurfacePoints
from facetalk.motion import head_calibration as calibration
from facetalk.motion.head_calibration import calibrated
from facetalk.motion.heads import load_head_assets


class Knowing:
    """Sees every point where `truth` has it, whatever the image shows."""

    def __init__(self, head: HeadModel, truth: SurfacePoints) -> None:
        self.images = 0
        self.answers = []
        middle = head.points.landmarks.on(head.template)[IBUG_INNER_FACE_SLICE].mean(0)
        for shape in calibration.expressions(head, head):
            for yaw, pitch in calibration.VIEWS_DEG:
                turn = torch.from_numpy(calibration.head_turn(yaw, pitch)).float()
                at = truth.on((shape - middle) @ turn.T)
                depth = 0.62 - at[:, 2]
                self.answers.append((256 + 1150 * at[:, :2] * torch.tensor([1.0, -1.0]) / depth[:, None]).numpy())

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        pixels = self.answers[self.images % len(self.answers)]
        self.images += 1
        return None if self.images % 7 == 0 else np.pad(pixels, ((0, 0), (0, 1)))

    def close(self) -> None:
        pytest.fail("a detector that was handed in is its owner's to close")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HeadModel:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(calibration, "EXPRESSIONS", ({}, {"jawOpen": 0.3}))
    return HeadModel(load_head_assets("facetalk"))


def misplaced(head: HeadModel, by: tuple[float, float, float]) -> SurfacePoints:
    """The head's points, moved along its surface."""
    from facetalk.head.registration import slide

    points, assets = head.points.mediapipe, head.assets
    offsets = np.tile(np.array(by), (len(points.triangles), 1))
    triangles, weights = slide(points.triangles.numpy(), points.barycentric.double().numpy(), offsets,
                               assets.shape.template.double().numpy(), assets.shape.faces.numpy())  # fmt: skip
    return SurfacePoints(torch.from_numpy(triangles), torch.from_numpy(weights).float())


@pytest.mark.slow
def test_misplaced_points_go_where_they_are_seen(own: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = own.points.mediapipe
    wrong = HeadModel(replace(own.assets, points=replace(own.points, mediapipe=misplaced(own, (0.003, 0.002, 0.0)))))
    detector = Knowing(own, truth)
    fixed = calibrated(wrong, own, detector)
    assert detector.images == calibration.ROUNDS * len(detector.answers)
    before, after = ((points.on(own.template) - truth.on(own.template)).norm(dim=1)
                     for points in (wrong.points.mediapipe, fixed.points.mediapipe))  # fmt: skip
    assert before.mean() > 0.003 and after.mean() < 0.0005 and after.quantile(0.95) < 0.0015, "meters"
    # Upper and lower lip touch; a point that belongs to one does not end on the other.
    opened = own.template + own.expression_dirs[ARKIT_NAMES.index("jawOpen")]
    assert (fixed.points.mediapipe.on(opened) - truth.on(opened))[[13, 14]].norm(dim=1).max() < 0.003
    monkeypatch.setattr(calibration, "_measured", lambda *_: pytest.fail("measured again"))
    again = calibrated(wrong, own, detector)
    torch.testing.assert_close(again.points.mediapipe.barycentric, fixed.points.mediapipe.barycentric)


@pytest.mark.slow
def test_published_points_stay(own: HeadModel) -> None:
    moved = misplaced(own, (0.003, 0.0, 0.0))
    wrong = HeadModel(
        replace(own.assets, points=replace(own.points, mediapipe=moved), meta={"published_points": [5, 100]})
    )
    fixed = calibrated(wrong, own, Knowing(own, own.points.mediapipe)).points.mediapipe
    torch.testing.assert_close(fixed.triangles[[5, 100]], moved.triangles[[5, 100]])
    torch.testing.assert_close(fixed.barycentric[[5, 100]], moved.barycentric[[5, 100]])
    assert (fixed.on(own.template)[6] - moved.on(own.template)[6]).norm() > 0.001


@pytest.mark.slow
def test_a_head_without_a_face_keeps_its_points(own: HeadModel) -> None:
    class Blind:
        def detect(self, image: np.ndarray) -> None:
            return None

        def close(self) -> None:
            pass

    kept = calibrated(own, own, Blind())
    torch.testing.assert_close(kept.points.mediapipe.barycentric, own.points.mediapipe.barycentric)


def test_another_detector_measures_anew(own: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Knowing(own, own.points.mediapipe)
    calibrated(own, own, seen)
    measured = seen.images
    calibrated(own, own, seen)
    assert seen.images == measured
    monkeypatch.setattr(calibration, "detector_name", lambda: "another")
    calibrated(own, own, seen)
    assert seen.images == 2 * measured
