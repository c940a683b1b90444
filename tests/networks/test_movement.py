"""A movement is sampled from the distribution that was learned, in any pieces."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from facetalk.networks.movement import Movement, MovementConfig, MovementCourse

TINY = MovementConfig(width=6, components=3, past=2)


def tiny_movement(states: int = 2, config: MovementConfig = TINY) -> Movement:
    torch.manual_seed(0)
    movement = Movement(4, states, config).eval()
    movement.step.copy_(torch.linspace(0.1, 0.3, states))
    return movement


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def obvious_course(movement: Movement, features: torch.Tensor, seed: int) -> torch.Tensor:
    """Frame by frame with PyTorch's own layers, in double precision."""
    movement = movement.double()
    random = torch.randn(
        256, 1 + movement.num_states, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    place, last = torch.zeros(movement.num_states).double(), [torch.zeros(movement.num_states).double()] * TINY.past
    remembered, found = None, []
    for heard, (trial, *normals) in zip(features.double(), random.tolist(), strict=False):
        seen = functional.elu(movement.seen(torch.cat([heard, place, *last])))
        recalled, remembered = movement.memory(seen[None, None], remembered)
        mixed = movement.mixture(torch.cat([recalled[0, 0], seen])).reshape(TINY.components, -1)
        below = mixed[:, 0].softmax(0).cumsum(0)
        chosen = int((below < 0.5 * (1 + torch.erf(torch.tensor(trial) / 2**0.5))).sum())
        mean, spread = mixed[chosen, 1:].split(movement.num_states)
        moved = (mean + spread.clamp(-6, 3).exp() * torch.tensor(normals).double()).clamp(-8, 8)
        place, last = place + moved * movement.step, [moved, *last[:-1]]
        place = torch.where(place.abs() > 2.5, place - 0.1 * (place - 2.5 * place.sign()), place)
        found.append(place)
    movement.float()
    return torch.stack(found).float().detach()


def test_a_movement_is_that_of_the_network_and_does_not_depend_on_the_pieces() -> None:
    movement, features = tiny_movement(), rows(200, 4)
    whole = MovementCourse(movement, torch.Generator().manual_seed(5)).feed(features)
    torch.testing.assert_close(whole, obvious_course(movement, features, 5))
    course = MovementCourse(movement, torch.Generator().manual_seed(5))
    assert torch.equal(torch.cat([course.feed(part) for part in features.split((1, 0, 7, 92, 100))]), whole)
    assert whole.abs().max() > 2.5 > whole.std() > 0.05


def test_movements_end_however_far_the_network_wants_to_go() -> None:
    movement = tiny_movement()
    with torch.no_grad():
        movement.mixture.bias.fill_(3.0)
    found = MovementCourse(movement, torch.Generator().manual_seed(0)).feed(torch.zeros(3000, 4))
    # Steps of 8 times the usual one against a return of a tenth of what is beyond 2.5.
    assert (found.abs().amax(0) <= 2.5 + 8 * movement.step / 0.1).all()


def test_surprise_is_the_density_of_the_mixture() -> None:
    movement, features, states = tiny_movement(), rows(1, 30, 4), rows(1, 31, 2, seed=1).cumsum(1)
    surprise = movement.surprise(features, states)
    assert surprise.shape == (1, 29)
    steps = states.diff(dim=1)[0] / movement.step
    last = torch.stack([torch.cat([steps[i], steps[i - 1] if i else torch.zeros(2)]) for i in range(29)])
    seen = functional.elu(movement.seen(torch.cat([features[0, 1:], states[0, 1:-1], last], 1)))
    mixed = movement.mixture(torch.cat([movement.memory(seen[None])[0][0], seen], 1)).reshape(29, 3, 5)
    normal = torch.distributions.Independent(
        torch.distributions.Normal(mixed[..., 1:3], mixed[..., 3:].clamp(-6, 3).exp()), 1
    )
    mixture = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=mixed[..., 0]), normal)
    torch.testing.assert_close(surprise[0], -mixture.log_prob(steps[1:]))


@pytest.mark.slow
def test_bursts_and_rests_are_learned() -> None:
    """A process that rests or jumps: no normal distribution has such a kurtosis (3)."""
    movement = tiny_movement(1, MovementConfig(width=12, components=3, past=1))
    generator = torch.Generator().manual_seed(0)

    def clips(count: int) -> torch.Tensor:
        steps = rows(count, 65, 1, seed=int(torch.randint(1 << 30, (), generator=generator)))
        moving = torch.rand(count, 65, 1, generator=generator) < 0.1
        return (torch.where(moving, 1.0, 0.02) * steps).cumsum(1)

    movement.step.fill_(0.32)
    optimizer = torch.optim.Adam(movement.parameters(), 1e-2)
    for _ in range(150):
        loss = movement.surprise(torch.zeros(16, 64, 4), clips(16)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = movement.sample(torch.zeros(64, 64, 4), torch.zeros(64, 2, 1)).diff(dim=1)
    assert found.pow(4).mean() / found.square().mean() ** 2 > 12
    assert (found.abs() < 0.1).float().mean() == pytest.approx(0.9, abs=0.06)
    assert found.std() == pytest.approx(0.32, rel=0.25)
