import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.tracking.face_basis import reduce_head
from facetalk.tracking.observation import EvenFrames, estimate_camera, even_frames, interpolate, observe
from facetalk.tracking.settings import FitSettings
from tests.tracking.synthetic import IMAGE_SIZE, make_camera, make_point_head, see, swaying


def test_frames_at_30_fps_are_unchanged() -> None:
    points = torch.randn(20, 478, 3)
    even, confidence = even_frames(points, torch.arange(20, dtype=torch.float64) / 30)
    assert torch.allclose(even, points, atol=1e-4)
    assert (confidence == 1).all()


def test_other_and_uneven_rates_are_resampled_by_their_times() -> None:
    generator = torch.Generator().manual_seed(0)
    times = torch.cumsum(0.02 + 0.04 * torch.rand(80, generator=generator, dtype=torch.float64), 0)
    points = times.float()[:, None, None].expand(80, 478, 3)
    even, _ = even_frames(points, times)
    assert abs(len(even) / 30 - float(times[-1])) < 0.08
    inside = torch.arange(len(even)) / 30 > times[0]
    assert torch.allclose(even[inside, 0, 0], (torch.arange(len(even)) / 30)[inside].clamp_max(times[-1]), atol=2e-3)


def test_interpolation_keeps_a_peak_that_linear_interpolation_would_cut() -> None:
    times = torch.arange(11, dtype=torch.float64) / 25
    values = torch.exp(-(((torch.arange(11) - 5.5) / 1.5) ** 2))[:, None]
    middle = interpolate(values, times, torch.tensor([5.5 / 25], dtype=torch.float64))
    assert 0.96 < float(middle) < 1.02
    assert float(values.max()) < 0.9


def test_gaps_are_interpolated_with_zero_confidence() -> None:
    points = torch.arange(30.0)[:, None, None].expand(30, 478, 3).clone()
    points[10:20] = torch.nan
    even, confidence = even_frames(points, torch.arange(30, dtype=torch.float64) / 30)
    assert torch.allclose(even[:, 0, 0], torch.arange(30.0), atol=1e-3)
    assert (confidence[10:20] == 0).all() and (confidence[:10] == 1).all() and (confidence[20:] == 1).all()


def test_a_clip_without_any_face_is_an_error() -> None:
    with pytest.raises(FacetalkError, match="no face was found in any of the 5 frames"):
        even_frames(torch.full((5, 478, 3), torch.nan), torch.arange(5) / 30)


def test_an_enlarged_face_is_not_a_close_up() -> None:
    points = see(make_point_head(), torch.zeros(1, 52), torch.zeros(1, 3), torch.tensor([[0, 0.05, -0.75]]),
                 torch.zeros(4))  # fmt: skip
    ordinary = estimate_camera(points, IMAGE_SIZE, FitSettings())
    assert float(ordinary.K[0, 0]) == pytest.approx(1.2 * 640)
    enlarged = estimate_camera(points * 3, IMAGE_SIZE, FitSettings())
    assert float(enlarged.K[0, 0]) > 2 * 1.2 * 640


def test_the_initial_pose_is_close() -> None:
    head = make_point_head()
    turn, transl = swaying(10)
    points = see(head, torch.zeros(10, 52), turn, transl, torch.zeros(4))
    basis = reduce_head(head)
    _, state = observe(points, make_camera(), basis)
    pivot = basis.pivot - head.joints[0]
    from facetalk.core.rotations import axis_angle_to_matrix

    expected = (axis_angle_to_matrix(turn) @ pivot) + head.joints[0] + transl
    assert (state.position - expected).abs().max() < 0.05


@pytest.mark.parametrize("part", [slice(0, 7), slice(5, 30), slice(20, 46), slice(None, None, 4)], ids=str)
def test_a_window_of_frames_is_cut_from_the_whole(part: slice) -> None:
    generator = torch.Generator().manual_seed(0)
    times = torch.cumsum(0.02 + 0.04 * torch.rand(40, generator=generator, dtype=torch.float64), 0)
    points = torch.randn(40, 478, 3, generator=generator)
    points[[3, 4, 15, 16, 17, 18, 19, 30, 39]] = torch.nan
    frames = EvenFrames(points, times)
    torch.testing.assert_close(frames[part], frames[:][part])
