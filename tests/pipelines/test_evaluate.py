"""`evaluate` reads motion and vertex files, pairs folders by name and judges only the face."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.io.audio import write_wav
from facetalk.io.motion import write_motion
from facetalk.metrics.registry import DEFAULT, METRICS
from facetalk.pipelines import evaluate as pipeline
from facetalk.pipelines.evaluate import evaluate
from facetalk.pipelines.evaluation.regions import read_layout
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
    assert set(result.mean) == {
        "lve_mm", "lve_mm2", "mve_mm", "fve_mm", "eve_mm", "fdd_mm2", "fdd_abs_mm2", "mod_mm", "m_lmd_mm", "f_lmd_mm",
    }  # fmt: skip
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
        ("flame.npy", "a.npz", "5023 vertices and .* 40: not the same mesh", FacetalkError),
    ]
    for ours, theirs, complaint, kind in cases:
        with pytest.raises(kind, match=complaint):
            evaluate(tmp_path / ours, tmp_path / theirs)
    with pytest.raises(UsageError, match="unknown metric 'fid'; known metrics: lve, lve-sq, mve"):
        evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("fid",))


def test_folders_of_meshes_are_clips_whatever_their_topology(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rest = generator.normal(size=(9, 3)).astype(np.float32) * 0.1
    reference = rest + 0.01 * generator.normal(size=(12, 9, 3)).astype(np.float32)
    predicted = reference.copy()
    predicted[:, 3, 1] += 0.002
    for place, meshes in (("ours/a", predicted), ("theirs/a", reference)):
        write_obj_frames(tmp_path / place, meshes)
    np.save(tmp_path / "ours.npy", predicted.reshape(12, 27))  # as VOCASET and BIWI
    np.savez(tmp_path / "theirs.npz", vertices=reference, fps=25.0)
    (tmp_path / "regions.json").write_text('{"lips": [2, 3], "upper_face": [0, 1], "skin": [0, 1, 2, 3]}')
    options = {"regions": tmp_path / "regions.json", "metrics": ("lve", "mve", "eve", "fve")}
    wanted = {"lve_mm": 2.0, "mve_mm": 2 / 9, "eve_mm": 0.0, "fve_mm": 2.0}
    for ours, theirs in (("ours", "theirs"), ("ours/a", "theirs/a"), ("ours.npy", "theirs.npz")):
        result = evaluate(tmp_path / ours, tmp_path / theirs, **options)
        assert result.mean == pytest.approx(wanted, abs=2e-3)
    result = evaluate(tmp_path / "ours", tmp_path / "theirs", regions=tmp_path / "regions.json")
    assert set(result.left_out) == {"fdd", "fdd-abs", "mod", "m-lmd", "f-lmd"}
    assert "face at rest" in result.left_out["fdd"] and "landmarks" in result.left_out["mod"]
    np.save(tmp_path / "rest.npy", rest)
    with_template = evaluate(tmp_path / "ours", tmp_path / "theirs", metrics=("fdd",), template=tmp_path / "rest.npy",
                             regions=tmp_path / "regions.json")  # fmt: skip
    assert with_template.mean == {"fdd_mm2": 0.0}
    with pytest.raises(FacetalkError, match="lve needs the vertices of the region 'lips'; give them with --regions"):
        evaluate(tmp_path / "ours.npy", tmp_path / "theirs.npz", metrics=("lve",))


def write_obj_frames(folder: Path, meshes: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, mesh in enumerate(meshes):
        lines = [f"v {x:.7f} {y:.7f} {z:.7f} 0.5 0.5 0.5" for x, y, z in mesh]
        (folder / f"frame_{number}.obj").write_text("\n".join(["# a mesh", *lines, "f 1 2 3"]))


def test_baselines_and_further_systems_are_compared_with_the_same_reference(
    tmp_path: Path, reference: Motion, toy_assets: HeadAssets
) -> None:
    others = lively_motion(toy_assets, num_frames=44, seed=7)
    for place, motion, scale in (("close", reference, 0.9), ("far", reference, 0.2), ("true", reference, 1.0)):
        write_motion(tmp_path / place / "a.npz", motion.replace(expression=scale * motion.expression))
        write_motion(tmp_path / place / "b.npz", others.replace(expression=scale * others.expression))
    result = evaluate(
        tmp_path / "close", tmp_path / "true", metrics=("lve",), against=(tmp_path / "far",),
        baselines=("still", "shuffled"),
    )  # fmt: skip
    means = {name: system.mean["lve_mm"] for name, system in result.systems.items()}
    assert list(means) == ["close", "far", "still", "shuffled"]
    assert means["close"] < means["far"] < means["shuffled"] and means["close"] < means["still"] < means["shuffled"]
    low, high = result.first.intervals["lve_mm"] or (0, 0)
    assert low <= means["close"] <= high and result.first.curves["a"].values["lve_mm"].shape == (40,)
    again = evaluate(tmp_path / "close", tmp_path / "true", metrics=("lve",))
    assert again.first.intervals == result.first.intervals
    with pytest.raises(UsageError, match="unknown baseline 'mean'; there are: still, shuffled"):
        evaluate(tmp_path / "close", tmp_path / "true", baselines=("mean",))
    with pytest.raises(UsageError, match="cannot name one system"):
        evaluate(tmp_path / "close", tmp_path / "true", against=(tmp_path / "close",))
    with pytest.raises(UsageError, match="at least two clips"):
        evaluate(tmp_path / "close/a.npz", tmp_path / "true/a.npz", baselines=("shuffled",))


def test_takes_of_a_clip_share_its_reference_and_have_a_diversity(tmp_path: Path, reference: Motion) -> None:
    write_motion(tmp_path / "true/a.npz", reference)
    for take, scale in (("a~1", 1.0), ("a~2", 1.0), ("a~3", 0.5)):
        write_motion(tmp_path / "ours" / f"{take}.npz", reference.replace(expression=scale * reference.expression))
    result = evaluate(tmp_path / "ours", tmp_path / "true", metrics=("diversity", "mve"))
    assert not result.failed and list(result.pairs) == ["a~1", "a~2", "a~3"]
    spread = {name: row["diversity_mm"] for name, row in result.pairs.items()}
    assert spread["a~3"] == pytest.approx(2 * spread["a~1"], rel=1e-4) and spread["a~1"] == spread["a~2"] > 0.1
    with pytest.raises(FacetalkError, match="diversity needs several takes"):
        evaluate(tmp_path / "ours/a~1.npz", tmp_path / "true/a.npz", metrics=("diversity",))


def test_all_metrics_are_those_that_the_clips_allow_with_reasons_for_the_others(
    tmp_path: Path, reference: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {name: entry for name, entry in METRICS.items() if name not in ("lip-reading", "emotion-distance")}
    monkeypatch.setattr("facetalk.metrics.registry.METRICS", quick)
    still = reference.with_events([Event("phoneme", 0.3, 0.4, "P"), Event("phoneme", 0.4, 0.6, "AA")])
    write_motion(tmp_path / "a.npz", still)
    write_wav(tmp_path / "a.wav", 0.1 * torch.randn(22000, generator=torch.Generator().manual_seed(0)))
    result = evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("all",))
    assert set(result.left_out) == {"ssim", "psnr", "cpbd", "flicker", "sync", "diversity"}
    assert "a.npz is a motion" in result.left_out["ssim"] and "train sync-critic" in result.left_out["sync"]
    assert {"closure_recall", "beat_speech", "pose_speech_r", "blink_rate_hz", "jitter_mm_s2"} <= set(result.mean)
    (tmp_path / "a.wav").unlink()
    silent = evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("pose", "beat")).mean
    assert "pose_speech_r" not in silent and "pose_spectral_distance_db" in silent


def test_one_frame_is_a_clip(tmp_path: Path, reference: Motion) -> None:
    write_motion(tmp_path / "a.npz", reference.cut(0, 1))
    result = evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=(*DEFAULT, "pose", "blink", "beat"))
    assert result.mean["lve_mm"] == 0 and result.mean["fdd_mm2"] == 0 and result.mean["blink_rate_hz"] == 0


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda p: np.save(p, np.full((4, 40, 3), np.nan)), "not finite"),
        (lambda p: np.save(p, np.zeros((0, 40, 3))), r"shape \(0, 40, 3\)"),
        (lambda p: np.save(p, np.zeros((4, 41))), r"shape \(4, 41\)"),
        (lambda p: np.save(p, np.array([{}], dtype=object)), "pickled objects"),
        (lambda p: p.write_bytes(b""), "not a vertex file"),
        (lambda p: np.save(p, np.zeros((900, 40, 3), np.float32)), "900 frames and .* 40: not the same clip"),
    ],
)
def test_hostile_vertices_are_refused_in_one_line(tmp_path: Path, make, complaint: str) -> None:
    make(tmp_path / "bad.npy")
    np.save(tmp_path / "good.npy", np.zeros((40, 40, 3), np.float32))
    with pytest.raises(FacetalkError, match=complaint) as caught:
        evaluate(tmp_path / "bad.npy", tmp_path / "good.npy", metrics=("mve",))
    assert "\n" not in str(caught.value)


def test_hostile_mesh_folders_and_regions_are_refused_in_one_line(tmp_path: Path) -> None:
    meshes = np.zeros((4, 6, 3), np.float32)
    write_obj_frames(tmp_path / "mixed", meshes)
    (tmp_path / "mixed/frame_2.obj").write_text("v 0 0 0\n")
    write_obj_frames(tmp_path / "words", meshes)
    (tmp_path / "words/frame_0.obj").write_text("v a b c\n")
    write_obj_frames(tmp_path / "good", meshes)
    (tmp_path / "good2").symlink_to(tmp_path / "good")
    (tmp_path / "plys").mkdir()
    (tmp_path / "plys/1.ply").write_text("ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n")
    for name, complaint in (
        ("mixed", "frame_2.obj has 1 vertices, frame_0.obj has 6; the frames must be the same mesh"),
        ("words", "frame_0.obj cannot be read as a mesh"),
        ("plys", "1.ply cannot be read as a mesh|holds no vertices"),
    ):
        with pytest.raises(FacetalkError, match=complaint):
            evaluate(tmp_path / name, tmp_path / "good", metrics=("mve",))
    for number, (text, complaint) in enumerate(
        (
            ('{"lips": [1, 99]}', "has 6 vertices; the region 'lips' of --regions names vertex 99"),
            ('{"lips": [1.5]}', "must be a list of vertex numbers"),
            ('{"nose": [1]}', "names none of the regions that metrics ask for: lips"),
            ("[1, 2]", "must be a JSON object"),
            ("{", "not valid JSON"),
            ('{"landmarks": [1, 2]}', "2 landmarks; 68 are needed"),
        )
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        with pytest.raises(FacetalkError, match=complaint):
            evaluate(tmp_path / "good", tmp_path / "good2", metrics=("mve",), regions=path)


def test_published_region_lists_and_templates_by_speaker_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "regions"
    folder.mkdir()
    (folder / "lve.txt").write_text("2, 3")
    (folder / "fdd.txt").write_text("0, 1, 4")
    rest = np.random.default_rng(1).normal(size=(6, 3))
    with (tmp_path / "templates.pkl").open("wb") as file:
        pickle.dump({"F2": rest, "F2_long": rest + 1}, file)
    layout = read_layout(folder, tmp_path / "templates.pkl")
    assert layout is not None and layout.regions["lips"].tolist() == [2, 3]
    assert layout.regions["upper_face"].tolist() == [0, 1, 4]
    torch.testing.assert_close(layout.template_of("F2_e01"), torch.from_numpy(rest).float())
    torch.testing.assert_close(layout.template_of("F2_long_e01"), torch.from_numpy(rest + 1).float())
    assert layout.template_of("M1_e01") is None
    with (tmp_path / "masks.pkl").open("wb") as file:
        pickle.dump({"lips": np.array([1]), "forehead": np.array([2, 3]), "eye_region": np.array([3, 4])}, file)
    masks = read_layout(tmp_path / "masks.pkl", None)
    assert masks is not None and masks.regions["upper_face"].tolist() == [2, 3, 4]


def test_a_motion_stands_for_all_forms_of_its_clip(tmp_path: Path, reference: Motion) -> None:
    for folder in ("ours", "true"):
        write_motion(tmp_path / folder / "a/a.npz", reference)
        (tmp_path / folder / "a/a.mp4").write_bytes(b"")
    write_obj_frames(tmp_path / "ours/a/a_obj", np.zeros((2, 3, 3)))
    assert set(evaluate(tmp_path / "ours", tmp_path / "true", metrics=("lve",)).pairs) == {"a"}


def test_clips_of_the_same_name_are_paired_by_their_folders(tmp_path: Path, reference: Motion) -> None:
    for name in ("in/p1/a", "in/p2/a", "out/p1__a/p1__a", "out/p2__a/p2__a"):
        (tmp_path / name).parent.mkdir(parents=True)
        write_motion(tmp_path / f"{name}.npz", reference)
    assert set(evaluate(tmp_path / "out", tmp_path / "in").pairs) == {"p1__a", "p2__a"}
    assert set(evaluate(tmp_path / "in", f"{tmp_path}/in/*/a.npz").pairs) == {"p1__a", "p2__a"}


def test_patterns_and_lists_are_paired_by_name_like_folders(tmp_path: Path, reference: Motion) -> None:
    for name in ("pred/a", "pred/b", "ref/a", "ref/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_motion(tmp_path / f"{name}.npz", reference)
    (tmp_path / "list.txt").write_text("ref/a.npz\n")
    pattern = f"{tmp_path}/pred/*.npz"
    assert set(evaluate(pattern, tmp_path / "ref").pairs) == {"a", "b"}
    result = evaluate(pattern, f"@{tmp_path}/list.txt")
    assert set(result.pairs) == {"a"} and set(result.failed) == {"b"}
    with pytest.raises(UsageError, match="must both be files or both be folders, patterns or lists"):
        evaluate(pattern, tmp_path / "ref/a.npz")
    with pytest.raises(UsageError, match="no file matches"):
        evaluate(f"{tmp_path}/none/*.npz", tmp_path / "ref")
