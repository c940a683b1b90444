from __future__ import annotations

import pytest
import torch
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.model import HeadModel
from facetalk.tracking.energy import Observation, State
from facetalk.tracking.face_basis import FaceBasis, reduce_head, with_points
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.read_back import apply_reading
from tests.tracking.synthetic import IMAGE_SIZE, make_point_head, see, swaying

NUM_FRAMES = 48
FOCAL = 768.0


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return make_point_head()


def projected(basis: FaceBasis, state: State) -> Tensor:
    """Points of a basis in the image, pixels from the center."""
    moved = basis.template + (state.channels @ basis.expression_dirs.flatten(1)).unflatten(1, (-1, 3)) - basis.pivot
    points = moved @ axis_angle_to_matrix(state.rotation).transpose(1, 2) + state.position[:, None]
    return FOCAL * points[..., :2] / -points[..., 2:]


def test_points_move_to_where_the_detector_finds_them(head: HeadModel) -> None:
    generator = torch.Generator().manual_seed(0)
    basis = reduce_head(head)
    turn, position = swaying(NUM_FRAMES)
    channels = torch.rand(NUM_FRAMES, len(basis.free), generator=generator)
    channels = channels * (torch.rand(channels.shape, generator=generator) < 0.2)
    state = State(turn, position, channels)
    aside = 0.0015 * torch.randn(1 + len(basis.free), *basis.template.shape, generator=generator)
    seen_at = with_points(basis, basis.template + aside[0], basis.expression_dirs + 0.4 * aside[1:])
    read = projected(seen_at, state)
    read[5] = torch.nan
    none = torch.zeros(NUM_FRAMES, len(basis.ids))
    seen = Observation(read, none, none, torch.zeros(NUM_FRAMES, 2, 2), torch.ones(NUM_FRAMES), torch.eye(3), FOCAL)
    rest = basis.template.expand(NUM_FRAMES, -1, -1)
    corrected = apply_reading(basis, rest, state, seen)
    before, after = (
        (projected(one, state) - read)[torch.arange(NUM_FRAMES) != 5].norm(dim=-1).mean() for one in (basis, corrected)
    )
    assert after < 0.3 * before


@pytest.mark.slow
def test_too_few_renders_change_nothing(head: HeadModel) -> None:
    turn, transl = swaying(NUM_FRAMES)
    person = see(head, torch.zeros(NUM_FRAMES, 52), turn, transl, torch.zeros(4))
    times = torch.arange(NUM_FRAMES) / 30

    def blind(motion: Motion) -> Tensor:
        return torch.full((motion.num_frames, 478, 3), torch.nan)

    alone = fit_landmarks(person, times, IMAGE_SIZE, head)
    blindly = fit_landmarks(person, times, IMAGE_SIZE, head, read_back=blind)
    torch.testing.assert_close(blindly.expression, alone.expression, atol=0.05, rtol=0)
