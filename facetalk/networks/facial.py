"""FACIAL's generator and critic: speech and an initial state -> head pose, blinks and brows (Zhang et al. 2021).

A temporal branch looks at a window of 128 frames and finds a context code for each of them, a frame branch looks at the
last 16 frames, and both together give the state of the frame. Three things differ from the paper. All convolutions over
time look back only, so that no frame depends on speech that comes later. A movement that is sampled from a distribution
comes in beside the speech (`movement.py`), and the network gives what is added to it, because many movements go with
the same words; the paper's network gives their mean, which hardly moves. And the initial state is left as a damped
spring would leave it, so that windows join without a jump in place or speed, and nothing drifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from facetalk.core.config import check_ranges
from facetalk.head.behavior import MOVING, WINDOW
from facetalk.networks.critics import MotionPatches, PatchCriticConfig
from facetalk.networks.movement import Movement, MovementConfig, MovementCourse

PLAUSIBLE = {
    "movement.step": (1e-6, 10.0),
    "feature_mean": (-1e3, 1e3),
    "feature_std": (1e-4, 1e3),
    "settling": (0.1, 1e3),
    "spread": (0.0, 45.0),
    "usual": (-10.0, 10.0),
    "usual_spread": (1e-4, 10.0),
    "liveliness": (0.0, 2.0),
    "blink_rate": (0.0, 2.0),
    "usual_closing": (0.0, 10.0),
}
"""Smallest and largest value of the statistics that a network holds; those of real speakers lie far inside."""

REACH = 16
"""Frames that the frame branch sees: the last ones, up to the present one."""


@dataclass(frozen=True)
class FacialConfig:
    """Sizes of the generator."""

    plane_width: int = 8
    """Channels of the convolutions over time and features; the last two have twice as many."""
    width: int = 48
    """Channels of the U-Net; its three deepest levels have twice as many."""
    code: int = 32
    """Length of the context code."""
    dropout: float = 0.1
    """Of the speech features, each for a whole window, and of the code."""
    movement: MovementConfig = field(default_factory=MovementConfig)

    def __post_init__(self) -> None:
        check_ranges(
            self,
            plane_width=(1, 1024),
            width=(1, 2048),
            code=(1, 2048),
            dropout=(0, 0.99),
        )


class FacialNetwork(nn.Module):
    """Speech features, a movement and two frames of what was added to it -> the states of a window."""

    feature_mean: Tensor
    feature_std: Tensor
    settling: Tensor
    """Time constant with which an initial state is left, frames."""
    spread: Tensor
    """Standard deviation of each state in a median training clip, degrees and channel weights."""
    usual: Tensor
    usual_spread: Tensor
    """Mean and standard deviation of generated states, which differ from 0 and 1."""
    liveliness: Tensor
    """Standard deviation of the logarithm of how far the heads of the training clips move."""
    blink_rate: Tensor
    """Blinks per second."""
    usual_closing: Tensor
    """Mean of the generated state of the lids."""

    def __init__(self, num_features: int, num_states: int, config: FacialConfig | None = None) -> None:
        """Build the layers.

        Args:
            num_features: of the speech, for each frame.
            num_states: numbers that describe head and face in a frame.
            config: sizes.
        """
        super().__init__()
        self.config = config = config or FacialConfig()
        self.num_features = num_features
        self.movement = Movement(num_features, len(MOVING), config.movement)
        self.temporal = TemporalBranch(num_features, config)
        self.frame = FrameBranch(num_features, config)
        self.context = nn.ModuleList(
            PastConv(a, b)
            for a, b in (
                (config.width + 2 * num_states + len(MOVING), config.width),
                (config.width, config.width),
                (config.width, config.code),
            )
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.width) for _ in range(2))
        self.to_states = nn.Linear(2 * config.code, num_states)
        nn.init.zeros_(self.to_states.weight)
        nn.init.zeros_(self.to_states.bias)
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_std", torch.ones(num_features))
        self.register_buffer("settling", torch.full((num_states,), 15.0))
        for name in ("spread", "usual", "usual_spread"):
            self.register_buffer(name, torch.ones(num_states))
        for name in ("liveliness", "blink_rate", "usual_closing"):
            self.register_buffer(name, torch.ones(()))

    def heard(self, features: Float[Tensor, "*frames features"]) -> Float[Tensor, "*frames features"]:
        """Normalized features."""
        return (features - self.feature_mean) / self.feature_std

    def forward(
        self,
        features: Float[Tensor, "batch frames features"],
        movement: Float[Tensor, "batch frames moving"],
        before: Float[Tensor, "batch 2 states"],
    ) -> Float[Tensor, "batch frames states"]:
        """What is added to the movement.

        Args:
            features: of the speech; the number of frames is a multiple of 128.
            movement: the states `MOVING` that `Movement` sampled.
            before: what was added in the frame before the first one, and in the first.

        Returns:
            One row for each frame; the first is the given one.
        """
        x = functional.dropout1d(self.heard(features).transpose(1, 2), self.config.dropout, self.training)
        moved = movement.transpose(1, 2)
        start = torch.cat([before[:, 1], before[:, 1] - before[:, 0]], 1)
        z = self.temporal(x, moved)
        z = torch.cat([z, start[..., None].expand(-1, -1, z.shape[2]), moved], 1)
        for layer, norm in zip(self.context, [*self.norms, None], strict=True):
            z = layer(z)
            z = z if norm is None else functional.leaky_relu(norm(z), 0.2)
        code = torch.cat([z, self.frame(x)], 1).transpose(1, 2)
        added = self.to_states(functional.dropout(code, self.config.dropout, self.training))
        return joined(added, before, self.settling)


def moved_by(
    states: Float[Tensor, "*frames states"], movement: Float[Tensor, "*frames moving"]
) -> Float[Tensor, "*frames states"]:
    """States to which a movement is added."""
    return states.index_add(-1, torch.tensor(MOVING, device=states.device), movement)


def joined(
    states: Float[Tensor, "batch frames states"],
    before: Float[Tensor, "batch 2 states"],
    settling: Float[Tensor, " states"],
) -> Float[Tensor, "batch frames states"]:
    """States that begin with an initial state and its speed, and approach the given ones as a damped spring does.

    The difference of place and speed at the beginning is left by the free response of a critically damped spring.

    Args:
        states: those to approach.
        before: the state before the first one, and the first one.
        settling: time constant of each state in frames.
    """
    time = torch.arange(states.shape[1], device=states.device, dtype=states.dtype)[:, None] / settling
    away = before[:, 1:] - states[:, :1]
    faster = (before[:, 1:] - before[:, :1]) - (states[:, 1:2] - states[:, :1])
    return states + (away * (1 + time) + faster * time * settling) * (-time).exp()


class PastConv(nn.Conv1d):
    """A convolution over three frames: the present one and the two before."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, input: Float[Tensor, "batch inputs frames"]) -> Float[Tensor, "batch outputs frames"]:
        """One row for each frame."""
        return super().forward(functional.pad(input, (2, 0)))


