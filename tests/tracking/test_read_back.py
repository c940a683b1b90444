from __future__ import annotations

import pytest
import torch

from facetalk.core.types import Motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.settings import FitSettings
from tests.tracking.synthetic import IMAGE_SIZE, make_point_head, see, swaying

EXACT = FitSettings(channel_sigma=5, channel_cost=0.01, side_sigma=5, betas_weight=1e6, personal_share=0.0)
NUM_FRAMES = 60
JAW = ARKIT_NAMES.index("jawOpen")


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return make_point_head()


def misread(head: HeadModel, motion: Motion) -> torch.Tensor:
    """A detector to whom a jaw seems half again as open as it is."""
    expression = motion.expression.clone()
    expression[:, JAW] *= 1.5
    return see(head, expression, motion.global_orient, motion.transl, motion.betas)


def test_the_fitted_heads_picture_reads_as_the_persons_does(head: HeadModel) -> None:
    turn, transl = swaying(NUM_FRAMES)
    expression = torch.zeros(NUM_FRAMES, 52)
    expression[:, JAW] = 0.25 * (1 - (9 * torch.arange(NUM_FRAMES) / 30).cos())
    person = see(head, expression, turn, transl, torch.zeros(4))
    times = torch.arange(NUM_FRAMES) / 30
    naive = fit_landmarks(person, times, IMAGE_SIZE, head, settings=EXACT)
    aware = fit_landmarks(
        person, times, IMAGE_SIZE, head, settings=EXACT, read_back=lambda motion: misread(head, motion)
    )
    errors = [(misread(head, motion) - person)[..., :2].norm(dim=-1).mean() for motion in (naive, aware)]
    assert errors[1] < 0.5 * errors[0]
    gain = aware.expression[:, JAW].std() / expression[:, JAW].std()
    assert abs(float(gain) - 1 / 1.5) < 0.12


def test_pictures_without_a_face_are_left_out(head: HeadModel) -> None:
    turn, transl = swaying(NUM_FRAMES)
    person = see(head, torch.zeros(NUM_FRAMES, 52), turn, transl, torch.zeros(4))
    times = torch.arange(NUM_FRAMES) / 30

    def blind(motion: Motion) -> torch.Tensor:
        return torch.full((motion.num_frames, 478, 3), torch.nan)

    seen = fit_landmarks(person, times, IMAGE_SIZE, head, settings=EXACT, read_back=blind)
    assert bool(torch.isfinite(seen.expression).all())
    assert seen.fit_error is not None and float(seen.fit_error.mean()) < 0.02
