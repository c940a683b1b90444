"""Viseme weights: what the mouth shows, and with phonemes, which of the visemes that look alike."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import lsq_linear

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.visemes import OCULUS, OCULUS_VISEMES
from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion import visemes
from facetalk.motion.visemes import POSES, spoken_visemes, viseme_weights


def posed(pose: dict[str, float] | None = None, seconds: float = 1.0) -> Motion:
    """A second at rest, then a pose on both sides."""
    expression = torch.zeros(30 + round(30 * seconds), 52)
    for name, value in (pose or {}).items():
        for column in (f"{name}Left", f"{name}Right", name):
            if column in ARKIT_NAMES:
                expression[30:, ARKIT_NAMES.index(column)] = value
    return still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)


def weight(motion: Motion, viseme: str, frame: int = 45) -> float:
    return float(viseme_weights(motion)[frame, OCULUS_VISEMES.index(viseme)])


@pytest.mark.parametrize("viseme", ["PP", "FF", "CH", "aa", "ih", "oh", "ou"])
def test_the_pose_of_a_viseme_is_recognized(viseme: str) -> None:
    weights = viseme_weights(posed(dict(POSES[viseme])))
    assert OCULUS_VISEMES[int(weights[45].argmax())] == viseme
    assert OCULUS_VISEMES[int(weights[10].argmax())] == "sil"


def test_weights_are_between_0_and_1_and_sum_to_1() -> None:
    generator = torch.Generator().manual_seed(0)
    motion = still_motion("toy", torch.rand(50, 52, generator=generator), ARKIT_NAMES, 30.0, 3)
    for shown in (motion, motion.with_events([Event("phoneme", 0, 1, "AA")])):
        weights = viseme_weights(shown)
        assert weights.shape == (50, 15)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(1), torch.ones(50))
    assert viseme_weights(motion, ("aa", "ou")).sum(1).max() <= 1 + 1e-6


def test_a_wider_mouth_has_more_of_the_open_viseme() -> None:
    weights = [weight(posed({"jawOpen": opening}), "aa") for opening in (0.1, 0.3, 0.6)]
    assert weights == sorted(weights)
    assert weights[2] > 0.7
    # ARKit's jaw opens behind closed lips, too.
    assert weight(posed({"jawOpen": 0.5, "mouthClose": 0.5}), "aa") < 0.05


def test_phonemes_decide_between_visemes_that_look_alike() -> None:
    slightly_open = posed({"jawOpen": 0.14, "mouthLowerDown": 0.15})
    for phoneme, viseme in (("T", "DD"), ("N", "nn"), ("K", "kk"), ("TH", "TH")):
        said = slightly_open.with_events([Event("phoneme", 1.0, 2.0, phoneme)])
        assert OCULUS_VISEMES[int(viseme_weights(said)[45, 1:].argmax()) + 1] == viseme
    closed = posed({})
    assert weight(closed, "sil") == pytest.approx(1)
    assert weight(closed.with_events([Event("phoneme", 1.0, 2.0, "B")]), "PP") > 0.5


def test_the_mouth_decides_how_far_it_opens() -> None:
    said = [Event("phoneme", 1.0, 2.0, "AA")]
    low, high = (weight(posed({"jawOpen": opening}).with_events(said), "aa") for opening in (0.1, 0.6))
    assert high > low + 0.3


def test_a_lasting_smile_is_no_viseme() -> None:
    smiling = still_motion("toy", torch.zeros(60, 52), ARKIT_NAMES, 30.0, 3)
    for side in ("Left", "Right"):
        smiling.expression[:, ARKIT_NAMES.index(f"mouthSmile{side}")] = 0.2
    assert float(viseme_weights(smiling)[:, 0].min()) == pytest.approx(1)


def test_the_weights_are_those_of_bounded_least_squares() -> None:
    generator = torch.Generator().manual_seed(4)
    poses, wanted = (torch.rand(*size, generator=generator) for size in ((5, 9), (20, 9)))
    spoken, trust = torch.rand(20, 5, generator=generator), torch.tensor([0.1, 0.5, 0.2, 0.3, 0.4])
    ours = visemes._solved(poses, wanted, spoken, trust)
    pull = trust.sqrt()
    matrix = torch.cat([poses.T, pull.diag()]).double().numpy()
    for row, target, said in zip(ours, wanted, spoken, strict=True):
        goal = torch.cat([target, pull * said]).double().numpy()
        expected = lsq_linear(matrix, goal, (0, 1), tol=1e-12).x
        torch.testing.assert_close(row.double(), torch.from_numpy(expected), atol=2e-3, rtol=0)


def test_a_viseme_comes_and_goes_around_its_phoneme() -> None:
    phonemes = [Event("phoneme", 1.0, 1.2, "B"), Event("phoneme", 1.2, 1.4, "AY")]
    spoken = spoken_visemes(phonemes, ("PP", "aa", "ih"), 90, 30.0)
    assert spoken[33].tolist() == [1, 0, 0]
    assert [int(spoken[frame].argmax()) for frame in (33, 38, 41)] == [0, 1, 2]
    assert 0 < spoken[29, 0] < 1
    assert not spoken[:28].any() and not spoken[45:].any()
    assert spoken.sum(1).max() <= 1 + 1e-6


def test_every_phoneme_has_visemes() -> None:
    assert set(OCULUS) == set(PHONEMES)
    assert {viseme for parts in OCULUS.values() for viseme in parts} == set(OCULUS_VISEMES)
    assert set(POSES) == set(OCULUS_VISEMES) - {"sil"}
