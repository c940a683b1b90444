"""`evaluate` reads motion and vertex files, pairs folders by name and judges only the face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.motion import write_motion
from facetalk.pipelines import evaluate as pipeline
from facetalk.pipelines.evaluate import evaluate
from tests.exporters.motions import lively_motion


@pytest.fixture(autouse=True)
def toy_is_the_default_head(monkeypatch: pytest.MonkeyPatch, toy_assets: HeadAssets) -> None:
    monkeypatch.setattr(pipeline, "load_head", lambda name: HeadModel(toy_assets))


@pytest.fixture
def reference(toy_assets: HeadAssets) -> Motion:
    return lively_motion(toy_assets, num_frames=40, seed=1)


def test_a_motion_is_zero_away_from_itself_whatever_head_and_person_do(tmp_path: Path, reference: Motion) -> None:
    moved = reference.replace(
        transl=reference.transl + 1, global_orient=-reference.global_orient, neck_pose=0 * reference.neck_pose,
        betas=reference.betas + 1,
    )  # fmt: skip
    write_motion(tmp_path / "a.npz", reference)
    write_motion(tmp_path / "b.npz", moved)
    result = evaluate(tmp_path / "b.npz", tmp_path / "a.npz")
    assert set(result.pairs) == {"b"}
    assert set(result.mean) == {"lve_mm", "lve_mm2", "mve_mm", "fdd_mm2", "lmd_face_mm", "lmd_mouth_mm"}
    assert result.mean == pytest.approx(dict.fromkeys(result.mean, 0.0), abs=0.01)


def test_vertex_files_give_the_figures_of_the_motions_they_show(
    tmp_path: Path, reference: Motion, toy_head: HeadModel
) -> None:
    rest = torch.zeros_like(reference.transl)
    face_only = reference.replace(global_orient=rest, neck_pose=rest, transl=rest, betas=0 * reference.betas)
    predicted = face_only.replace(expression=0.5 * face_only.expression)
    for name, motion in (("predicted", predicted), ("reference", face_only)):
        write_motion(tmp_path / f"{name}.npz", motion)
        np.save(tmp_path / f"{name}.npy", toy_head.pose(motion).vertices.numpy())
    by_motion = evaluate(tmp_path / "predicted.npz", tmp_path / "reference.npz").mean
    by_vertices = evaluate(tmp_path / "predicted.npy", tmp_path / "reference.npy").mean
    mixed = evaluate(tmp_path / "predicted.npz", tmp_path / "reference.npy").mean
    assert by_motion["lve_mm"] > 1
    assert by_vertices == pytest.approx(by_motion, rel=1e-3)
    assert mixed == pytest.approx(by_motion, rel=1e-3)


def test_other_frame_rates_are_compared_moment_by_moment(tmp_path: Path, reference: Motion) -> None:
    ramp = torch.linspace(0, 1, 40)[:, None] * torch.ones(1, reference.expression.shape[1])
    slow = reference.replace(expression=ramp).to_fps(15)
    write_motion(tmp_path / "slow.npz", slow)
    write_motion(tmp_path / "fast.npz", slow.to_fps(60))
    # The faster clip's last frames hold still, where the slower one has no further frame.
    assert evaluate(tmp_path / "fast.npz", tmp_path / "slow.npz", metrics=("mve",)).mean["mve_mm"] < 0.5


def test_folders_are_paired_by_name_and_lonely_files_are_listed(tmp_path: Path, reference: Motion) -> None:
    for place in ("ours/one/one.npz", "ours/two.npz", "ours/extra.npz", "theirs/one.npz", "theirs/two.npz"):
        write_motion(tmp_path / place, reference)
    write_motion(tmp_path / "theirs/missing.npz", reference)
    (tmp_path / "theirs/two.npz").write_text("not a motion")
    result = evaluate(tmp_path / "ours", tmp_path / "theirs", metrics=("lve",))
    assert set(result.pairs) == {"one"}
    assert set(result.failed) == {"two", "extra", "missing"}
    assert "not a motion file" in result.failed["two"]


def test_requests_that_cannot_be_judged_say_why(tmp_path: Path, reference: Motion) -> None:
    write_motion(tmp_path / "a.npz", reference)
    write_motion(tmp_path / "short.npz", reference.cut(0, 20))
    write_motion(tmp_path / "other.npz", reference.replace(head="other"))
    np.save(tmp_path / "flame.npy", np.zeros((40, 5023, 3)))
    cases: list[tuple[str, str, str, type[FacetalkError]]] = [
        ("a.npz", "none.npz", "no such file", FacetalkError),
        ("a.npz", "", "both be files or both be folders", UsageError),
        ("short.npz", "a.npz", "20 frames and .* 40: not the same clip", FacetalkError),
        ("other.npz", "a.npz", "motion for the head 'other'", FacetalkError),
        ("flame.npy", "a.npz", r"shape \(40, 5023, 3\)", FacetalkError),
    ]
    for ours, theirs, complaint, kind in cases:
        with pytest.raises(kind, match=complaint):
            evaluate(tmp_path / ours, tmp_path / theirs)
    with pytest.raises(UsageError, match="unknown metric 'fid'; known metrics: lve, mve, fdd, lmd"):
        evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("fid",))
