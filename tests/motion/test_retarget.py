"""Performances carried between heads: what comes back, what stays closed, where the head stands."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.errors import InvalidValueError, MissingAssetError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_pose, gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.motion.arkit_view import arkit_map, arkit_view, from_view
from facetalk.motion.heads import load_head_assets
from facetalk.motion.retarget import _eye_distance, retarget, to_arkit
from facetalk.rendering.camera import project
from tests.io.gnm_files import gnm_like, write_gnm

IMPOSSIBLE = ("tongueOut",)
"""FLAME has no tongue."""


@pytest.fixture(scope="module")
def own() -> HeadModel:
    return HeadModel(load_head_assets("facetalk")).eval()


@pytest.fixture(scope="module")
def flame(flame_like_path: Path) -> HeadModel:
    """Structured like FLAME, moving like our own head; not FLAME."""
    return HeadModel(load_head_assets(f"flame:{flame_like_path}")).eval()


def performance(own: HeadModel, frames: int = 60, seed: int = 0) -> Motion:
    """Smooth random channels with pauses, glances and nods, as a tracked clip has them."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames) / 30
    waves = np.stack(
        [np.sin(2 * np.pi * generator.uniform(0.5, 4) * time + generator.uniform(0, 6)) for _ in ARKIT_NAMES], 1
    )
    expression = torch.from_numpy(np.clip(0.5 * waves - 0.15, 0, None)).float()
    yaw, pitch = (torch.from_numpy(0.2 * np.sin(3 * time + phase)).float() for phase in (0, 1))
    gaze = gaze_pose(yaw, pitch)
    for name in IMPOSSIBLE:
        expression[:, ARKIT_NAMES.index(name)] = 0
    left, right = indices(("jawLeft", "jawRight"))
    sideways = expression[:, left] - expression[:, right]  # a jaw is on one side at a time
    expression[:, left], expression[:, right] = sideways.clamp_min(0), (-sideways).clamp_min(0)
    expression[15:30] = 0  # the lips meet in the second half second
    expression[:, indices(GAZE_NAMES)] = gaze_to_channels(gaze, gaze)
    motion = still_motion(own.name, expression, ARKIT_NAMES, 30.0, own.num_betas)
    nod = torch.zeros(frames, 3)
    nod[:, 0] = torch.from_numpy(0.1 * np.sin(time)).float()
    return motion.replace(leye_pose=gaze, reye_pose=gaze, neck_pose=nod)


def check_round_trip(there: Motion, back: Motion) -> None:
    for index, name in enumerate(ARKIT_NAMES):
        before, after = there.expression[:, index], back.expression[:, index]
        if before.std() < 0.01:
            continue
        assert (after - before).std() < 0.1 * before.std(), name
        assert after.std() > 0.9 * before.std(), name


@pytest.mark.slow
def test_a_performance_comes_back_from_a_flame_structured_head(own: HeadModel, flame: HeadModel) -> None:
    motion = performance(own)
    there = retarget(motion, flame, own)
    assert there.head == flame.name and there.expression.shape[1] == 50
    assert there.expression.abs().max() < 15 and there.jaw_pose.abs().max() < 1
    check_round_trip(motion, retarget(there, own, flame))


def test_head_turn_and_gaze_are_kept(own: HeadModel, flame: HeadModel) -> None:
    motion = performance(own)
    there = retarget(motion, flame, own)
    for name in ("neck_pose", "leye_pose", "reye_pose", "global_orient"):
        torch.testing.assert_close(getattr(there, name), getattr(motion, name))
    assert there.meta["retargeted_from"] == own.name


def lip_gap(head: HeadModel, motion: Motion) -> torch.Tensor:
    marks = head.pose(motion).landmarks
    return (marks[:, 61:64] - marks[:, [67, 66, 65]]).norm(dim=-1).mean(1)


