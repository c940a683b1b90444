"""How a face goes on moving: the distribution of its next step, given what it just did and the speech.

An autoregressive mixture density network (Bishop 1994; Graves 2013): a recurrent layer sees the present state, the last
steps and the speech, and gives the weights, means and spreads of normal distributions of the next step. Trained by
likelihood, it moves as people do, in bursts with rests between them, which neither filtered noise nor an adversarial
network reached here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

_LOG_SPREADS = (-6.0, 3.0)
"""Smallest and largest logarithm of the spread of a normal distribution, in units of the usual step."""
_USUAL, _RETURN = 2.5, 0.1
"""States further out, which hardly any face is in, come back by this share of what is more in each frame."""
_LARGEST_STEP = 8.0
"""In units of the usual one: one in ten thousand of real steps is larger."""
_BLOCK = 256
"""Frames for which random numbers are drawn at a time."""


@dataclass(frozen=True)
class MovementConfig:
    """Sizes of the network."""

    width: int = 96
    components: int = 8
    """Normal distributions in the mixture."""
    past: int = 3
    """Last steps that it sees."""

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 2048), components=(1, 256), past=(1, 64))


class Movement(nn.Module):
    """Speech, states and steps up to a frame -> the distribution of the next step."""

    step: Tensor
    """Standard deviation of the steps of each state in the training clips."""

    def __init__(self, num_features: int, num_states: int, config: MovementConfig) -> None:
        super().__init__()
        self.config, self.num_states = config, num_states
        self.seen = nn.Linear(num_features + (1 + config.past) * num_states, config.width)
        self.memory = nn.GRU(config.width, config.width, batch_first=True)
        self.mixture = nn.Linear(2 * config.width, config.components * (1 + 2 * num_states))
        self.register_buffer("step", torch.ones(num_states))

    def surprise(
        self,
        features: Float[Tensor, "batch frames features"],
        states: Float[Tensor, "batch one_more states"],
        shifts: float = 0.0,
    ) -> Float[Tensor, "batch steps"]:
        """Negative logarithm of the likelihood of each step but the first, in units of the usual one.

        Args:
            features: of the speech, normalized.
            states: real ones, with that of the frame before.
            shifts: standard deviation of errors that are added to the states which the network sees, so that it finds
                back from its own.
        """
        steps = states.diff(dim=1) / self.step
        seen = states[:, 1:-1]
        if shifts > 0:
            seen = seen + shifts * torch.randn_like(seen)
        last = [functional.pad(steps, (0, 0, back, 0))[:, : seen.shape[1]] for back in range(self.config.past)]
        rows = functional.elu(self.seen(torch.cat([features[:, 1:], seen, *last], 2)))
        remembered, _ = self.memory(rows)
        weights, means, spreads = self._distribution(torch.cat([remembered, rows], 2))
        away = (steps[:, 1:, None] - means) * (-spreads).exp()
        densities = weights - away.square().sum(-1) / 2 - spreads.sum(-1)
        return self.num_states / 2 * math.log(2 * math.pi) - densities.logsumexp(-1)

    def _distribution(self, rows: Float[Tensor, "batch frames rows"]) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of the weights, means, and logarithms of the spreads of the normal distributions."""
        mixed = self.mixture(rows).unflatten(-1, (self.config.components, 1 + 2 * self.num_states))
        means, spreads = mixed[..., 1:].split(self.num_states, -1)
        return mixed[..., 0].log_softmax(-1), means, spreads.clamp(*_LOG_SPREADS)

    @torch.no_grad()
    def sample(
        self, features: Float[Tensor, "batch frames features"], before: Float[Tensor, "batch 2 states"]
    ) -> Float[Tensor, "batch frames states"]:
        """States that follow a state and the one before it, for training."""
        place, remembered = before[:, 1], None
        last = [(before[:, 1] - before[:, 0]) / self.step, *[torch.zeros_like(place)] * (self.config.past - 1)]
        found = []
        for heard in features.unbind(1):
            rows = functional.elu(self.seen(torch.cat([heard, place, *last], 1)))[:, None]
            recalled, remembered = self.memory(rows, remembered)
            weights, means, spreads = (part[:, 0] for part in self._distribution(torch.cat([recalled, rows], 2)))
            chosen = torch.multinomial(weights.exp(), 1)[:, :, None].expand(-1, -1, self.num_states)
            mean, spread = (part.gather(1, chosen)[:, 0] for part in (means, spreads))
            moved = (mean + spread.exp() * torch.randn_like(mean)).clamp(-_LARGEST_STEP, _LARGEST_STEP)
            place, last = place + moved * self.step, [moved, *last[:-1]]
            place = place - _RETURN * (place - place.clamp(-_USUAL, _USUAL))
            found.append(place)
        return torch.stack(found, 1)