class TemporalBranch(nn.Module):
    """Convolutions over the plane of time and features, then a U-Net over time, both of which look back only."""

    def __init__(self, num_features: int, config: FacialConfig) -> None:
        super().__init__()
        narrow, wide = config.plane_width, 2 * config.plane_width
        plans = ((1, narrow, 2), (narrow, narrow, 2), (narrow, wide, 1), (wide, wide, 1))
        self.planes = nn.ModuleList(nn.Conv2d(a, b, (4, 3), (step, step), (0, 1)) for a, b, step in plans)
        self.plane_norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _ in plans)
        remaining = math.ceil(math.ceil(num_features / 2) / 2)
        self.joined = nn.Conv1d(wide * remaining, config.width, 1)
        deep = 2 * config.width
        downs = (
            (config.width + len(MOVING), config.width), (config.width, config.width), (config.width, deep),
            (deep, deep), (deep, deep),
        )  # fmt: skip
        self.downs = nn.ModuleList(nn.Conv1d(a, b, 4, 2) for a, b in downs)
        self.down_norms = nn.ModuleList(nn.BatchNorm1d(b) for _, b in downs)
        ups = ((deep, deep), (2 * deep, deep), (2 * deep, config.width), (2 * config.width, config.width),
               (2 * config.width, config.width))  # fmt: skip
        self.ups = nn.ModuleList(nn.ConvTranspose1d(a, b, 4, 2) for a, b in ups)
        self.up_norms = nn.ModuleList(nn.BatchNorm1d(b) for _, b in ups)

    def forward(
        self, features: Float[Tensor, "batch features frames"], movement: Float[Tensor, "batch moving frames"]
    ) -> Float[Tensor, "batch width frames"]:
        """Codes between -1 and 1."""
        x = features.transpose(1, 2)[:, None]
        for layer, norm in zip(self.planes, self.plane_norms, strict=True):
            x = functional.leaky_relu(norm(layer(functional.pad(x, (0, 0, 3, 0)))))
        x = self.joined(x.transpose(2, 3).flatten(1, 2)).repeat_interleave(4, 2)
        return self._u_net(torch.cat([x, movement], 1))

    def _u_net(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch width frames"]:
        skipped: list[Tensor] = []
        for layer, norm in zip(self.downs, self.down_norms, strict=True):
            x = norm(functional.leaky_relu(layer(functional.pad(x, (3, 0))), 0.2))
            skipped.append(x)
        skipped.pop()
        for layer, norm in zip(self.ups, self.up_norms, strict=True):
            x = norm(layer(x)[..., :-2].relu())
            x = torch.cat([x, skipped.pop()], 1) if skipped else x
        return x.tanh()


class FrameBranch(nn.Module):
    """The last 16 frames of speech -> a code, the same network for every frame."""

    def __init__(self, num_features: int, config: FacialConfig) -> None:
        super().__init__()
        plans = ((num_features, 32), (32, 32), (32, 64), (64, 64))
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 3, 2, 1) for a, b in plans)
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for _, b in plans)
        self.code = nn.Linear(64, config.code)

    def forward(self, features: Float[Tensor, "batch features frames"]) -> Float[Tensor, "batch code frames"]:
        """One code for each frame, between -1 and 1."""
        batch, width, frames = features.shape
        pieces = functional.pad(features, (REACH - 1, 0)).unfold(2, REACH, 1)
        x = pieces.transpose(1, 2).reshape(batch * frames, width, REACH)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x).relu())
        return self.code(x[..., 0]).tanh().reshape(batch, frames, -1).transpose(1, 2)