def test_lips_close_and_open_with_the_performance(own: HeadModel, flame: HeadModel) -> None:
    motion = performance(own)
    still = torch.zeros_like(motion.neck_pose)
    motion = motion.replace(neck_pose=still)
    there = retarget(motion, flame, own)
    back = retarget(there, own, flame)
    ours, other, again = lip_gap(own, motion), lip_gap(flame, there), lip_gap(own, back)
    assert np.corrcoef(ours.numpy(), other.numpy())[0, 1] > 0.95
    rest = lip_gap(flame, there.replace(expression=0 * there.expression, jaw_pose=still))
    assert (other - rest)[15:30].abs().max() < 0.001, "closed stays closed, metres"
    assert (again - ours).abs().max() < 0.001


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
def test_tracked_clips_come_back(own: HeadModel, flame: HeadModel, data_dir: Path) -> None:
    """A real clip, fitted here."""
    from facetalk.fitters.landmarks import LandmarkFitter

    videos = sorted((data_dir / "video" / "grid").glob("*.mp4"))
    if not videos:
        pytest.skip("no grid clips in the development data")
    motion = LandmarkFitter().fit(videos[0], own)
    check_round_trip(motion, retarget(retarget(motion, flame, own), own, flame))


def test_a_fitted_head_keeps_its_place_in_the_picture(own: HeadModel, flame: HeadModel) -> None:
    camera = Camera(torch.tensor([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]]), (640, 480))
    motion = performance(own, 12).replace(camera=camera)
    turn = torch.tensor([0.1, 0.5, -0.1]).repeat(12, 1)
    motion = motion.replace(transl=torch.tensor([0.05, 0.02, -0.7]).repeat(12, 1), global_orient=turn)
    motion = motion.replace(expression=torch.zeros_like(motion.expression))
    there = retarget(motion, flame, own)
    pixels = [project(head.pose(m).landmarks[:, [27, 30, 36, 39, 42, 45]], camera) for head, m in
              ((own, motion), (flame, there))]  # fmt: skip
    eyes = (pixels[0][:, 2] - pixels[0][:, 5]).norm(dim=-1).mean()
    assert (pixels[0].mean(1) - pixels[1].mean(1)).norm(dim=-1).max() < 0.06 * eyes
    widths = [(p[:, 2] - p[:, 5]).norm(dim=-1).mean() for p in pixels]
    assert widths[0] == pytest.approx(float(widths[1]), rel=0.05)


def test_identity_goes_along_as_a_difference(own: HeadModel, flame: HeadModel) -> None:
    betas = torch.zeros(own.num_betas)
    betas[0] = 2.0
    there = retarget(performance(own, 3).replace(betas=betas), flame, own)
    assert there.betas.abs().max() > 0.2
    scale = _eye_distance(flame, flame.template) / _eye_distance(own, own.template)

    def change(head: HeadModel, weights: torch.Tensor) -> torch.Tensor:
        moved = head.points.landmarks.on(head.shaped(weights)[0] - head.template)
        return (moved - moved.mean(0)).flatten()

    ours, theirs = change(own, betas) * scale, change(flame, there.betas)
    assert torch.nn.functional.cosine_similarity(ours, theirs, 0) > 0.6
    none = retarget(performance(own, 3), flame, own)
    assert not none.betas.any()


def test_a_view_with_arkit_channels_moves_like_the_head_itself(own: HeadModel, flame: HeadModel) -> None:
    view = arkit_view(flame, num_betas=7)
    assert view.shape.expression_names == ARKIT_NAMES and view.num_betas == 7 and arkit_view(own) is own
    motion = performance(own, 20).replace(head=flame.name, betas=torch.linspace(-1, 1, 7))
    real = from_view(motion, flame)
    assert real.betas.shape == (flame.num_betas,) and real.expression_names == flame.shape.expression_names
    seen, meant = view.pose(motion).landmarks, flame.pose(real).landmarks
    # The view leaves out that a jaw turns: some millimetres on a chin that opens wide.
    assert (seen - meant).norm(dim=-1).mean() < 0.002