class MovementCourse:
    """A movement for speech that comes piece by piece, from rest at the usual place.

    In NumPy and double precision: steps that follow each other are many small products, for which PyTorch takes ten
    times as long, and the same seed gives the same movement on every machine.
    """

    def __init__(self, movement: Movement, generator: torch.Generator) -> None:
        self._movement = movement
        self._seen, self._in, self._out, self._mixture = (
            _affine(movement.seen, "weight", "bias"),
            _affine(movement.memory, "weight_ih_l0", "bias_ih_l0"),
            _affine(movement.memory, "weight_hh_l0", "bias_hh_l0"),
            _affine(movement.mixture, "weight", "bias"),
        )
        self._step = movement.step.double().numpy()
        self._place = np.zeros(movement.num_states)
        self._last = np.zeros(movement.config.past * movement.num_states)
        self._remembered = np.zeros(movement.config.width)
        self._generator = generator
        self._random = iter(())

    def feed(self, features: Float[Tensor, "frames features"]) -> Float[Tensor, "frames states"]:
        """The states in the next frames.

        Args:
            features: of the speech there, normalized.
        """
        rows = np.empty((len(features), len(self._place)))
        with np.errstate(all="ignore"):  # of implausible weights, whose states are found not to be finite
            for index, heard in enumerate(features.double().numpy()):
                self._go_on(heard)
                rows[index] = self._place
        return torch.from_numpy(rows).float()

    def _go_on(self, heard: np.ndarray) -> None:
        seen = _times(self._seen, np.concatenate([heard, self._place, self._last]))
        seen = np.where(seen > 0, seen, np.expm1(np.minimum(seen, 0)))
        # A gated recurrent unit (Cho et al. 2014).
        given, kept = _times(self._in, seen), _times(self._out, self._remembered)
        width = len(seen)
        gates = 1 / (1 + np.exp(-(given[: 2 * width] + kept[: 2 * width]).clip(-60, 60)))
        reset, update = gates[:width], gates[width:]
        fresh = np.tanh(given[2 * width :] + reset * kept[2 * width :])
        self._remembered = fresh + update * (self._remembered - fresh)
        mixed = _times(self._mixture, np.concatenate([self._remembered, seen]))
        mixed = mixed.reshape(self._movement.config.components, -1)
        uniform, *normals = self._next_random()
        weights = np.exp(mixed[:, 0] - mixed[:, 0].max()).cumsum()
        chosen = min(int(np.searchsorted(weights, uniform * weights[-1])), len(weights) - 1)
        mean, spread = np.split(mixed[chosen, 1:], 2)
        moved = mean + np.exp(spread.clip(*_LOG_SPREADS)) * np.array(normals)
        moved = moved.clip(-_LARGEST_STEP, _LARGEST_STEP)
        place = self._place + moved * self._step
        self._place = place - _RETURN * (place - place.clip(-_USUAL, _USUAL))
        self._last = np.concatenate([moved, self._last[: -len(moved)]])

    def _next_random(self) -> list[float]:
        """A number between 0 and 1, and normal ones."""
        row = next(self._random, None)
        if row is None:
            block = torch.randn(_BLOCK, 1 + len(self._place), generator=self._generator, dtype=torch.float64)
            block[:, 0] = torch.special.ndtr(block[:, 0])
            self._random = iter(block.tolist())
            row = next(self._random)
        return row


def _affine(module: nn.Module, weight: str, bias: str) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset of a layer."""
    matrix, offset = (getattr(module, name).detach().double().numpy() for name in (weight, bias))
    return np.ascontiguousarray(matrix), offset


def _times(layer: tuple[np.ndarray, np.ndarray], row: np.ndarray) -> np.ndarray:
    return layer[0] @ row + layer[1]
