"""FACIAL as a gesture, with a network of a few weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from facetalk.audio.delivery import DELIVERY
from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.head.behavior import NUM_STATES, PARTS
from facetalk.head.channels import ARKIT_NAMES, LOWER_NAMES, indices
from facetalk.io.weights import CONFIG_FILE, MODEL_FILE, read_tensors, write_model, write_tensors
from facetalk.motion.gestures import facial
from facetalk.motion.gestures.facial import (
    CALMING,
    LARGEST_SCALE,
    LEAST_SCALE,
    USUAL_STRESS,
    USUAL_URGE,
    Facial,
    Quickening,
    blink_urge,
    sample_behavior,
)
from facetalk.motion.gestures.gaze import Gaze
from facetalk.motion.gestures.registry import add_gestures, load_gesture
from facetalk.networks.facial import FacialConfig, FacialNetwork
from facetalk.networks.movement import MovementConfig

TINY = FacialConfig(plane_width=4, width=8, code=4, movement=MovementConfig(width=6, components=2))


def tiny_network() -> FacialNetwork:
    torch.manual_seed(0)
    network = FacialNetwork(len(DELIVERY), NUM_STATES, TINY).eval()
    network.spread.copy_(torch.tensor([3.0, 2.0, 2.0, 0.3, 0.1, 0.1, 0.1]))
    network.blink_rate.fill_(0.3)
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    sizes = {"num_features": len(DELIVERY), "num_states": NUM_STATES}
    write_model(folder, tiny_network(), "gestures", "facial", {**sizes, "network": plain(TINY)})
    return folder


def talking(num_frames: int) -> Motion:
    curves = torch.rand(2000, 52, generator=torch.Generator().manual_seed(5))[:num_frames]
    return still_motion("toy", 0.6 * curves, ARKIT_NAMES, 30.0, 3)


def speech(num_frames: int) -> torch.Tensor:
    return 0.1 * torch.randn(2000 * 533, generator=torch.Generator().manual_seed(6))[: num_frames * 533]


def test_a_folder_of_weights_is_a_gesture_that_leaves_the_mouth_alone(weights: Path) -> None:
    motion = talking(200)
    result = load_gesture(str(weights)).add(motion, speech(200), torch.Generator().manual_seed(0))
    mouth = indices(LOWER_NAMES)
    assert torch.equal(result.expression[:, mouth], motion.expression[:, mouth])
    assert torch.equal(result.jaw_pose, motion.jaw_pose)
    for part in PARTS.values():
        assert not torch.equal(result.expression[:, indices(part)], motion.expression[:, indices(part)])
    assert result.neck_pose.std() > 0.001


@pytest.mark.parametrize("num_frames", [60, 300])
def test_the_first_frames_do_not_depend_on_what_follows(weights: Path, num_frames: int) -> None:
    gesture = load_gesture(str(weights))
    short, long = (gesture.add(talking(n), speech(n), torch.Generator().manual_seed(2)) for n in (num_frames, 900))
    for name in ("expression", "neck_pose", "global_orient", "leye_pose", "transl"):
        assert torch.equal(getattr(short, name), getattr(long, name)[:num_frames]), name


@pytest.mark.parametrize("target", [None, torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) + 1])
def test_long_recordings_are_moved_block_by_block(
    weights: Path, monkeypatch: pytest.MonkeyPatch, target: torch.Tensor | None
) -> None:
    gesture = Facial(name=str(weights), blinks=10, gaze=Gaze(target=target))
    motion, waveform = talking(500), speech(500)
    whole = gesture.add(motion, waveform, torch.Generator().manual_seed(1))
    monkeypatch.setattr(facial, "_BLOCK", 20)
    blocks = gesture.add(motion, waveform, torch.Generator().manual_seed(1))
    assert blocks.events == whole.events
    seams = [frame / 30 for frame in range(20, 500, 20)]
    assert any(blink.start < seam < blink.end for blink in blocks.events_of("blink") for seam in seams)
    for name in ("expression", "transl", *POSES):
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name), atol=1e-5, rtol=0)


def test_it_does_without_audio(weights: Path) -> None:
    result = Facial(name=str(weights)).add(talking(90), None, torch.Generator().manual_seed(0))
    assert torch.isfinite(result.neck_pose).all()


def test_each_recording_is_as_lively_as_one_of_the_speakers() -> None:
    network = tiny_network()
    network.liveliness.fill_(2.0)
    features = torch.zeros(256, len(DELIVERY))
    still = network.liveliness.new_zeros(())
    moves = [sample_behavior(network, features, torch.Generator().manual_seed(seed)).angles for seed in range(8)]
    network.liveliness.copy_(still)
    usual = [sample_behavior(network, features, torch.Generator().manual_seed(seed)).angles for seed in range(8)]
    shares = torch.stack([(a / b).nanmedian() for a, b in zip(moves, usual, strict=True)])
    assert shares.std() > 0.1
    assert (shares > LEAST_SCALE - 1e-3).all()
    assert (shares < LARGEST_SCALE + 1e-3).all()


def test_the_lids_close_sooner_where_the_network_says_so() -> None:
    network = tiny_network()
    network.usual_closing.fill_(0.5)
    states, features = torch.zeros(4, NUM_STATES), torch.zeros(4, len(DELIVERY))
    states[:, 3] = torch.tensor([-1.0, 0.5, 1.0, 100.0])
    torch.testing.assert_close(blink_urge(network, features, states) * USUAL_URGE, torch.tensor([0.6, 1.0, 2.0, 2.5]))
    features[:, DELIVERY.index("since_end")] = 1.0
    torch.testing.assert_close(
        blink_urge(network, features, states) * USUAL_URGE, 2.5 * torch.tensor([0.6, 1.0, 2.0, 2.5])
    )


def test_stress_quickens_the_head_which_comes_back() -> None:
    times = torch.arange(600) / 30
    angles = torch.stack([5 * torch.sin(2 * times), torch.zeros(600), torch.zeros(600)], 1)
    features = torch.zeros(600, len(DELIVERY))
    paused = Quickening().feed(angles, features)  # nobody speaks
    pace, usual = (rows.diff(dim=0).abs().mean() for rows in (paused, angles))
    torch.testing.assert_close(pace, (1 - CALMING) * usual, atol=0.005, rtol=0.1)
    features[:, DELIVERY.index("speaking")] = 1.0
    features[:, DELIVERY.index("stress")] = USUAL_STRESS
    torch.testing.assert_close(Quickening().feed(angles, features), angles)
    features[200:230, DELIVERY.index("stress")] = 1.4
    moved = Quickening().feed(angles, features)
    assert torch.equal(moved[:200], angles[:200])
    steps, plain = (rows[200:230, 0].diff().abs().mean() for rows in (moved, angles))
    assert steps > 1.4 * plain
    torch.testing.assert_close(moved[-1], angles[-1], atol=0.01, rtol=0)


def test_a_face_with_nothing_to_say_rests_and_wakes_up() -> None:
    network, features = tiny_network(), torch.zeros(900, len(DELIVERY))
    silent = sample_behavior(network, features, torch.Generator().manual_seed(0))
    features[:, DELIVERY.index("speaking")] = 1.0
    features[:, DELIVERY.index("stress")] = USUAL_STRESS
    network.movement.seen.weight.data[:, DELIVERY.index("speaking")] = 0  # the same movement
    network.movement.seen.weight.data[:, DELIVERY.index("stress")] = 0
    spoken = sample_behavior(network, features, torch.Generator().manual_seed(0))
    assert silent.angles[300:].std() < 0.5 * spoken.angles[300:].std()


def test_no_head_whips_around() -> None:
    angles = torch.zeros(60, 3)
    angles[10:, 0] = 30.0  # in a frame
    features = torch.zeros(60, len(DELIVERY))
    features[:, DELIVERY.index("speaking")] = 1.0
    moved = Quickening().feed(angles, features)
    assert moved.diff(dim=0).abs().max() < 4.0 + 30 / 30  # what is held back follows within a second
    parts = Quickening()
    torch.testing.assert_close(torch.cat([parts.feed(angles[a:b], features[a:b]) for a, b in ((0, 7), (7, 60))]), moved)


def test_the_gaze_of_the_options_is_used(weights: Path) -> None:
    aside = Gaze(amount=0.0, target=torch.tensor([[0.4, 0.0, 1.0]]))
    gesture = load_gesture(str(weights), head_motion=0, blinks=0, gaze=aside)
    result = gesture.add(talking(60), speech(60), torch.Generator().manual_seed(0))
    assert result.leye_pose[:, 1].rad2deg().mean() == pytest.approx(21.8, abs=2)
    assert result.leye_pose.diff(dim=0).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("blink_rate", torch.tensor(float("nan")), "'blink_rate' holds values that are not finite"),
        ("spread", torch.full((NUM_STATES,), 1e30), "'spread' holds values that are not finite or beyond 1e[+]06"),
        (
            "spread",
            torch.full((NUM_STATES,), 500.0),
            "statistics: spread is 500; it must lie between 0 and 45",
        ),
        ("usual_spread", torch.zeros(NUM_STATES), "usual_spread is 0; it must lie between 0.0001"),
        ("blink_rate", torch.tensor(-3.0), "blink_rate is -3"),
        ("spread", torch.ones(NUM_STATES + 1), "does not fit its config.yaml: size mismatch for spread"),
        ("movement.mixture.bias", torch.full((26,), float("inf")), "'movement.mixture.bias' holds values"),
        ("movement.step", torch.full((NUM_STATES - 1,), 99.0), "movement.step is 99"),
        ("surprise", torch.ones(3), 'does not fit its config.yaml: Unexpected key.*"surprise"'),
    ],
)
def test_hostile_weights_are_refused_in_one_line(
    weights: Path, tmp_path: Path, name: str, value: torch.Tensor, complaint: str
) -> None:
    state, _ = read_tensors(weights / MODEL_FILE)
    write_tensors(tmp_path / MODEL_FILE, {**state, name: value})
    shutil.copy(weights / CONFIG_FILE, tmp_path)
    with pytest.raises(FacetalkError, match=complaint) as caught:
        add_gestures(talking(20), gestures=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_weights_for_other_features_or_states_are_refused(tmp_path: Path) -> None:
    sizes = {"num_features": len(DELIVERY), "num_states": NUM_STATES + 1}
    network = FacialNetwork(len(DELIVERY), NUM_STATES + 1, TINY)
    write_model(tmp_path, network, "gestures", "facial", {**sizes, "network": plain(TINY)})
    with pytest.raises(FacetalkError, match="num_states is 8; this version of facetalk has 7"):
        add_gestures(talking(20), gestures=str(tmp_path))


def test_weights_that_give_no_numbers_are_refused() -> None:
    network = tiny_network()
    network.norms[0].running_var.fill_(-1.0)  # type: ignore[union-attr]
    with pytest.raises(FacetalkError, match="give numbers that are not finite"):
        sample_behavior(network, torch.zeros(200, len(DELIVERY)), torch.Generator().manual_seed(0))