@pytest.mark.slow
def test_two_heads_without_arkit_channels_meet_by_points(own: HeadModel, flame: HeadModel, tmp_path: Path) -> None:
    gnm = HeadModel(load_head_assets(f"gnm:{write_gnm(gnm_like(own.assets), tmp_path)}"))
    motion = retarget(performance(own, 30), flame, own)
    there = retarget(motion, gnm, flame)
    assert there.expression_names == gnm.shape.expression_names
    ours, other = (head.pose(m.replace(neck_pose=0 * m.neck_pose)).landmarks for head, m in
                   ((flame, motion), (gnm, there)))  # fmt: skip
    scale = _eye_distance(gnm, gnm.template) / _eye_distance(flame, flame.template)
    first, second = ((marks - marks[20]).flatten() for marks in (ours * scale, other))
    assert torch.nn.functional.cosine_similarity(first, second, dim=0) > 0.95
    assert (there.expression >= -3).all() and (there.expression <= 3).all()


def test_curves_of_any_head_are_arkits(own: HeadModel, flame: HeadModel) -> None:
    motion = performance(own, 10)
    curves = to_arkit(retarget(motion, flame, own), flame)
    assert curves.head == "facetalk" and curves.expression_names == ARKIT_NAMES
    assert curves.expression.min() >= 0 and curves.expression.max() <= 1


def test_the_map_is_solved_once(flame: HeadModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from facetalk.motion import arkit_view

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = arkit_map(flame)
    monkeypatch.setattr(arkit_view, "solve_map", lambda *_: pytest.fail("solved again"))
    torch.testing.assert_close(arkit_map(flame), first)
    assert first[ARKIT_NAMES.index("jawOpen"), -3] > math.radians(10), "the jaw opens by turning"


def test_a_wrong_source_is_refused(own: HeadModel, flame: HeadModel) -> None:
    with pytest.raises(ValueError, match="was given with head"):
        retarget(performance(own, 2), flame, flame)


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_networks")
def test_animate_and_render_take_any_head(
    own: HeadModel, flame: HeadModel, flame_like_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facetalk.io.audio import write_wav
    from facetalk.io.motion import read_motion
    from facetalk.io.video import VideoReader
    from facetalk.pipelines import animator
    from facetalk.pipelines.animate import animate
    from facetalk.pipelines.heads import install_head
    from facetalk.pipelines.render import render
    from tests.talkers.toys import toy_talker

    monkeypatch.setattr(animator, "load_talker", lambda _: toy_talker("facetalk", 33))
    speech = tmp_path / "speech.wav"
    write_wav(speech, 0.1 * torch.randn(8000, generator=torch.Generator().manual_seed(0)))
    name = f"flame:{flame_like_path}"
    result = animate(speech, out=tmp_path / "out", head=name, formats=("npz", "csv", "glb", "mp4"), size=64)
    motion = read_motion(result.paths["npz"])
    assert motion.head == flame.name and motion.expression_names == flame.shape.expression_names
    assert motion.expression.std() > 0.01
    assert "JawOpen" in result.paths["csv"].read_text("utf-8").splitlines()[0]
    with VideoReader(result.paths["mp4"]) as video:
        assert sum(1 for _ in video) == motion.num_frames
    with pytest.raises(MissingAssetError, match="none of that name is installed"):
        render(motion, tmp_path / "own.mp4", head=own, size=64)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    install_head(str(flame_like_path))
    assert render(motion, tmp_path / "own.mp4", head=own, size=64).is_file()


def test_a_motion_with_other_channels_than_its_head_is_refused(toy_head: HeadModel) -> None:
    names = ("unknown", *toy_head.shape.expression_names[1:])
    motion = still_motion(toy_head.name, torch.zeros(3, len(names)), names, 30.0, toy_head.num_betas)
    with pytest.raises(InvalidValueError, match="has other channels than this head"):
        retarget(motion, toy_head, toy_head)
