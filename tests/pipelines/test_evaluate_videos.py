"""`evaluate` on videos and on renders of motions: landmarks, images, networks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import write_wav
from facetalk.io.motion import write_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.io.weights import write_model
from facetalk.metrics.seen_mouths import SeenFace
from facetalk.motion.heads import load_head
from facetalk.networks.critics import SyncCritic, SyncCriticConfig
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.pipelines.evaluate import evaluate
from facetalk.pipelines.evaluation.faces import read_lips


def write_video(path: Path, num_frames: int, brightness: float = 1.0, fps: float = 25.0, size: int = 64) -> None:
    pattern = np.random.default_rng(0).integers(0, 200, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, (size, size), fps) as video:
        for frame in range(num_frames):
            video.write(np.roll(pattern * brightness, frame, 1).astype(np.uint8))


def test_frames_of_videos_are_compared_at_the_same_time(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 12)
    write_video(tmp_path / "fast.mp4", 24, fps=50.0)
    write_video(tmp_path / "dark.mp4", 12, 0.5)
    write_video(tmp_path / "small.mp4", 12, size=48)
    write_video(tmp_path / "long.mp4", 40)
    same = evaluate(tmp_path / "a.mp4", tmp_path / "a.mp4", metrics=("ssim", "psnr", "cpbd"))
    assert same.mean["ssim"] == pytest.approx(1, abs=1e-5) and same.mean["psnr_db"] == 100
    assert same.mean["cpbd"] == same.mean["cpbd_reference"] and len(same.first.curves["a"].values["ssim"]) == 12
    dark = evaluate(tmp_path / "dark.mp4", tmp_path / "a.mp4", metrics=("ssim", "psnr")).mean
    assert dark["ssim"] < 0.95 and 8 < dark["psnr_db"] < 20
    still = evaluate(tmp_path / "a.mp4", tmp_path / "a.mp4", metrics=("psnr",), baselines=("still",))
    curve = still.systems["still"].curves["a"].values["psnr_db"]
    assert curve[0] > 40 > curve[1:].max()
    fast = evaluate(tmp_path / "fast.mp4", tmp_path / "a.mp4", metrics=("psnr",))
    assert len(fast.first.curves["fast"].values["psnr_db"]) == 12
    for name, complaint in (("small", "videos of one size; .*48x48 and .*64x64"), ("long", "not the same clip")):
        with pytest.raises(FacetalkError, match=complaint):
            evaluate(tmp_path / f"{name}.mp4", tmp_path / "a.mp4", metrics=("ssim",))


def moving_face(opening: torch.Tensor, turn: float = 0.0) -> SeenFace:
    """A rigid cloud of points whose inner lower lip goes down, and whose head turns steadily."""
    points = 100 * torch.randn(478, 3, generator=torch.Generator().manual_seed(2))
    points[33], points[263] = torch.tensor([-100.0, 0, 0]), torch.tensor([100.0, 0, 0])
    moved = points.repeat(len(opening), 1, 1)
    moved[:, 14, 1] += opening
    moved = moved + turn * torch.arange(len(opening))[:, None, None]
    moved[3] = math.nan  # no face in this frame
    return SeenFace(moved, torch.arange(len(opening), dtype=torch.float64) / 25)


def test_faces_in_videos_are_compared_in_interocular_distances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = 10 + 10 * torch.sin(torch.arange(50) / 3)
    faces = {"a.mp4": moving_face(wave), "same.mp4": moving_face(wave, 2.0), "lazy.mp4": moving_face(0.5 * wave)}
    monkeypatch.setattr("facetalk.pipelines.evaluation.faces.see_face", lambda path: faces[path.name])
    for name in faces:
        write_video(tmp_path / name, 50)
    same = evaluate(tmp_path / "same.mp4", tmp_path / "a.mp4")
    assert set(same.mean) == {"mod_iod", "m_lmd_iod", "f_lmd_iod"} and "lve" in same.left_out
    assert same.mean == pytest.approx(dict.fromkeys(same.mean, 0.0), abs=1e-5)
    lazy = evaluate(tmp_path / "lazy.mp4", tmp_path / "a.mp4", baselines=("still",))
    assert lazy.mean["m_lmd_iod"] > 0.001 and lazy.mean["f_lmd_iod"] < lazy.mean["m_lmd_iod"]
    assert lazy.systems["still"].mean["m_lmd_iod"] > lazy.mean["m_lmd_iod"]
    moves = evaluate(tmp_path / "a.mp4", tmp_path / "a.mp4", metrics=("blink", "pose", "beat", "jitter")).mean
    assert moves["blink_rate_hz"] == 0 and moves["jitter_iod_s2"] > 0 and moves["pose_range_deg"] >= 0


def test_lips_are_read_alike_in_pieces_and_at_once() -> None:
    torch.manual_seed(0)
    reader = PhonemeLipReader(LipReaderConfig(width=2, hidden=4)).eval()
    mouths = np.random.default_rng(0).integers(0, 256, (70, 96, 96), dtype=np.uint8)
    face = np.zeros((128, 128, 3), np.uint8)
    found = read_lips(((face, mouth) for mouth in mouths), reader)
    whole = torch.from_numpy(mouths[:, 4:92, 4:92].astype(np.float32) / 255)[None]
    with torch.no_grad():
        torch.testing.assert_close(found, reader(whole)[0], atol=1e-5, rtol=1e-5)


def talking_motion(num_frames: int = 60) -> Motion:
    head = load_head()
    wave = 0.25 + 0.25 * torch.sin(torch.arange(num_frames) / 3)
    expression = torch.zeros(num_frames, len(ARKIT_NAMES))
    expression[:, ARKIT_NAMES.index("jawOpen")] = wave
    return still_motion(head.name, expression, ARKIT_NAMES, FPS, head.num_betas)


def test_a_sync_critic_is_asked_at_every_offset(tmp_path: Path) -> None:
    from facetalk.networks.registry import load

    width = load("speech-encoder").slices["hidden"].stop
    torch.manual_seed(0)
    critic = SyncCritic(width, SyncCriticConfig(point_widths=(4,), width=4))
    described = {"speech": "speech-encoder", "head": "facetalk", "num_vertices": 8, "num_features": width}
    network = {"point_widths": [4], "width": 4, "dropout": 0.2}
    write_model(tmp_path / "critic", critic, "sync-critic", "sync-critic", {**described, "network": network})
    write_motion(tmp_path / "a.npz", talking_motion())
    noise = torch.randn(32_000, generator=torch.Generator().manual_seed(1))
    write_wav(tmp_path / "a.wav", 0.1 * noise)
    found = evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("sync",), sync_critic=tmp_path / "critic").mean
    assert found["sync_confidence"] == found["sync_reference_confidence"] >= 0
    with pytest.raises(FacetalkError, match="sync needs a sync critic, and there is none in 'nowhere'"):
        evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("sync",), sync_critic="nowhere")


@pytest.mark.slow
def test_rendered_motions_are_seen_by_the_networks(tmp_path: Path) -> None:
    motion = talking_motion(30)
    write_motion(tmp_path / "a.npz", motion)
    smiling = motion.expression.clone()
    smiling[:, [ARKIT_NAMES.index("mouthSmileLeft"), ARKIT_NAMES.index("mouthSmileRight")]] = 0.8
    write_motion(tmp_path / "smile.npz", motion.replace(expression=smiling))
    metrics = ("emotion-distance", "lip-reading")
    same = evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=("emotion-distance",)).mean
    assert same == {"emotion_distance": 0.0}
    speech = Path(__file__).parents[2] / "examples" / "speech.wav"
    found = evaluate(tmp_path / "smile.npz", tmp_path / "a.npz", metrics=metrics, audio=speech).mean
    assert found["emotion_distance"] > 0.1 and 0 < found["viseme_error_rate"] <= found["phoneme_error_rate"] + 0.5
