import pytest
import torch
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.tracking.energy import FaceEnergy, Observation, State, left_jacobian
from facetalk.tracking.face_basis import FaceBasis
from facetalk.tracking.settings import FitSettings
from tests.tracking.synthetic import noisy_start

FRAMES = 3


@pytest.fixture(scope="module")
def scene() -> tuple[FaceBasis, Observation, State]:
    generator = torch.Generator().manual_seed(3)
    basis, seen, state = noisy_start(FRAMES, generator)
    channels = torch.rand(state.channels.shape, generator=generator) * 0.5
    return basis, seen, State(state.rotation, state.position, channels)


def whitened(
    energy: FaceEnergy, rest: Tensor, seen: Observation, start: State, values: Tensor
) -> tuple[Tensor, Tensor]:
    """Errors over their expected size of points and pairs, written plainly; the frame's distance is that of `start`."""
    state, basis, settings = State.of(values), energy.basis, energy.settings
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    moved = rest + torch.einsum("te,epc->tpc", state.channels, basis.expression_dirs) - basis.pivot
    x, y, z = (torch.einsum("tij,tpj->tpi", turn, moved) + state.position[:, None]).unbind(-1)
    distance = -start.position[:, 2:].detach()
    across = (torch.stack([x / -z, y / -z], -1) * seen.focal_px - seen.image_points) * (distance / seen.focal_px)[
        ..., None
    ]
    share = seen.weights * basis.depth_weights
    depth = z - seen.depth * distance / seen.focal_px
    depth = depth - (share * depth).sum(1, True) / share.sum(1, True)
    first, second = basis.pairs.unbind(1)
    points = across * (seen.weights * basis.point_weights).sqrt()[..., None] / settings.point_sigma_m
    both = seen.weights[:, first] * seen.weights[:, second] * basis.pair_weights
    pairs = (across[:, first] - across[:, second]) * both.sqrt()[..., None] / settings.point_sigma_m
    depths = depth * share.sqrt() / settings.depth_sigma_m
    return torch.cat([points.flatten(1), pairs.flatten(1), depths], 1), (across**2).sum(-1)


def prior(energy: FaceEnergy, values: Tensor) -> Tensor:
    channels = values[:, 6:]
    return (0.5 * channels @ energy.prior_hessian * channels).sum(1) + channels @ energy.prior_gradient


def test_cost_and_gradient_agree_with_autograd(scene: tuple[FaceBasis, Observation, State]) -> None:
    basis, seen, state = scene
    settings = FitSettings()
    energy = FaceEnergy(basis, settings)
    rest = basis.rest(torch.zeros(4), torch.zeros(FRAMES, 8))
    equations = energy.linearize(rest, state, seen)
    values = state.flat().requires_grad_()
    errors, square = whitened(energy, rest, seen, state, values)
    limit = settings.robust_m**2
    trust = seen.weights * basis.point_weights / settings.point_sigma_m**2
    robust = 0.5 * (trust * limit * torch.log1p(square / limit)).sum(1)
    others = 0.5 * (errors[:, 2 * len(basis.ids) :] ** 2).sum(1)
    cost = robust + others + prior(energy, values)
    assert torch.allclose(equations.cost, cost, rtol=1e-4)
    (gradient,) = torch.autograd.grad(cost.sum(), values)
    for part in (slice(0, 3), slice(3, 6), slice(6, None)):
        difference = (equations.gradient[:, part] - gradient[:, part]).norm()
        assert difference < 1e-3 * gradient[:, part].norm()


def test_hessian_is_the_square_of_the_jacobian(scene: tuple[FaceBasis, Observation, State]) -> None:
    basis, seen, state = scene
    far = FitSettings(robust_m=1e3)
    energy = FaceEnergy(basis, far)
    rest = basis.rest(torch.zeros(4), torch.zeros(FRAMES, 8))
    hessian = energy.linearize(rest, state, seen).hessian
    scale = hessian.diagonal(dim1=1, dim2=2).sqrt()
    generator = torch.Generator().manual_seed(0)

    def errors(values: Tensor) -> Tensor:
        return whitened(energy, rest, seen, state, values)[0]

    for _ in range(8):
        # J' J v by a forward and a backward derivative, in units in which all variables matter alike.
        vector = torch.randn(scale.shape, generator=generator) / scale
        forward = torch.autograd.functional.jvp(errors, state.flat(), vector)[1]
        expected = torch.autograd.functional.vjp(errors, state.flat(), forward)[1]
        assert isinstance(expected, Tensor)
        expected[:, 6:] += vector[:, 6:] @ energy.prior_hessian
        ours = (hessian @ vector[..., None]).squeeze(-1)
        assert ((ours - expected) / scale).abs().max() < 5e-3


def test_the_slope_alone_equals_that_of_the_full_equations(scene: tuple[FaceBasis, Observation, State]) -> None:
    basis, seen, state = scene
    energy = FaceEnergy(basis, FitSettings())
    rest = basis.rest(torch.zeros(4), torch.zeros(FRAMES, 8))
    whole, alone = energy.linearize(rest, state, seen), energy.slope(rest, state, seen)
    torch.testing.assert_close(alone.gradient, whole.gradient)
    torch.testing.assert_close(alone.cost, whole.cost)


def test_left_jacobian_maps_small_steps_to_rotations() -> None:
    vector = torch.tensor([[0.3, -0.5, 0.2], [0.0, 0.0, 0.0]], dtype=torch.float64)
    step = torch.tensor([[1e-5, 2e-5, -1e-5]] * 2, dtype=torch.float64)
    moved = axis_angle_to_matrix(vector + step)
    expected = axis_angle_to_matrix((left_jacobian(vector) @ step[..., None]).squeeze(-1)) @ axis_angle_to_matrix(
        vector
    )
    assert torch.allclose(moved, expected, atol=1e-9)