class BehaviorCritic(nn.Module):
    """States, their differences and the speech -> one score per patch of the window, high for real behavior.

    Unlike the paper's, it hears the speech, so that movement has to go with it, and its layers are normalized by their
    largest singular value (Miyato et al. 2018), which keeps training stable on little data.
    """

    def __init__(self, num_features: int, num_states: int, config: PatchCriticConfig | None = None) -> None:
        super().__init__()
        config = config or PatchCriticConfig(widths=(64, 96, 128, 128), dropout=0.1)
        self.patches = MotionPatches(2 * num_states + num_features, config)
        for index, layer in enumerate(self.patches.layers):
            self.patches.layers[index] = spectral_norm(layer)
        self.score = spectral_norm(nn.Conv1d(self.patches.width, 1, 3, padding=1))

    def forward(
        self, features: Float[Tensor, "batch frames features"], states: Float[Tensor, "batch frames states"]
    ) -> Float[Tensor, "batch patches"]:
        """Scores; the features are normalized ones."""
        steps = 8 * functional.pad(states.diff(dim=1), (0, 0, 1, 0))
        return self.score(self.patches(torch.cat([states, steps, features], 2)))[:, 0]


def generated_windows(
    network: FacialNetwork, features: Float[Tensor, "frames features"], generator: torch.Generator
) -> Float[Tensor, "frames states"]:
    """States over any length: windows of 128 frames, each of which starts from the last two states of the one before.

    Args:
        network: in evaluation mode.
        features: of the speech.
        generator: source of the movement; a longer recording begins as a shorter one.
    """
    return StateCourse(network, generator).feed(features)


class StateCourse:
    """The states of `generated_windows` for speech that comes piece by piece."""

    def __init__(self, network: FacialNetwork, generator: torch.Generator) -> None:
        self._network = network
        self._course = MovementCourse(network.movement, generator)
        self._before = network.spread.new_zeros(1, 2, len(network.spread))
        self._features = network.feature_mean.new_zeros(0, network.num_features)
        """Of the window at work."""
        self._movement = network.spread.new_zeros(0, len(MOVING))
        self._done = 0
        """Frames of the window whose states were returned."""

    def feed(self, features: Float[Tensor, "frames features"]) -> Float[Tensor, "frames states"]:
        """The states of the next frames.

        The network looks back only, so a window is complete up to the frame where its features end.
        """
        self._features = torch.cat([self._features, features])
        self._movement = torch.cat([self._movement, self._course.feed(self._network.heard(features))])
        parts = []
        while True:
            added = self._added()
            stop = min(len(self._features), WINDOW - 1)
            part = slice(self._done, stop)
            parts.append(moved_by(added[0, part], self._movement[part]))
            self._done = stop
            if len(self._features) < WINDOW:
                return torch.cat(parts)
            self._before = added[:, -2:]
            self._features, self._movement = (rows[WINDOW - 1 :].clone() for rows in (self._features, self._movement))
            self._done = 0

    def _added(self) -> Float[Tensor, "1 window states"]:
        rows = [part[:WINDOW] for part in (self._features, self._movement)]
        features, movement = (functional.pad(part, (0, 0, 0, WINDOW - len(part)))[None] for part in rows)
        return self._network(features, movement, self._before)
