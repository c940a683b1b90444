"""The shipped head as MediaPipe sees it: found in every pose, identity and channel, and its openings follow ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.head_calibration import head_turn, portrait_camera
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head_assets
from tests.workshop.head.face_geometry import expression_of

See = Callable[..., "np.ndarray | None"]
TURNS = tuple(product((-30.0, 0.0, 30.0), (-20.0, 0.0, 20.0)))
IDENTITIES = (
    {}, {"sex": 1.5, "jawWidth": 1.5, "browRidge": 1.5}, {"sex": -1.5, "lipFullness": 1.5, "eyeSize": 1.5},
    {"age": 2.0, "cheekFat": 1.0, "noseLength": 1.5}, {"faceWidth": 2.0, "cheekFat": 1.5, "noseWidth": 1.5},
    {"faceWidth": -2.0, "chinLength": 1.5, "cheekbones": 1.5}, {"face1": 1.5, "face2": -1.5, "face3": 1.5},
    {"face4": 1.5, "foreheadHeight": -1.5, "mouthWidth": 1.5, "noseBridge": -1.5},
)  # fmt: skip
"""Eight people, standard deviations."""


@pytest.fixture(scope="module")
def see(landmark_networks: None) -> Iterator[See]:
    """Pixels that MediaPipe finds on a render of the head, None where it finds no face."""
    from facetalk.rendering.renderer import CpuRenderer
    from facetalk.vision.landmark_detector import MediaPipeDetector

    head = HeadModel(load_head_assets("facetalk"))
    renderer = CpuRenderer(head_surface(head.assets), portrait_camera())
    still, names = (torch.zeros(1, 5, 3), torch.zeros(1, 3)), head.shape.identity_names
    with MediaPipeDetector(follow=False) as detector:

        def seen(expression: torch.Tensor, yaw: float = 0, pitch: float = 0, **people: float) -> np.ndarray | None:
            betas = torch.tensor([people.get(name, 0.0) for name in names])
            vertices = head(expression, *still, betas)[0] @ torch.tensor(head_turn(yaw, pitch)).float().T
            return detector.detect(renderer.render(vertices.numpy()))

        yield seen


@pytest.mark.slow
@pytest.mark.parametrize("person", IDENTITIES, ids=["-".join(person) or "average" for person in IDENTITIES])
def test_every_person_is_found_in_every_pose(see: See, person: dict[str, float]) -> None:
    missed = [turn for turn in TURNS if see(expression_of(), *turn, **person) is None]
    assert not missed


@pytest.mark.slow
@pytest.mark.parametrize("turn", [(0.0, 0.0), (-30.0, 20.0), (30.0, -20.0)])
def test_every_channel_is_found(see: See, turn: tuple[float, float]) -> None:
    missed = [name for name in ARKIT_NAMES if see(torch.eye(52)[[ARKIT_NAMES.index(name)]], *turn) is None]
    assert not missed


def span(points: np.ndarray | None, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Mean opening in units of the outer eye corners' distance."""
    assert points is not None
    gaps = np.linalg.norm(points[list(upper), :2] - points[list(lower), :2], axis=1)
    return float(gaps.mean() / np.linalg.norm(points[33, :2] - points[263, :2]))


def test_the_openings_that_mediapipe_measures_follow_jaw_and_blink(see: See) -> None:
    amounts = np.linspace(0, 1, 5)
    mouth = [span(see(expression_of(jawOpen=x)), (13, 81, 311), (14, 178, 402)) for x in amounts]
    # MediaPipe's own mouth hardly opens further than the head's at jawOpen 0.75.
    assert all(b - a > 0.01 for a, b in pairwise(mouth)), mouth
    lids = ((159, 158, 386, 385), (145, 153, 374, 380))
    eyes = [span(see(expression_of(eyeBlink=x)), *lids) for x in amounts]
    assert all(a > b for a, b in pairwise(eyes)), eyes
